/* The networks: their graphs, and how they want their input. */
#include "models.h"

#include <stdio.h>

static const int one[2] = {1, 1}, three[2] = {3, 3}, five[2] = {5, 5};
static const struct padding none = {0, 0, 0, 0}, around = {1, 1, 1, 1}, after = {0, 0, 1, 1};

#define PLAIN {0, 0, 0}, {1, 1, 1}
const struct normalisation digits_input = {0, 1.0f / 16, PLAIN};
const struct normalisation lenet_input = {0, 1.0f / 256, PLAIN};
const struct normalisation mlp_input = {0, 1.0f / 255, PLAIN};
const struct normalisation dscnn_input = {83, 0.5847029089927673f, PLAIN};
const struct normalisation resnet8_input = {0, 1, PLAIN};
const struct normalisation resnet_input = {
    0, 1.0f / 255, {0.485f, 0.456f, 0.406f}, {0.229f, 0.224f, 0.225f}};

/* What train_digits.c trains. */
struct graph *model_digits(const struct safetensors *file)
{
    struct graph *g = graph_create(file, 8, 8, 1);
    if (!g) return NULL;
    int x = graph_relu(g, graph_conv(g, 0, "conv1", 16, three, 1, around));
    x = graph_relu(g, graph_conv(g, x, "conv2", 32, three, 2, after));
    graph_dense(g, x, "dense", 10);
    return g;
}

/* Caffe's LeNet. */
struct graph *model_lenet(const struct safetensors *file)
{
    struct graph *g = graph_create(file, 28, 28, 1);
    if (!g) return NULL;
    int x = graph_max_pool(g, graph_conv(g, 0, "conv1", 20, five, 1, none));
    x = graph_max_pool(g, graph_conv(g, x, "conv2", 50, five, 1, none));
    x = graph_relu(g, graph_dense(g, x, "ip1", 500));
    graph_dense(g, x, "ip2", 10);
    return g;
}

struct graph *model_mlp(const struct safetensors *file)
{
    struct graph *g = graph_create(file, 28, 28, 1);
    if (!g) return NULL;
    int x = graph_relu(g, graph_dense(g, 0, "fc1", 256));
    x = graph_relu(g, graph_dense(g, x, "fc2", 128));
    graph_dense(g, x, "fc3", 10);
    return g;
}

/* Depthwise separable convolutions for keyword spotting (MLPerf Tiny). */
struct graph *model_dscnn(const struct safetensors *file)
{
    static const int first[2] = {10, 4};
    struct graph *g = graph_create(file, 49, 10, 1);
    if (!g) return NULL;
    int x = graph_conv(g, 0, "conv1", 64, first, 2, (struct padding){4, 1, 5, 1});
    x = graph_relu(g, graph_batch_norm(g, x, "bn1", 1e-3));
    for (int i = 1; i <= 4; i++) {
        char conv[32], norm[32];
        snprintf(conv, sizeof conv, "dw%d", i);
        snprintf(norm, sizeof norm, "dw%d_bn", i);
        x = graph_depthwise(g, x, conv, three, around);
        x = graph_relu(g, graph_batch_norm(g, x, norm, 1e-3));
        snprintf(conv, sizeof conv, "pw%d", i);
        snprintf(norm, sizeof norm, "pw%d_bn", i);
        x = graph_conv(g, x, conv, 64, one, 1, none);
        x = graph_relu(g, graph_batch_norm(g, x, norm, 1e-3));
    }
    graph_dense(g, graph_mean(g, x), "fc", 12);
    return g;
}

/* MLPerf Tiny; stride 2 is padded at the bottom and right only, as TensorFlow does. */
struct graph *model_resnet8(const struct safetensors *file)
{
    static const struct { const char *conv[3], *norm[2]; int channels; } wide[2] = {
        {{"conv_3", "conv_4", "conv_5"}, {"bn_3", "bn_4"}, 32},
        {{"conv_6", "conv_7", "conv_8"}, {"bn_5", "bn_6"}, 64},
    };
    struct graph *g = graph_create(file, 32, 32, 3);
    if (!g) return NULL;
    int x = graph_conv(g, 0, "conv", 16, three, 1, around);
    x = graph_relu(g, graph_batch_norm(g, x, "bn", 1e-3));
    int y = graph_conv(g, x, "conv_1", 16, three, 1, around);
    y = graph_relu(g, graph_batch_norm(g, y, "bn_1", 1e-3));
    y = graph_batch_norm(g, graph_conv(g, y, "conv_2", 16, three, 1, around), "bn_2", 1e-3);
    x = graph_relu(g, graph_add(g, y, x));
    for (int i = 0; i < 2; i++) {
        int n = wide[i].channels;
        y = graph_conv(g, x, wide[i].conv[0], n, three, 2, after);
        y = graph_relu(g, graph_batch_norm(g, y, wide[i].norm[0], 1e-3));
        y = graph_conv(g, y, wide[i].conv[1], n, three, 1, around);
        y = graph_batch_norm(g, y, wide[i].norm[1], 1e-3);
        x = graph_conv(g, x, wide[i].conv[2], n, one, 2, none);
        x = graph_relu(g, graph_add(g, x, y));
    }
    graph_dense(g, graph_mean(g, x), "dense", 10);
    return g;
}

static int residual_block(struct graph *g, int x, int layer, int block, int channels, int stride)
{
    char name[2][32], norm[2][32];
    for (int i = 0; i < 2; i++) {
        snprintf(name[i], sizeof name[i], "layer%d.%d.conv%d", layer, block, i + 1);
        snprintf(norm[i], sizeof norm[i], "layer%d.%d.bn%d", layer, block, i + 1);
    }
    int shortcut = stride == 1 ? x : graph_shortcut(g, x, channels);
    int y = graph_conv(g, x, name[0], channels, three, stride, around);
    y = graph_relu(g, graph_batch_norm(g, y, norm[0], 1e-5));
    y = graph_conv(g, y, name[1], channels, three, 1, around);
    return graph_relu(g, graph_add(g, graph_batch_norm(g, y, norm[1], 1e-5), shortcut));
}

/* He et al. 2016, section 4.2, with parameter-free shortcuts (option A). */
static struct graph *resnet(const struct safetensors *file, int blocks)
{
    struct graph *g = graph_create(file, 32, 32, 3);
    if (!g) return NULL;
    int x = graph_conv(g, 0, "conv1", 16, three, 1, around);
    x = graph_relu(g, graph_batch_norm(g, x, "bn1", 1e-5));
    for (int layer = 1; layer <= 3; layer++)
        for (int block = 0; block < blocks; block++)
            x = residual_block(g, x, layer, block, 8 << layer, layer > 1 && block == 0 ? 2 : 1);
    graph_dense(g, graph_mean(g, x), "linear", 10);
    return g;
}

struct graph *model_resnet20(const struct safetensors *file)
{
    return resnet(file, 3);
}

struct graph *model_resnet56(const struct safetensors *file)
{
    return resnet(file, 9);
}
