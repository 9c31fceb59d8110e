/*
 * What surrounds the products of digits, for GNU vectors of any width: sums over boxes, from
 * products to results, and from sums to floats. The including file defines VECTOR, bytes of a
 * vector, and INLINE.
 */
typedef int32_t lanes __attribute__((vector_size(VECTOR), aligned(1), may_alias));
typedef uint8_t bytes __attribute__((vector_size(VECTOR / 4), aligned(1), may_alias));
typedef uint32_t wraps __attribute__((vector_size(VECTOR), aligned(4), may_alias));
typedef float floats __attribute__((vector_size(VECTOR), aligned(1), may_alias));

enum { LANES_32 = VECTOR / 4, PARTS = QNT__LOWBIT_COLUMNS / LANES_32 };

INLINE lanes load(const void *from)
{
    return *(const lanes *)from;
}

INLINE void store_bytes(uint8_t *to, lanes count)
{
    *(bytes *)(void *)to = __builtin_convertvector(count, bytes);
}

INLINE void finish_lowbit(const struct qnt__lowbit_finish *f)
{
    for (size_t i = 0; i < f->m; i++) {
        lanes *acc = (lanes *)(void *)(f->acc + i * QNT__LOWBIT_COLUMNS);
        for (size_t p = 0; p < PARTS; p++) {
            uint32_t box =
                (uint32_t)qnt__lowbit_box(&f->box, i, (int)p * LANES_32) * (uint32_t)f->zero;
            lanes v = (lanes)((wraps)acc[p] * (uint32_t)f->step + box);
            if (!f->thresholds) {
                acc[p] = v;
                continue;
            }
            v ^= load(f->flip + p * LANES_32);
            lanes count = {0};
            for (size_t t = 0; t < 3; t++)
                count -= v >= load(f->thresholds + t * QNT__LOWBIT_COLUMNS + p * LANES_32);
            store_bytes(f->codes + i * QNT__LOWBIT_COLUMNS + p * LANES_32, count);
        }
    }
}

INLINE void sum_boxes(const struct qnt__lowbit_box *b, size_t i)
{
    wraps sum = {0};
    for (size_t r = 0; r < b->rows; r++)
        for (size_t j = 0; j < b->columns; j++)
            sum += (wraps)load(b->digits + r * b->ld + j * b->dilation + i);
    *(wraps *)(void *)(b->box + i) = sum;
}

/* The last ones once more rather than one by one. */
INLINE void box_lowbit(const struct qnt__lowbit_box *b)
{
    size_t i = 0;
    if (b->step != 1 || b->m < LANES_32) {
        qnt__box_lowbit_c(b);
        return;
    }
    for (; i + LANES_32 <= b->m; i += LANES_32) sum_boxes(b, i);
    if (i < b->m) sum_boxes(b, b->m - LANES_32);
}

/* y where it is not below 0; NaN stays. */
INLINE floats rectify(floats y)
{
    return (floats)((lanes)y & ~(lanes)(y < 0.0f));
}

INLINE void floats_lowbit(const struct qnt__lowbit_floats *f)
{
    size_t o = 0;
    for (; o + LANES_32 <= f->n; o += LANES_32) {
        floats y = __builtin_convertvector(load(f->sum + o), floats);
        y = y * (floats)load(f->scale + o) + (floats)load(f->shift + o);
        if (f->first) y = rectify(y);
        if (f->identity) y += (floats)load((const uint8_t *)f->identity + 4 * o);
        if (f->last) y = rectify(y);
        if (f->y) *(floats *)(void *)((uint8_t *)f->y + 4 * o) = y;
        if (!f->codes) continue;
        lanes count = {0};
        for (int t = 0; t < 3; t++) count -= (lanes)(y >= f->limit[t]);
        store_bytes(f->codes + o, count);
    }
    struct qnt__lowbit_floats rest = *f;
    rest.sum += o, rest.scale += o, rest.shift += o, rest.n -= o;
    if (f->identity) rest.identity = (const uint8_t *)f->identity + 4 * o;
    if (f->y) rest.y = (uint8_t *)f->y + 4 * o;
    if (f->codes) rest.codes += o;
    qnt__floats_lowbit_c(&rest);
}
