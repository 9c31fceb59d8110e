/* Results of products of digits, 4 at a time. */
#include "../slots.h"

#define INLINE static inline __attribute__((always_inline))

enum { VECTOR = 16 };

#include "../lowbit_finish.h"

void qnt__finish_lowbit_neon(const struct qnt__lowbit_finish *f)
{
    finish_lowbit(f);
}
