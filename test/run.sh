#!/bin/sh
# Runs test programs and scripts, and sums up their last lines: test/run.sh [--with RUNNER] PROGRAM...
# A program prints `N passed, N failed, N skipped` as its last line and exits non-zero on failure.
# RUNNER, e.g. qemu-aarch64, runs programs, as many at a time as there are processors; scripts (*.sh)
# run as they are and one after another, since they build and install.
run_one() { # PROGRAM: its line, and what it said if it failed; the counts go to $results
    log=$(mktemp "$results/XXXXXX") || exit 2
    case $1 in *.sh) runner= ;; esac
    # shellcheck disable=SC2086  # a runner may have arguments
    $runner "$1" >"$log" 2>&1
    status=$?
    line=$(tail -n 1 "$log")
    case $line in
    *' passed, '*' failed, '*' skipped')
        passed=${line%% *} skipped=${line% *} failed=${line#*, }
        skipped=${skipped##* } failed=${failed%% *}
        ;;
    *) passed=0 failed=1 skipped=0 ;;
    esac
    if [ "$status" -ne 0 ] && [ "$failed" -eq 0 ]; then failed=1; fi
    echo "$passed $failed $skipped" >"$log.counts"
    name=${1##*/test/}
    line=$(printf '%-40s %s passed, %s failed, %s skipped\n' "${name#test/}" "$passed" "$failed" "$skipped")
    if [ "$failed" -ne 0 ]; then
        echo "$line
$(tail -n 40 "$log")"
    elif [ "$skipped" -ne 0 ]; then
        echo "$line
$(grep skipped: "$log")"
    else
        echo "$line"
    fi
}

if [ "$1" = --one ]; then
    run_one "$2"
    exit 0
fi

runner=
if [ "$1" = --with ]; then
    runner=$2
    shift 2
fi
results=$(mktemp -d) || exit 2
trap 'rm -rf "$results"' EXIT
export runner results
programs=$(for program in "$@"; do
    case $program in *.sh) ;; *) echo "$program" ;; esac
done)
if [ -n "$programs" ]; then # without input, xargs would call once
    echo "$programs" | xargs -P "$(getconf _NPROCESSORS_ONLN)" -n 1 "$0" --one
fi
for script in "$@"; do
    case $script in *.sh) run_one "$script" ;; esac
done
cat "$results"/*.counts | awk -v programs=$# '
    { passed += $1; failed += $2; skipped += $3 }
    END {
        failed += programs - NR # ended without a line of its own
        printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped
        exit failed > 0 || passed == 0
    }'
