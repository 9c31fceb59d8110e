/*
 * The state of a training in a file, so that it can be stopped and go on with the same bits.
 *
 * The file is written next to its place and renamed, so that an interruption leaves the old one.
 */
#ifndef CHECKPOINT_H
#define CHECKPOINT_H

#include "tuning.h"

/* Both return NULL or a sentence. Loading refuses a file that is damaged or of another training,
 * and then changes nothing. */
const char *checkpoint_save(const struct tuning *tuning, const char *path);
const char *checkpoint_load(struct tuning *tuning, const char *path);

#endif
