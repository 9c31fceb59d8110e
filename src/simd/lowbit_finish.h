/*
 * From sums of products of digits to results, for GNU vectors of any width. The including file
 * defines VECTOR, bytes of a vector, and INLINE.
 */
typedef int32_t lanes __attribute__((vector_size(VECTOR), aligned(4), may_alias));
typedef uint8_t bytes __attribute__((vector_size(VECTOR / 4), aligned(1), may_alias));
typedef uint32_t wraps __attribute__((vector_size(VECTOR), aligned(4), may_alias));

enum { PARTS = QNT__LOWBIT_COLUMNS * 4 / VECTOR, LANES_32 = VECTOR / 4 };

INLINE void finish_lowbit(const struct qnt__lowbit_finish *f)
{
    for (size_t i = 0; i < f->m; i++) {
        lanes *acc = (lanes *)(void *)(f->acc + i * QNT__LOWBIT_COLUMNS);
        uint32_t box = (uint32_t)f->box[i] * (uint32_t)f->zero;
        for (int p = 0; p < PARTS; p++) {
            lanes v = (lanes)((wraps)acc[p] * (uint32_t)f->step + box);
            if (!f->thresholds) {
                acc[p] = v;
                continue;
            }
            lanes count = {0};
            for (int t = 0; t < 3; t++) {
                const lanes *limit =
                    (const lanes *)(const void *)(f->thresholds + t * QNT__LOWBIT_COLUMNS);
                count -= v >= limit[p];
            }
            bytes *to =
                (bytes *)(void *)(f->codes + i * QNT__LOWBIT_COLUMNS + (size_t)p * LANES_32);
            *to = __builtin_convertvector(count, bytes);
        }
    }
}
