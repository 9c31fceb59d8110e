# Harness of the test scripts, sourced: check and check_none NAME COMMAND...,
# skip REASON, finish.
# Scripts get BUILD, ARCH, CC, CFLAGS, NM, OBJDUMP and NATIVE from test/test.mk; by hand they take the
# native gcc build.
# shellcheck shell=sh disable=SC2034  # the variables are for the scripts that source this

: "${CC:=cc}" "${CFLAGS:=-O2 -g}" "${NM:=nm}" "${OBJDUMP:=objdump}" "${MAKE:=make}"
: "${BUILD:=build/$($CC -dumpmachine)}" "${ARCH:=$(uname -m)}"
passed=0 failed=0 skipped=0
scratch=$(mktemp -d) || exit 2
trap 'rm -rf "$scratch"' EXIT

# Runs a command; its output is shown if it fails.
check() {
    name=$1
    shift
    if "$@" >"$scratch/output" 2>&1; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "  FAILED $name"
        sed 's/^/    /' "$scratch/output" | head -n 40
    fi
}

# The same for a command that lists what is wrong: it must print nothing.
check_none() {
    name=$1
    shift
    "$@" >"$scratch/list" 2>&1
    check "$name" sh -c "head -n 30 '$scratch/list'; [ ! -s '$scratch/list' ]"
}

skip() {
    skipped=$((skipped + 1))
    echo "  skipped: $*"
}

# A tool that is not installed: skipped, but a failure where QNT_TEST_ALL asks for everything.
missing() {
    if [ -n "${QNT_TEST_ALL-}" ]; then
        failed=$((failed + 1))
        echo "  FAILED $* not installed"
    else
        skip "$* not installed"
    fi
}

# Installs the built library below a prefix of the script's own.
prefix=$scratch/prefix
install_here() {
    quietly_make install
}

quietly_make() {
    "$MAKE" -j1 CC="$CC" CFLAGS="$CFLAGS" BUILD="$BUILD" PREFIX="$prefix" "$@"
}

have() {
    command -v "$1" >/dev/null 2>&1
}

# Takes over the counts of a program whose last line is like that of the scripts.
adopt() {
    "$@" >"$scratch/adopted" 2>&1
    status=$?
    line=$(tail -n 1 "$scratch/adopted")
    case $line in
    *' passed, '*' failed, '*' skipped')
        # shellcheck disable=SC2086  # the words of the line
        set -- $line
        passed=$((passed + $1)) failed=$((failed + $3)) skipped=$((skipped + $5))
        [ "$3" -eq 0 ] || cat "$scratch/adopted"
        [ "$5" -eq 0 ] || echo "  skipped: $5 inside"
        ;;
    *)
        failed=$((failed + 1))
        cat "$scratch/adopted"
        echo "  FAILED: exit status $status"
        ;;
    esac
}

finish() {
    echo "$passed passed, $failed failed, $skipped skipped"
    [ "$failed" -eq 0 ]
    exit
}
