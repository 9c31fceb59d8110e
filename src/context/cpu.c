/* Which CPU features this machine has, instructions and operating system support together, and what no
 * feature tells of its pace. */
#include "context.h"

#if defined(QNT__PORTABLE)

uint64_t qnt_cpu_detect(void)
{
    return 0;
}

#elif defined(__x86_64__)

#include <cpuid.h>
#include <string.h>

/* Register states that the operating system saves: XCR0. */
static uint64_t saved_states(void)
{
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

uint64_t qnt_cpu_detect(void)
{
    enum { OSXSAVE_AVX_F16C_POPCNT = 1 << 27 | 1 << 28 | 1 << 29 | 1 << 23 };
    enum { YMM_STATE = 0x6, ZMM_STATE = 0xe6 };
    enum { AVX2 = 1 << 5, AVX_VNNI = 1 << 4 };
    const uint32_t avx512_f_dq_bw_vl = 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31, vnni = 1u << 11;
    const uint32_t vbmi_vbmi2_bitalg_vpopcntdq = 1u << 1 | 1u << 6 | 1u << 12 | 1u << 14;

    uint32_t a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d)) return 0;
    if ((c & OSXSAVE_AVX_F16C_POPCNT) != OSXSAVE_AVX_F16C_POPCNT) return 0;
    uint64_t states = saved_states();
    if ((states & YMM_STATE) != YMM_STATE) return 0;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(b & AVX2)) return 0;

    uint64_t features = QNT_CPU_AVX2;
    uint32_t leaves = a, more, unused[3]; /* of leaf 7 */
    if (leaves >= 1) {
        __cpuid_count(7, 1, more, unused[0], unused[1], unused[2]);
        if (more & AVX_VNNI) features |= QNT_CPU_AVXVNNI;
    }
    if ((states & ZMM_STATE) == ZMM_STATE && (b & avx512_f_dq_bw_vl) == avx512_f_dq_bw_vl &&
        (c & vnni)) {
        features |= QNT_CPU_AVX512VNNI;
        if ((c & vbmi_vbmi2_bitalg_vpopcntdq) == vbmi_vbmi2_bitalg_vpopcntdq) {
            features |= QNT_CPU_AVX512VBMI;
        }
    }
    return features;
}

/* All cores of AMD with AVX-512 do (Zen 4 in two halves, Zen 5 at once); of Intel's none does: one port has
 * the shuffles, two multiply. */
bool qnt__cpu_wide_shuffles(void)
{
    uint32_t highest, name[3];
    return __get_cpuid(0, &highest, &name[0], &name[2], &name[1]) &&
           memcmp(name, "AuthenticAMD", sizeof name) == 0;
}

#elif defined(__aarch64__) && defined(__linux__)

#include <sys/auxv.h>

uint64_t qnt_cpu_detect(void)
{
    enum { ASIMDDP = 1 << 20 }; /* HWCAP bit of the Linux ABI */
    uint64_t features = QNT_CPU_NEON;
    if (getauxval(AT_HWCAP) & ASIMDDP) features |= QNT_CPU_NEONDOT;
    return features;
}

#elif defined(__aarch64__)

uint64_t qnt_cpu_detect(void)
{
    return QNT_CPU_NEON;
}

#else

uint64_t qnt_cpu_detect(void)
{
    return 0;
}

#endif

#if !defined(__x86_64__) || defined(QNT__PORTABLE)

bool qnt__cpu_wide_shuffles(void)
{
    return false;
}

#endif

const char *qnt_cpu_name(uint64_t feature)
{
    switch (feature) {
    case 0: return "c";
    case QNT_CPU_AVX2: return "avx2";
    case QNT_CPU_AVXVNNI: return "avxvnni";
    case QNT_CPU_AVX512VNNI: return "avx512vnni";
    case QNT_CPU_AVX512VBMI: return "avx512vbmi";
    case QNT_CPU_NEON: return "neon";
    case QNT_CPU_NEONDOT: return "neondot";
    default: return "?";
    }
}
