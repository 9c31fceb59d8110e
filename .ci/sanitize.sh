#!/bin/sh
# Tests under a sanitizer: .ci/sanitize.sh address,undefined | thread | memory
set -eu
cd "$(dirname "$0")/.."
case $1 in
thread) only='pool threads determinism cancel' ;; # where there are threads
memory) # portable C, as it knows few intrinsics: what makes, saves, loads, starves and abuses all objects
    only='hostile hostile_systems nomem aliasing blobs io layer_cross layer_formats layer_points layer_tables'
    only="$only lowbit_shapes points_outputs quantizer_points quantizer_table train_alq ckn_map qtable_search"
    only="$only teq_search"
    ;;
*) only= ;;
esac
QNT_TEST_QUICK=1 make -j2 CC=clang SAN="$1" CFLAGS='-O1 -gline-tables-only' check ONLY="$only"
