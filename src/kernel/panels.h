/* Packing signed codes into the panels of simd/layout.h. */
#ifndef QNT__KERNEL_PANELS_H
#define QNT__KERNEL_PANELS_H

#include <stddef.h>
#include <stdint.h>

#include "simd/layout.h"

/* The cell format that holds codes of a width: 1 and 2 -> 2, 3 -> 3, 4 -> 4, 5..8 -> 8. */
int qnt__panel_bits(int bits);

/* The same for places in tables: 5 to 7 bits stay. */
int qnt__place_bits(int bits);

/* depth rounded up to whole cells. */
size_t qnt__panel_depth(size_t depth, int panel_bits);

/* Bytes of one panel of tap_count taps of `depth` k each; the caller has checked that it fits. */
size_t qnt__panel_bytes(size_t tap_count, size_t depth, int panel_bits);

/*
 * Packs one panel. codes holds up to 16 columns, [columns][tap_count * depth] with `ld` codes from
 * one column to the next, each in the signed range of panel_bits; missing columns and the padding
 * of each tap become the code 0.
 */
void qnt__pack_panel(const int8_t *codes, size_t columns, size_t ld, size_t tap_count, size_t depth,
                     int panel_bits, uint8_t *panel);

#endif
