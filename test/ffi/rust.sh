#!/bin/sh
# Runs the tests of the Rust crate against the installed library, shared and static, offline.
set -u
cd "$(dirname "$0")/../.." || exit 2
. test/check.sh

crate_tests() {
    (cd examples/rust && PKG_CONFIG_PATH=$prefix/lib/pkgconfig \
        CARGO_TARGET_DIR=$target LD_LIBRARY_PATH=$prefix/lib \
        cargo test --offline --quiet)
}

# Functions that the raw layer lacks, or that no library has.
strangers() {
    sed -n 's/^ *pub fn \(qnt_[a-z0-9_]*\)(.*/\1/p' examples/rust/src/sys.rs | LC_ALL=C sort |
        LC_ALL=C comm -3 - lib/qnt.symbols
}

# Functions that the raw layer has, and the safe one does not use.
unused() {
    grep -oh 'sys::qnt_[a-z0-9_]*' examples/rust/src/*.rs | sed 's/^sys:://' | LC_ALL=C sort -u |
        LC_ALL=C comm -13 - lib/qnt.symbols
}

check_none 'every function is declared' strangers
check_none 'every function is used by the safe layer' unused
if [ -z "${NATIVE-yes}" ]; then
    skip 'programs of another architecture'
elif ! have cargo; then
    missing 'cargo is'
elif ! have pkg-config; then
    missing 'pkg-config is'
else
    target=$PWD/$BUILD/rust
    prefix=$PWD/$BUILD/rust/prefix # the same each time, so that cargo finds nothing to rebuild
    check 'make install' install_here
    check 'cargo test, shared' crate_tests
    QNT_STATIC=1
    export QNT_STATIC
    target=$target-static
    check 'cargo test, static' crate_tests
fi
finish
