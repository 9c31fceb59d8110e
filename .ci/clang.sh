#!/bin/sh
# Builds and tests with clang.
set -eu
cd "$(dirname "$0")/.."
make -j2 CC=clang check
