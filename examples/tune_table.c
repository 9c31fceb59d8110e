/*
 * Tunes a quantization table for pictures of yours: which 64 steps keep the most at the same number of
 * bytes?
 *
 *     tune_table [--trials N] [--quality Q] [--seed S] [--svg FILE] pictures.ppm... > table.txt
 *
 * Reads PPM (P6) and PGM (P5). Every second picture is searched on, the others are held out and
 * measured at the end. Keeping is judged by the mean PSNR of the decoded pictures: put your network's
 * accuracy in its place. The table goes to standard output in the form of `cjpeg -qtables`, what was
 * found, to the other; --svg draws it beside the standard one. The bytes told for each picture are
 * those of
 *
 *     cjpeg -quality 50 -qtables table.txt -qslots 0 picture.ppm | wc -c
 */
#include <math.h>
#include <qnt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "table_svg.h"

enum { MOST = 4096 };

struct picture {
    const char *name;
    uint8_t *pixels, *decoded;
    qnt_image *image;
    size_t row, height;
};

struct task {
    const qnt_context *context;
    struct picture *pictures;
    size_t count, first; /* measures first, first + 2, .. */
    uint64_t bytes;      /* of the last measurement */
};

static void hear(void *user, int32_t level, const char *message)
{
    (void)user;
    (void)level;
    fprintf(stderr, "tune_table: %s\n", message);
}

/* One number of the header; comments begin with #. */
static int number(FILE *file)
{
    int c, value = 0;
    while ((c = getc(file)) == '#' || c == ' ' || c == '\n' || c == '\t' || c == '\r') {
        while (c == '#' && (c = getc(file)) != EOF && c != '\n') c = '#';
    }
    for (; c >= '0' && c <= '9' && value < 100000; c = getc(file)) value = 10 * value + c - '0';
    return value;
}

static int read_picture(const qnt_context *context, const char *name, struct picture *p)
{
    FILE *file = fopen(name, "rb");
    if (!file) return 0;
    int kind = getc(file) == 'P' ? getc(file) : 0;
    qnt_image_spec spec = {.size = sizeof spec, .components = kind == '6' ? 3 : 1};
    spec.width = number(file);
    spec.height = number(file);
    int good = (kind == '5' || kind == '6') && number(file) == 255 &&
               qnt_image_create(context, &spec, &p->image) == QNT_OK;
    if (good) {
        p->name = name;
        p->row = (size_t)(spec.width * spec.components);
        p->height = (size_t)spec.height;
        p->pixels = malloc(p->row * p->height);
        p->decoded = malloc(p->row * p->height);
        good = p->pixels && p->decoded &&
               fread(p->pixels, 1, p->row * p->height, file) == p->row * p->height &&
               qnt_image_read(context, p->image, p->pixels, p->row) == QNT_OK;
    }
    fclose(file);
    return good;
}

/* Rate: raw bytes by file bytes. Utility: mean PSNR, of at most 99 dB. */
static int32_t measure(void *user, const qnt_qtable *tables, size_t count, double *rate,
                       double *utility)
{
    struct task *task = user;
    double raw = 0, sum = 0, pictures = 0;
    task->bytes = 0;
    for (size_t i = task->first; i < task->count; i += 2) {
        struct picture *p = &task->pictures[i];
        qnt_image_bytes bytes = {.size = sizeof bytes};
        double psnr;
        if (qnt_image_quantize(task->context, p->image, tables, count) ||
            qnt_image_size(task->context, p->image, QNT_HUFFMAN_STANDARD, &bytes) ||
            qnt_image_write(task->context, p->image, p->decoded, p->row) ||
            qnt_psnr(task->context, p->pixels, p->row, p->decoded, p->row, p->row, p->height, &psnr)) {
            return 1;
        }
        raw += (double)(p->row * p->height);
        task->bytes += bytes.file;
        sum += psnr < 99 ? psnr : 99;
        pictures++;
    }
    *rate = raw / (double)task->bytes;
    *utility = sum / pictures;
    return 0;
}

/* Moves the trials near the wanted rate to the front and returns how many: a quadratic follows the
 * PSNR over a factor of two in rate, not over all rates. */
static size_t keep_near(qnt_trial *trials, size_t count, double wanted)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (trials[i].rate > wanted / 1.5 && trials[i].rate < wanted * 1.5) trials[kept++] = trials[i];
    }
    return kept;
}

/* Sorted tables about as coarse as that quality give curve and box, the bandit searches within. */
static qnt_status tune(struct task *task, double wanted, int quality, uint64_t trials, uint64_t seed,
                       qnt_trial *best)
{
    double scale = quality < 50 ? 50.0 / quality : quality < 99 ? (100 - quality) / 50.0 : 0.02;
    static qnt_trial tried[2 * MOST];
    const qnt_context *context = task->context;
    qnt_search_spec spec = {.size = sizeof spec, .seed = seed, .scale_low = 0.5 * scale,
                            .scale_high = 1.5 * scale};
    qnt_search *search = NULL;
    qnt_qtable low, high;
    size_t count = 0;
    qnt_status status = qnt_search_create(context, &spec, &search);
    if (!status) status = qnt_search_run(context, search, trials, measure, task);
    if (!status) status = qnt_search_trials(context, search, tried, MOST, &count);
    qnt_search_destroy(search);
    count = keep_near(tried, count, wanted);
    spec = (qnt_search_spec){.size = sizeof spec, .method = QNT_SEARCH_BANDIT, .seed = seed,
                             .rate_low = wanted * 0.98, .rate_high = wanted * 1.02, .low = &low,
                             .high = &high};
    if (!status) status = qnt_search_curve(context, tried, count, spec.curve);
    if (!status) {
        status = qnt_search_box(context, tried, count, wanted * 0.8, wanted * 1.25, 1.5, &low, &high);
    }
    search = NULL;
    if (!status) status = qnt_search_create(context, &spec, &search);
    if (!status) status = qnt_search_run(context, search, trials, measure, task);
    if (!status) status = qnt_search_best(context, search, best);
    qnt_search_destroy(search);
    return status;
}

/* The quality at which the standard table costs as much, and its PSNR, between two whole ones. */
static double standard_at(struct task *task, double rate)
{
    double last_rate = 0, last_utility = 0, r, u;
    for (int quality = 100; quality >= 1; quality--) {
        qnt_qtable t;
        if (qnt_qtable_standard(task->context, QNT_QTABLE_LUMA, quality, &t) ||
            measure(task, &t, 1, &r, &u)) {
            return 0;
        }
        if (r >= rate && last_rate > 0 && r > last_rate) {
            return last_utility + (u - last_utility) * (rate - last_rate) / (r - last_rate);
        }
        last_rate = r, last_utility = u;
    }
    return last_utility;
}

static void report(const char *what, struct task *task, const qnt_qtable *table)
{
    double rate, utility;
    if (measure(task, table, 1, &rate, &utility)) return;
    uint64_t bytes = task->bytes;
    double standard = standard_at(task, rate);
    fprintf(stderr, "%-22s %10llu bytes, %6.2f to 1, %.3f dB; standard table at this rate %.3f dB, "
            "gain %+.3f\n", what, (unsigned long long)bytes, rate, utility, standard,
            utility - standard);
}

int main(int argc, char **argv)
{
    static struct picture pictures[MOST];
    uint64_t trials = 1000, seed = 1;
    int quality = 50;
    const char *svg = NULL;
    qnt_context *context;
    struct task task = {.pictures = pictures};
    if (qnt_context_create(NULL, NULL, NULL, &context)) return 1;
    qnt_context_set_log(context, hear, NULL, QNT_LOG_ERROR);
    task.context = context;
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--trials") && i + 1 < argc) trials = strtoull(argv[++i], NULL, 10);
        else if (!strcmp(argv[i], "--seed") && i + 1 < argc) seed = strtoull(argv[++i], NULL, 10);
        else if (!strcmp(argv[i], "--svg") && i + 1 < argc) svg = argv[++i];
        else if (!strcmp(argv[i], "--quality") && i + 1 < argc) quality = atoi(argv[++i]);
        else if (task.count < MOST && read_picture(context, argv[i], &pictures[task.count])) task.count++;
        else return fprintf(stderr, "tune_table: %s is no PPM or PGM of bytes\n", argv[i]), 1;
    }
    if (task.count < 2 || trials < 50 || trials > MOST) {
        fprintf(stderr, "usage: %s [--trials 50..%d] [--quality 1..100] [--seed S] two or more "
                "pictures\n", argv[0], MOST);
        return 2;
    }
    qnt_qtable standard;
    qnt_trial best;
    double rate, utility;
    if (qnt_qtable_standard(context, QNT_QTABLE_LUMA, quality, &standard) ||
        measure(&task, &standard, 1, &rate, &utility) || tune(&task, rate, quality, trials, seed, &best)) {
        return 1;
    }
    report("searched pictures", &task, &best.table[0]);
    task.first = 1;
    report("held-out pictures", &task, &best.table[0]);
    for (size_t i = 0, n = task.count; i < n; i++) {
        task.count = i + 1, task.first = i;
        if (!measure(&task, &best.table[0], 1, &rate, &utility)) {
            fprintf(stderr, "%10llu bytes %s\n", (unsigned long long)task.bytes, pictures[i].name);
        }
    }
    char text[512];
    size_t length;
    if (qnt_qtable_text(context, best.table, 1, text, sizeof text, &length)) return 1;
    fputs(text, stdout);
    const struct table_picture drawn[] = {{"standard", standard}, {"tuned", best.table[0]}};
    const char *reason = svg ? table_svg_write(svg, drawn, 2) : NULL;
    if (reason) fprintf(stderr, "tune_table: %s: %s\n", svg, reason);
    for (size_t i = 0; i < MOST; i++) {
        qnt_image_destroy(pictures[i].image);
        free(pictures[i].pixels);
        free(pictures[i].decoded);
    }
    qnt_context_destroy(context);
    return reason ? 1 : 0;
}
