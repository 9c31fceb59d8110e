#!/bin/sh
# What the libraries and their objects may define and call.
set -u
cd "$(dirname "$0")/../.." || exit 2
. test/check.sh

so=$BUILD/lib/libqnt.so objects=$BUILD/src

declared() {
    cat include/qnt/*.h | tr '\n' ' ' | grep -o 'QNT_API [^;(]*(' |
        sed -n 's/.*[ *]\(qnt_[a-z0-9_]*\)($/\1/p' | LC_ALL=C sort
}

# Names that others can link to.
exported() {
    "$NM" -D --defined-only "$so" | sed -n 's/.* T \(qnt_[a-z0-9_]*\)@@QNT_[0-9.]*$/\1/p' |
        LC_ALL=C sort
}

global_names() {
    "$NM" -g --defined-only "$@" | awk 'NF == 3 { print $3 }' | LC_ALL=C sort
}

# Beside functions only the version node may stand in the shared library.
data_exported() {
    "$NM" -D --defined-only "$so" | grep -v -e ' T qnt_' -e ' A QNT_'
}

writable_data() {
    "$OBJDUMP" -h "$BUILD/lib/qnt.o" |
        awk '$2 ~ /^\.(data|bss|tdata|tbss)/ && $2 !~ /^\.data\.rel\.ro/ && $3 !~ /^0+$/'
}

# Global names of SIMD objects that do not end in the file's CPU level.
simd_strangers() {
    for object in "$objects"/simd/*/*_*.o; do
        isa=$(basename "$object" .o)
        isa=${isa##*_}
        case $isa in
        avx2 | avxvnni | avx512vnni | avx512vbmi | neon | neondot)
            global_names "$object" | grep -v "_$isa\$" | sed "s|^|$object defines |"
            ;;
        esac
    done
}

# Code without a CPU level in its name must run on every CPU of the architecture.
wide_registers() {
    case $ARCH in
    x86_64) wide='%[yz]mm' ;;
    *) wide='[[:space:]][su]dot[[:space:]]' ;;
    esac
    find "$objects" -name '*.o' | grep -v -E '_(avx2|avxvnni|avx512vnni|avx512vbmi|neon|neondot)\.o$' |
        while read -r object; do
            "$OBJDUMP" -d "$object" | grep -m 1 "$wide" | sed "s|^|$object: |"
        done
}

# Outside names that a folder's objects call beyond memcpy and its kin (clang: bcmp for memcmp) and those allowed.
foreign_calls() {
    # shellcheck disable=SC2046  # several files
    "$NM" -u $(find "$objects/$2" -name '*.o' 2>/dev/null) 2>/dev/null | sed -n 's/^ *[Uw] //p' |
        LC_ALL=C sort -u | sed "s/@.*//" |
        grep -v -x -E "qnt_.*|mem(cpy|set|move|cmp)|bcmp|_GLOBAL_OFFSET_TABLE_|__stack_chk.*|${1:-qnt_}"
}

declared >"$scratch/declared"
exported >"$scratch/exported"
global_names "$BUILD/lib/libqnt.a" >"$scratch/static"
check 'lib/qnt.symbols lists what the headers declare' diff lib/qnt.symbols "$scratch/declared"
check 'the shared library exports lib/qnt.symbols' diff lib/qnt.symbols "$scratch/exported"
check 'the static library exports lib/qnt.symbols' diff lib/qnt.symbols "$scratch/static"
check_none 'the shared library exports functions only' data_exported
check_none 'no writable data' writable_data
check_none 'SIMD objects define names of their CPU level only' simd_strangers
case " $CFLAGS " in
*' -m'*) skip 'CFLAGS choose a CPU, so wide registers are expected everywhere' ;;
*) check_none 'no wide registers outside SIMD objects' wide_registers ;;
esac
for folder in simd kernel tensor layer io; do
    check_none "$folder calls no libm, no allocator, no system" foreign_calls '' "$folder"
done
check_none 'context calls the allocator and snprintf' foreign_calls \
    'aligned_alloc|free|vsnprintf|getauxval' context
check_none 'quantizer calls exact libm functions, and log, only' foreign_calls \
    'floor|ceil|fminf?|fmaxf?|ilogbf|ldexp|frexp|nextafterf|sqrt|fabs|rintf?|log|log10|exp|erfc?' quantizer
finish
