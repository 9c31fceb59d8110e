/* What surrounds products of digits, 8 at a time. */
#include "../slots.h"

#define INLINE static inline __attribute__((always_inline))

enum { VECTOR = 32 };

#include "../lowbit_finish.h"

void qnt__finish_lowbit_avx2(const struct qnt__lowbit_finish *f)
{
    finish_lowbit(f);
}

void qnt__box_lowbit_avx2(const struct qnt__lowbit_box *b)
{
    box_lowbit(b);
}

void qnt__floats_lowbit_avx2(const struct qnt__lowbit_floats *f)
{
    floats_lowbit(f);
}
