/* What x86-64 adds to the slot table, level by level: the state of optimisation at a glance. */
#include "../layout.h"
#include "../slots.h"
#include "qnt/context.h"

/* A line of most images, so that it needs one epilogue; its sums stay in the first-level cache. */
enum { AVX512_CONV_ROWS = 56 };

#define TAKE(name, isa) table->name = qnt__##name##_##isa

void qnt__simd_overlay(struct qnt__simd *table, uint64_t cpu)
{
    if (cpu & QNT_CPU_AVX2) {
        table->prepares_rows = true;
        TAKE(gemm_s8, avx2);
        TAKE(prepare_row, avx2);
        TAKE(gemm_prepared, avx2);
        TAKE(gemm_blocks, avx2);
        TAKE(gemm_f32, avx2);
        TAKE(sum_rows, avx2);
        TAKE(depthwise_s8, avx2);
        TAKE(finish_s32, avx2);
        TAKE(finish_codes, avx2);
        TAKE(finish_codes_16, avx2);
        TAKE(finish_f32, avx2);
        TAKE(stream_end, avx2);
        TAKE(encode_8, avx2);
        TAKE(encode_16, avx2);
        TAKE(decode_s8, avx2);
        TAKE(decode_u8, avx2);
        TAKE(decode_s16, avx2);
        TAKE(decode_u16, avx2);
        TAKE(encode_each_8, avx2);
        TAKE(encode_each_16, avx2);
        TAKE(pack_each, avx2);
        TAKE(decode_each_s8, avx2);
        TAKE(decode_each_u8, avx2);
        TAKE(decode_each_s16, avx2);
        TAKE(decode_each_u16, avx2);
        TAKE(widen_f16, avx2);
        TAKE(narrow_f16, avx2);
        TAKE(widen_bf16, avx2);
        TAKE(narrow_bf16, avx2);
        TAKE(pack_codes, avx2);
        TAKE(unpack_codes, avx2);
        TAKE(minmax, avx2);
        TAKE(slice_codes, avx2);
        TAKE(count_exp, avx2);
        TAKE(look_up_8, avx2);
        TAKE(look_up_16, avx2);
        TAKE(gemm_s16, avx2);
        TAKE(gemm_levels, avx2);
        TAKE(expand_levels, avx2);
        TAKE(decode_cells, avx2);
        TAKE(look_up_f32, avx2);
        TAKE(rank_f32, avx2);
        TAKE(pack_ranks, avx2);
        TAKE(conv_lowbit, avx2);
        TAKE(codes_lowbit, avx2);
        TAKE(finish_lowbit, avx2);
        TAKE(box_lowbit, avx2);
        TAKE(floats_lowbit, avx2);
        TAKE(digits_lowbit, avx2);
        TAKE(pack_lowbit, avx2);
        TAKE(join_lowbit, avx2);
        TAKE(tile_pixels, avx2);
        TAKE(multiply_tiles, avx2);
        TAKE(join_tiles, avx2);
        TAKE(unpack_lowbit, avx2);
        TAKE(gemm_bits, avx2);
        TAKE(tabulate_bits, avx2);
        TAKE(look_up_bits, avx2);
        TAKE(count_blocks, avx2);
        TAKE(look_up_blocks, avx2);
        TAKE(expand_bits, avx2);
        TAKE(expand_seven, avx2);
        TAKE(add_s32, avx2);
        TAKE(five_sums, avx2);
        TAKE(join_seven, avx2);
        TAKE(reduce_points, avx2);
        TAKE(interleave_rows, avx2);
        TAKE(order_fields, avx2);
        TAKE(expand_words, avx2);
        TAKE(split_words, avx2);
        TAKE(bytes_of_words, avx2);
        TAKE(add_parts_f64, avx2);
        TAKE(residues_255, avx2);
        TAKE(add_residues_f64, avx2);
        TAKE(scale_sums_f64, avx2);
        TAKE(join_words, avx2);
        TAKE(split_rgb, avx2);
        TAKE(halve_u8, avx2);
        TAKE(dct_s16, avx2);
        TAKE(dct_f32, avx2);
        TAKE(quantize_s16, avx2);
        TAKE(quantize_f32, avx2);
        TAKE(restore_u8, avx2);
        TAKE(places_s16, avx2);
        TAKE(code_blocks, avx2);
        TAKE(kernel_values, avx2);
        TAKE(sums_f32, avx2);
        TAKE(round_f32, avx2);
        TAKE(signs_f32, avx2);
        TAKE(add_rows_f32, avx2);
        TAKE(winograd_bytes, avx2);
        TAKE(winograd_words, avx2);
        TAKE(winograd_taps, avx2);
        TAKE(winograd_sums, avx2);
        TAKE(winograd_results, avx2);
    }
#ifndef QNT__WITHOUT_AVXVNNI
    if (cpu & QNT_CPU_AVXVNNI) {
        table->gemm_rows = table->conv_rows = QNT__BLOCK_ROWS;
        table->prepares_rows = false;
        table->fast_bytes = true;
        TAKE(gemm_s8, avxvnni);
        TAKE(multiply_tiles, avxvnni);
        TAKE(gemm_blocks, avxvnni);
        TAKE(gemm_levels, avxvnni);
        TAKE(gemm_s16, avxvnni);
        TAKE(depthwise_s8, avxvnni);
    }
#endif
    if (cpu & QNT_CPU_AVX512VNNI) {
        table->gemm_rows = table->packed_rows = QNT__BLOCK_ROWS;
        table->conv_rows = AVX512_CONV_ROWS;
        table->prepares_rows = false;
        table->fast_bytes = true;
        TAKE(gemm_s8, avx512vnni);
        TAKE(finish_lowbit, avx512vnni);
        TAKE(box_lowbit, avx512vnni);
        TAKE(floats_lowbit, avx512vnni);
        TAKE(tile_pixels, avx512vnni);
        TAKE(multiply_tiles, avx512vnni);
        TAKE(join_tiles, avx512vnni);
        TAKE(unpack_lowbit, avx512vnni);
        TAKE(gemm_blocks, avx512vnni);
        TAKE(gemm_f32, avx512vnni);
        TAKE(sum_rows, avx512vnni);
        TAKE(depthwise_s8, avx512vnni);
        TAKE(finish_s32, avx512vnni);
        TAKE(finish_codes, avx512vnni);
        TAKE(finish_codes_16, avx512vnni);
        TAKE(finish_f32, avx512vnni);
        TAKE(encode_8, avx512vnni);
        TAKE(encode_16, avx512vnni);
        TAKE(decode_s8, avx512vnni);
        TAKE(decode_u8, avx512vnni);
        TAKE(decode_s16, avx512vnni);
        TAKE(decode_u16, avx512vnni);
        TAKE(encode_each_8, avx512vnni);
        TAKE(encode_each_16, avx512vnni);
        TAKE(pack_each, avx512vnni);
        TAKE(decode_each_s8, avx512vnni);
        TAKE(decode_each_u8, avx512vnni);
        TAKE(decode_each_s16, avx512vnni);
        TAKE(decode_each_u16, avx512vnni);
        TAKE(widen_f16, avx512vnni);
        TAKE(narrow_f16, avx512vnni);
        TAKE(widen_bf16, avx512vnni);
        TAKE(narrow_bf16, avx512vnni);
        TAKE(pack_codes, avx512vnni);
        TAKE(unpack_codes, avx512vnni);
        TAKE(minmax, avx512vnni);
        TAKE(gemm_s16, avx512vnni);
        TAKE(gemm_levels, avx512vnni);
        TAKE(expand_levels, avx512vnni);
        TAKE(decode_cells, avx512vnni);
        TAKE(interleave_rows, avx512vnni);
        TAKE(order_fields, avx512vnni);
        TAKE(expand_words, avx512vnni);
        TAKE(split_words, avx512vnni);
        TAKE(bytes_of_words, avx512vnni);
        TAKE(add_parts_f64, avx512vnni);
        TAKE(residues_255, avx512vnni);
        TAKE(add_residues_f64, avx512vnni);
        TAKE(scale_sums_f64, avx512vnni);
        TAKE(join_words, avx512vnni);
        TAKE(add_s32, avx512vnni);
        TAKE(five_sums, avx512vnni);
        TAKE(join_seven, avx512vnni);
        TAKE(reduce_points, avx512vnni);
        TAKE(look_up_f32, avx512vnni);
        TAKE(rank_f32, avx512vnni);
        TAKE(pack_ranks, avx512vnni);
        TAKE(kernel_values, avx512vnni);
        TAKE(sums_f32, avx512vnni);
        TAKE(round_f32, avx512vnni);
        TAKE(signs_f32, avx512vnni);
        TAKE(add_rows_f32, avx512vnni);
        TAKE(winograd_bytes, avx512vnni);
        TAKE(winograd_words, avx512vnni);
        TAKE(winograd_taps, avx512vnni);
        TAKE(winograd_sums, avx512vnni);
        TAKE(winograd_results, avx512vnni);
    }
    if (cpu & QNT_CPU_AVX512VBMI) {
        TAKE(unpack_codes, avx512vbmi);
        TAKE(slice_codes, avx512vbmi);
        TAKE(count_exp, avx512vbmi);
        TAKE(gemm_bits, avx512vbmi);
        TAKE(tabulate_bits, avx512vbmi);
        TAKE(look_up_bits, avx512vbmi);
        TAKE(count_blocks, avx512vbmi);
        TAKE(look_up_blocks, avx512vbmi);
        TAKE(tabulate_six, avx512vbmi);
        TAKE(look_up_six, avx512vbmi);
        TAKE(index_adders, avx512vbmi);
        TAKE(gemm_adders, avx512vbmi);
        TAKE(read_adders, avx512vbmi);
        TAKE(expand_bits, avx512vbmi);
        TAKE(expand_seven, avx512vbmi);
        TAKE(gemm_levels, avx512vbmi);
        TAKE(expand_levels, avx512vbmi);
        TAKE(look_up_8, avx512vbmi);
        TAKE(look_up_16, avx512vbmi);
        TAKE(expand_words, avx512vbmi);
        TAKE(conv_lowbit, avx512vbmi);
        TAKE(codes_lowbit, avx512vbmi);
        TAKE(digits_lowbit, avx512vbmi);
        TAKE(pack_lowbit, avx512vbmi);
        TAKE(join_lowbit, avx512vbmi);
        TAKE(join_tiles, avx512vbmi);
        TAKE(unpack_lowbit, avx512vbmi);
        TAKE(places_s16, avx512vbmi);
        TAKE(code_blocks, avx512vbmi);
    }
}
