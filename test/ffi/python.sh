#!/bin/sh
# Runs the tests of the Python binding against the installed library, and computes ONNX's vectors again.
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
    adopt python3 -B examples/python/tests
    if python3 -c 'import numpy' 2>/dev/null; then # and with ONNX Runtime, if it is there
        check 'the frozen vectors of ONNX' python3 -B test/vectors/onnx_vectors.py --check
    else
        missing 'numpy is'
    fi
fi
finish
