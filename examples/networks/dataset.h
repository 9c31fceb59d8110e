/*
 * Labelled images of one size, kept as the bytes they come in and normalised when they are used.
 *
 * The readers take any bytes. Functions that can fail return NULL when all is well, else a
 * sentence.
 */
#ifndef DATASET_H
#define DATASET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How a network wants its input: ((pixel - zero) * scale - mean[c]) / deviation[c]. */
struct normalisation {
    float zero, scale;
    float mean[3], deviation[3];
};

/* What a file of records looks like: one byte of label, then the pixels. */
struct record_form {
    int height, width, channels, classes;
    bool planar;    /* channel by channel; otherwise interleaved */
    bool is_signed; /* int8 pixels */
};

struct dataset {
    uint8_t *label, *pixel; /* count; count x height x width x channels, in the order of the file */
    int count;
    struct record_form form;
};

extern const struct record_form cifar10_form, mnist_form, keyword_form, digits_form;

/* Both take over malloc'd bytes, also on failure. */
const char *dataset_from_records(uint8_t *bytes, size_t size, const struct record_form *form,
                                 struct dataset *out);
const char *dataset_from_idx(uint8_t *images, size_t images_size, uint8_t *labels,
                             size_t labels_size, const struct record_form *form,
                             struct dataset *out);

const char *dataset_read_records(const char *path, const struct record_form *form,
                                 struct dataset *out);
const char *dataset_read_idx(const char *images, const char *labels,
                             const struct record_form *form, struct dataset *out);

/* Images first .. first + count - 1 as floats [count][height][width][channels]. */
void dataset_batch(const struct dataset *set, const struct normalisation *how, int first, int count,
                   float *out);

void dataset_free(struct dataset *set);

#endif
