/* One training from beginning to end: trained, deployed, measured. */
#ifndef TRIAL_H
#define TRIAL_H

#include "experiment.h"
#include "tuning.h"

struct trial {
    struct graph *graph; /* is trained */
    struct schedule schedule;
    struct samples train, test;
    const char *checkpoint; /* a file to go on from, written every hundred steps; NULL: none */
};

struct figures {
    double bits;     /* mean of the weights between the ends */
    double rounded;  /* percent right by layers made without training, of the first test samples */
    double loss;     /* mean over the training */
    double deployed; /* percent right by the layers made at the end */
    double differs;  /* their logits from the trainer's, relative, on the first test samples */
    double seconds;  /* of training: CPU time of all threads */
    size_t bytes;
    struct outcome outcome;
    struct outcome packed; /* with 2-bit convolutions on packed digits; count 0: there are none */
    double packed_differs; /* their logits from those of the layers, relative */
};

/* NULL or a sentence: also if what was deployed is not what was trained. */
const char *trial_run(const struct laboratory *laboratory, const struct trial *trial,
                      struct figures *out);

/* The last training samples are taken away and become the test: choices, such as that of a rate,
 * must not see the true one. */
void trial_hold_out(struct samples *train, int count, struct samples *test);

/* A table of trials. */
void trial_head(void);
void trial_print(const struct trial *trial, const struct figures *figures);

#endif
