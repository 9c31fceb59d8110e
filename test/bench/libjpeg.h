/* libjpeg-turbo as a peer: a real encoder, from RGB pixels to a baseline file in memory. */
#ifndef LIBJPEG_H
#define LIBJPEG_H

#include <stddef.h>
#include <stdint.h>

/* NULL: not built with it. */
const char *encoder_version(void);

/* A table of 64 steps for all components, colours halved, standard codes, integer transform. */
struct encoder *encoder_create(const uint16_t step[64], int width, int height);
void encoder_destroy(struct encoder *encoder);

/* Bytes of the file. */
size_t encoder_run(struct encoder *encoder, const uint8_t *rgb);

#endif
