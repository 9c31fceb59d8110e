#!/bin/sh
# Builds for AArch64, tests under emulation with and without the dot product, and compares the ABI.
set -eu
cd "$(dirname "$0")/.."
make -j2 CROSS=aarch64-linux-gnu- abi
if make -n check-aarch64 >/dev/null 2>&1; then
    make -j2 check-aarch64
else
    make -j2 CROSS=aarch64-linux-gnu- RUNNER='qemu-aarch64 -L /usr/aarch64-linux-gnu' check
fi
