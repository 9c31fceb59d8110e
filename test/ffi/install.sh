#!/bin/sh
# Installs the library, builds programs against it outside the tree, runs them, uninstalls it.
set -u
cd "$(dirname "$0")/../.." || exit 2
. test/check.sh

if [ -z "${NATIVE-yes}" ]; then
    skip 'programs of another architecture'
    finish
fi
cxx=${CXX:-g++}
prefix=$scratch/.local # as in README.md

# build_and_run COMPILER SOURCE LIBRARY-FLAGS COMPILER-FLAGS...
build_and_run() {
    compiler=$1 source=$2 kind=$3
    shift 3
    case $source in "$scratch"/*) ;; *) cp "$source" "$scratch" ;; esac
    # shellcheck disable=SC2046,SC2086  # pkg-config prints several flags, CC may be "ccache gcc"
    (cd "$scratch" && $compiler -Wall -Wextra -Wpedantic -Werror "$@" "$(basename "$source")" \
        $(PKG_CONFIG_PATH=$prefix/lib/pkgconfig pkg-config --cflags --libs $kind qnt) \
        -o "$scratch/program" && LD_LIBRARY_PATH=$prefix/lib "$scratch/program")
}

# The programs printed in README.md and doc/start.md, as files.
printed_programs() {
    for text in README.md doc/start.md; do
        program=$scratch/$(basename "$text" .md).c
        awk '/^```c$/ { on = 1; next } /^```$/ { on = 0 } on' "$text" >"$program"
        ! grep -q 'int main' "$program" || echo "$program"
    done
}

# The commands printed in README.md behind its program, but for those that build and install.
# shellcheck disable=SC2329  # called through check
printed_commands() {
    awk '/^```sh$/ { blocks++; next } /^```$/ { ended = blocks } blocks == 1 && !ended' README.md |
        sed '/^make /d' >"$scratch/commands"
    cp "$scratch/README.c" "$scratch/program.c"
    (cd "$scratch" && HOME=$scratch sh -e commands | grep '^scale .* for any scale$')
}

# Every numbered example, as examples/README.md says; each checks its own result.
# shellcheck disable=SC2329  # called through check
numbered_examples() {
    for source in "$PWD"/examples/[0-9]*.c; do
        # shellcheck disable=SC2046  # as above
        (cd "$scratch" && $CC "$source" \
            $(PKG_CONFIG_PATH=$prefix/lib/pkgconfig pkg-config --cflags --libs qnt) -lm &&
            LD_LIBRARY_PATH=$prefix/lib ./a.out) || return 1
    done
}

files_below() {
    (cd "$1" && find . ! -type d | LC_ALL=C sort)
}

# Articles that the installed README names, and that are not there.
dangling() {
    grep -o '](doc/[a-z_]*\.md' "$prefix/share/doc/libqnt/README.md" | sed 's/^](//' | sort -u >"$scratch/links"
    [ -s "$scratch/links" ] || echo 'no links at all'
    (cd "$prefix/share/doc/libqnt" && while read -r link; do [ -e "$link" ] || echo "$link"; done) <"$scratch/links"
}

leftovers() {
    files_below "$prefix"
}

# shellcheck disable=SC2329  # called through check
staged() {
    quietly_make install DESTDIR="$scratch/stage" PREFIX=/usr LIBDIR=/usr/lib/multi &&
        grep -q '^libdir=${prefix}/lib/multi$' "$scratch/stage/usr/lib/multi/pkgconfig/qnt.pc" &&
        ! grep -r "$scratch" "$scratch/stage" --include='*.pc'
}

check 'make install' install_here
check_none 'articles lie where README.md says' dangling
if have pkg-config; then
    check 'a C99 program, shared' build_and_run "$CC" test/ffi/program.c '' -std=c99
    check 'a C99 program, static' build_and_run "$CC" test/ffi/program.c --static -std=c99 -static
    for program in $(printed_programs); do
        check "the program in $(basename "$program" .c).md" build_and_run "$CC" "$program" '' \
            -std=c11
    done
    check 'the commands in README.md' printed_commands
    check 'the numbered examples' numbered_examples
    if have "$cxx"; then
        check 'a C++11 program, shared' build_and_run "$cxx" test/ffi/cxx.cpp '' -std=c++11
        check 'a C++11 program, static' build_and_run "$cxx" test/ffi/cxx.cpp --static -std=c++11 \
            -static
    else
        missing "$cxx is"
    fi
else
    missing 'pkg-config is'
fi
check 'make install with DESTDIR and LIBDIR' staged
check 'make uninstall' quietly_make uninstall
check_none 'uninstall leaves nothing' leftovers
finish
