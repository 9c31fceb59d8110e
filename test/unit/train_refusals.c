/* Calls that a trainer refuses or that are given up: the reason names the argument, and numbers,
 * options, what forward() gives and what would be deployed stay as they were, for every method. */
#include "training.h"

enum { ROWS = 200 /* groups */, COLUMNS = 4, ALL = ROWS * COLUMNS, OPTIONS = 8, BLOB = 1 << 18 };

static const int options[OPTIONS] = {QNT_P_STEP,  QNT_P_EPOCH, QNT_P_TEMPERATURE, QNT_P_HARD,
                                     QNT_P_DELTA, QNT_P_KEEP,  QNT_P_ANNEAL,      QNT_P_PENALTY};

static float x[ALL], dy[ALL];

/* All that can be seen of a trainer. */
struct sight {
    double theta[1 << 12], option[OPTIONS];
    size_t count, bytes;
    float y[ALL], dx[ALL];
    double dtheta[1 << 12];
    uint8_t blob[BLOB];
};

static void see(const qnt_trainer *t, struct sight *s)
{
    size_t one;
    qnt_quantizer *q = NULL;
    memset(s, 0, sizeof *s);
    qnt_tensor *tx = TENSOR(x, QNT_FLOAT, 32, ROWS, COLUMNS),
               *tdy = TENSOR(dy, QNT_FLOAT, 32, ROWS, COLUMNS);
    OK(qnt_trainer_get(c, t, QNT_P_THETA, s->theta, 1 << 12, &s->count));
    for (int i = 0; i < OPTIONS; i++) OK(qnt_trainer_get(c, t, options[i], &s->option[i], 1, &one));
    OK(qnt_trainer_forward(c, t, tx, TENSOR(s->y, QNT_FLOAT, 32, ROWS, COLUMNS)));
    OK(qnt_trainer_backward(c, t, tx, tdy, TENSOR(s->dx, QNT_FLOAT, 32, ROWS, COLUMNS), s->dtheta,
                            s->count));
    OK(qnt_trainer_export(c, t, tx, &q));
    OK(qnt_quantizer_save(c, q, s->blob, BLOB, &s->bytes));
    qnt_quantizer_destroy(q);
}

static int32_t cancel_second(void *user, uint64_t done, uint64_t total)
{
    (void)done, (void)total;
    return ++*(int *)user >= 2;
}

/* Nothing that a refused call was to write is written. */
struct outputs {
    float y[ALL];
    double dtheta[1 << 12];
};

static void refuse_gradients(const qnt_trainer *t, size_t count)
{
    static const double bad[] = {(double)NAN, (double)INFINITY, -(double)INFINITY};
    static struct outputs out, before;
    static float wrong[ALL];
    qnt_tensor *tx = TENSOR(x, QNT_FLOAT, 32, ROWS, COLUMNS),
               *tdy = TENSOR(dy, QNT_FLOAT, 32, ROWS, COLUMNS),
               *tw = TENSOR(wrong, QNT_FLOAT, 32, ROWS, COLUMNS),
               *ty = TENSOR(out.y, QNT_FLOAT, 32, ROWS, COLUMNS);
    memset(&out, 7, sizeof out);
    before = out;
    for (int i = 0; i < 3; i++) {
        const int at = (int)random_in(0, ALL - 1);
        char text[32];
        snprintf(text, sizeof text, "element %d", at);
        memcpy(wrong, dy, sizeof wrong);
        wrong[at] = (float)bad[i];
        FAILS(qnt_trainer_backward(c, t, tx, tw, ty, out.dtheta, count), QNT_E_INVALID, text);
        CHECK(strstr(check_reason, "dy"));
        memcpy(wrong, x, sizeof wrong);
        wrong[at] = (float)bad[i];
        FAILS(qnt_trainer_backward(c, t, tw, tdy, ty, out.dtheta, count), QNT_E_INVALID, text);
        FAILS(qnt_trainer_forward(c, t, tw, ty), QNT_E_INVALID, text);
        CHECK(strstr(check_reason, "x"));
    }
    FAILS(qnt_trainer_backward(c, t, tx, tdy, ty, out.dtheta, count + 1), QNT_E_INVALID, "count");
    if (count)
        FAILS(qnt_trainer_backward(c, t, tx, tdy, ty, out.dtheta, count - 1), QNT_E_INVALID,
              "count");
    CHECK(!memcmp(&out, &before, sizeof out));
}

static void refuse_numbers(qnt_trainer *t, const double *theta, size_t count)
{
    static const double bad[] = {(double)NAN, (double)INFINITY};
    static double wrong[(1 << 12) + 1];
    memcpy(wrong, theta, count * sizeof *wrong);
    FAILS(qnt_trainer_set(c, t, QNT_P_THETA, wrong, count + 1), QNT_E_INVALID, "count");
    if (count == 0) return;
    FAILS(qnt_trainer_set(c, t, QNT_P_THETA, wrong, count - 1), QNT_E_INVALID, "count");
    FAILS(qnt_trainer_set(c, t, QNT_P_THETA, NULL, count), QNT_E_INVALID, "values");
    for (size_t k = 0; k < count; k++) wrong[k] += 0.25; /* all but one would do */
    for (int i = 0; i < 2; i++) {
        wrong[count - 1] = bad[i];
        FAILS(qnt_trainer_set(c, t, QNT_P_THETA, wrong, count), QNT_E_INVALID, "number");
    }
}

static void refuse_options(qnt_trainer *t)
{
    static const double temperature[] = {0, -1, (double)NAN};
    const double back = 11, one = 1, half = 0.5;
    for (int i = 0; i < 3; i++)
        FAILS(qnt_trainer_set(c, t, QNT_P_TEMPERATURE, &temperature[i], 1), QNT_E_INVALID,
              "values");
    FAILS(qnt_trainer_set(c, t, QNT_P_TEMPERATURE, temperature, 1), QNT_E_INVALID,
          "QNT_P_TEMPERATURE is 0, expected above 0 to 1e+30");
    FAILS(qnt_trainer_set(c, t, QNT_P_HARD, &half, 1), QNT_E_INVALID,
          "QNT_P_HARD is 0.5, expected 0 to 1, a whole number");
    FAILS(qnt_trainer_set(c, t, QNT_P_SCALE, &one, 1), QNT_E_INVALID,
          "param is QNT_P_SCALE, which");
    FAILS(qnt_trainer_set(c, t, 99, &one, 1), QNT_E_INVALID, "expected QNT_P_THETA (64)");
    FAILS(qnt_trainer_set(c, t, QNT_P_STEP, &back, 1), QNT_E_INVALID, "go back");
    FAILS(qnt_trainer_set(c, t, QNT_P_STEP, &one, 2), QNT_E_INVALID, "count");
    FAILS(qnt_trainer_set(c, t, QNT_P_KEEP, &one, 1), QNT_E_STATE, "set QNT_P_KEEP before");
}

/* A start that is refused or cancelled in the middle of its groups. */
static void refuse_starts(qnt_trainer *t)
{
    static float other[ALL];
    int calls = 0;
    qnt_tensor *to = TENSOR(other, QNT_FLOAT, 32, ROWS, COLUMNS);
    for (int e = 0; e < ALL; e++) other[e] = 3 * x[e] + 1;
    FAILS(qnt_trainer_start(c, t, TENSOR(other, QNT_FLOAT, 32, 0, COLUMNS)), QNT_E_SHAPE, "x");
    other[ALL - 1] = NAN;
    FAILS(qnt_trainer_start(c, t, to), QNT_E_INVALID, "element 799");
    other[ALL - 1] = 0;
    OK(qnt_context_set_progress(c, cancel_second, &calls));
    CHECK(qnt_trainer_start(c, t, to) == QNT_E_CANCELLED && calls == 2);
    OK(qnt_context_set_progress(c, NULL, NULL));
}

static void nothing_changes(void)
{
    static struct sight before, after;
    for (int i = 0; i < ROUNDS(KINDS * 4); i++) {
        const bool weights = i / KINDS % 2;
        qnt_spec spec = spec_of(i % KINDS, weights, (int)random_in(1, 4));
        spec.grain = QNT_PER_AXIS;
        if (i / KINDS / 2 % 2) spec.flags |= QNT_LITERAL;
        fill(x, ALL, weights);
        for (int e = 0; e < ALL; e++) dy[e] = (float)random_gauss();
        qnt_trainer *t = create(spec);
        if (spec.method == QNT_SRQ) set(t, QNT_P_KEEP, 0.7);
        OK(qnt_trainer_start(c, t, TENSOR(x, QNT_FLOAT, 32, ROWS, COLUMNS)));
        set(t, QNT_P_STEP, 12), set(t, QNT_P_EPOCH, 5);
        see(t, &before);
        for (int part = 0; part < 4; part++) {
            if (part == 0) refuse_gradients(t, before.count);
            if (part == 1) refuse_numbers(t, before.theta, before.count);
            if (part == 2) refuse_options(t);
            if (part == 3) refuse_starts(t);
            see(t, &after);
            CHECK_MSG(!memcmp(&before, &after, sizeof after), "method %d, flags %x, part %d",
                      spec.method, (unsigned)spec.flags, part);
        }
        qnt_trainer_destroy(t);
    }
}

int main(int argc, char **argv)
{
    CHECK_INIT;
    c = check_context();
    RUN(nothing_changes);
    qnt_context_destroy(c);
    return DONE;
}
