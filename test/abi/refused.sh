#!/bin/sh
# Machines and flags with which results would differ do not compile, and the compiler says why.
set -u
cd "$(dirname "$0")/../.." || exit 2
. test/check.sh

refuses() { # TEXT FLAG...
    text=$1
    shift
    # shellcheck disable=SC2086  # several words
    ! echo '#include "base/numeric.h"' | $CC -x c -std=c11 "$@" -Isrc -fsyntax-only - 2>"$scratch/said" &&
        grep -q "$text" "$scratch/said"
}

check 'big-endian memory' refuses little-endian -w -D__BYTE_ORDER__=__ORDER_BIG_ENDIAN__
check 'excess precision' refuses mfpmath=sse -w -U__FLT_EVAL_METHOD__ -D__FLT_EVAL_METHOD__=2
check 'fast mathematics' refuses ffast-math -ffast-math
check 'no infinities' refuses ffast-math -ffinite-math-only
finish
