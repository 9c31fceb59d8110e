/*
 * Learns features of handwritten digits without labels, and classifies with few of them.
 *
 *     kernel_map_digits examples/data/digits.bin [SPLITS [ANCHORS.svg]]
 *
 * A kernel-map layer (qnt/ckn.h) learns 64 anchors of 5x5 from 1000 records whose labels nobody
 * reads; maps are pooled to 4x4, centred and normalised. A ridge classifier is solved on labelled
 * ones of these, its penalty chosen on 200 others; 597 are measured. With more random splits than
 * one: means, standard errors. Beside it: the pixels themselves with the same classifier, with a
 * Gaussian kernel (width chosen alike), and their nearest neighbour. With a third argument the
 * anchors of the first float map are drawn into it.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataset.h"
#include "models.h"
#include "qnt.h"
#include "reference.h"
#include "ridge.h"

enum {
    SIDE = 8,
    PIXELS = SIDE * SIDE,
    CLASSES = 10,
    FILTERS = 64,
    TRAINED = 1000,
    TUNING = 200,
    MEASURED = 597,
    RECORDS = TRAINED + TUNING + MEASURED,
    FEATURES = 16 * FILTERS
};

/* Features of all records, [RECORDS][width]. */
struct features {
    float *value;
    int width;
    double gamma; /* of a Gaussian kernel; 0: the plain product */
};

static int32_t read_image(void *user, uint64_t index, float *image)
{
    dataset_batch(user, &digits_input, (int)index, 1, image);
    return 0;
}

/* ---- features ---- */

/* Each image's map less its mean, of norm 1. */
static void normalise(float *x, int n)
{
    double mean = 0, square = 0;
    for (int i = 0; i < n; i++) mean += (double)x[i] / n;
    for (int i = 0; i < n; i++) square += ((double)x[i] - mean) * ((double)x[i] - mean);
    for (int i = 0; i < n; i++) x[i] = (float)(((double)x[i] - mean) / sqrt(square + 1e-12));
}

/* Eight anchors in a row, 5x5 squares each: white for the largest number of an anchor, black for the
 * least. */
static qnt_status draw_anchors(const qnt_context *context, const qnt_ckn *ckn, const char *path)
{
    enum { PATCH = 5, AREA = PATCH * PATCH, ACROSS = 8, CELL = PATCH + 1 };
    float anchor[FILTERS * AREA];
    int64_t shape[] = {FILTERS, AREA};
    qnt_tensor t = {.data = anchor,
                    .device_type = 1,
                    .ndim = 2,
                    .dtype_code = QNT_FLOAT,
                    .dtype_bits = 32,
                    .dtype_lanes = 1,
                    .shape = shape};
    qnt_status status = qnt_ckn_get(context, ckn, &t);
    if (status) return status;
    FILE *f = fopen(path, "w");
    if (!f) {
        fprintf(stderr, "kernel_map_digits: %s cannot be written\n", path);
        exit(1);
    }
    fprintf(f, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"-1 -1 %d %d\" width=\"600\">\n",
            ACROSS * CELL + 1, FILTERS / ACROSS * CELL + 1);
    for (int i = 0; i < FILTERS; i++) {
        const float *a = anchor + i * AREA;
        float low = a[0], high = a[0];
        for (int k = 1; k < AREA; k++) low = fminf(low, a[k]), high = fmaxf(high, a[k]);
        for (int k = 0; k < AREA; k++) {
            int grey = (int)(255 * (a[k] - low) / (high - low + 1e-9f));
            fprintf(f, "<rect x=\"%d\" y=\"%d\" width=\"1\" height=\"1\" fill=\"rgb(%d,%d,%d)\"/>\n",
                    i % ACROSS * CELL + k % PATCH, i / ACROSS * CELL + k / PATCH, grey, grey, grey);
        }
    }
    fprintf(f, "</svg>\n");
    fclose(f);
    return QNT_OK;
}

static qnt_status map_digits(const qnt_context *context, struct dataset *set,
                             const qnt_ckn_spec *spec, const float *pixels, float *out,
                             const char *drawing)
{
    qnt_ckn *ckn = NULL;
    int64_t in_shape[] = {RECORDS, SIDE, SIDE, 1}, out_shape[QNT_MAX_NDIM],
            out_strides[QNT_MAX_NDIM];
    union {
        const float *in;
        void *data;
    } pointer = {pixels};
    qnt_tensor x = {.data = pointer.data,
                    .device_type = 1,
                    .ndim = 4,
                    .dtype_code = QNT_FLOAT,
                    .dtype_bits = 32,
                    .dtype_lanes = 1,
                    .shape = in_shape};
    qnt_tensor y = {.shape = out_shape, .strides = out_strides};
    qnt_ckn_data data = {.size = sizeof data,
                         .height = SIDE,
                         .width = SIDE,
                         .images = TRAINED,
                         .patches = 20000,
                         .read = read_image,
                         .user = set};
    size_t bytes = 0;
    void *space = NULL;
    qnt_status status = qnt_ckn_create(context, spec, &ckn);
    if (!status) status = qnt_ckn_fit(context, ckn, &data);
    if (!status && drawing) status = draw_anchors(context, ckn, drawing);
    if (!status) status = qnt_ckn_view(context, ckn, &x, &y);
    if (!status) status = qnt_ckn_workspace(context, ckn, &x, &bytes);
    y.data = out;
    if (!status && !(space = malloc(bytes))) status = QNT_E_NOMEM;
    if (!status) status = qnt_ckn_run(context, ckn, &x, &y, space, bytes);
    for (int i = 0; !status && i < RECORDS; i++) normalise(out + (size_t)i * FEATURES, FEATURES);
    free(space);
    qnt_ckn_destroy(ckn);
    return status;
}

/* ---- classifiers ---- */

/* Products between all records; of a Gaussian kernel exp(-gamma |a - b|^2). 1 is added: a bias. */
static void products(const struct features *f, float *gram)
{
    const size_t n = RECORDS, width = (size_t)f->width;
    float *turned = malloc(n * width * sizeof *turned);
    if (!turned) exit(1);
    reference_transpose(f->value, turned, RECORDS, f->width);
    memset(gram, 0, n * n * sizeof *gram);
    reference_multiply(f->value, turned, gram, RECORDS, f->width, RECORDS);
    free(turned);
    for (size_t a = 0; a < n; a++) {
        for (size_t b = 0; f->gamma == 0 && b < n; b++) gram[a * n + b] += 1;
        for (size_t b = 0; f->gamma > 0 && b < a; b++) {
            float square = gram[a * n + a] + gram[b * n + b] - 2 * gram[a * n + b];
            gram[a * n + b] = gram[b * n + a] = (float)exp(-f->gamma * (double)square);
        }
    }
    for (size_t a = 0; f->gamma > 0 && a < n; a++) gram[a * n + a] = 1;
}

/* Percent right among records first .. first + count - 1. */
static double measure(const uint8_t *label, const float *gram, const double *weight, int labelled,
                      int first, int count)
{
    int right = 0;
    for (int r = first; r < first + count; r++) {
        double score[CLASSES] = {0};
        int best = 0;
        for (int i = 0; i < labelled; i++)
            for (int c = 0; c < CLASSES; c++)
                score[c] += (double)gram[(size_t)r * RECORDS + (size_t)i] * weight[i * CLASSES + c];
        for (int c = 1; c < CLASSES; c++) best = score[c] > score[best] ? c : best;
        right += best == label[r];
    }
    return 100.0 * right / count;
}

/* One against all; the penalty is the best of three on the tuning records. */
static double ridge(const uint8_t *label, const float *gram, int labelled)
{
    const size_t n = (size_t)labelled;
    double *factor = malloc((n * n + n * CLASSES) * sizeof *factor), best = -1, result = 0;
    if (!factor) exit(1);
    double *weight = factor + n * n;
    for (double penalty = 0.01; penalty < 2; penalty *= 10) {
        for (size_t i = 0; i < n; i++) {
            for (size_t j = 0; j < n; j++) factor[i * n + j] = (double)gram[i * RECORDS + j];
            for (int c = 0; c < CLASSES; c++)
                weight[i * CLASSES + (size_t)c] = label[i] == c ? 1 : -0.1;
        }
        if (!ridge_solve(factor, n, penalty, factor, weight, CLASSES)) exit(1);
        double tuned = measure(label, gram, weight, labelled, TRAINED, TUNING);
        if (tuned <= best) continue;
        best = tuned;
        result = measure(label, gram, weight, labelled, TRAINED + TUNING, MEASURED);
    }
    free(factor);
    return result;
}

static double nearest(const uint8_t *label, const float *pixels, int labelled)
{
    int right = 0;
    for (int r = RECORDS - MEASURED; r < RECORDS; r++) {
        double least = INFINITY;
        int found = 0;
        for (int i = 0; i < labelled; i++) {
            double sum = 0;
            for (int p = 0; p < PIXELS; p++) {
                double d = (double)pixels[r * PIXELS + p] - (double)pixels[i * PIXELS + p];
                sum += d * d;
            }
            if (sum < least) least = sum, found = label[i];
        }
        right += found == label[r];
    }
    return 100.0 * right / MEASURED;
}

/* ---- the table ---- */

enum { COUNTS = 4, BASELINES = 3, MAPS = 6, ROWS = BASELINES + MAPS };

static const int labelled[COUNTS] = {50, 100, 300, 1000};
static const struct {
    int anchor, patch, centre;
} maps[MAPS] = {{32, 32, 0}, {8, 8, 0}, {4, 4, 0}, {2, 4, 0}, {2, 2, 0}, {1, 1, 1}};

/* Sums over splits of percent right, and of their squares. */
struct row {
    double sum[COUNTS], square[COUNTS];
};

static void add(struct row *row, int count, double right)
{
    row->sum[count] += right;
    row->square[count] += right * right;
}

static void shuffle(struct dataset *set, uint64_t state)
{
    for (int i = set->count - 1; i > 0; i--) {
        uint8_t image[PIXELS], label;
        state ^= state >> 12, state ^= state << 25, state ^= state >> 27; /* xorshift64* */
        int j = (int)((state * 0x2545f4914f6cdd1du >> 33) % (uint64_t)(i + 1));
        label = set->label[i], set->label[i] = set->label[j], set->label[j] = label;
        memcpy(image, set->pixel + (size_t)i * PIXELS, PIXELS);
        memcpy(set->pixel + (size_t)i * PIXELS, set->pixel + (size_t)j * PIXELS, PIXELS);
        memcpy(set->pixel + (size_t)j * PIXELS, image, PIXELS);
    }
}

static qnt_status run_split(const qnt_context *context, struct dataset *set, int split,
                            struct row *rows, const char *drawing)
{
    static float pixels[RECORDS * PIXELS], map[(size_t)RECORDS * FEATURES],
        gram[(size_t)RECORDS * RECORDS];
    struct features kinds[] = {{pixels, PIXELS, 0}, {pixels, PIXELS, 0.1}, {map, FEATURES, 0}};
    shuffle(set, (uint64_t)split * 2 + 1);
    dataset_batch(set, &digits_input, 0, RECORDS, pixels);
    for (int i = 0; i < 2; i++) {
        products(&kinds[i], gram);
        for (int n = 0; n < COUNTS; n++) add(&rows[i], n, ridge(set->label, gram, labelled[n]));
    }
    for (int n = 0; n < COUNTS; n++) add(&rows[2], n, nearest(set->label, pixels, labelled[n]));
    for (int i = 0; i < MAPS; i++) {
        qnt_ckn_spec spec = {.size = sizeof spec,
                             .channels = 1,
                             .kernel = 5,
                             .pad = 2,
                             .filters = FILTERS,
                             .subsample = 2,
                             .anchor_bits = maps[i].anchor,
                             .patch_bits = maps[i].patch,
                             .centre = maps[i].centre,
                             .seed = (uint64_t)split};
        qnt_status status = map_digits(context, set, &spec, pixels, map,
                                       split == 0 && i == 0 ? drawing : NULL);
        if (status) return status;
        products(&kinds[2], gram);
        for (int n = 0; n < COUNTS; n++)
            add(&rows[BASELINES + i], n, ridge(set->label, gram, labelled[n]));
    }
    return QNT_OK;
}

static void print_row(const char *name, const char *bytes, const struct row *row, int splits)
{
    printf("  %-38s %8s", name, bytes);
    for (int n = 0; n < COUNTS; n++) {
        double mean = row->sum[n] / splits, spread = row->square[n] / splits - mean * mean;
        if (splits > 1)
            printf("  %5.2f +- %.2f", mean, sqrt(fmax(spread, 0) / (splits - 1)));
        else
            printf(" %8.2f", mean);
    }
    printf("\n");
}

static int run(const qnt_context *context, struct dataset *set, int splits, const char *drawing)
{
    static const char *const baseline[BASELINES] = {"pixels, linear", "pixels, Gaussian kernel",
                                                    "pixels, nearest neighbour"};
    struct row rows[ROWS] = {{{0}, {0}}};
    for (int split = 0; split < splits; split++) {
        qnt_status status = run_split(context, set, split, rows, drawing);
        if (!status) continue;
        fprintf(stderr, "kernel_map_digits: %s\n", qnt_status_name(status));
        return 1;
    }
    printf("\nHandwritten digits, %% right of %d held out, by how many labels are known; %d random "
           "splits\n\n",
           MEASURED, splits);
    printf("  %-38s %8s", "features", "anchors");
    for (int n = 0; n < COUNTS; n++) printf(splits > 1 ? "  %13d" : " %8d", labelled[n]);
    printf("\n");
    for (int i = 0; i < BASELINES; i++) print_row(baseline[i], "", &rows[i], splits);
    for (int i = 0; i < MAPS; i++) {
        char name[64], bytes[32];
        snprintf(name, sizeof name, "kernel map, anchors %d, patches %d%s", maps[i].anchor,
                 maps[i].patch, maps[i].centre ? ", centred" : "");
        snprintf(bytes, sizeof bytes, "%d B", FILTERS * 25 * maps[i].anchor / 8);
        print_row(name, bytes, &rows[BASELINES + i], splits);
        double right = rows[BASELINES + i].sum[COUNTS - 1] / splits;
        if (right < (i < 4 ? 98 : 94)) {
            fprintf(stderr, "kernel_map_digits: %.2f %% is too little, something is broken\n",
                    right);
            return 1;
        }
    }
    printf("\n  Anchors are learned from %d digits without labels; 1 bit: signs.\n", TRAINED);
    return 0;
}

static void print_log(void *user, int32_t level, const char *message)
{
    (void)user, (void)level;
    fprintf(stderr, "libqnt: %s\n", message);
}

int main(int argc, char **argv)
{
    struct dataset set;
    qnt_context *context = NULL;
    if (argc < 2 || argc > 4) {
        fprintf(stderr, "usage: %s digits.bin [SPLITS [ANCHORS.svg]]\n", argv[0]);
        return 2;
    }
    const char *reason = dataset_read_records(argv[1], &digits_form, &set);
    if (!reason && set.count < RECORDS) reason = "the file has too few records";
    if (reason || qnt_context_create(NULL, NULL, NULL, &context)) {
        fprintf(stderr, "kernel_map_digits: %s\n", reason ? reason : "no context");
        return 1;
    }
    qnt_context_set_log(context, print_log, NULL, QNT_LOG_ERROR);
    int failed = run(context, &set, argc > 2 ? atoi(argv[2]) : 1, argc > 3 ? argv[3] : NULL);
    qnt_context_destroy(context);
    dataset_free(&set);
    return failed;
}
