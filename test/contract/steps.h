/*
 * Calls that change a quantizer, as functions of it alone, for tests that interrupt each of them at
 * every place: no memory (nomem.c), no patience (cancel.c). What else a call needs is set before.
 */
#ifndef TEST_CONTRACT_STEPS_H
#define TEST_CONTRACT_STEPS_H

#include "fixtures.h"

static qnt_context *context;
static qnt_tensor *batch_view, *importance_view; /* what is observed; no importance: all 1 */
static qnt_quantizer *partner;                   /* of fit_first, fit_second */

static qnt_status observe(qnt_quantizer *q)
{
    return qnt_quantizer_observe(context, q, batch_view, importance_view);
}

static qnt_status observe_inputs(qnt_quantizer *q)
{
    return qnt_quantizer_observe_inputs(context, q, batch_view);
}

static qnt_status fit(qnt_quantizer *q)
{
    return qnt_quantizer_fit(context, q);
}

static qnt_status fit_first(qnt_quantizer *q)
{
    return qnt_quantizer_fit_pair(context, q, partner);
}

static qnt_status fit_second(qnt_quantizer *q)
{
    return qnt_quantizer_fit_pair(context, partner, q);
}

static qnt_status search(qnt_quantizer *q)
{
    return search_bits(context, q);
}

#endif
