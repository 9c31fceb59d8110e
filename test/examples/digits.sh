#!/bin/sh
# What quantized networks, tables and kernel maps are worth, on handwritten digits that they have not
# seen: the first table of the demo, V8 and K10 of the articles' lists. Seeds are fixed; limits are those
# of the method, with room.
set -u
cd "$(dirname "$0")/../.." || exit 2
. test/check.sh

digits=examples/data/digits.bin programs=$BUILD/examples

train() {
    "$programs/train_digits" $digits "$scratch/weights"
}

quantize() {
    "$programs/digits" $digits "$scratch/weights" | tee "$scratch/networks"
}

# Every method with every width, for tensors and channels: each network is a row.
all_rows() {
    for method in MINMAX PERCENTILE ENTROPY ANALYTIC MSE; do
        for widths in '8 +8' '6 +6' '4 +4' '3 +4' '2 +4'; do
            for grain in tensor channel; do
                grep -q -E "^  $method +$widths +$grain +[0-9]" "$scratch/networks" ||
                    { echo "no $method $widths $grain" && return 1; }
            done
        done
    done
}

# row PATTERN: bytes, percent right, change, dB of the row whose name, widths and grain match.
row() {
    sed -n -E "s/^  $1 +(tensor|channel)? *([0-9,]+) +([0-9.]+) +([-+][0-9.]+)? *(-?[0-9.]+)? .*/\2 \3 \4 \5/p" \
        "$scratch/networks" | head -n 1
}

# changes PATTERN LOW: the row loses no more points than that.
loses_at_most() {
    row "$1" | awk -v most="$2" '{ print; if (-$3 <= most) good = 1 } END { exit !good }'
}

# Sums of more signs, and codes of more bits, are nearer to the float network.
nearer() {
    previous=-99
    for pattern in "$@"; do
        decibels=$(row "$pattern" | awk '{ print $4 }')
        echo "$pattern: $decibels dB"
        awk -v a="$previous" -v b="$decibels" 'BEGIN { exit !(b + 0 > a + 0) }' || return 1
        previous=$decibels
    done
}

takes_bytes() {
    row "$1" | awk -v bytes="$2" '{ print; exit $1 != bytes }'
}

# Where points go by the error of outputs they do more than where they go evenly.
places() {
    nearer 'MULTIPOINT \+10 % evenly +2 +8' 'MULTIPOINT \+10 % by output +2 +8'
}

search_tables() {
    "$programs/digit_tables" $digits "$scratch/weights" quick | tee "$scratch/tables"
}

# Each search finds a table in the window that gains more than a point where nothing was searched; the
# gain where it was searched is larger.
all_searches_gain() {
    awk '/ 1 of 1$/ && $7 + 0 > 1 && $6 + 0 > $7 + 0 { good++ } END { exit good != 4 }' "$scratch/tables" ||
        { cat "$scratch/tables" && return 1; }
}

# Begins at once, beside the others.
"$programs/kernel_map_digits" $digits 5 >"$scratch/maps" &
maps=$!

learn_maps() {
    wait "$maps"
}

# right NAME LOW HIGH: percent right with 1,000 labels, the mean of five splits, is within.
right() {
    awk -v name="$1" -v low="$2" -v high="$3" 'index($0, "  " name " ") == 1 || index($0, "  " name ",") == 1 {
        found = 1
        value = $(NF - 2)
        print name ": " value ", expected " low " to " high
    } END { exit !(found && value >= low && value <= high) }' "$scratch/maps"
}

check 'training the digits network' train
check 'quantizing it' quantize
check 'every method, width and grain' all_rows
check 'W8A8' loses_at_most 'MSE +8 +8 +channel' 0.7
check 'W8, weights alone' loses_at_most 'MSE +8 +32 +channel' 0.7
check 'W4A4' loses_at_most 'MSE +4 +4 +channel' 3
check 'W3A4' loses_at_most 'MSE +3 +4 +channel' 6
check 'four bases' loses_at_most 'BASES x 4 +1 +8' 2.5
check 'points of 4 bits and a tenth more' loses_at_most 'MULTIPOINT \+10 % +4 +8' 2
check 'k-means, 4 bits' loses_at_most 'KMEANS +4 +8' 2
check 'exponents of 4 bits' loses_at_most 'TEQ +5 +8' 2
check 'more bits are nearer' nearer 'MSE +2 +4 +channel' 'MSE +3 +4 +channel' 'MSE +4 +4 +channel' \
    'MSE +6 +6 +channel' 'MSE +8 +8 +channel' 'MSE +8 +32 +channel'
check 'more bases are nearer' nearer 'BASES x 1 +1 +8' 'BASES x 2 +1 +8' 'BASES x 3 +1 +8' 'BASES x 4 +1 +8'
check 'points placed by outputs' places
check 'bytes of floats' takes_bytes 'float reference +32 +32' 39,720
check 'bytes of 4-bit weights' takes_bytes 'MSE +4 +4 +channel' 5,400
check 'searching tables' search_tables
check 'V8: gains on held-out digits' all_searches_gain
check 'learning kernel maps' learn_maps
check 'K10: pixels' right 'pixels, linear' 90 95.5
check 'K10: 32 bits' right 'kernel map, anchors 32, patches 32' 98.7 100
check 'K10: 4 bits' right 'kernel map, anchors 4, patches 4' 98.7 100
check 'K10: 1 bit, centred' right 'kernel map, anchors 1, patches 1' 96 100
# 2,949 of 2,985 digits here; a libm that rounds otherwise may move some of them
check 'K10: frozen, give or take three digits' right 'kernel map, anchors 32, patches 32' 98.69 98.89
finish
