#!/bin/sh
# Runs test programs and scripts, and sums up their last lines: test/run.sh [--with RUNNER] PROGRAM...
# A program prints `N passed, N failed, N skipped` as its last line and exits non-zero on failure.
# RUNNER, e.g. qemu-aarch64, runs programs; scripts (*.sh) run as they are.
runner=
if [ "$1" = --with ]; then
    runner=$2
    shift 2
fi
passed=0 failed=0 skipped=0
log=$(mktemp) || exit 2
trap 'rm -f "$log"' EXIT
for program in "$@"; do
    name=${program##*/test/}
    with=$runner
    case $program in *.sh) with= ;; esac
    # shellcheck disable=SC2086  # a runner may have arguments
    $with "$program" >"$log" 2>&1
    status=$?
    line=$(tail -n 1 "$log")
    case $line in
    *' passed, '*' failed, '*' skipped')
        p=${line%% *} s=${line% *} f=${line#*, }
        s=${s##* } f=${f%% *}
        ;;
    *) p=0 f=1 s=0 ;;
    esac
    if [ "$status" -ne 0 ] && [ "$f" -eq 0 ]; then f=1; fi
    passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
    printf '%-40s %s passed, %s failed, %s skipped\n' "${name#test/}" "$p" "$f" "$s"
    if [ "$f" -ne 0 ]; then tail -n 40 "$log"; elif [ "$s" -ne 0 ]; then grep skipped: "$log"; fi
done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
