#!/bin/sh
# Rules that a reader relies on: which folder may include which, line lengths, one version number.
set -u
cd "$(dirname "$0")/.." || exit 2
bad=0

# Prints what is wrong; the rule fails if anything is printed.
rule() {
    text=$1
    shift
    found=$("$@")
    [ -z "$found" ] && return
    echo "$text:"
    echo "$found" | sed 's/^/    /' | head -n 30
    bad=1
}

files() {
    git ls-files --cached --others --exclude-standard -- "$@"
}

c_files() {
    files '*.c' '*.h' '*.cpp'
}

# The table of src/README.md: a folder, and the folders it may include besides its own.
may_include() {
    case $1 in
    base) echo '' ;;
    simd) echo 'base' ;;
    context) echo 'base simd' ;;
    tensor) echo 'base simd context' ;;
    pool) echo 'base context' ;;
    kernel) echo 'base simd context tensor' ;;
    lowbit) echo 'base simd context tensor kernel quantizer' ;;
    qtable) echo 'base simd context' ;;
    ckn) echo 'base simd context tensor kernel' ;;
    train) echo 'base simd context tensor quantizer' ;;
    quantizer) echo 'base simd context tensor' ;;
    layer) echo 'base simd context tensor kernel quantizer' ;;
    io) echo 'base simd context tensor kernel quantizer layer lowbit ckn' ;;
    *) echo 'unknown' ;;
    esac
}

includes() {
    files 'src/*.[ch]' | while read -r file; do
        folder=${file#src/}
        folder=${folder%%/*}
        allowed=" $folder $(may_include "$folder") "
        sed -n 's|^ *# *include "\(.*\)"|\1|p' "$file" | while read -r include; do
            case $include in
            qnt/*) # a public header belongs to the folder of its name; simd sees only the CPU bits
                to=${include#qnt/}
                to=${to%.h}
                [ "$folder $include" = 'simd qnt/context.h' ] && to=simd
                ;;
            ../*) to=$folder ;;
            */*) to=${include%%/*} ;;
            *) to=$folder ;;
            esac
            case $allowed in
            *" $to "*) ;;
            *) echo "$file includes $include" ;;
            esac
        done
    done
}

# Kernels see their own folder, number formats and intrinsics, nothing else.
kernel_includes() {
    files 'src/simd/*/*.[ch]' | grep -v -E 'x86/x86.c|arm/arm.c' | while read -r file; do
        sed -n 's|^ *# *include [<"]\(.*\)[>"].*|\1|p' "$file" |
            grep -v -x -E '(\.\./)?[a-z_0-9]*\.h|base/(numeric|exponential)\.h' |
            sed "s|^|$file includes |"
    done
}

# 100 columns is the aim; beyond 108 nobody is lenient.
long_lines() {
    c_files | xargs awk 'length > 108 { print FILENAME ":" FNR ": " length " columns" }'
    files '*.md' | xargs awk 'length > 124 && !/\|/ && !/https?:/ { print FILENAME ":" FNR ": " length " columns" }'
}

white_space() {
    files '*.c' '*.h' '*.cpp' '*.py' '*.rs' '*.sh' '*.md' '.ci/run' |
        xargs grep -n -E '[[:space:]]$'
    files '*.c' '*.h' '*.cpp' '*.py' '*.rs' '*.sh' '.ci/run' | xargs grep -n -P '\t'
}

# The library prints nothing, ends nothing, reads no environment.
host_calls() {
    files 'src/*.[ch]' | xargs grep -n -w -E 'printf|fprintf|puts|exit|abort|getenv|assert|malloc|calloc|realloc' |
        grep -v -E '^[^:]*:[0-9]*: *(/?\*|//)' | grep -v -E 'format\(printf'
}

versions() {
    make=$(sed -n 's/^VERSION := //p' Makefile)
    header=$(sed -n 's/^#define QNT_VERSION 0x\(..\)\(..\)\(..\)$/\1 \2 \3/p' include/qnt/base.h |
        { read -r a b c && echo "$((0x$a)).$((0x$b)).$((0x$c))"; })
    source=$(sed -n 's/^ *return "\([0-9.]*\)";/\1/p' src/base/base.c)
    [ "$make" = "$header" ] && [ "$make" = "$source" ] ||
        echo "Makefile $make, base.h $header, base.c $source"
}

scripts() {
    { files '*.sh' && echo .ci/run; } | xargs shellcheck -x -S warning
}

rule 'includes against the table of src/README.md' includes
rule 'kernels include too much' kernel_includes
rule 'lines too long' long_lines
rule 'tabs, or blanks at the end of a line' white_space
rule 'calls that belong to the host' host_calls
rule 'version numbers differ' versions
rule 'shellcheck' scripts
[ $bad -eq 0 ] && echo 'style: good'
exit $bad
