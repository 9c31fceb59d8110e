/* Fitting two exponential quantizers with one base. The contract is in qnt/quantizer.h. */
#include "pair.h"

#include "base/try.h"
#include "methods.h"
#include "schemes.h"

static qnt_status check_pair(const qnt_context *context, const qnt_quantizer *const q[2])
{
    const char *const names[2] = {"a", "b"};
    for (int i = 0; i < 2; i++) {
        if (!q[i]) return qnt__fail(context, QNT_E_INVALID, "%s is NULL", names[i]);
        if (q[i]->spec.scheme != QNT_EXP || q[i]->spec.method != QNT_TEQ) {
            return qnt__fail(context, QNT_E_UNSUPPORTED, "%s: method %s, expected QNT_TEQ",
                             names[i], qnt__method_of(q[i]->spec.method)->name);
        }
    }
    if (q[0] == q[1]) return qnt__fail(context, QNT_E_INVALID, "a and b are the same quantizer");
    if (q[0]->spec.bits != q[1]->spec.bits ||
        ((q[0]->spec.flags ^ q[1]->spec.flags) & QNT_LITERAL)) {
        return qnt__fail(
            context, QNT_E_INVALID,
            "a has %d bits, b %d, expected the same bits and both or neither QNT_LITERAL",
            (int)q[0]->spec.bits, (int)q[1]->spec.bits);
    }
    return QNT_OK;
}

/* What was opened is closed in any case. */
qnt_status qnt__teq_fit(const qnt_context *context, qnt_quantizer *const *next, int count,
                        double *rmae)
{
    struct qnt__teq *teq[2] = {NULL, NULL};
    double base;
    qnt_status status = QNT_OK;
    for (int i = 0; i < count && status == QNT_OK; i++) {
        status = qnt__teq_open(context, next[i]->statistics, next[i], &teq[i]);
    }
    if (status == QNT_OK) status = qnt__teq_base(teq, count, &base);
    for (int i = 0; i < count && status == QNT_OK; i++) {
        qnt__teq_store(teq[i], base);
        if (rmae) rmae[i] = qnt__teq_rmae(teq[i]);
    }
    for (int i = count; i-- > 0;) qnt__teq_close(teq[i]);
    return status;
}

qnt_status qnt_quantizer_fit_pair(const qnt_context *context, qnt_quantizer *a, qnt_quantizer *b)
{
    if (!context) return QNT_E_INVALID;
    qnt_quantizer *const pair[2] = {a, b};
    QNT__TRY(check_pair(context, (const qnt_quantizer *const *)pair));
    qnt_quantizer next[2];
    qnt_status status = QNT_OK;
    int opened = 0;
    for (int i = 0; i < 2 && status == QNT_OK; i++) {
        next[i] = *pair[i];
        status = qnt__fit_check(context, pair[i]);
        if (status == QNT_OK)
            status = qnt__parameters_allocate(context, &next[i], pair[i]->statistics->groups);
        opened += status == QNT_OK;
    }
    qnt_quantizer *const both[2] = {&next[0], &next[1]};
    if (status == QNT_OK) status = qnt__teq_fit(context, both, 2, NULL);
    for (int i = 0; i < 2 && status == QNT_OK; i++) status = qnt__fit_finish(context, &next[i]);
    for (int i = 0; i < opened; i++) {
        if (status != QNT_OK) {
            qnt__parameters_free(&next[i]);
            continue;
        }
        qnt__parameters_free(pair[i]);
        *pair[i] = next[i];
    }
    return status;
}
