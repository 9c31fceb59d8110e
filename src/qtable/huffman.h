/* Prefix codes of baseline JPEG: the example codes, and those made for a histogram. */
#ifndef QNT__QTABLE_HUFFMAN_H
#define QNT__QTABLE_HUFFMAN_H

#include <stddef.h>
#include <stdint.h>

/* length 0: the symbol has no code. */
struct qnt__huffman {
    uint8_t length[256]; /* 1..16 */
    uint16_t code[256];
    size_t symbols;
};

enum { QNT__HUFFMAN_DC = 0, QNT__HUFFMAN_AC = 1 };

/* The example code for luma (chroma 0) or chroma (1); `kind` is DC or AC. */
void qnt__huffman_standard(int chroma, int kind, struct qnt__huffman *out);

/* The best code of at most 16 bits by the procedure of ITU-T T.81, K.2, which leaves the code of
 * ones unused. Symbols that never occur have no code. */
void qnt__huffman_optimal(const uint64_t count[256], struct qnt__huffman *out);

#endif
