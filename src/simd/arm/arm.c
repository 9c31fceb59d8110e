/* What AArch64 adds to the slot table, level by level: the state of optimisation at a glance. */
#include "../layout.h"
#include "../slots.h"
#include "qnt/context.h"

void qnt__simd_overlay(struct qnt__simd *table, uint64_t cpu)
{
    if (cpu & QNT_CPU_NEON) {
        table->gemm_s8 = qnt__gemm_s8_neon;
        table->gemm_blocks = qnt__gemm_blocks_neon;
        table->gemm_f32 = qnt__gemm_f32_neon;
        table->sum_rows = qnt__sum_rows_neon;
        table->depthwise_s8 = qnt__depthwise_s8_neon;
        table->finish_s32 = qnt__finish_s32_neon;
        table->finish_codes = qnt__finish_codes_neon;
        table->finish_codes_16 = qnt__finish_codes_16_neon;
        table->finish_f32 = qnt__finish_f32_neon;
        table->encode_8 = qnt__encode_8_neon;
        table->encode_16 = qnt__encode_16_neon;
        table->decode_s8 = qnt__decode_s8_neon;
        table->decode_u8 = qnt__decode_u8_neon;
        table->decode_s16 = qnt__decode_s16_neon;
        table->decode_u16 = qnt__decode_u16_neon;
        table->encode_each_8 = qnt__encode_each_8_neon;
        table->encode_each_16 = qnt__encode_each_16_neon;
        table->pack_each = qnt__pack_each_neon;
        table->decode_each_s8 = qnt__decode_each_s8_neon;
        table->decode_each_u8 = qnt__decode_each_u8_neon;
        table->decode_each_s16 = qnt__decode_each_s16_neon;
        table->decode_each_u16 = qnt__decode_each_u16_neon;
        table->widen_f16 = qnt__widen_f16_neon;
        table->narrow_f16 = qnt__narrow_f16_neon;
        table->widen_bf16 = qnt__widen_bf16_neon;
        table->narrow_bf16 = qnt__narrow_bf16_neon;
        table->pack_codes = qnt__pack_codes_neon;
        table->unpack_codes = qnt__unpack_codes_neon;
        table->minmax = qnt__minmax_neon;
        table->slice_codes = qnt__slice_codes_neon;
        table->count_exp = qnt__count_exp_neon;
        table->look_up_8 = qnt__look_up_8_neon;
        table->look_up_16 = qnt__look_up_16_neon;
        table->gemm_s16 = qnt__gemm_s16_neon;
        table->look_up_f32 = qnt__look_up_f32_neon;
        table->rank_f32 = qnt__rank_f32_neon;
        table->pack_ranks = qnt__pack_ranks_neon;
        table->gemm_bits = qnt__gemm_bits_neon;
        table->count_blocks = qnt__count_blocks_neon;
        table->tabulate_bits = qnt__tabulate_bits_neon;
        table->look_up_bits = qnt__look_up_bits_neon;
        table->look_up_blocks = qnt__look_up_blocks_neon;
        table->expand_bits = qnt__expand_bits_neon;
        table->expand_seven = qnt__expand_seven_neon;
        table->add_s32 = qnt__add_s32_neon;
        table->five_sums = qnt__five_sums_neon;
        table->join_seven = qnt__join_seven_neon;
        table->reduce_points = qnt__reduce_points_neon;
        table->gemm_levels = qnt__gemm_levels_neon;
        table->expand_levels = qnt__expand_levels_neon;
        table->decode_cells = qnt__decode_cells_neon;
        table->interleave_rows = qnt__interleave_rows_neon;
        table->level_cells = qnt__level_cells_neon;
        table->order_codes = qnt__order_codes_neon;
        table->expand_words = qnt__expand_words_neon;
        table->split_words = qnt__split_words_neon;
        table->bytes_of_words = qnt__bytes_of_words_neon;
        table->add_parts_f64 = qnt__add_parts_f64_neon;
        table->residues_255 = qnt__residues_255_neon;
        table->add_residues_f64 = qnt__add_residues_f64_neon;
        table->scale_sums_f64 = qnt__scale_sums_f64_neon;
        table->join_words = qnt__join_words_neon;
        table->conv_lowbit = qnt__conv_lowbit_neon;
        table->codes_lowbit = qnt__codes_lowbit_neon;
        table->finish_lowbit = qnt__finish_lowbit_neon;
        table->box_lowbit = qnt__box_lowbit_neon;
        table->floats_lowbit = qnt__floats_lowbit_neon;
        table->digits_lowbit = qnt__digits_lowbit_neon;
        table->pack_lowbit = qnt__pack_lowbit_neon;
        table->join_lowbit = qnt__join_lowbit_neon;
        table->tile_pixels = qnt__tile_pixels_neon;
        table->multiply_tiles = qnt__multiply_tiles_neon;
        table->join_tiles = qnt__join_tiles_neon;
        table->unpack_lowbit = qnt__unpack_lowbit_neon;
        table->split_rgb = qnt__split_rgb_neon;
        table->halve_u8 = qnt__halve_u8_neon;
        table->dct_s16 = qnt__dct_s16_neon;
        table->dct_f32 = qnt__dct_f32_neon;
        table->quantize_s16 = qnt__quantize_s16_neon;
        table->quantize_f32 = qnt__quantize_f32_neon;
        table->restore_u8 = qnt__restore_u8_neon;
        table->places_s16 = qnt__places_s16_neon;
        table->code_blocks = qnt__code_blocks_neon;
        table->kernel_values = qnt__kernel_values_neon;
        table->sums_f32 = qnt__sums_f32_neon;
        table->round_f32 = qnt__round_f32_neon;
        table->signs_f32 = qnt__signs_f32_neon;
        table->add_rows_f32 = qnt__add_rows_f32_neon;
        table->winograd_bytes = qnt__winograd_bytes_neon;
        table->winograd_words = qnt__winograd_words_neon;
        table->winograd_taps = qnt__winograd_taps_neon;
        table->winograd_sums = qnt__winograd_sums_neon;
        table->winograd_results = qnt__winograd_results_neon;
    }
    if (cpu & QNT_CPU_NEONDOT) {
        table->gemm_rows = table->conv_rows = table->packed_rows = QNT__BLOCK_ROWS;
        table->fast_bytes = true;
        table->gemm_s8 = qnt__gemm_s8_neondot;
        table->multiply_tiles = qnt__multiply_tiles_neondot;
        table->gemm_blocks = qnt__gemm_blocks_neondot;
        table->gemm_levels = qnt__gemm_levels_neondot;
        table->sum_rows = qnt__sum_rows_neondot;
    }
}
