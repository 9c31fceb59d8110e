#!/bin/sh
# Builds and runs the examples and the demo.
set -eu
cd "$(dirname "$0")/.."
for target in examples demo; do
    if make -n $target >/dev/null 2>&1; then make -j2 $target; fi
done
