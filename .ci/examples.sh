#!/bin/sh
# Builds the examples and runs the demo. (`make check` runs the numbered examples.)
set -eu
cd "$(dirname "$0")/.."
make -j2 examples
make demo
