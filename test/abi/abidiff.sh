#!/bin/sh
# The built library against the ABI kept in lib/qnt-ARCH.abi, by libabigail. Any difference stops here
# until somebody decides on it and runs `make abi-baseline`.
set -u
cd "$(dirname "$0")/../.." || exit 2
. test/check.sh

baseline=lib/qnt-$ARCH.abi

describe() {
    abidw --suppressions test/abi/private.suppr --no-comp-dir-path --no-corpus-path --no-show-locs \
        --out-file "$scratch/built.abi" "$BUILD/lib/libqnt.so"
}

if ! have abidw || ! have abidiff; then
    missing 'abidw and abidiff (libabigail) are'
elif [ ! -f "$baseline" ]; then
    skip "$baseline is not there"
elif [ "${CFLAGS#*-g}" = "$CFLAGS" ]; then
    skip 'CFLAGS have no -g, which libabigail needs'
else
    check 'the ABI can be described' describe
    check "the ABI is that of $baseline" abidiff "$baseline" "$scratch/built.abi"
fi
finish
