#!/bin/sh
# Builds and tests with clang. What a tree is packed as does not depend on the compiler, and headers are
# tried with both of them anyway.
set -eu
cd "$(dirname "$0")/.."
scripts=$(find test/abi test/ffi -name '*.sh' ! -name dist.sh ! -name headers.sh | sort | tr '\n' ' ')
make -j2 CC=clang check SCRIPTS="$scripts"
