/* Labelled images of one size. */
#include "dataset.h"

#include <stdlib.h>
#include <string.h>

#include "file.h"

enum { LARGEST_FILE = 1 << 28 };

const struct record_form cifar10_form = {32, 32, 3, 10, true, false};
const struct record_form mnist_form = {28, 28, 1, 10, false, false};
const struct record_form keyword_form = {49, 10, 1, 12, false, true};
const struct record_form digits_form = {8, 8, 1, 10, false, false};

static size_t pixels(const struct record_form *form)
{
    return (size_t)(form->height * form->width * form->channels);
}

static const char *allocate(struct dataset *set, size_t count, const struct record_form *form)
{
    *set = (struct dataset){.count = (int)count, .form = *form};
    set->label = malloc(count);
    set->pixel = malloc(count * pixels(form));
    return set->label && set->pixel ? NULL : "out of memory";
}

static const char *check_labels(const struct dataset *set)
{
    for (int i = 0; i < set->count; i++)
        if (set->label[i] >= set->form.classes) return "a label is not a class";
    return NULL;
}

const char *dataset_from_records(uint8_t *bytes, size_t size, const struct record_form *form,
                                 struct dataset *out)
{
    size_t record = 1 + pixels(form), count = size / record;
    const char *reason = NULL;
    *out = (struct dataset){0};
    if (size == 0 || size % record) reason = "the file is not a whole number of records";
    if (!reason) reason = allocate(out, count, form);
    for (size_t i = 0; !reason && i < count; i++) {
        out->label[i] = bytes[i * record];
        memcpy(out->pixel + i * (record - 1), bytes + i * record + 1, record - 1);
    }
    if (!reason) reason = check_labels(out);
    free(bytes);
    if (reason) dataset_free(out);
    return reason;
}

static uint32_t big_endian(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static const char *check_idx(const uint8_t *images, size_t images_size, const uint8_t *labels,
                             size_t labels_size, const struct record_form *form)
{
    if (images_size < 16 || big_endian(images) != 2051) return "not a file of idx images";
    if (labels_size < 8 || big_endian(labels) != 2049) return "not a file of idx labels";
    uint32_t count = big_endian(images + 4);
    if (big_endian(images + 8) != (uint32_t)form->height ||
        big_endian(images + 12) != (uint32_t)form->width)
        return "the images have another size";
    if (count == 0 || (images_size - 16) / pixels(form) != count ||
        (images_size - 16) % pixels(form))
        return "the number of images does not agree with the file";
    if (big_endian(labels + 4) != count || labels_size - 8 != count)
        return "the number of labels is not that of images";
    return NULL;
}

const char *dataset_from_idx(uint8_t *images, size_t images_size, uint8_t *labels,
                             size_t labels_size, const struct record_form *form,
                             struct dataset *out)
{
    *out = (struct dataset){0};
    const char *reason = check_idx(images, images_size, labels, labels_size, form);
    if (!reason) reason = allocate(out, labels_size - 8, form);
    if (!reason) {
        memcpy(out->label, labels + 8, labels_size - 8);
        memcpy(out->pixel, images + 16, images_size - 16);
        reason = check_labels(out);
    }
    free(images);
    free(labels);
    if (reason) dataset_free(out);
    return reason;
}

const char *dataset_read_records(const char *path, const struct record_form *form,
                                 struct dataset *out)
{
    const char *reason = NULL;
    size_t size;
    *out = (struct dataset){0};
    uint8_t *bytes = file_read(path, LARGEST_FILE, &size, &reason);
    return bytes ? dataset_from_records(bytes, size, form, out) : reason;
}

const char *dataset_read_idx(const char *images, const char *labels,
                             const struct record_form *form, struct dataset *out)
{
    const char *reason = NULL;
    size_t images_size, labels_size;
    *out = (struct dataset){0};
    uint8_t *a = file_read(images, LARGEST_FILE, &images_size, &reason);
    if (!a) return reason;
    uint8_t *b = file_read(labels, LARGEST_FILE, &labels_size, &reason);
    if (!b) {
        free(a);
        return reason;
    }
    return dataset_from_idx(a, images_size, b, labels_size, form, out);
}

void dataset_batch(const struct dataset *set, const struct normalisation *how, int first, int count,
                   float *out)
{
    int channels = set->form.channels, area = set->form.height * set->form.width;
    for (int i = 0; i < count; i++) {
        const uint8_t *image = set->pixel + (size_t)(first + i) * pixels(&set->form);
        for (int p = 0; p < area; p++) {
            for (int c = 0; c < channels; c++) {
                uint8_t byte = image[set->form.planar ? c * area + p : p * channels + c];
                float pixel = set->form.is_signed ? (float)(int8_t)byte : (float)byte;
                *out++ = ((pixel - how->zero) * how->scale - how->mean[c]) / how->deviation[c];
            }
        }
    }
}

void dataset_free(struct dataset *set)
{
    free(set->label);
    free(set->pixel);
    *set = (struct dataset){0};
}
