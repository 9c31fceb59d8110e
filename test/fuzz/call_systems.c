/*
 * libFuzzer target: trainers, multi-bit weights in training, and kernel maps, called in any order with any
 * numbers; views mostly go together, one in 32 is damaged.
 */
#include "views.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { VIEWS = 4, NUMBERS = 1 << 12 };

/* The upper bits of a double: any magnitude, NaN and infinities included. */
static qnt_spec any_spec(struct source *s, int first_method, int methods)
{
    qnt_spec spec = {.size = sizeof spec,
                     .scheme = option(s, 0, 3),
                     .method = option(s, first_method, first_method + methods - 1),
                     .bits = option(s, 1, 8),
                     .flags = option(s, 0, 63),
                     .grain = option(s, 0, 2)};
    if (spec.grain == QNT_PER_BLOCK) spec.block = option(s, 1, 8);
    spec.points = option(s, 0, 3);
    spec.seed = take(s, 2);
    return spec;
}

static int32_t stop_soon(void *user, uint64_t done, uint64_t total)
{
    (void)done, (void)total;
    return --*(int *)user < 0;
}

static void train(struct source *s, const qnt_context *c, struct view *v)
{
    static double numbers[NUMBERS];
    qnt_trainer *trainer;
    qnt_spec spec = any_spec(s, QNT_LSQ, 12);
    if (!choice(s, 8)) spec.method = QNT_BALANCED;
    if (qnt_trainer_create(c, &spec, &trainer) != QNT_OK) return;
    int64_t shape[3] = {1 + choice(s, 9), choice(s, 9), 1 + choice(s, 9)};
    int ndim = 1 + choice(s, 3);
    for (int i = 0; i < VIEWS; i++) float_view(s, &v[i], ndim, shape);
    size_t count = 0;
    for (int turn = 0; turn < 6; turn++) {
        switch (choice(s, 6)) {
        case 0: qnt_trainer_start(c, trainer, &v[0].t); break;
        case 1: qnt_trainer_forward(c, trainer, &v[0].t, &v[2].t); break;
        case 2:
            if (qnt_trainer_get(c, trainer, QNT_P_THETA, numbers, NUMBERS, &count)) count = 0;
            qnt_trainer_backward(c, trainer, &v[0].t, &v[1].t, choice(s, 2) ? &v[3].t : NULL,
                                 choice(s, 2) ? numbers : NULL, count);
            break;
        case 3:
            for (int i = 0; i < 4; i++) numbers[i] = real(s);
            qnt_trainer_set(c, trainer, option(s, QNT_P_THETA, QNT_P_THETA + 9), numbers,
                            (size_t)choice(s, 5));
            break;
        case 4: qnt_trainer_refit(c, trainer, &v[0].t, real(s)); break;
        case 5: {
            qnt_quantizer *q = NULL;
            if (qnt_trainer_export(c, trainer, &v[0].t, &q) == QNT_OK)
                qnt_quantizer_apply(c, q, &v[0].t, &v[2].t);
            qnt_quantizer_destroy(q);
            break;
        }
        }
    }
    qnt_trainer_destroy(trainer);
}

static void train_bases(struct source *s, const qnt_context *c, struct view *v)
{
    static double numbers[NUMBERS];
    qnt_alq *alq;
    qnt_spec spec = any_spec(s, QNT_ALQ, 1);
    if (choice(s, 8)) spec.scheme = QNT_POINTS, spec.bits = 1;
    const int64_t shape[2] = {1 + choice(s, 9), 1 + choice(s, 20)};
    for (int i = 0; i < 3; i++) float_view(s, &v[i], 2, shape);
    if (qnt_alq_create(c, &spec, &v[0].t, &alq) != QNT_OK) return;
    for (int turn = 0; turn < 6; turn++) {
        size_t count = 0;
        double bits;
        switch (choice(s, 5)) {
        case 0: qnt_alq_step(c, alq, option(s, 0, 3), real(s), &v[1].t); break;
        case 1: qnt_alq_prune(c, &alq, 1, take(s, 1), real(s)); break;
        case 2: qnt_alq_weights(c, alq, &v[2].t); break;
        case 3:
            if (qnt_alq_get_state(c, alq, numbers, NUMBERS, &count) != QNT_OK) break;
            if (count) numbers[take(s, 2) % count] = real(s);
            qnt_alq_set_state(c, alq, numbers, count - (choice(s, 8) == 0 && count));
            break;
        case 4: {
            qnt_quantizer *q = NULL;
            qnt_alq_bits(c, &alq, 1, &bits);
            if (qnt_alq_export(c, alq, &q) == QNT_OK) qnt_quantizer_apply(c, q, &v[0].t, &v[2].t);
            qnt_quantizer_destroy(q);
            break;
        }
        }
    }
    qnt_alq_destroy(alq);
}

/* Rows of the input, or what is left when it is used up. */
static int32_t read_image(void *user, uint64_t index, float *image)
{
    struct source *s = user;
    for (int i = 0; i < 6 * 7; i++) image[i] = (float)(int8_t)take(s, 1) + (float)(index % 3 * i);
    return take(s, 1) == 255;
}

static void map_images(struct source *s, const qnt_context *c, struct view *v)
{
    qnt_ckn_spec spec = {.size = sizeof spec,
                         .channels = option(s, 1, 3),
                         .kernel = option(s, 1, 3),
                         .pad = option(s, 0, 2),
                         .filters = option(s, 1, 20),
                         .subsample = option(s, 0, 3),
                         .anchor_bits = option(s, 0, 8),
                         .patch_bits = option(s, 0, 8),
                         .centre = option(s, 0, 1),
                         .flags = choice(s, 4) ? 0 : QNT_LITERAL};
    if (!choice(s, 4)) spec.sigma = (float)real(s), spec.regulariser = (float)real(s);
    qnt_ckn *map;
    if (qnt_ckn_create(c, &spec, &map) != QNT_OK) return;
    int64_t patch = (int64_t)spec.kernel * spec.kernel * spec.channels;
    int64_t h = 1 + choice(s, 9), w = 1 + choice(s, 9), batch = choice(s, 3);
    float_view(s, &v[0], 4, (const int64_t[]){batch, h, w, spec.channels < 99 ? spec.channels : 1});
    if (patch <= 10000 && spec.filters <= 64) {
        const int64_t shape[2] = {spec.filters, patch + (spec.flags == QNT_LITERAL)};
        float_view(s, &v[1], 2, shape);
        qnt_ckn_set(c, map, &v[1].t);
    }
    if (!choice(s, 8) && spec.channels == 1 && !spec.flags) {
        qnt_ckn_data data = {.size = sizeof data,
                             .height = 6,
                             .width = 7,
                             .rounds = option(s, 1, 3),
                             .images = take(s, 1) % 9,
                             .patches = take(s, 1),
                             .read = read_image,
                             .user = s};
        qnt_ckn_fit(c, map, &data);
    }
    qnt_tensor view = {.shape = v[2].shape, .strides = v[2].strides};
    size_t bytes = 0;
    if (qnt_ckn_view(c, map, &v[0].t, &view) == QNT_OK &&
        qnt_ckn_workspace(c, map, &v[0].t, &bytes) == QNT_OK && bytes < MEMORY) {
        const int64_t shape[4] = {view.shape[0], view.shape[1], view.shape[2], view.shape[3]};
        float_view(s, &v[2], 4, shape);
        void *workspace = malloc(bytes + 1);
        qnt_ckn_run(c, map, &v[0].t, &v[2].t, workspace, bytes);
        free(workspace);
        float_view(s, &v[3], 4, (const int64_t[]){batch, h, w, spec.channels});
        double dsigma;
        qnt_ckn_backward(c, map, &v[0].t, &v[2].t, &v[3].t, NULL, &dsigma);
    }
    qnt_ckn_destroy(map);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const systems[])(struct source *, const qnt_context *,
                                   struct view *) = {train, train_bases, map_images};
    struct source s = {data, size, 0};
    struct view v[VIEWS] = {0};
    qnt_context *context;
    if (qnt_context_create(bounded_alloc, bounded_free, NULL, &context) != QNT_OK) return 0;
    int calls = 200; /* of the progress hook, then every fit is cancelled */
    qnt_context_set_progress(context, stop_soon, &calls);
    qnt_context_set_cpu(context, take(&s, 1));
    systems[choice(&s, (int)(sizeof systems / sizeof *systems))](&s, context, v);
    for (int i = 0; i < VIEWS; i++) free(v[i].arena);
    qnt_context_destroy(context);
    return 0;
}
