/* One line on the terminal that says what is going on and how long it will take. */
#define _POSIX_C_SOURCE 200809L
#include "progress.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

static double wall_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void progress_begin(struct progress *progress, const char *what)
{
    *progress = (struct progress){.what = what, .start = wall_seconds(), .terminal = isatty(2)};
    progress_show(progress, 0);
}

void progress_show(struct progress *progress, double share)
{
    double now = wall_seconds(), spent = now - progress->start;
    if (!progress->terminal || (share > 0 && now - progress->shown < 0.1)) return;
    progress->shown = now;
    fprintf(stderr, "\r%-48.48s %3.0f %%", progress->what, 100 * share);
    if (share > progress->first && spent > 0.5)
        fprintf(stderr, "  %.0f s left ", spent * (1 - share) / (share - progress->first));
    fprintf(stderr, "\033[K");
}

void progress_end(struct progress *progress)
{
    if (progress->terminal) fprintf(stderr, "\r\033[K");
}
