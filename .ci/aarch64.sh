#!/bin/sh
# Builds for AArch64, compares its ABI, and tests under emulation with and without the dot product.
set -eu
cd "$(dirname "$0")/.."
make -j2 CROSS=aarch64-linux-gnu- abi
make -j2 check-aarch64
