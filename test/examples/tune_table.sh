#!/bin/sh
# The table that tune_table prints, given to a real encoder, makes files of the bytes that it told: grey
# and colour 4:2:0, odd sizes. And it refuses what is no picture.
set -u
cd "$(dirname "$0")/../.." || exit 2
. test/check.sh

program=$BUILD/examples/tune_table

# picture KIND WIDTH HEIGHT SEED: waves and an edge, bytes 1..255 (awks differ on 0).
picture() {
    LC_ALL=C awk -v kind="$1" -v w="$2" -v h="$3" -v seed="$4" 'BEGIN {
        printf "P%d\n# made by awk\n%d %d\n255\n", kind, w, h
        for (y = 0; y < h; y++) for (x = 0; x < w; x++) for (c = 0; c < (kind == 6 ? 3 : 1); c++) {
            v = 128 + 50 * sin(x * (0.05 + 0.03 * seed) + c) + 40 * cos(0.11 * y + seed * x / 40)
            v += (x > y + 10 * seed) * 30 + (x * 7919 + y * 104729 + c * 31 + seed) % 17
            printf "%c", (v < 1 ? 1 : v > 255 ? 255 : int(v))
        }
    }' >"$scratch/$5"
}

picture 6 93 61 1 a.ppm
picture 6 64 48 2 b.ppm
picture 5 50 71 3 c.pgm
picture 6 33 17 4 d.ppm
printf 'P6\n4 4\n255\nshort' >"$scratch/short.ppm"

tune() {
    "$program" --trials 50 --svg "$scratch/table.svg" "$scratch/a.ppm" "$scratch/b.ppm" \
        "$scratch/c.pgm" "$scratch/d.ppm" >"$scratch/table" 2>"$scratch/log" || { cat "$scratch/log" && return 1; }
}

has_64_steps() {
    [ "$(wc -w <"$scratch/table")" -eq 64 ]
}

# The bytes that were told for a picture, and those that the encoder writes.
same_bytes() {
    told=$(sed -n "s|^ *\([0-9]*\) bytes .*/$1\$|\1|p" "$scratch/log")
    real=$(cjpeg -dct int -quality 50 -qtables "$scratch/table" -qslots 0 "$scratch/$1" | wc -c)
    echo "told $told, written $real"
    [ "$told" -eq "$real" ]
}

refuses() {
    ! "$program" "$@"
}

check 'tuning' tune
check 'the table has 64 steps' has_64_steps
check 'pictures are held out' grep 'held-out pictures' "$scratch/log"
check 'the drawing is complete' grep -x '</svg>' "$scratch/table.svg"
check 'a file that ends early' refuses "$scratch/a.ppm" "$scratch/short.ppm"
check 'a file that is not there' refuses "$scratch/a.ppm" "$scratch/none.ppm"
if have cjpeg; then
    for name in a.ppm b.ppm c.pgm d.ppm; do
        check "bytes of $name" same_bytes $name
    done
else
    missing 'cjpeg is'
fi
finish
