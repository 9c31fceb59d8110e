#!/bin/sh
# Installs what the tests need beyond a C compiler: Debian 12, as root. Does nothing if all is there.
set -eu
packages='make gcc g++ libc6-dev clang clang-format doxygen abigail-tools pkg-config shellcheck git
    python3 python3-numpy python3-pip valgrind qemu-user gcc-aarch64-linux-gnu libc6-dev-arm64-cross
    gcc-i686-linux-gnu libc6-dev-i386-cross libc6-i386 libjpeg-turbo-progs'

missing=
for package in $packages; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' ||
        missing="$missing $package"
done
command -v cargo >/dev/null || missing="$missing cargo"
if [ -n "$missing" ]; then
    apt-get update -qq
    # shellcheck disable=SC2086  # a list
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
fi

# The sanitizers' run time for clang has its version in the package name.
if ! echo 'int main(void){return 0;}' | clang -fsanitize=address -x c -o /dev/null - 2>/dev/null; then
    version=$(clang -dumpversion)
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        "libclang-rt-${version%%.*}-dev" >/dev/null
fi

# Compared against when it is there; not everywhere is there a wheel.
python3 -c 'import onnxruntime' 2>/dev/null ||
    python3 -m pip install -q --break-system-packages onnxruntime 2>/dev/null ||
    echo 'onnxruntime: not available, its comparisons will be skipped'
python3 -c 'import numpy' 2>/dev/null || python3 -m pip install -q --break-system-packages numpy

for tool in gcc clang make doxygen abidw python3 cargo valgrind qemu-aarch64 \
    aarch64-linux-gnu-gcc i686-linux-gnu-gcc pkg-config shellcheck; do
    command -v $tool >/dev/null || { echo "$tool is missing" && exit 1; }
done
