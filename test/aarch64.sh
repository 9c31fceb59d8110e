#!/bin/sh
# Cross-compiles everything for AArch64 and runs the test programs under qemu-user: all on a CPU with
# the dot product instructions, those of the slots also on one without. One line says what is missing,
# if anything is.
CROSS=${CROSS:-aarch64-linux-gnu-}
QEMU=${QEMU:-qemu-aarch64}
SYSROOT=${SYSROOT:-/usr/aarch64-linux-gnu}

for tool in "${CROSS}gcc" "$QEMU"; do
    if ! command -v "$tool" >/dev/null; then
        echo "  skipped: $tool is not installed"
        echo '0 passed, 0 failed, 1 skipped'
        exit 0
    fi
done

export QNT_TEST_QUICK=1 # qemu is some ten times slower than a CPU
log=$(mktemp) || exit 2
trap 'rm -f "$log"' EXIT
passed=0 failed=0 skipped=0
for cpu in max cortex-a53; do
    echo "aarch64, $cpu"
    only=
    if [ "$cpu" != max ]; then
        build=build/$("${CROSS}gcc" -dumpmachine)
        only="TESTS=$(printf "$build/%s " test/simd/*.c | sed 's/\.c / /g')"
    fi
    "${MAKE:-make}" --no-print-directory CC="${CROSS}gcc" SCRIPTS= ${only:+"$only"} \
        RUNNER="$QEMU -L $SYSROOT -cpu $cpu" check >"$log" 2>&1
    line=$(tail -n 1 "$log")
    case $line in
    *' passed, '*' failed, '*' skipped')
        sed -e '/^  [A-Z]* /d' -e '$d' "$log"
        p=${line%% *} s=${line% *} f=${line#*, }
        passed=$((passed + p)) failed=$((failed + ${f%% *})) skipped=$((skipped + ${s##* }))
        ;;
    *) # after a failure the last words are make's
        cat "$log"
        failed=$((failed + 1))
        ;;
    esac
done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
