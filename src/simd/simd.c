/* Fills the slot table: portable C first, then what the architecture adds. */
#include "layout.h"
#include "slots.h"

void qnt__simd_choose(struct qnt__simd *table, uint64_t cpu)
{
#define TAKE(name, type, arguments) table->name = qnt__##name##_c;
    QNT__SLOTS(TAKE)
#undef TAKE
    table->gemm_rows = table->conv_rows = table->packed_rows = QNT__GEMM_ROWS;
    table->prepares_rows = table->fast_taps = table->fast_bytes = false;
#if (defined(__x86_64__) || defined(__aarch64__)) && !defined(QNT__PORTABLE)
    qnt__simd_overlay(table, cpu);
#else
    (void)cpu;
#endif
}
