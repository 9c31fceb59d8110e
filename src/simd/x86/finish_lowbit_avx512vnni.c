/* Results of products of digits, 16 at a time. */
#include "../slots.h"

#define INLINE static inline __attribute__((always_inline))

enum { VECTOR = 64 };

#include "../lowbit_finish.h"

void qnt__finish_lowbit_avx512vnni(const struct qnt__lowbit_finish *f)
{
    finish_lowbit(f);
}
