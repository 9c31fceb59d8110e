/*
 * MNIST by how many labels are known: features without labels (qnt/ckn.h), a linear classifier.
 *
 *     kernel_map_mnist FOLDER [ANCHOR_BITS PATCH_BITS]
 *     kernel_map_mnist FOLDER gradients
 *
 * Two kernel maps learn their anchors from the training images, whose labels the call has no
 * argument for: of 5x5 pixels and of 3x3 places of the first, 64 anchors each, to 7x7 places; or, as
 * the published gradient map, 12 directions of the gradient, which need no learning, and 200 anchors
 * of 5x5 places of these, to 5x5 places. The result is centred and normalised. The classifier is
 * ridge regression: for every number n of labels its penalty is chosen with five sixths of them on
 * the last sixth, and then it is solved with all n. Percent wrong of the 10,000 test images, beside
 * the best published kernel network, which has two layers of up to 400 filters and an SVM (Mairal et
 * al. 2014, section 4).
 *
 * Features are made once for each image and never kept: the classifier needs X^T X and X^T Y only.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "dataset.h"
#include "models.h"
#include "qnt.h"
#include "reference.h"
#include "ridge.h"

enum { LAYERS = 2, SIDE = 28, CLASSES = 10, BATCH = 500, PATCHES = 30000, COUNTS = 8 };

static const int labelled[COUNTS] = {300, 1000, 2000, 5000, 10000, 20000, 40000, 60000};
static const double published[COUNTS] = {4.15, 2.05, 1.51, 1.21, 0.88, 0.58, 0.51, 0.39};

/* How layers differ, and what goes into each and comes out of the last. */
struct recipe {
    bool gradients;
    struct {
        int kernel, filters, subsample;
        float sigma; /* 0: the default */
    } layer[LAYERS];
    int side[LAYERS + 1], channels[LAYERS + 1];
};

/* sigma of gradients is the distance of neighbouring directions */
static const struct recipe pixels = {false, {{5, 64, 2, 0}, {3, 64, 2, 0}}, {SIDE, 14, 7}, {1, 64, 64}},
                         gradients = {true,
                                      {{1, 12, 2, 0.5176f}, {5, 200, 3, 0}},
                                      {SIDE, 14, 5},
                                      {2, 12, 200}};

/* The maps, and the sums that a classifier on their features is solved from. */
struct model {
    const qnt_context *context;
    const struct recipe *recipe;
    qnt_ckn *map[LAYERS];
    int ready;                  /* maps that have anchors */
    float *between[LAYERS + 1]; /* what goes into each map, and the result, of BATCH images */
    void *space;
    size_t bytes;
    int width;               /* features of an image, the last of them 1: a bias */
    double *gram, *target;   /* [width][width], [width][CLASSES] */
    double *factor, *weight; /* the same shapes: Cholesky's factor, the solution */
    float *part, *turned;    /* [width][width], [width][BATCH]: of one batch */
};

static double seconds(void)
{
    struct timespec now;
    timespec_get(&now, TIME_UTC);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void *must(void *block)
{
    if (block) return block;
    fprintf(stderr, "kernel_map_mnist: out of memory\n");
    exit(1);
}

static void check(qnt_status status)
{
    if (!status) return;
    fprintf(stderr, "kernel_map_mnist: %s\n", qnt_status_name(status));
    exit(1);
}

/* ---- features ---- */

static qnt_tensor images_of(struct model *m, int layer, int count, int64_t shape[4])
{
    shape[0] = count, shape[1] = shape[2] = m->recipe->side[layer];
    shape[3] = m->recipe->channels[layer];
    return (qnt_tensor){.data = m->between[layer],
                        .device_type = 1,
                        .ndim = 4,
                        .dtype_code = QNT_FLOAT,
                        .dtype_bits = 32,
                        .dtype_lanes = 1,
                        .shape = shape};
}

/* Differences of the pixels to the right and left, and below and above; 0 outside. */
static void take_gradients(const float *image, float *out)
{
    for (int y = 0; y < SIDE; y++) {
        for (int x = 0; x < SIDE; x++, out += 2) {
            const float *at = image + y * SIDE + x;
            out[0] = (x + 1 < SIDE ? at[1] : 0) - (x > 0 ? at[-1] : 0);
            out[1] = (y + 1 < SIDE ? at[SIDE] : 0) - (y > 0 ? at[-SIDE] : 0);
        }
    }
}

/* What goes into the first layer. */
static void read_batch(struct model *m, const struct dataset *set, int first, int count)
{
    static float raw[BATCH * SIDE * SIDE];
    const size_t area = SIDE * SIDE;
    dataset_batch(set, &mlp_input, first, count, m->recipe->gradients ? raw : m->between[0]);
    for (size_t i = 0; m->recipe->gradients && i < (size_t)count; i++)
        take_gradients(raw + i * area, m->between[0] + 2 * i * area);
}

/* Maps the images at between[0] through all layers that have anchors. */
static void run_maps(struct model *m, int count)
{
    for (int i = 0; i < m->ready; i++) {
        int64_t in[4], out[4];
        qnt_tensor x = images_of(m, i, count, in), y = images_of(m, i + 1, count, out);
        check(qnt_ckn_run(m->context, m->map[i], &x, &y, m->space, m->bytes));
    }
}

struct source {
    struct model *model;
    const struct dataset *set;
};

/* What the next layer learns from. */
static int32_t read_image(void *user, uint64_t index, float *image)
{
    const struct source *s = user;
    struct model *m = s->model;
    const size_t side = (size_t)m->recipe->side[m->ready];
    read_batch(m, s->set, (int)index, 1);
    run_maps(m, 1);
    memcpy(image, m->between[m->ready],
           side * side * (size_t)m->recipe->channels[m->ready] * sizeof *image);
    return 0;
}

/* Directions of gradients, evenly around the circle. */
static void set_directions(struct model *m, qnt_ckn *map, int count)
{
    float direction[64][2];
    int64_t shape[] = {count, 2};
    qnt_tensor anchors = {.data = direction,
                          .device_type = 1,
                          .ndim = 2,
                          .dtype_code = QNT_FLOAT,
                          .dtype_bits = 32,
                          .dtype_lanes = 1,
                          .shape = shape};
    for (int i = 0; i < count; i++) {
        double angle = 6.283185307179586 * i / count;
        direction[i][0] = (float)cos(angle), direction[i][1] = (float)sin(angle);
    }
    check(qnt_ckn_set(m->context, map, &anchors));
}

static void learn_layer(struct model *m, int i, const struct dataset *set, int anchor_bits,
                        int patch_bits)
{
    const struct recipe *p = m->recipe;
    int64_t shape[4];
    size_t bytes;
    struct source source = {m, set};
    qnt_ckn_spec spec = {.size = sizeof spec,
                         .channels = p->channels[i],
                         .kernel = p->layer[i].kernel,
                         .pad = p->layer[i].kernel / 2,
                         .filters = p->layer[i].filters,
                         .subsample = p->layer[i].subsample,
                         .sigma = p->layer[i].sigma,
                         .anchor_bits = anchor_bits,
                         .patch_bits = patch_bits,
                         .centre = patch_bits == 1,
                         .seed = 1};
    qnt_ckn_data data = {.size = sizeof data,
                         .height = p->side[i],
                         .width = p->side[i],
                         .images = 5000,
                         .rounds = 20,
                         .patches = PATCHES,
                         .read = read_image,
                         .user = &source};
    check(qnt_ckn_create(m->context, &spec, &m->map[i]));
    qnt_tensor x = images_of(m, i, BATCH, shape);
    check(qnt_ckn_workspace(m->context, m->map[i], &x, &bytes));
    if (bytes > m->bytes) free(m->space), m->space = must(malloc(m->bytes = bytes));
    if (p->gradients && i == 0) set_directions(m, m->map[i], p->layer[i].filters);
    else check(qnt_ckn_fit(m->context, m->map[i], &data));
    m->ready = i + 1;
}

static void learn(struct model *m, const struct dataset *set, int anchor_bits, int patch_bits)
{
    const struct recipe *p = m->recipe;
    for (int i = 0; i <= LAYERS; i++) {
        size_t floats = (size_t)(p->side[i] * p->side[i] * p->channels[i]);
        m->between[i] = must(malloc(BATCH * floats * sizeof(float)));
    }
    for (int i = 0; i < LAYERS; i++) learn_layer(m, i, set, anchor_bits, patch_bits);
}

static void make_room(struct model *m)
{
    m->width = m->recipe->side[LAYERS] * m->recipe->side[LAYERS] * m->recipe->channels[LAYERS] + 1;
    const size_t n = (size_t)m->width;
    m->gram = must(calloc(2 * n * (n + CLASSES), sizeof *m->gram));
    m->target = m->gram + n * n;
    m->factor = m->target + n * CLASSES;
    m->weight = m->factor + n * n;
    m->part = must(malloc(n * (n + BATCH) * sizeof *m->part));
    m->turned = m->part + n * n;
}

/* Each image's map less its mean, of norm 1, and 1 behind it. */
static void normalise(const float *map, int n, float *x)
{
    double mean = 0, square = 0;
    for (int i = 0; i < n; i++) mean += (double)map[i] / n;
    for (int i = 0; i < n; i++) square += ((double)map[i] - mean) * ((double)map[i] - mean);
    for (int i = 0; i < n; i++) x[i] = (float)(((double)map[i] - mean) / sqrt(square + 1e-12));
    x[n] = 1;
}

/* Features of images first .. first + count - 1, at most BATCH. */
static void make_features(struct model *m, const struct dataset *set, int first, int count,
                          float *x)
{
    const size_t n = (size_t)m->width - 1;
    read_batch(m, set, first, count);
    run_maps(m, count);
    for (size_t i = 0; i < (size_t)count; i++)
        normalise(m->between[LAYERS] + i * n, (int)n, x + i * (n + 1));
}

static float *all_features(struct model *m, const struct dataset *set, int first, int count)
{
    float *x = must(malloc((size_t)count * (size_t)m->width * sizeof *x));
    for (int i = 0; i < count; i += BATCH) {
        int some = count - i < BATCH ? count - i : BATCH;
        make_features(m, set, first + i, some, x + (size_t)i * (size_t)m->width);
    }
    return x;
}

/* ---- the classifier ---- */

static void add_batch(struct model *m, const float *x, const uint8_t *label, int count)
{
    const size_t n = (size_t)m->width;
    reference_transpose(x, m->turned, count, m->width);
    memset(m->part, 0, n * n * sizeof *m->part);
    reference_multiply(m->turned, x, m->part, m->width, count, m->width);
    for (size_t i = 0; i < n * n; i++) m->gram[i] += (double)m->part[i];
    for (int r = 0; r < count; r++) {
        for (size_t i = 0; i < n; i++)
            for (int c = 0; c < CLASSES; c++)
                m->target[i * CLASSES + (size_t)c] +=
                    (double)x[(size_t)r * n + i] * (label[r] == c ? 1 : -0.1);
    }
}

static void add(struct model *m, const float *x, const uint8_t *label, int count)
{
    for (int i = 0; i < count; i += BATCH)
        add_batch(m, x + (size_t)i * (size_t)m->width, label + i,
                  count - i < BATCH ? count - i : BATCH);
}

/* False if there are so few labels that a small penalty drowns in the rounding of X^T X. */
static bool solve(struct model *m, double penalty)
{
    const size_t n = (size_t)m->width;
    memcpy(m->weight, m->target, n * CLASSES * sizeof *m->weight);
    return ridge_solve(m->gram, n, penalty, m->factor, m->weight, CLASSES);
}

static double wrong(const struct model *m, const float *x, const uint8_t *label, int count)
{
    const size_t n = (size_t)m->width;
    int bad = 0;
    for (int r = 0; r < count; r++) {
        double score[CLASSES] = {0};
        int best = 0;
        for (size_t i = 0; i < n; i++)
            for (int c = 0; c < CLASSES; c++)
                score[c] += (double)x[(size_t)r * n + i] * m->weight[i * CLASSES + (size_t)c];
        for (int c = 1; c < CLASSES; c++) best = score[c] > score[best] ? c : best;
        bad += best != label[r];
    }
    return 100.0 * bad / count;
}

static double best_penalty(struct model *m, const float *x, const uint8_t *label, int count)
{
    double least = INFINITY, best = 0;
    for (double penalty = 1e-6; penalty < 0.05; penalty *= 10) {
        if (!solve(m, penalty)) continue;
        double now = wrong(m, x, label, count);
        if (now < least) least = now, best = penalty;
    }
    return best;
}

/* ---- the table ---- */

static void measure(struct model *m, const struct dataset *train, const struct dataset *test)
{
    float *measured = all_features(m, test, 0, test->count);
    printf("  %8s  %8s  %8s  %10s\n", "labels", "penalty", "wrong %", "published %");
    for (int i = 0, done = 0; i < COUNTS && labelled[i] <= train->count; i++) {
        int most = labelled[i], tuned = most / 6 * 5;
        while (done < tuned) { /* never more than BATCH at once */
            int count = tuned - done < BATCH ? tuned - done : BATCH;
            float *x = all_features(m, train, done, count);
            add(m, x, train->label + done, count);
            free(x);
            done += count;
        }
        float *rest = all_features(m, train, tuned, most - tuned);
        double penalty = best_penalty(m, rest, train->label + tuned, most - tuned);
        add(m, rest, train->label + tuned, most - tuned);
        free(rest);
        done = most;
        if (!solve(m, penalty)) {
            fprintf(stderr, "kernel_map_mnist: the equations are singular\n");
            exit(1);
        }
        printf("  %8d  %8g  %8.2f  %10.2f\n", most, penalty,
               wrong(m, measured, test->label, test->count), published[i]);
        fflush(stdout);
    }
    free(measured);
}

static const char *read_mnist(const char *folder, const char *part, const char *ending,
                              struct dataset *set)
{
    char images[1024], labels[1024];
    snprintf(images, sizeof images, "%s/mnist-%s-images-idx3-ubyte%s", folder, part, ending);
    snprintf(labels, sizeof labels, "%s/mnist-%s-labels-idx1-ubyte%s", folder, part, ending);
    return dataset_read_idx(images, labels, &mnist_form, set);
}

static void print_log(void *user, int32_t level, const char *message)
{
    (void)user, (void)level;
    fprintf(stderr, "libqnt: %s\n", message);
}

int main(int argc, char **argv)
{
    struct dataset train = {0}, test = {0};
    qnt_context *context = NULL;
    const bool wants_gradients = argc == 3 && strcmp(argv[2], "gradients") == 0;
    if (argc != 2 && argc != 4 && !wants_gradients) {
        fprintf(stderr, "usage: %s FOLDER [ANCHOR_BITS PATCH_BITS | gradients]\n", argv[0]);
        return 2;
    }
    const int anchor_bits = argc == 4 ? atoi(argv[2]) : 32,
              patch_bits = argc == 4 ? atoi(argv[3]) : 32;
    const char *reason = read_mnist(argv[1], "train", ".gz", &train);
    if (!reason) reason = read_mnist(argv[1], "t10k", "", &test);
    if (reason || qnt_context_create(NULL, NULL, NULL, &context)) {
        fprintf(stderr, "kernel_map_mnist: %s\n", reason ? reason : "no context");
        return 1;
    }
    qnt_context_set_log(context, print_log, NULL, QNT_LOG_ERROR);
    struct model m = {.context = context, .recipe = wants_gradients ? &gradients : &pixels};
    double start = seconds();
    learn(&m, &train, anchor_bits, patch_bits);
    printf("MNIST, %d and %d anchors of %d bits, patches of %d bits%s; learned in %.0f s\n\n",
           m.recipe->channels[1], m.recipe->channels[2], anchor_bits, patch_bits,
           patch_bits == 1 ? ", centred" : "", seconds() - start);
    fflush(stdout);
    make_room(&m);
    measure(&m, &train, &test);
    printf("\n  all in %.0f s\n", seconds() - start);
    for (int i = 0; i < LAYERS; i++) qnt_ckn_destroy(m.map[i]);
    for (int i = 0; i <= LAYERS; i++) free(m.between[i]);
    free(m.space), free(m.gram), free(m.part);
    dataset_free(&train), dataset_free(&test);
    qnt_context_destroy(context);
    return 0;
}
