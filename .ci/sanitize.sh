#!/bin/sh
# Tests under a sanitizer: .ci/sanitize.sh address,undefined | thread
set -eu
cd "$(dirname "$0")/.."
only=
[ "$1" = thread ] && only='pool threads determinism cancel' # where there are threads
QNT_TEST_QUICK=1 make -j2 CC=clang SAN="$1" CFLAGS='-O1 -gline-tables-only' check ONLY="$only"
