/* The 8x8 cosine transform: integer as encoders compute it, and float. */
#ifndef QNT__QTABLE_TRANSFORM_H
#define QNT__QTABLE_TRANSFORM_H

#include <stdint.h>

/* Eight times the coefficients of a block of pixels - 128, in integers. In place. */
void qnt__dct_integer(int16_t block[64]);

#endif
