/* Version, names of statuses and CPU features, contexts and their hooks, what is known of the core. */
#include "check.h"
#include "context/context.h"

static void names(void)
{
    CHECK(qnt_version() == QNT_VERSION);
    char expected[32];
    snprintf(expected, sizeof expected, "%d.%d.%d", QNT_VERSION >> 16, QNT_VERSION >> 8 & 255,
             QNT_VERSION & 255);
    CHECK(!strcmp(qnt_version_string(), expected));
    CHECK(!strcmp(qnt_status_name(QNT_E_SHAPE), "QNT_E_SHAPE"));
    CHECK(!strcmp(qnt_status_name(-99), "QNT_E_?"));
    for (int s = 0; s >= QNT_E_PARALLEL; s--) {
        CHECK_MSG(strcmp(qnt_status_name(s), "QNT_E_?"), "status %d", s);
        CHECK_MSG(strcmp(qnt_status_text(s), "unknown status"), "status %d", s);
    }
}

static void context(void)
{
    qnt_context *c = check_context();
    CHECK(qnt_context_cpu(c) == qnt_cpu_detect());
    OK(qnt_context_set_cpu(c, 0));
    CHECK(qnt_context_cpu(c) == 0);
    CHECK(qnt_context_create(NULL, NULL, NULL, NULL) == QNT_E_INVALID);
    FAILS(qnt_context_set_log(c, check_log, NULL, 9), QNT_E_INVALID, "level is 9");
    qnt_context_destroy(c);
    qnt_context_destroy(NULL);
}

static void features(void)
{
    static const struct {
        uint64_t bit;
        const char *name;
    } known[] = {{0, "c"},
                 {QNT_CPU_AVX2, "avx2"},
                 {QNT_CPU_AVXVNNI, "avxvnni"},
                 {QNT_CPU_AVX512VNNI, "avx512vnni"},
                 {QNT_CPU_AVX512VBMI, "avx512vbmi"},
                 {QNT_CPU_NEON, "neon"},
                 {QNT_CPU_NEONDOT, "neondot"}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        CHECK_MSG(!strcmp(qnt_cpu_name(known[i].bit), known[i].name), "%s is called %s",
                  known[i].name, qnt_cpu_name(known[i].bit));
    CHECK(!strcmp(qnt_cpu_name(UINT64_C(1) << 63), "?"));
    CHECK(!strcmp(qnt_cpu_name(QNT_CPU_AVX2 | QNT_CPU_NEON), "?"));
    CHECK(qnt_context_cpu(NULL) == 0);
}

/* ---- a host that keeps books ---- */

struct host {
    size_t blocks, bytes, calls;
    int32_t levels[8];
    size_t messages;
};

static void *take(void *user, size_t size, size_t align)
{
    struct host *host = user;
    CHECK(size > 0 && align > 0 && align <= 64 && (align & (align - 1)) == 0);
    host->calls++, host->blocks++, host->bytes += size;
    return aligned_alloc(align, (size + align - 1) / align * align);
}

static void give(void *user, void *block, size_t size)
{
    struct host *host = user;
    CHECK(block != NULL);
    host->blocks--, host->bytes -= size;
    free(block);
}

static void hear(void *user, int32_t level, const char *message)
{
    struct host *host = user;
    CHECK(message[0] && !strchr(message, '\n'));
    if (host->messages < 8) host->levels[host->messages] = level;
    host->messages++;
}

static int32_t in_turn(void *user, qnt_task_fn run, void *task, size_t count)
{
    (void)user;
    for (size_t i = 0; i < count; i++) run(task, i, 0);
    return 0;
}

static void hooks(void)
{
    struct host host = {0};
    qnt_context *c = (void *)&host;
    CHECK(qnt_context_create(take, NULL, &host, &c) == QNT_E_INVALID && !c);
    c = (void *)&host;
    CHECK(qnt_context_create(NULL, give, &host, &c) == QNT_E_INVALID && !c);
    OK(qnt_context_create(take, give, &host, &c));
    CHECK(host.blocks == 1 && host.bytes > 0);
    OK(qnt_context_set_log(c, check_log, NULL, QNT_LOG_ERROR));
    FAILS(qnt_context_set_log(c, check_log, NULL, -1), QNT_E_INVALID,
          "level is -1, expected 0 to 4");
    FAILS(qnt_context_set_parallel(c, in_turn, NULL, 0), QNT_E_INVALID,
          "workers is 0, expected 1 to 1024");
    FAILS(qnt_context_set_parallel(c, in_turn, NULL, 1025), QNT_E_INVALID, "workers is 1025");
    OK(qnt_context_set_parallel(c, in_turn, NULL, 1024));
    OK(qnt_context_set_parallel(c, NULL, NULL, 0)); /* serial: there are no workers to count */
    OK(qnt_context_set_cpu(c, UINT64_MAX));
    CHECK(qnt_context_cpu(c) == qnt_cpu_detect()); /* bits this machine lacks are ignored */
    qnt_context_destroy(c);
    CHECK(host.blocks == 0 && host.bytes == 0);
}

/* A hook hears what it asked for: a reason, a warning, a choice; a handle outlives its context. */
static void levels(void)
{
    static const struct {
        int32_t level;
        size_t messages;
    } wanted[] = {{QNT_LOG_NONE, 0},
                  {QNT_LOG_ERROR, 1},
                  {QNT_LOG_WARN, 2},
                  {QNT_LOG_INFO, 3},
                  {QNT_LOG_DEBUG, 3}};
    static const int32_t heard[] = {QNT_LOG_ERROR, QNT_LOG_WARN, QNT_LOG_INFO};
    float x[8] = {1, 2, NAN, 4, -5, 6, 7, -8};
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        struct host host = {0};
        qnt_context *c = NULL;
        qnt_quantizer *q = NULL;
        qnt_layer *layer = NULL;
        qnt_spec spec = {
            .size = sizeof spec, .method = QNT_MINMAX, .flags = QNT_SIGNED | QNT_SYMMETRIC};
        qnt_layer_spec dense = {.size = sizeof dense};
        OK(qnt_context_create(take, give, &host, &c));
        OK(qnt_context_set_log(c, hear, &host, wanted[i].level));
        OK(qnt_quantizer_create(c, &spec, &q));
        CHECK(qnt_quantizer_fit(c, q) == QNT_E_STATE);
        OK(qnt_quantizer_observe(c, q, TENSOR(x, QNT_FLOAT, 32, 2, 4), NULL));
        OK(qnt_quantizer_fit(c, q));
        OK(qnt_layer_create(c, &dense, TENSOR(x, QNT_FLOAT, 32, 2, 4), q, NULL, NULL, NULL,
                            &layer));
        CHECK_MSG(host.messages == wanted[i].messages, "level %d: %zu messages",
                  (int)wanted[i].level, host.messages);
        for (size_t m = 0; m < host.messages && m < 3; m++) CHECK(host.levels[m] == heard[m]);
        qnt_context_destroy(c);
        qnt_quantizer_destroy(q);
        qnt_layer_destroy(layer);
        CHECK(host.blocks == 0 && host.bytes == 0);
    }
}

/* Of a core that has such shuffles, the operating system names the maker as well. */
static void maker_of_the_core(void)
{
    FILE *file = fopen("/proc/cpuinfo", "r");
    if (!file || !(qnt_cpu_detect() & QNT_CPU_AVX512VBMI)) {
        SKIP("no AVX-512 VBMI, or no /proc/cpuinfo");
    } else {
        char line[256];
        bool amd = false;
        while (fgets(line, sizeof line, file)) amd = amd || strstr(line, "AuthenticAMD");
        CHECK(qnt__cpu_wide_shuffles() == amd);
    }
    if (file) fclose(file);
}

int main(int argc, char **argv)
{
    CHECK_INIT;
    RUN(names);
    RUN(context);
    RUN(features);
    RUN(hooks);
    RUN(levels);
    RUN(maker_of_the_core);
    return DONE;
}
