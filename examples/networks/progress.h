/* One line on the terminal that says what is going on and how long it will take; silent
 * elsewhere. */
#ifndef PROGRESS_H
#define PROGRESS_H

#include <stdbool.h>

struct progress {
    const char *what;
    double start, shown;
    double first; /* the share that was done when it began; the caller may set it */
    bool terminal;
};

void progress_begin(struct progress *progress, const char *what);
void progress_show(struct progress *progress, double share); /* 0 to 1 done */
void progress_end(struct progress *progress);                /* removes the line */

#endif
