/* Steps of making a layer, in the order in which qnt_layer_create() takes them. */
#ifndef QNT__LAYER_PREPARE_H
#define QNT__LAYER_PREPARE_H

#include "layer.h"
#include "quantizer/quantizer.h"

/* What a layer is made from; views are open, the head is filled in as far as the spec says. */
struct qnt__recipe {
    const qnt_context *context;
    const qnt_quantizer *weight_q, *input_q, *output_q;
    struct qnt__view weight; /* strides reordered: [outputs][kh][kw][channels] */
    struct qnt__view bias;
    bool has_bias;
    struct qnt__layer_head head;
    size_t inputs; /* k of one output */
    size_t blocks; /* groups of weight_q along one output */
    size_t block;  /* k of one of them */
    bool integers; /* codes of a codebook become its integer levels */
    bool divided;  /* by what they have in common, so that they need fewer bits */
    bool levels;   /* codes of a codebook stay codes, shifted to two's complement */
    bool words;    /* integers of weights or inputs need int16 */
    bool floats;   /* weights and inputs are decoded, or inputs are floats */
    bool signs;    /* input codes are one sign times one number */
    int8_t *codes; /* [outputs][inputs], shifted to two's complement */
};

/* Takes the spec apart, checks the arguments and fills in the head. */
qnt_status qnt__recipe_read(struct qnt__recipe *recipe, const qnt_layer_spec *spec,
                            const qnt_tensor *weight, const qnt_quantizer *weight_q,
                            const qnt_tensor *bias, const qnt_quantizer *input_q,
                            const qnt_quantizer *output_q);

/* Decides whether integer levels are divided; with decoded inputs they never are. */
void qnt__recipe_divide(struct qnt__recipe *recipe);

/* Encodes the weights, or takes their codes. */
qnt_status qnt__recipe_encode(struct qnt__recipe *recipe);

/* The number by which integer levels of a group are divided, and its scale multiplied. */
int32_t qnt__recipe_divisor(const struct qnt__recipe *recipe, size_t group);

/* Scale group of output n and input k, and its zero point after the shift. */
size_t qnt__recipe_group(const struct qnt__recipe *recipe, size_t n, size_t k);
int32_t qnt__recipe_zero(const struct qnt__recipe *recipe, size_t group);

/* Chooses the arithmetic and the arrays; completes the head. */
qnt_status qnt__recipe_choose(struct qnt__recipe *recipe);

/* Does a layer with another head take fewer bytes? */
bool qnt__recipe_saves(const struct qnt__recipe *recipe, const struct qnt__layer_head *head);

/* Lets weights that are integers stay packed as places in tables, if they can (tables.c). */
void qnt__recipe_pack(struct qnt__recipe *recipe);

/* Lets weights that are sums of few low-bit integers stay so, if that takes less memory (points.c). */
void qnt__recipe_points(struct qnt__recipe *recipe);

/* Lets weights that are sums of signs stay planes of bits, if that is cheaper (planes.c). */
void qnt__recipe_planes(struct qnt__recipe *recipe);

/* The table of a scale group, by field of a cell, and by integer (as a byte) the code that stands
 * for it in the cell. Padding is the code 0. Returns whether that is the integer 0. */
bool qnt__recipe_table(const struct qnt__recipe *recipe, size_t group, int8_t table[QNT__TABLE],
                       int8_t place[256]);

/* Column of an output in all arrays. */
static inline size_t qnt__recipe_column(const qnt_layer *layer, size_t n)
{
    size_t outputs = layer->shape.group_outputs;
    return n / outputs * layer->shape.group_columns + n % outputs;
}

/* Decides whether numbers are words or floats (operands.c). */
void qnt__recipe_choose_numbers(struct qnt__recipe *recipe);

/* Are input codes one sign times one number? */
bool qnt__recipe_input_is_signs(const qnt_quantizer *input_q);

/* Are all levels of all groups integers that int8 holds? */
bool qnt__recipe_has_bytes(const qnt_quantizer *quantizer);

/* Chooses QNT__WORDS (words.c); completes the head but for the bias. */
void qnt__recipe_choose_words(struct qnt__recipe *recipe);

/* The integers of a scale group by field of a cell, or by code as a byte if cells hold words. */
void qnt__recipe_word_table(const struct qnt__recipe *recipe, size_t group, int16_t word[256]);

/* Fills panels of words. */
void qnt__recipe_fill_words(const struct qnt__recipe *recipe, const qnt_layer *layer, int16_t *weight);

/* Fills planes and their coefficients. */
qnt_status qnt__recipe_fill_planes(const struct qnt__recipe *recipe, const qnt_layer *layer,
                                   uint8_t *weight, int32_t *coef);

/* Fills in which points are where, before panels are filled. */
void qnt__recipe_place_points(const struct qnt__recipe *recipe, const qnt_layer *layer,
                              int32_t *coef, int32_t *start, uint8_t *output);

/* Writes the digits of the point in a column of a panel; false if there is none. */
bool qnt__recipe_fill_point(const struct qnt__recipe *recipe, const qnt_layer *layer, size_t panel,
                            size_t column, int8_t *codes);

/* Fills data of the layer, whose head and shape are set. */
qnt_status qnt__recipe_fill(const struct qnt__recipe *recipe, qnt_layer *layer, uint8_t *data);

#endif
