/* Version, status names, contexts and their hooks, what is known of the core. */
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
    RUN(maker_of_the_core);
    return DONE;
}
