#!/bin/sh
# Fuzzes the blob loader for some seconds: .ci/fuzz.sh [SECONDS]
set -eu
cd "$(dirname "$0")/.."
if make -n fuzz >/dev/null 2>&1; then
    make fuzz SECONDS_TO_FUZZ="${1:-60}"
fi
