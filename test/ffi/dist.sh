#!/bin/sh
# The archive of `make dist`: the same bytes twice; and its tree builds by itself, here with coverage,
# which takes the least time: what runs is counted, and there is no trace of the plain variant.
set -u
cd "$(dirname "$0")/../.." || exit 2
. test/check.sh

if [ -z "${NATIVE-yes}" ]; then
    skip 'programs of another architecture'
    finish
fi
if ! have git || ! git rev-parse -q --verify HEAD >/dev/null 2>&1; then
    skip 'the tree is no clone, so there is nothing to pack'
    finish
fi
tree=$scratch/tree variant=build/covered

# shellcheck disable=SC2329  # called through check
pack_twice() {
    quietly_make dist DIST="$scratch/first" && quietly_make dist DIST="$scratch/second" &&
        cmp "$scratch"/first/*.tar.gz "$scratch"/second/*.tar.gz
}

# shellcheck disable=SC2329  # called through check
unpack() {
    mkdir "$tree" && gzip -dc "$scratch"/first/*.tar.gz | tar -xf - -C "$tree" --strip-components=1
}

# What MAKEFLAGS say is for the tree from which this comes.
make_there() {
    env -u MAKEFLAGS "$MAKE" -s -j2 -C "$tree" CC="$CC" CFLAGS= COV=1 BUILD="$variant" \
        PREFIX="$prefix" "$@"
}

counts() {
    find "$tree" -name '*.gcda' | grep -q '/src/context/context.gcda$'
}

strangers() {
    find "$tree/build" "$tree/lib" -path "$tree/$variant" -prune -o -name '*.[ao]' -print -o \
        -name '*.so*' -print
}

leftovers() {
    find "$prefix" ! -type d
}

check 'make dist, twice the same bytes' pack_twice
check 'the archive can be unpacked' unpack
check 'its tree builds with COV=1' make_there "$variant/test/unit/base"
check 'nothing is counted before a program runs' sh -c "! find '$tree' -name '*.gcda' | grep ."
adopt "$tree/$variant/test/unit/base"
check 'what ran is counted' counts
check_none 'nothing is built beside the variant' strangers
check 'make install there' make_there install
check 'make uninstall there' make_there uninstall
check_none 'uninstall leaves nothing' leftovers
finish
