#!/bin/sh
# Tests under a sanitizer: .ci/sanitize.sh address,undefined | thread
set -eu
cd "$(dirname "$0")/.."
make -j2 CC=clang SAN="$1" CFLAGS='-O1 -g' check
