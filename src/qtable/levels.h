/* The levels of a picture: made where they are used, and kept only if somebody asked to see them.
 */
#ifndef QNT__QTABLE_LEVELS_H
#define QNT__QTABLE_LEVELS_H

#include "image.h"

/* Levels of n blocks of component p from block (x, y) on, either those kept or made in `space`,
 * which holds 64 n. Blocks without samples among them are there too; x and n are whole units of
 * coding then.
 */
const int16_t *qnt__levels_of(const struct qnt__simd *simd, const qnt_image *image, int32_t p,
                              size_t x, size_t y, size_t n, int16_t *space);

/* Writes all levels to where the caller sees them. */
void qnt__levels_keep(const struct qnt__simd *simd, qnt_image *image);

#endif
