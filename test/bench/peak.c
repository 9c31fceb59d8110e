/* What this core can do at most: the integer product in registers, and reading memory. */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "qnt.h"

enum { ROUNDS = 50000, PRODUCTS = 12, REPEATS = 9 };

#if defined(__x86_64__)

static void products_avx512vnni(void)
{
    __asm__ volatile(
        "mov %0, %%ecx\n"
        "1: vpdpbusd %%zmm31, %%zmm30, %%zmm16\n vpdpbusd %%zmm31, %%zmm30, %%zmm17\n"
        "vpdpbusd %%zmm31, %%zmm30, %%zmm18\n vpdpbusd %%zmm31, %%zmm30, %%zmm19\n"
        "vpdpbusd %%zmm31, %%zmm30, %%zmm20\n vpdpbusd %%zmm31, %%zmm30, %%zmm21\n"
        "vpdpbusd %%zmm31, %%zmm30, %%zmm22\n vpdpbusd %%zmm31, %%zmm30, %%zmm23\n"
        "vpdpbusd %%zmm31, %%zmm30, %%zmm24\n vpdpbusd %%zmm31, %%zmm30, %%zmm25\n"
        "vpdpbusd %%zmm31, %%zmm30, %%zmm26\n vpdpbusd %%zmm31, %%zmm30, %%zmm27\n"
        "dec %%ecx\n jnz 1b\n vzeroupper\n"
        :
        : "i"(ROUNDS)
        : "ecx", "cc");
}

static void products_avxvnni(void)
{
    __asm__ volatile(
        "mov %0, %%ecx\n"
        "1: %{vex%} vpdpbusd %%ymm15, %%ymm14, %%ymm0\n %{vex%} vpdpbusd %%ymm15, %%ymm14, %%ymm1\n"
        "%{vex%} vpdpbusd %%ymm15, %%ymm14, %%ymm2\n %{vex%} vpdpbusd %%ymm15, %%ymm14, %%ymm3\n"
        "%{vex%} vpdpbusd %%ymm15, %%ymm14, %%ymm4\n %{vex%} vpdpbusd %%ymm15, %%ymm14, %%ymm5\n"
        "%{vex%} vpdpbusd %%ymm15, %%ymm14, %%ymm6\n %{vex%} vpdpbusd %%ymm15, %%ymm14, %%ymm7\n"
        "%{vex%} vpdpbusd %%ymm15, %%ymm14, %%ymm8\n %{vex%} vpdpbusd %%ymm15, %%ymm14, %%ymm9\n"
        "%{vex%} vpdpbusd %%ymm15, %%ymm14, %%ymm10\n %{vex%} vpdpbusd %%ymm15, %%ymm14, %%ymm11\n"
        "dec %%ecx\n jnz 1b\n vzeroupper\n"
        :
        : "i"(ROUNDS)
        : "ecx", "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8",
          "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
}

/* One exact step of 16-bit products: multiply, add pairs, accumulate. */
static void products_avx2(void)
{
    __asm__ volatile(
        "mov %0, %%ecx\n"
        "1: vpmaddwd %%ymm15, %%ymm14, %%ymm12\n vpaddd %%ymm12, %%ymm0, %%ymm0\n"
        "vpmaddwd %%ymm15, %%ymm14, %%ymm13\n vpaddd %%ymm13, %%ymm1, %%ymm1\n"
        "vpmaddwd %%ymm15, %%ymm14, %%ymm12\n vpaddd %%ymm12, %%ymm2, %%ymm2\n"
        "vpmaddwd %%ymm15, %%ymm14, %%ymm13\n vpaddd %%ymm13, %%ymm3, %%ymm3\n"
        "vpmaddwd %%ymm15, %%ymm14, %%ymm12\n vpaddd %%ymm12, %%ymm4, %%ymm4\n"
        "vpmaddwd %%ymm15, %%ymm14, %%ymm13\n vpaddd %%ymm13, %%ymm5, %%ymm5\n"
        "vpmaddwd %%ymm15, %%ymm14, %%ymm12\n vpaddd %%ymm12, %%ymm6, %%ymm6\n"
        "vpmaddwd %%ymm15, %%ymm14, %%ymm13\n vpaddd %%ymm13, %%ymm7, %%ymm7\n"
        "vpmaddwd %%ymm15, %%ymm14, %%ymm12\n vpaddd %%ymm12, %%ymm8, %%ymm8\n"
        "vpmaddwd %%ymm15, %%ymm14, %%ymm13\n vpaddd %%ymm13, %%ymm9, %%ymm9\n"
        "vpmaddwd %%ymm15, %%ymm14, %%ymm12\n vpaddd %%ymm12, %%ymm10, %%ymm10\n"
        "vpmaddwd %%ymm15, %%ymm14, %%ymm13\n vpaddd %%ymm13, %%ymm11, %%ymm11\n"
        "dec %%ecx\n jnz 1b\n vzeroupper\n"
        :
        : "i"(ROUNDS)
        : "ecx", "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8",
          "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
}

#define READ_LINE(load, zero)                                                                      \
    __asm__ volatile("1: " load "add $512, %0\n cmp %1, %0\n jb 1b\n vzeroupper\n"                 \
                     : "+r"(at)                                                                    \
                     : "r"(end)                                                                    \
                     : "cc", "memory", "xmm0", "xmm1", "xmm2", "xmm3")

/* Reads whole pieces of 512 bytes. */
static void read_bytes(const uint8_t *at, const uint8_t *end)
{
    if (bench_cpu() & QNT_CPU_AVX512VNNI) {
        READ_LINE("vmovdqu64 (%0), %%zmm0\n vmovdqu64 64(%0), %%zmm1\n vmovdqu64 128(%0), %%zmm2\n"
                  "vmovdqu64 192(%0), %%zmm3\n vmovdqu64 256(%0), %%zmm0\n"
                  "vmovdqu64 320(%0), %%zmm1\n vmovdqu64 384(%0), %%zmm2\n"
                  "vmovdqu64 448(%0), %%zmm3\n", );
    } else if (bench_cpu() & QNT_CPU_AVX2) {
        READ_LINE("vmovdqu (%0), %%ymm0\n vmovdqu 32(%0), %%ymm1\n vmovdqu 64(%0), %%ymm2\n"
                  "vmovdqu 96(%0), %%ymm3\n vmovdqu 128(%0), %%ymm0\n vmovdqu 160(%0), %%ymm1\n"
                  "vmovdqu 192(%0), %%ymm2\n vmovdqu 224(%0), %%ymm3\n"
                  "vmovdqu 256(%0), %%ymm0\n vmovdqu 288(%0), %%ymm1\n vmovdqu 320(%0), %%ymm2\n"
                  "vmovdqu 352(%0), %%ymm3\n vmovdqu 384(%0), %%ymm0\n vmovdqu 416(%0), %%ymm1\n"
                  "vmovdqu 448(%0), %%ymm2\n vmovdqu 480(%0), %%ymm3\n", );
    } else {
        uint64_t sum = 0, word;
        for (; at < end; at += 8) {
            memcpy(&word, at, 8);
            sum += word;
        }
        __asm__ volatile("" : : "r"(sum));
    }
}

double bench_peak_products(void)
{
    const double each = bench_cpu() & QNT_CPU_AVX512VNNI ? 64
                        : bench_cpu() & QNT_CPU_AVXVNNI  ? 32
                        : bench_cpu() & QNT_CPU_AVX2     ? 16
                                                         : 0;
    return each * PRODUCTS * ROUNDS;
}

void bench_peak_run(void *state)
{
    (void)state;
    if (bench_cpu() & QNT_CPU_AVX512VNNI) products_avx512vnni();
    else if (bench_cpu() & QNT_CPU_AVXVNNI) products_avxvnni();
    else if (bench_cpu() & QNT_CPU_AVX2) products_avx2();
}

#else

static void read_bytes(const uint8_t *at, const uint8_t *end)
{
    uint64_t sum = 0, word;
    for (; at < end; at += 8) {
        memcpy(&word, at, 8);
        sum += word;
    }
    __asm__ volatile("" : : "r"(sum));
}

double bench_peak_products(void)
{
    return 0;
}

void bench_peak_run(void *state)
{
    (void)state;
}

#endif

double bench_peak(void)
{
    double best = 0;
    for (int i = 0; i < REPEATS && bench_peak_products() > 0; i++) {
        double start = bench_now();
        bench_peak_run(NULL);
        double rate = bench_peak_products() / (bench_now() - start);
        if (rate > best) best = rate;
    }
    return best;
}

struct bench_stream bench_stream(size_t bytes, size_t copies)
{
    bytes -= bytes % 512;
    return (struct bench_stream){bench_memory(bytes * copies), bytes, copies, 0};
}

void bench_stream_run(void *state)
{
    struct bench_stream *s = state;
    const uint8_t *at = s->data + s->turn * s->bytes;
    read_bytes(at, at + s->bytes);
    s->turn = (s->turn + 1) % s->copies;
}

void bench_stream_free(struct bench_stream *s)
{
    free(s->data);
}
