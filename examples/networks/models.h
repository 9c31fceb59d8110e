/* The networks: their graphs, and how they want their input. */
#ifndef MODELS_H
#define MODELS_H

#include "dataset.h"
#include "graph.h"

/* Every builder returns a graph; its `problem` tells what is wrong with the file. NULL: out of
 * memory. */
struct graph *model_digits(const struct safetensors *file);
struct graph *model_lenet(const struct safetensors *file);
struct graph *model_mlp(const struct safetensors *file);
struct graph *model_dscnn(const struct safetensors *file);
struct graph *model_resnet8(const struct safetensors *file);
struct graph *model_resnet20(const struct safetensors *file);
struct graph *model_resnet56(const struct safetensors *file);

extern const struct normalisation digits_input, lenet_input, mlp_input, dscnn_input, resnet8_input,
    resnet_input;

#endif
