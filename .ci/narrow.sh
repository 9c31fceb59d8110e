#!/bin/sh
# Builds and tests with 32-bit pointers, where everything is portable C: the same results, the same blobs.
set -eu
cd "$(dirname "$0")/.."
QNT_TEST_QUICK=1 make -j2 CC=i686-linux-gnu-gcc check SCRIPTS=
