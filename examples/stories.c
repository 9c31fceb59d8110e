/*
 * Quantizes a small language model and measures how well it still predicts stories.
 *
 *     stories [--quick] [--data FOLDER]
 *
 * Weight-only (float activations) and with int8 activations whose scales are found for every row as
 * it comes, so nothing needs calibration; but for DNA-TEQ, whose weights and activations share a base.
 * The embedding is stored once, as the codes of the output matrix.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adaptive.h"
#include "experiment.h"
#include "language.h"
#include "reference.h"
#include "table.h"

struct form {
    int scheme, method, bits; /* of one base, or the whole code with its sign */
    int bases;                /* of QNT_POINTS: signs summed up */
    int block;                /* 0: a scale for each output */
    bool dynamic;             /* int8 activations */
    bool offset;              /* weights with a zero point */
    bool literal;             /* as published */
    bool pairs;               /* of QNT_EXP: inputs are exponential as well, with the weights' base */
    bool adaptive;            /* of QNT_EXP: every matrix gets bits of its own */
    bool detailed;            /* left out by --quick */
};

#define PAIRS(width, how)                                                                          \
    {                                                                                              \
        .scheme = QNT_EXP, .method = QNT_TEQ, .bits = width, .pairs = true, .detailed = true,      \
        .adaptive = width == 0, .literal = how                                                     \
    }
static const struct form forms[] = {
    {.method = QNT_MSE, .bits = 8},
    {.method = QNT_MSE, .bits = 8, .dynamic = true},
    {.method = QNT_MSE, .bits = 8, .dynamic = true, .block = 32, .detailed = true},
    {.method = QNT_MSE, .bits = 6, .dynamic = true, .detailed = true},
    {.method = QNT_MINMAX, .bits = 4, .detailed = true},
    {.method = QNT_MSE, .bits = 4, .detailed = true},
    {.method = QNT_MSE, .bits = 4, .dynamic = true},
    {.method = QNT_MINMAX, .bits = 4, .block = 32, .detailed = true},
    {.method = QNT_MSE, .bits = 4, .block = 32},
    {.method = QNT_MINMAX, .bits = 4, .dynamic = true, .block = 32},
    {.method = QNT_MSE, .bits = 4, .dynamic = true, .block = 32},
    {.method = QNT_MSE, .bits = 4, .dynamic = true, .block = 32, .offset = true},
    {.method = QNT_MSE, .bits = 3, .dynamic = true, .detailed = true},
    {.method = QNT_MSE, .bits = 3, .dynamic = true, .block = 32, .detailed = true},
    {.method = QNT_MSE, .bits = 3, .dynamic = true, .block = 32, .offset = true},
    {.method = QNT_MSE, .bits = 2, .dynamic = true, .block = 32, .offset = true, .detailed = true},
    {.scheme = QNT_POINTS, .method = QNT_BASES, .bits = 1, .bases = 2, .block = 64},
    {.scheme = QNT_POINTS, .method = QNT_BASES, .bits = 1, .bases = 3, .block = 64},
    {.scheme = QNT_POINTS, .method = QNT_BASES, .bits = 1, .bases = 4, .block = 64},
    {.scheme = QNT_TABLE, .method = QNT_KMEANS, .bits = 2, .dynamic = true, .detailed = true},
    {.scheme = QNT_TABLE, .method = QNT_KMEANS, .bits = 3, .dynamic = true, .detailed = true},
    {.scheme = QNT_TABLE, .method = QNT_KMEANS, .bits = 4, .dynamic = true},
    {.scheme = QNT_TABLE, .method = QNT_NF4, .bits = 4, .dynamic = true, .block = 32},
    {.scheme = QNT_TABLE, .method = QNT_FP4, .bits = 4, .dynamic = true, .block = 32},
    {.scheme = QNT_EXP, .method = QNT_TEQ, .bits = 3, .dynamic = true, .detailed = true},
    {.scheme = QNT_EXP, .method = QNT_TEQ, .bits = 4, .dynamic = true},
    {.scheme = QNT_EXP, .method = QNT_TEQ, .bits = 5, .dynamic = true, .detailed = true},
    {.scheme = QNT_EXP, .method = QNT_TEQ, .bits = 6, .dynamic = true, .detailed = true},
    {.scheme = QNT_EXP, .method = QNT_TEQ, .bits = 7, .dynamic = true, .detailed = true},
    {.scheme = QNT_EXP, .method = QNT_TEQ, .bits = 3, .literal = true, .detailed = true},
    {.scheme = QNT_EXP, .method = QNT_TEQ, .bits = 4, .literal = true, .detailed = true},
    {.scheme = QNT_EXP, .method = QNT_TEQ, .bits = 5, .literal = true, .detailed = true},
    {.scheme = QNT_EXP, .method = QNT_TEQ, .bits = 6, .literal = true, .detailed = true},
    {.scheme = QNT_EXP, .method = QNT_TEQ, .bits = 7, .literal = true, .detailed = true},
    {.scheme = QNT_EXP, .method = QNT_TEQ, .dynamic = true, .adaptive = true, .detailed = true},
    {.scheme = QNT_EXP, .method = QNT_TEQ, .literal = true, .adaptive = true, .detailed = true},
    PAIRS(4, false),
    PAIRS(5, false),
    PAIRS(6, false),
    PAIRS(7, false),
    PAIRS(8, false),
    PAIRS(0, false),
    PAIRS(4, true),
    PAIRS(5, true),
    PAIRS(6, true),
    PAIRS(7, true),
    PAIRS(8, true),
    PAIRS(0, true),
};

/* Stories on which bits of exponents are tried, and on which inputs of pairs are observed. */
enum { SEARCHED = 40 };

/* ---- the float reference ---- */

struct reference {
    const struct transformer *transformer;
    float *turned[MATRICES]; /* [in][out] */
};

static bool multiply_reference(const void *self, int index, const float *x, int rows, float *y,
                               void *workspace)
{
    const struct reference *reference = self;
    const struct matrix *matrix = &reference->transformer->matrix[index];
    (void)workspace;
    memset(y, 0, (size_t)(rows * matrix->out) * sizeof *y);
    reference_multiply(x, reference->turned[index], y, rows, matrix->in, matrix->out);
    return true;
}

static bool reference_prepare(const struct transformer *t, struct reference *out)
{
    bool good = true;
    *out = (struct reference){.transformer = t};
    for (int m = 0; m < MATRICES; m++) {
        const struct matrix *from = &t->matrix[m];
        float *to = out->turned[m] = malloc((size_t)(from->out * from->in) * sizeof *to);
        good &= to != NULL;
        for (int i = 0; to && i < from->out * from->in; i++)
            to[i % from->in * from->out + i / from->in] = from->weight[i];
    }
    return good;
}

/* ---- quantized ---- */

struct quantized_matrices {
    const qnt_context *context;
    const struct transformer *transformer;
    qnt_quantizer *input; /* NULL: float */
    qnt_layer *layer[MATRICES];
    float *embedding; /* decoded */
    const qnt_quantizer *const *weights, *const *inputs; /* of each matrix, given; NULL: none */
    size_t bytes, workspace;
};

static bool multiply_quantized(const void *self, int index, const float *x, int rows, float *y,
                               void *workspace)
{
    const struct quantized_matrices *q = self;
    const struct matrix *matrix = &q->transformer->matrix[index];
    struct view in, out;
    int64_t from[] = {rows, matrix->in}, to[] = {rows, matrix->out};
    return !qnt_layer_run(q->context, q->layer[index], view_floats(&in, x, 2, from),
                          view_floats(&out, y, 2, to), workspace, q->workspace);
}

/* Codes and scales; of sums of bases what the library counts for a weight. */
static size_t stored_bytes(const qnt_context *context, const qnt_quantizer *format,
                           const qnt_tensor *weight, size_t count)
{
    size_t groups = 0;
    qnt_spec spec = {.size = sizeof spec};
    qnt_error error = {.size = sizeof error};
    qnt_quantizer_spec(context, format, &spec);
    if (spec.scheme != QNT_AFFINE) {
        qnt_quantizer_error(context, format, weight, NULL, &error);
        return (size_t)ceil(error.bits * (double)count / 8);
    }
    qnt_quantizer_get(context, format, QNT_P_SCALE, NULL, 0, &groups);
    return (count * (size_t)spec.bits + 7) / 8 + groups * (spec.flags & QNT_SYMMETRIC ? 4 : 5);
}

static bool fit_matrix(const struct form *form, const qnt_context *context,
                       const qnt_tensor *weight, qnt_quantizer **format)
{
    const bool exponents = form->scheme == QNT_EXP;
    const int affine = form->offset ? QNT_SIGNED : QNT_SIGNED | QNT_SYMMETRIC;
    const int teq = form->literal ? QNT_SIGNED | QNT_LITERAL : QNT_SIGNED;
    const qnt_spec spec = {.size = sizeof spec,
                           .scheme = form->scheme,
                           .method = form->method,
                           .bits = exponents ? form->bits - 1 : form->bits,
                           .points = form->bases,
                           .flags = exponents ? teq : form->scheme == QNT_AFFINE ? affine : 0,
                           .grain = form->block ? QNT_PER_BLOCK : QNT_PER_AXIS,
                           .axis = form->block ? 1 : 0,
                           .block = form->block};
    return !qnt_quantizer_create(context, &spec, format) &&
           !qnt_quantizer_observe(context, *format, weight, NULL) &&
           !qnt_quantizer_fit(context, *format);
}

static bool quantize_matrix(const struct form *form, int index, struct quantized_matrices *q)
{
    const struct matrix *matrix = &q->transformer->matrix[index];
    const qnt_layer_spec layer = {.size = sizeof layer, .kind = QNT_DENSE};
    int64_t shape[] = {matrix->out, matrix->in}, rows[] = {POSITIONS, matrix->in};
    struct view view, input;
    qnt_tensor *weight = view_floats(&view, matrix->weight, 2, shape);
    qnt_quantizer *fitted = NULL;
    size_t workspace = 0;
    bool good = q->weights || fit_matrix(form, q->context, weight, &fitted);
    const qnt_quantizer *format = q->weights ? q->weights[index] : fitted,
                        *input_q = q->inputs ? q->inputs[index] : q->input;
    good = good &&
           !qnt_layer_create(q->context, &layer, weight, format, NULL, input_q, NULL,
                             &q->layer[index]) &&
           !qnt_layer_workspace(q->context, q->layer[index],
                                view_floats(&input, matrix->weight, 2, rows), &workspace);
    if (good && index == MATRIX_EMBEDDING)
        good = !qnt_quantizer_apply(q->context, format, weight,
                                    view_floats(&input, q->embedding, 2, shape));
    if (good)
        q->bytes += stored_bytes(q->context, format, weight, (size_t)(matrix->out * matrix->in));
    if (workspace > q->workspace) q->workspace = workspace;
    qnt_quantizer_destroy(fitted);
    return good;
}

static bool quantize_all(const struct form *form, struct quantized_matrices *q)
{
    const qnt_spec dynamic = {.size = sizeof dynamic,
                              .method = QNT_MINMAX,
                              .bits = 8,
                              .flags = QNT_SIGNED | QNT_SYMMETRIC | QNT_DYNAMIC};
    q->embedding = malloc(sizeof(float) * VOCABULARY * DIM);
    bool good =
        q->embedding && (!form->dynamic || !qnt_quantizer_create(q->context, &dynamic, &q->input));
    for (int i = 0; good && i < MATRICES; i++) good = quantize_matrix(form, i, q);
    q->bytes += sizeof(float) * DIM * (2 * LAYERS + 1); /* the norms */
    return good;
}

static void quantized_end(struct quantized_matrices *q)
{
    for (int i = 0; i < MATRICES; i++) qnt_layer_destroy(q->layer[i]);
    qnt_quantizer_destroy(q->input);
    free(q->embedding);
}

/* ---- bits of exponents for every matrix, and pairs with one base ---- */

struct search {
    const struct laboratory *lab;
    const struct reference *reference;
    const struct tokens *text;
    const struct form *form;
    int sequences;
    double nats; /* of the float model, on these */
    qnt_quantizer *weights[MATRICES], *inputs[MATRICES]; /* NULL: inputs are not exponential */
};

static bool measure_form(const struct laboratory *lab, const struct transformer *t,
                         const struct tokens *text, int sequences, const struct form *form,
                         const qnt_quantizer *const *weights, const qnt_quantizer *const *inputs,
                         struct prediction *out, size_t *bytes)
{
    struct quantized_matrices q = {
        .context = lab->serial, .transformer = t, .weights = weights, .inputs = inputs};
    bool good = quantize_all(form, &q);
    struct language_model model = {t, q.embedding, q.workspace, multiply_quantized, &q};
    good = good && language_measure(&lab->crew, &model, text, sequences, out);
    *bytes = q.bytes;
    quantized_end(&q);
    return good;
}

/* What qnt_teq_search asks: by which part nats per token grow. */
static int32_t measure_loss(void *user, const qnt_quantizer *const *weights,
                            const qnt_quantizer *const *inputs, double *loss)
{
    struct search *s = user;
    struct prediction p;
    size_t bytes;
    if (!measure_form(s->lab, s->reference->transformer, s->text, s->sequences, s->form, weights,
                      s->form->pairs ? inputs : NULL, &p, &bytes))
        return 1;
    *loss = p.nats / s->nats - 1;
    return 0;
}

/* Bits that are given need no measuring. */
static int32_t accept(void *user, const qnt_quantizer *const *weights,
                      const qnt_quantizer *const *inputs, double *loss)
{
    (void)user, (void)weights, (void)inputs;
    *loss = 0;
    return 0;
}

static bool multiply_observed(const void *self, int index, const float *x, int rows, float *y,
                              void *workspace)
{
    const struct search *s = self;
    int64_t shape[] = {rows, s->reference->transformer->matrix[index].in};
    struct view view;
    return !qnt_quantizer_observe(s->lab->serial, s->inputs[index], view_floats(&view, x, 2, shape),
                                  NULL) &&
           multiply_reference(s->reference, index, x, rows, y, workspace);
}

/* One story after the other: a quantizer is not observed by two threads at once. */
static bool observe_inputs(const struct search *s)
{
    const struct transformer *t = s->reference->transformer;
    const struct language_model model = {t, t->matrix[MATRIX_EMBEDDING].weight, 0,
                                         multiply_observed, s};
    struct crew alone = {.threads = 1};
    struct prediction p;
    bool good = !qnt_pool_create(s->lab->context, 1, &alone.pool) &&
                language_measure(&alone, &model, s->text, s->sequences, &p);
    qnt_pool_destroy(alone.pool);
    return good;
}

/* Observes all matrices, and what they meet. */
static bool observe(struct search *s)
{
    const double kept = 1 << 16; /* after so many, statistics go on as histograms */
    const qnt_context *context = s->lab->context;
    qnt_spec spec = {.size = sizeof spec,
                     .scheme = QNT_EXP,
                     .method = QNT_TEQ,
                     .flags = QNT_SIGNED | (s->form->literal ? QNT_LITERAL : 0)};
    for (int m = 0; m < MATRICES; m++) {
        const struct matrix *matrix = &s->reference->transformer->matrix[m];
        int64_t shape[] = {matrix->out, matrix->in};
        struct view view;
        spec.grain = QNT_PER_AXIS;
        if (qnt_quantizer_create(context, &spec, &s->weights[m]) ||
            qnt_quantizer_observe(context, s->weights[m],
                                  view_floats(&view, matrix->weight, 2, shape), NULL))
            return false;
        spec.grain = QNT_PER_TENSOR;
        if (s->form->pairs && (qnt_quantizer_create(context, &spec, &s->inputs[m]) ||
                               qnt_quantizer_set(context, s->inputs[m], QNT_P_SAMPLES, &kept, 1)))
            return false;
    }
    return !s->form->pairs || observe_inputs(s);
}

/* Fits what was observed; loss is that on the stories of the search. */
static bool search_bits(struct search *s, double *loss)
{
    const int32_t given = s->form->adaptive ? 0 : s->form->bits - 1;
    qnt_teq_spec teq = {.size = sizeof teq, .least_bits = given, .most_bits = given};
    bool good = observe(s) && !qnt_teq_search(s->lab->context, s->weights, s->inputs, MATRICES,
                                              &teq, given ? accept : measure_loss, s);
    *loss = teq.loss;
    return good;
}

/* Bits of a code with its sign, a mean over weights, or over inputs of one token. */
static double mean_bits(const struct search *s, bool inputs)
{
    double sum = 0, count = 0;
    for (int m = 0; m < MATRICES; m++) {
        const struct matrix *matrix = &s->reference->transformer->matrix[m];
        double n = inputs ? matrix->in : (double)matrix->out * matrix->in;
        sum += n * (quantizer_bits(s->lab->context, s->weights[m]) + 1), count += n;
    }
    return sum / count;
}

/* ---- the table ---- */

static void print_row(const struct form *form, size_t bytes, const struct prediction *p,
                      const struct prediction *reference)
{
    char name[32] = "float reference", grain[16], bits[8], values[8];
    snprintf(grain, sizeof grain, "%s", form ? "channel" : "");
    if (form && form->block) snprintf(grain, sizeof grain, "block %d", form->block);
    snprintf(bits, sizeof bits, "%d", form ? form->bits : 32);
    snprintf(values, sizeof values, "%s", form && form->dynamic ? "8" : "32");
    if (form && form->adaptive) snprintf(bits, sizeof bits, "-");
    if (form && form->pairs) memcpy(values, bits, sizeof values);
    if (form && form->bases)
        snprintf(name, sizeof name, "BASES x %d", form->bases);
    else if (form)
        snprintf(name, sizeof name, "%s%s%s%s%s", method_name(form->method),
                 form->offset ? " +zero" : "", form->pairs ? " pairs" : "",
                 form->adaptive ? " adaptive" : "", form->literal ? " literal" : "");
    printf("  %-26s %3s %4s  %-9s %10zu %8.4f %+8.4f %8.2f %9.4f %6.2f x\n", name, bits, values,
           grain, bytes, p->nats, p->nats - reference->nats, 100 * p->right,
           1e3 * p->seconds / (double)p->tokens, reference->seconds / p->seconds);
    fflush(stdout);
}

static void print_head(int sequences, size_t tokens)
{
    printf("\nstories260k, a language model: %d stories, %zu predicted tokens\n\n", sequences,
           tokens);
    printf("  %-26s %3s %4s  %-9s %10s %8s %8s %8s %9s %8s\n", "method", "W", "A", "weights",
           "bytes", "nats", "change", "right %", "ms each", "speed");
}

static bool run_form(const struct laboratory *lab, const struct transformer *t,
                     const struct tokens *text, int sequences, const struct form *form,
                     const struct prediction *reference)
{
    struct prediction p;
    size_t bytes;
    if (!measure_form(lab, t, text, sequences, form, NULL, NULL, &p, &bytes)) return false;
    print_row(form, bytes, &p, reference);
    return true;
}

/* Bits are sought and inputs observed on the first stories, where the float model has `nats`; what comes of
 * it is measured on all. */
static bool run_search(const struct laboratory *lab, const struct reference *float_model,
                       const struct tokens *text, int sequences, const struct form *form,
                       const struct prediction *reference, double nats)
{
    struct search s = {.lab = lab,
                       .reference = float_model,
                       .text = text,
                       .form = form,
                       .sequences = SEARCHED < sequences ? SEARCHED : sequences,
                       .nats = nats};
    struct prediction p;
    const qnt_quantizer *weights[MATRICES], *inputs[MATRICES];
    double loss;
    size_t bytes;
    bool good = search_bits(&s, &loss);
    memcpy(weights, s.weights, sizeof weights);
    memcpy(inputs, s.inputs, sizeof inputs);
    good = good && measure_form(lab, float_model->transformer, text, sequences, form, weights,
                                form->pairs ? inputs : NULL, &p, &bytes);
    if (good) print_row(form, bytes, &p, reference);
    if (good && form->adaptive) {
        table_bits(mean_bits(&s, false), form->pairs ? mean_bits(&s, true) : 0);
        printf("%.2f %% more nats on the %d stories of the search\n", 100 * loss, s.sequences);
    }
    fflush(stdout);
    for (int m = 0; m < MATRICES; m++)
        qnt_quantizer_destroy(s.weights[m]), qnt_quantizer_destroy(s.inputs[m]);
    return good;
}

static bool run(const struct laboratory *lab, const struct transformer *t,
                const struct tokens *text, bool quick)
{
    struct reference reference;
    struct prediction expected, first;
    int sequences = quick && text->count > 16 ? 16 : text->count;
    bool good = reference_prepare(t, &reference);
    struct language_model model = {t, t->matrix[MATRIX_EMBEDDING].weight, 0, multiply_reference,
                                   &reference};
    good = good && language_measure(&lab->crew, &model, text, sequences, &expected) &&
           language_measure(&lab->crew, &model, text, SEARCHED < sequences ? SEARCHED : sequences, &first);
    size_t bytes = sizeof(float) * DIM * (2 * LAYERS + 1);
    for (int m = 0; m < MATRICES; m++)
        bytes += sizeof(float) * (size_t)(t->matrix[m].out * t->matrix[m].in);
    if (good) {
        print_head(sequences, expected.tokens);
        print_row(NULL, bytes, &expected, &expected);
    }
    for (size_t i = 0; good && i < sizeof forms / sizeof *forms; i++) {
        if (quick && forms[i].detailed) continue;
        good = forms[i].adaptive || forms[i].pairs
                   ? run_search(lab, &reference, text, sequences, &forms[i], &expected, first.nats)
                   : run_form(lab, t, text, sequences, &forms[i], &expected);
    }
    for (int m = 0; m < MATRICES; m++) free(reference.turned[m]);
    return good;
}

int main(int argc, char **argv)
{
    const char *folder = getenv("QNT_DATA");
    bool quick = false;
    char path[2][1024];
    if (!folder || !*folder) folder = "../shared/data";
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--quick"))
            quick = true;
        else if (!strcmp(argv[i], "--data") && i + 1 < argc)
            folder = argv[++i];
        else
            return fprintf(stderr, "usage: %s [--quick] [--data FOLDER]\n", argv[0]), 2;
    }
    snprintf(path[0], sizeof path[0], "%s/stories260k.safetensors", folder);
    snprintf(path[1], sizeof path[1], "%s/tinystories_eval.tok", folder);
    struct safetensors file;
    struct tokens text = {.count = 0};
    const char *reason = safetensors_read(path[0], &file);
    if (!reason) reason = tokens_read(path[1], VOCABULARY, POSITIONS + 1, &text);
    if (reason) {
        printf("  skipped: stories260k in %s: %s\n", folder, reason);
        safetensors_free(&file);
        return 0;
    }
    struct transformer *transformer = transformer_create(&file);
    struct laboratory laboratory;
    bool good = transformer && !transformer->problem[0] && laboratory_open(&laboratory);
    if (transformer && transformer->problem[0])
        fprintf(stderr, "stories: %s\n", transformer->problem);
    if (good) {
        good = run(&laboratory, transformer, &text, quick);
        laboratory_close(&laboratory);
    }
    transformer_free(transformer);
    tokens_free(&text);
    safetensors_free(&file);
    return !good;
}
