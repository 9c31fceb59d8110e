#!/bin/sh
# Every public header compiles alone, as C99 and C++11, without a warning and without padding; and the
# tables of layout.c and constants.c are complete.
set -u
cd "$(dirname "$0")/../.." || exit 2
. test/check.sh

warnings='-Wall -Wextra -Wpedantic -Wpadded -Wundef -Wconversion -Wshadow -Werror'

# compiles COMPILER LANGUAGE STANDARD HEADER
compiles() {
    # shellcheck disable=SC2086  # several flags
    echo "#include \"$4\"" | $1 -x "$2" -std="$3" $warnings -Iinclude -fsyntax-only -
}

for compiler in gcc clang; do
    if ! have $compiler; then
        missing "$compiler is"
        continue
    fi
    for header in qnt.h include/qnt/*.h; do
        header=${header#include/}
        check "$header as C99 with $compiler" compiles $compiler c c99 "$header"
        if [ $compiler = gcc ] && ! have g++; then continue; fi
        check "$header as C++11 with $compiler" compiles $compiler c++ c++11 "$header"
    done
done
have g++ || missing 'g++ is'

missing_constants() {
    cat include/qnt/*.h | sed -n 's/^ *\(QNT_[A-Z0-9_]*\) *= .*/\1/p' | while read -r name; do
        grep -q "IS($name, " test/abi/constants.c || echo "$name has no row in test/abi/constants.c"
    done
}

missing_members() {
    cat include/qnt/*.h | awk '
        /^typedef struct qnt_[a-z_]* {/ { type = $3; next }
        /^}/ { type = "" }
        type && match($0, /[a-z_0-9]+(\[[0-9]+\])?;/) {
            name = substr($0, RSTART, RLENGTH)
            sub(/[[;].*/, "", name)
            print type, name
        }' | while read -r type name; do
        grep -q "MEMBER($type, $name, " test/abi/layout.c ||
            echo "$type.$name has no row in test/abi/layout.c"
    done
}

check_none 'constants.c is complete' missing_constants
check_none 'layout.c is complete' missing_members
finish
