/*
 * Layers with codebooks or sums of signs beside their twins: layers whose int8 weights are the same
 * integers, and which must give the same bytes.
 */
#ifndef QNT__TEST_TWIN_CASE_H
#define QNT__TEST_TWIN_CASE_H

#include "check.h"

static qnt_context *c;

static UNUSED qnt_quantizer *quantizer(qnt_spec spec)
{
    qnt_quantizer *q = NULL;
    spec.size = sizeof spec;
    CHECK_MSG(qnt_quantizer_create(c, &spec, &q) == QNT_OK, "%s", check_reason);
    return q;
}

static UNUSED void fill(float *v, int64_t n)
{
    for (int64_t i = 0; i < n; i++) v[i] = (float)random_laplace();
}

/* The affine int8 quantizer with the scales of another. */
static UNUSED qnt_quantizer *as_int8(const qnt_quantizer *from)
{
    static double scale[1 << 15];
    qnt_spec spec = {.size = sizeof spec};
    size_t n;
    CHECK(qnt_quantizer_spec(c, from, &spec) == QNT_OK);
    CHECK(qnt_quantizer_get(c, from, QNT_P_SCALE, scale, sizeof scale / sizeof *scale, &n) == QNT_OK);
    qnt_quantizer *q = quantizer((qnt_spec){.bits = 8,
                                            .flags = QNT_SIGNED | QNT_SYMMETRIC,
                                            .grain = spec.grain,
                                            .axis = spec.axis,
                                            .block = spec.block});
    CHECK(qnt_quantizer_set(c, q, QNT_P_SCALE, scale, n) == QNT_OK);
    return q;
}

static UNUSED qnt_status run(const qnt_layer *layer, const qnt_tensor *in, qnt_tensor *out)
{
    size_t bytes = 0;
    qnt_status status = qnt_layer_workspace(c, layer, in, &bytes);
    if (status != QNT_OK) return status;
    void *space = malloc(bytes + 1);
    status = qnt_layer_run(c, layer, in, out, space, bytes);
    free(space);
    return status;
}

#endif
