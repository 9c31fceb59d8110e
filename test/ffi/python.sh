#!/bin/sh
# Runs the tests of the Python binding against the installed library.
set -u
cd "$(dirname "$0")/../.." || exit 2
. test/check.sh

if [ -z "${NATIVE-yes}" ]; then
    skip 'programs of another architecture'
elif ! have python3; then
    missing 'python3 is'
else
    check 'make install' install_here
    QNT_LIBRARY=$prefix/lib/libqnt.so.1
    export QNT_LIBRARY
    adopt python3 -B examples/python/test_qnt.py
fi
finish
