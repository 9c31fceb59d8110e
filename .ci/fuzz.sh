#!/bin/sh
# Fuzzes whatever test/fuzz holds, each for some seconds: .ci/fuzz.sh [SECONDS]
set -eu
cd "$(dirname "$0")/.."
log=$(mktemp)
make fuzz SECONDS_TO_FUZZ="${1:-60}" >"$log" 2>&1 || { tail -n 60 "$log" && exit 1; }
grep -E 'stat::|^ ' "$log" | tail -n 30
! grep skipped: "$log" # nothing is skipped here
