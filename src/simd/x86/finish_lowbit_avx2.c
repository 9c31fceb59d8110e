/* Results of products of digits, 8 at a time. */
#include "../slots.h"

#define INLINE static inline __attribute__((always_inline))

enum { VECTOR = 32 };

#include "../lowbit_finish.h"

void qnt__finish_lowbit_avx2(const struct qnt__lowbit_finish *f)
{
    finish_lowbit(f);
}
