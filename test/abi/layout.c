/*
 * Size of every public struct, and offset and size of its members, on 64-bit machines. Structs that
 * begin with `size` may grow at the end: then a row is added and the total changes. Nothing else
 * may.
 */
#include "check.h"

#define TOTAL(type, size) CHECK_MSG(sizeof(type) == (size), "it is %zu", sizeof(type))
#define MEMBER(type, name, offset, size)                                                           \
    CHECK_MSG(offsetof(type, name) == (offset) && sizeof((type){0}.name) == (size),                \
              "offset %zu, size %zu", offsetof(type, name), sizeof((type){0}.name))

static void tensor(void)
{
    TOTAL(qnt_tensor, 48);
    MEMBER(qnt_tensor, data, 0, 8);
    MEMBER(qnt_tensor, device_type, 8, 4);
    MEMBER(qnt_tensor, device_id, 12, 4);
    MEMBER(qnt_tensor, ndim, 16, 4);
    MEMBER(qnt_tensor, dtype_code, 20, 1);
    MEMBER(qnt_tensor, dtype_bits, 21, 1);
    MEMBER(qnt_tensor, dtype_lanes, 22, 2);
    MEMBER(qnt_tensor, shape, 24, 8);
    MEMBER(qnt_tensor, strides, 32, 8);
    MEMBER(qnt_tensor, byte_offset, 40, 8);
}

static void spec(void)
{
    TOTAL(qnt_spec, 48);
    MEMBER(qnt_spec, size, 0, 4);
    MEMBER(qnt_spec, scheme, 4, 4);
    MEMBER(qnt_spec, method, 8, 4);
    MEMBER(qnt_spec, bits, 12, 4);
    MEMBER(qnt_spec, flags, 16, 4);
    MEMBER(qnt_spec, grain, 20, 4);
    MEMBER(qnt_spec, axis, 24, 4);
    MEMBER(qnt_spec, points, 28, 4);
    MEMBER(qnt_spec, block, 32, 8);
    MEMBER(qnt_spec, seed, 40, 8);
}

static void error(void)
{
    TOTAL(qnt_error, 72);
    MEMBER(qnt_error, size, 0, 4);
    MEMBER(qnt_error, reserved, 4, 4);
    MEMBER(qnt_error, count, 8, 8);
    MEMBER(qnt_error, mse, 16, 8);
    MEMBER(qnt_error, sqnr_db, 24, 8);
    MEMBER(qnt_error, rmae, 32, 8);
    MEMBER(qnt_error, cosine, 40, 8);
    MEMBER(qnt_error, largest, 48, 8);
    MEMBER(qnt_error, bits, 56, 8);
    MEMBER(qnt_error, clipped, 64, 8);
}

static void teq_spec(void)
{
    TOTAL(qnt_teq_spec, 72);
    MEMBER(qnt_teq_spec, size, 0, 4);
    MEMBER(qnt_teq_spec, least_bits, 4, 4);
    MEMBER(qnt_teq_spec, most_bits, 8, 4);
    MEMBER(qnt_teq_spec, reserved, 12, 4);
    MEMBER(qnt_teq_spec, step, 16, 8);
    MEMBER(qnt_teq_spec, ratio, 24, 8);
    MEMBER(qnt_teq_spec, bound, 32, 8);
    MEMBER(qnt_teq_spec, threshold, 40, 8);
    MEMBER(qnt_teq_spec, loss, 48, 8);
    MEMBER(qnt_teq_spec, bits, 56, 8);
    MEMBER(qnt_teq_spec, calls, 64, 8);
}

static void conv(void)
{
    TOTAL(qnt_conv, 48);
    MEMBER(qnt_conv, size, 0, 4);
    MEMBER(qnt_conv, groups, 4, 4);
    MEMBER(qnt_conv, group_shift, 8, 4);
    MEMBER(qnt_conv, stride, 12, 8);
    MEMBER(qnt_conv, dilation, 20, 8);
    MEMBER(qnt_conv, pad, 28, 16);
    MEMBER(qnt_conv, reserved, 44, 4);
}

static void exp_codes(void)
{
    TOTAL(qnt_exp, 32);
    MEMBER(qnt_exp, size, 0, 4);
    MEMBER(qnt_exp, exponent_bits, 4, 4);
    MEMBER(qnt_exp, base, 8, 8);
    MEMBER(qnt_exp, alpha, 16, 8);
    MEMBER(qnt_exp, beta, 24, 8);
}

static void layer_spec(void)
{
    TOTAL(qnt_layer_spec, 72);
    MEMBER(qnt_layer_spec, size, 0, 4);
    MEMBER(qnt_layer_spec, kind, 4, 4);
    MEMBER(qnt_layer_spec, layout, 8, 4);
    MEMBER(qnt_layer_spec, activation, 12, 4);
    MEMBER(qnt_layer_spec, flags, 16, 4);
    MEMBER(qnt_layer_spec, low, 20, 4);
    MEMBER(qnt_layer_spec, high, 24, 4);
    MEMBER(qnt_layer_spec, groups, 28, 4);
    MEMBER(qnt_layer_spec, group_shift, 32, 4);
    MEMBER(qnt_layer_spec, stride, 36, 8);
    MEMBER(qnt_layer_spec, dilation, 44, 8);
    MEMBER(qnt_layer_spec, pad, 52, 16);
    MEMBER(qnt_layer_spec, reserved, 68, 4);
}

static void lowbit(void)
{
    TOTAL(qnt_lowbit, 32);
    MEMBER(qnt_lowbit, size, 0, 4);
    MEMBER(qnt_lowbit, step, 4, 4);
    MEMBER(qnt_lowbit, zero, 8, 4);
    MEMBER(qnt_lowbit, channels, 12, 4);
    MEMBER(qnt_lowbit, pad, 16, 16);
}

static void lowbit_spec(void)
{
    TOTAL(qnt_lowbit_spec, 40);
    MEMBER(qnt_lowbit_spec, size, 0, 4);
    MEMBER(qnt_lowbit_spec, step, 4, 4);
    MEMBER(qnt_lowbit_spec, zero, 8, 4);
    MEMBER(qnt_lowbit_spec, flags, 12, 4);
    MEMBER(qnt_lowbit_spec, groups, 16, 4);
    MEMBER(qnt_lowbit_spec, pad, 20, 16);
    MEMBER(qnt_lowbit_spec, reserved, 36, 4);
}

static void ckn(void)
{
    TOTAL(qnt_ckn_spec, 64);
    MEMBER(qnt_ckn_spec, size, 0, 4);
    MEMBER(qnt_ckn_spec, channels, 4, 4);
    MEMBER(qnt_ckn_spec, kernel, 8, 4);
    MEMBER(qnt_ckn_spec, pad, 12, 4);
    MEMBER(qnt_ckn_spec, filters, 16, 4);
    MEMBER(qnt_ckn_spec, subsample, 20, 4);
    MEMBER(qnt_ckn_spec, anchor_bits, 24, 4);
    MEMBER(qnt_ckn_spec, patch_bits, 28, 4);
    MEMBER(qnt_ckn_spec, centre, 32, 4);
    MEMBER(qnt_ckn_spec, sigma, 36, 4);
    MEMBER(qnt_ckn_spec, regulariser, 40, 4);
    MEMBER(qnt_ckn_spec, reserved, 44, 4);
    MEMBER(qnt_ckn_spec, seed, 48, 8);
    MEMBER(qnt_ckn_spec, flags, 56, 4);
    MEMBER(qnt_ckn_spec, reserved2, 60, 4);
    TOTAL(qnt_ckn_data, 48);
    MEMBER(qnt_ckn_data, size, 0, 4);
    MEMBER(qnt_ckn_data, height, 4, 4);
    MEMBER(qnt_ckn_data, width, 8, 4);
    MEMBER(qnt_ckn_data, rounds, 12, 4);
    MEMBER(qnt_ckn_data, images, 16, 8);
    MEMBER(qnt_ckn_data, patches, 24, 8);
    MEMBER(qnt_ckn_data, read, 32, 8);
    MEMBER(qnt_ckn_data, user, 40, 8);
}

static void qtable(void)
{
    TOTAL(qnt_qtable, 128);
    MEMBER(qnt_qtable, step, 0, 128);
    TOTAL(qnt_image_spec, 24);
    MEMBER(qnt_image_spec, size, 0, 4);
    MEMBER(qnt_image_spec, width, 4, 4);
    MEMBER(qnt_image_spec, height, 8, 4);
    MEMBER(qnt_image_spec, components, 12, 4);
    MEMBER(qnt_image_spec, sampling, 16, 4);
    MEMBER(qnt_image_spec, transform, 20, 4);
    TOTAL(qnt_image_bytes, 48);
    MEMBER(qnt_image_bytes, size, 0, 4);
    MEMBER(qnt_image_bytes, reserved, 4, 4);
    MEMBER(qnt_image_bytes, file, 8, 8);
    MEMBER(qnt_image_bytes, header, 16, 8);
    MEMBER(qnt_image_bytes, entropy, 24, 8);
    MEMBER(qnt_image_bytes, stuffed, 32, 8);
    MEMBER(qnt_image_bytes, bits, 40, 8);
    TOTAL(qnt_search_spec, 96);
    MEMBER(qnt_search_spec, size, 0, 4);
    MEMBER(qnt_search_spec, method, 4, 4);
    MEMBER(qnt_search_spec, tables, 8, 4);
    MEMBER(qnt_search_spec, start, 12, 4);
    MEMBER(qnt_search_spec, seed, 16, 8);
    MEMBER(qnt_search_spec, scale_low, 24, 8);
    MEMBER(qnt_search_spec, scale_high, 32, 8);
    MEMBER(qnt_search_spec, rate_low, 40, 8);
    MEMBER(qnt_search_spec, rate_high, 48, 8);
    MEMBER(qnt_search_spec, curve, 56, 24);
    MEMBER(qnt_search_spec, low, 80, 8);
    MEMBER(qnt_search_spec, high, 88, 8);
    TOTAL(qnt_trial, 400);
    MEMBER(qnt_trial, rate, 0, 8);
    MEMBER(qnt_trial, utility, 8, 8);
    MEMBER(qnt_trial, table, 16, 384);
}

int main(int argc, char **argv)
{
    CHECK_INIT;
    if (sizeof(void *) != 8) return DONE; /* the layout of other machines is not promised */
    RUN(tensor);
    RUN(spec);
    RUN(error);
    RUN(teq_spec);
    RUN(conv);
    RUN(exp_codes);
    RUN(layer_spec);
    RUN(lowbit);
    RUN(lowbit_spec);
    RUN(ckn);
    RUN(qtable);
    return DONE;
}
