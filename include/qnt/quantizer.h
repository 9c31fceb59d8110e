/**
 * @file quantizer.h
 * @brief What codes mean (scheme) and how their parameters are found (method).
 *
 * @defgroup quantizer Quantizer
 * @{
 *
 * Order of calls for a tensor of weights:
 *
 *     create -> observe(w) -> fit -> view -> encode(w)
 *
 * For activations, observe() is called once for each batch of calibration data; statistics are kept
 * in bounded memory. A #QNT_FIXED quantizer needs no data: set() its scale and zero point instead.
 *
 * **#QNT_AFFINE**: value = (code - zero) * scale, or value = offset + code * scale with
 * #QNT_REAL_OFFSET. Encoding divides by the scale in float32, rounds half to even, adds the zero
 * point and saturates: ONNX QuantizeLinear bit for bit. NaN becomes the code nearest to the value
 * 0; infinities saturate.
 *
 * **#QNT_TABLE**: value = scale * level[code], with ascending levels, the same for all groups or, with
 * #QNT_KMEANS, #QNT_LLOYD and #QNT_ANALYTIC, a group's own. Encoding finds the nearest value exactly,
 * the lower of two equally near; NaN becomes the code nearest to the value 0; infinities saturate. The
 * scale of given levels is the provably best one, or with #QNT_LITERAL the published: the largest
 * magnitude meets that of the levels, a power of two for #QNT_FP4. Levels that a method finds are
 * integers, of 8 bits up to 5-bit codes and of 16 beyond, so that products of codes are exact products
 * of integers; with #QNT_LITERAL they are real, and the scale is 1. With #QNT_THRESHOLDS the caller sets
 * where codes change, as a trained quantizer does: the code is the number of thresholds below x. So it is
 * with #QNT_BALANCED, whose thresholds divide the data into bins of equal weight.
 *
 * **#QNT_POINTS**: value = scale * sum over points of coef[p] * digit p; digit p occupies `bits` bits of a
 * code from bit p * bits. #QNT_BASES has signs as digits (bit 1: +1, bit 0: -1), #QNT_MULTIPOINT numbers
 * of 2 to 4 bits in two's complement. Encoding finds the nearest sum. Coefficients are integers whose sums
 * int8 holds, so that products of codes are exact; with #QNT_LITERAL they are real: refined greedy bases
 * (ALQ), greedy points, symmetric digits (multipoint). With #QNT_DYNAMIC and one base, signs have the mean
 * magnitude of the values at hand as their scale (XNOR-Net): a form of activations.
 *
 * How many points a group has is decided by the first of these parameters that is set:
 *
 * - #QNT_P_TOLERANCE: the fewest that keep the group's weighted error at this share of its energy (with
 *   #QNT_LITERAL: at this error).
 * - #QNT_P_EXTRA: this many more than the fewest, in all groups together, spent where they save most.
 * - #QNT_P_BUDGET: as many as keep the mean cost of an element at this many bits, spent where they save
 *   most. Digits and coefficients are counted; elements that are not finite or of importance 0 are not.
 * - None of them: all points that the spec allows.
 *
 * The fewest is one with #QNT_MULTIPOINT and none with #QNT_BASES. Errors are those of the weights, or,
 * after qnt_quantizer_observe_inputs(), those of the outputs.
 *
 * **#QNT_EXP**: value = +-(alpha * base^(field - 1) + beta), or 0 for field 0; codes are those of qnt_exp,
 * unsigned numbers with the sign as their highest bit. All groups have one base. Values are snapped:
 * integers times the scale, of 8 bits up to 4 bits of exponent and of 16 beyond, so that products of codes
 * are exact; 0 is a level like the others, and encoding finds the nearest. With #QNT_LITERAL levels are
 * real, only 0 itself becomes 0, and rounding is that of the logarithm. Without #QNT_SIGNED negative
 * values become 0.
 *
 * A *group* is what shares one set of parameters: the tensor, a slice along `axis`, or a block of
 * `block` consecutive elements along `axis`. Groups are numbered in row-major order of the tensor
 * whose extent along `axis` is replaced by the number of blocks (the last block may be shorter), as
 * in ONNX.
 */
#ifndef QNT_QUANTIZER_H
#define QNT_QUANTIZER_H

#include "tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

/** @brief Parameters of one quantized format. */
typedef struct qnt_quantizer qnt_quantizer;

/** Schemes: what a code means. */
enum {
    QNT_AFFINE = 0, /**< scale * (code - zero). */
    QNT_POINTS = 1, /**< Sum over points of coefficient * code of the point. */
    QNT_EXP = 2,    /**< +-(alpha * base^exponent + beta), or 0. */
    QNT_TABLE = 3   /**< scale * level[code]. */
};

/** Methods: how parameters are found. */
enum {
    QNT_FIXED = 0,      /**< Set by the caller (ONNX QuantizeLinear). */
    QNT_MINMAX = 1,     /**< From the smallest and largest value (ONNX DynamicQuantizeLinear). */
    QNT_PERCENTILE = 2, /**< From the quantiles that leave #QNT_P_PERCENTILE percent inside. */
    QNT_ENTROPY = 3,    /**< Least Kullback-Leibler divergence of clipped histograms. */
    QNT_ANALYTIC = 4,   /**< Optimal clipping of a fitted Gauss or Laplace density (ACIQ type). */
    QNT_MSE = 5,        /**< Provably least weighted squared error, with certificate. */
    QNT_BALANCED = 6,   /**< Table: bins of equal weight, levels at equal distances (Zhou et al. 2017). */
    QNT_BASES = 7,   /**< Points: bases of signs (ALQ and its relatives), coefficients and counts. */
    QNT_MULTIPOINT = 8, /**< Points: low-bit integers (Liu et al., AAAI 2021). */
    QNT_TEQ = 9,     /**< Exponential: base, alpha and beta (DNA-TEQ, arXiv 2306.16430). */
    QNT_KMEANS = 10, /**< Table: levels of provably least weighted squared error. */
    QNT_LLOYD = 11,  /**< Table: levels by Lloyd's iteration from those of a density. */
    QNT_NF4 = 12,    /**< Table: normal quantiles (QLoRA), 4 bits. */
    QNT_FP4 = 13,    /**< Table: E2M1 of the OCP microscaling formats, 4 bits. */
    QNT_POT = 14,    /**< Table: powers of two, 2 to 4 bits. */
    QNT_APOT = 15,   /**< Table: sums of powers of two (Li et al. 2020), 3 to 7 bits. */
    QNT_LEVELS = 16  /**< Table: the caller's levels, set as #QNT_P_LEVELS. */
};

/** Flags of qnt_spec. */
enum {
    QNT_SIGNED = 0x1,      /**< Codes are two's complement; without it they are unsigned. */
    QNT_SYMMETRIC = 0x2,   /**< Zero point fixed in the middle: 0, or 2^(bits-1) if unsigned. */
    QNT_NARROW = 0x4,      /**< The lowest code is not used: 8 bits signed are -127 to 127. */
    QNT_DYNAMIC = 0x8,     /**< Parameters are found anew for each row when a layer runs. */
    QNT_LITERAL = 0x10,    /**< The method exactly as published, instead of its best known form. */
    QNT_REAL_OFFSET = 0x20, /**< value = offset + scale * code with a real offset, no zero point. */
    QNT_THRESHOLDS = 0x40 /**< With #QNT_LEVELS: codes count the caller's thresholds below x. */
};

/** Granularity. */
enum {
    QNT_PER_TENSOR = 0, /**< One group. */
    QNT_PER_AXIS = 1,   /**< One group for each index along `axis`. */
    QNT_PER_BLOCK = 2   /**< One group for each `block` elements along `axis`. */
};

/** @brief A request for a quantizer. Zero-filled with `size` set: uint8, affine, per tensor. */
typedef struct qnt_spec {
    uint32_t size;  /**< sizeof(qnt_spec). */
    int32_t scheme; /**< #QNT_AFFINE, #QNT_POINTS, #QNT_EXP or #QNT_TABLE. */
    int32_t method; /**< #QNT_FIXED to #QNT_LEVELS, one that serves the scheme. */
    int32_t bits;   /**< Of one code: 1 to 8, affine also 16, 0 is 8; of a table 1 to 8, 0 is 4; of a point
                         1, or 2 to 4 for #QNT_MULTIPOINT; of
                         #QNT_EXP the exponent's, 2 to 7, 0 is 3: with #QNT_SIGNED codes have one more. */
    int32_t flags;  /**< OR of #QNT_SIGNED and its neighbours. */
    int32_t grain;  /**< #QNT_PER_TENSOR, #QNT_PER_AXIS or #QNT_PER_BLOCK. */
    int32_t axis;   /**< For axis and block; negative counts from the end. */
    int32_t points; /**< Of #QNT_POINTS: at most so many, points * bits at most 8; else 0. */
    int64_t block;  /**< Block length along axis, at least 1, for #QNT_PER_BLOCK only. */
    uint64_t seed;  /**< Of stochastic methods. */
} qnt_spec;

/** Parameters of qnt_quantizer_get() and qnt_quantizer_set(). "G" marks one value per group. */
enum {
    QNT_P_SCALE = 1,  /**< G, get/set: step between neighbouring codes, float32, > 0. */
    QNT_P_ZERO = 2,   /**< G, get/set: integer code of the value 0. */
    QNT_P_OFFSET = 3, /**< G, get/set: value of code 0, with #QNT_REAL_OFFSET. */
    QNT_P_LOW = 4,    /**< G, get: smallest value that can be decoded. */
    QNT_P_HIGH = 5,   /**< G, get: largest value that can be decoded. */
    QNT_P_COEF = 6,   /**< get/set: of #QNT_POINTS, `points` for each group, 0 where it has fewer;
                           setting the scale makes all of them 0. */
    QNT_P_COUNT = 7,  /**< G, get: of #QNT_POINTS, how many points a group has. */
    QNT_P_BASE = 8,   /**< get/set: of #QNT_EXP, for all groups, above 1, at most 4 (of 6 bits 1.955, of
                           7 bits 1.391); fit() keeps one that was set. */
    QNT_P_ALPHA = 9,  /**< G, get/set: of #QNT_EXP, above 0; decides the groups of a #QNT_FIXED one. */
    QNT_P_BETA = 10,  /**< G, get/set: of #QNT_EXP; setting alpha makes it 0. */
    QNT_P_LEVELS = 11, /**< get: of #QNT_TABLE, 2^bits ascending numbers, for all groups or for each;
                            set: with #QNT_LEVELS, 2 to 2^bits of them, before fit() or the scale. */
    QNT_P_THRESHOLDS = 12, /**< get/set: with #QNT_THRESHOLDS or #QNT_BALANCED, 2^bits - 1 that do not
                                decrease, infinities allowed, for all groups or each; after the scale. */

    QNT_P_PERCENTILE = 16,   /**< get/set: share of values kept, 50 < p <= 100; default 99.99. */
    QNT_P_DISTRIBUTION = 17, /**< get/set: of #QNT_ANALYTIC: 0 by likelihood, 1 Gauss, 2 Laplace. */
    QNT_P_SAMPLES = 18,      /**< get/set: values kept exactly before histograms; default 2^22. */
    QNT_P_BINS = 19,         /**< get/set: histogram bins per group, 64 to 65536; default 4096. */
    QNT_P_NODES = 20,        /**< get/set: most nodes #QNT_MSE visits per group; 0: no limit. */
    QNT_P_BUDGET = 21,       /**< get/set: of #QNT_POINTS, mean bits of an element that counts; 0: no
                                  limit. */
    QNT_P_TOLERANCE = 22,    /**< get/set: error at which a method stops; 0: the method's default. */
    QNT_P_ROUNDS = 23,       /**< get/set: refinements at most; 0: the method's default. */
    QNT_P_EXTRA = 24, /**< get/set: of #QNT_POINTS, how many points all groups together have beyond the
                           fewest, one each with #QNT_MULTIPOINT, none with #QNT_BASES: extra rows of a
                           layer; 0: no limit. Not kept in blobs. */

    QNT_P_ERROR = 32,    /**< G, get: weighted squared error, measured with the stored numbers. */
    QNT_P_BOUND = 33,    /**< G, get: proven lower bound of that error; 0 if nothing was proven. */
    QNT_P_VISITED = 34,  /**< G, get: branch-and-bound nodes visited. */
    QNT_P_OBSERVED = 35, /**< G, get: values observed. */
    QNT_P_MIN = 36,      /**< G, get: smallest finite value observed. */
    QNT_P_MAX = 37,      /**< G, get: largest finite value observed. */
    QNT_P_STORED = 38,   /**< G, get: stored bits of one element of the group. */
    QNT_P_OVERHEAD = 39  /**< G, get: stored bits of the group besides: scales, zero points, levels,
                              coefficients, and how many of them there are. */
};

/** @brief What quantizing a tensor costs, computed in double precision. */
typedef struct qnt_error {
    uint32_t size;     /**< sizeof(qnt_error). */
    uint32_t reserved; /**< 0. */
    uint64_t count;    /**< Elements compared. */
    double mse;        /**< Weighted mean of (x - y)^2. */
    double sqnr_db;    /**< 10 log10(sum h x^2 / sum h (x - y)^2); infinite if exact. */
    double rmae;       /**< sum h |x - y| / sum h |x|. */
    double cosine;     /**< Cosine of the angle between x and y. */
    double largest;    /**< Largest |x - y|. */
    double bits;       /**< Mean stored bits per element, parameters included. */
    double clipped;    /**< Share of elements over half a step beyond the levels. */
} qnt_error;

/**
 * @brief Creates a quantizer.
 * @param context  memory and reasons; not kept.
 * @param spec     the request; surplus bytes of a newer caller must be zero.
 * @param[out] out the quantizer; NULL on failure.
 * @return #QNT_OK, #QNT_E_INVALID, #QNT_E_UNSUPPORTED, #QNT_E_VERSION, #QNT_E_NOMEM.
 */
QNT_API qnt_status qnt_quantizer_create(const qnt_context *context, const qnt_spec *spec,
                                        qnt_quantizer **out);

/** @brief Frees a quantizer; NULL is allowed. @param quantizer what to free. */
QNT_API void qnt_quantizer_destroy(qnt_quantizer *quantizer);

/**
 * @brief Tells what a quantizer was made of, defaults filled in.
 * @param context   for the reason.
 * @param quantizer the quantizer.
 * @param[in,out] spec `size` set by the caller; receives the rest.
 * @return #QNT_OK, #QNT_E_INVALID, #QNT_E_VERSION.
 */
QNT_API qnt_status qnt_quantizer_spec(const qnt_context *context, const qnt_quantizer *quantizer,
                                      qnt_spec *spec);

/**
 * @brief Gathers statistics of one tensor; call it as often as there are batches.
 *
 * Up to #QNT_P_SAMPLES values are kept exactly, and more while they take no more memory than
 * histograms would; beyond, each group keeps a histogram whose width doubles as the range grows,
 * with exact weights and means per bin. NaN and infinite values are skipped with a warning;
 * elements of importance 0 count as absent. The result does not depend on the number of workers.
 * #QNT_FIXED and #QNT_DYNAMIC keep counts and ranges only.
 * @param context    hooks; reports progress.
 * @param quantizer  the quantizer; unchanged on failure.
 * @param x          float view; all calls must agree in the number of groups.
 * @param importance weight >= 0 of each element, broadcastable to x's shape (extents 1 or missing
 *                   leading dimensions repeat); NULL: all 1.
 * @return #QNT_OK, #QNT_E_INVALID, #QNT_E_SHAPE, #QNT_E_DTYPE, #QNT_E_NOMEM, #QNT_E_CANCELLED,
 *         #QNT_E_PARALLEL.
 */
QNT_API qnt_status qnt_quantizer_observe(const qnt_context *context, qnt_quantizer *quantizer,
                                         const qnt_tensor *x, const qnt_tensor *importance);

/**
 * @brief Lets weights be judged by what they do to a layer's outputs; call it as often as there are
 * batches of calibration data.
 *
 * For #QNT_POINTS with a group for each output. fit() then chooses numbers of points by the mean over all
 * inputs x of <w - decoded w, x>^2, the output error of Liu et al. (AAAI 2021), formed as
 * r' G r from the mean G of x x': nothing but G is kept, depth (depth + 1) / 2 doubles. Coefficients are
 * found with the diagonal of G as importance. A trace, 1e-9 of the mean square, is added to the diagonal.
 * Weights must be observed once, all finite, without importance; where G is too large, or a layer has
 * groups of channels, its diagonal as importance of observe() is the next best. Inputs with NaN or
 * infinite elements are skipped with a warning. The result does not depend on the number of workers.
 * @param context   hooks; reports progress.
 * @param quantizer the quantizer; unchanged on failure.
 * @param inputs    float view [..., depth], elements in the order of a group's weights: rows of a dense
 *                  layer's input, patches of a convolution's. All calls must agree in depth.
 * @return #QNT_OK, #QNT_E_INVALID, #QNT_E_UNSUPPORTED, #QNT_E_SHAPE, #QNT_E_DTYPE, #QNT_E_NOMEM,
 *         #QNT_E_CANCELLED, #QNT_E_PARALLEL.
 */
QNT_API qnt_status qnt_quantizer_observe_inputs(const qnt_context *context, qnt_quantizer *quantizer,
                                                const qnt_tensor *inputs);

/**
 * @brief Chooses the parameters from what was observed; may be repeated after more data.
 *
 * Parameters are found for levels that are real numbers. Values near the largest float32 can get levels
 * beyond it: codes of #QNT_AFFINE then decode to infinities, as ONNX's do.
 * @param context   hooks; reports progress.
 * @param quantizer the quantizer; unchanged on failure.
 * @return #QNT_OK, #QNT_E_STATE if nothing was observed, #QNT_E_INVALID if values are so near the
 *         largest float32 that codes of a codebook would be infinite, #QNT_E_NOMEM, #QNT_E_CANCELLED,
 *         #QNT_E_PARALLEL.
 */
QNT_API qnt_status qnt_quantizer_fit(const qnt_context *context, qnt_quantizer *quantizer);

/**
 * @brief Fits two quantizers of method #QNT_TEQ with one base, as the two operands of a product need it.
 *
 * The base has the least sum of the two relative errors, and replaces one that was set; alpha and beta
 * are each quantizer's own.
 * @param context hooks; reports progress.
 * @param a       fitted from what it observed; both are unchanged on failure.
 * @param b       another one, with the same bits and the same #QNT_LITERAL.
 * @return as qnt_quantizer_fit(), #QNT_E_INVALID, #QNT_E_UNSUPPORTED.
 */
QNT_API qnt_status qnt_quantizer_fit_pair(const qnt_context *context, qnt_quantizer *a, qnt_quantizer *b);

/**
 * @brief Measures a network whose layers have the bits that qnt_teq_search() tries.
 * @param user    the caller's own.
 * @param weights fitted quantizers of all layers, valid and constant during the call only.
 * @param inputs  the same of the layers' inputs; NULL, or NULL for a layer, as given to the search.
 * @param[out] loss what the network loses, a share of its accuracy: below 0 if it gains, not NaN.
 * @return 0, or anything else to stop the search.
 */
typedef int32_t (*qnt_teq_loss_fn)(void *user, const qnt_quantizer *const *weights,
                                   const qnt_quantizer *const *inputs, double *loss);

/** @brief How exponents' bits are shared out among layers. Zero-filled with `size` set: as published. */
typedef struct qnt_teq_spec {
    uint32_t size;      /**< sizeof(qnt_teq_spec). */
    int32_t least_bits; /**< Of an exponent, 2 to 7; 0 is 3. */
    int32_t most_bits;  /**< Of an exponent, least_bits to 7; 0 is 7. */
    int32_t reserved;   /**< 0. */
    double step;        /**< Between thresholds of the relative error, above 0; 0 is 0.01. */
    double ratio;       /**< Threshold of inputs over that of weights, above 0; 0 is 1. */
    double bound;       /**< Largest loss accepted, at least 0; 0 is 0.01. */
    double threshold;   /**< Result: of the weights' relative error, the largest accepted. */
    double loss;        /**< Result: at that threshold; above `bound` if even most_bits lose more. */
    double bits;        /**< Result: mean over layers of an exponent's bits, without signs. */
    uint64_t calls;     /**< Result: how often the network was measured. */
} qnt_teq_spec;

/**
 * @brief Gives every layer of a network the fewest bits of exponents that it can do with (DNA-TEQ).
 *
 * Weights and inputs of a layer share base and bits. For one threshold a layer takes the fewest bits
 * whose relative mean absolute errors, sum |x - y| / sum |x|, are at most the threshold for its
 * weights and `ratio` times that for its inputs, or most_bits. The threshold rises from 0, where nearly
 * every layer has most_bits, by `step`; whenever some layer's bits change, the network is measured, until
 * it loses more than `bound` or all layers have least_bits. The last bits that were accepted are kept.
 * Each pair of tensors is fitted once for each number of bits, as by qnt_quantizer_fit_pair().
 * @param context hooks; reports progress of fitting, and may cancel between two measurements.
 * @param weights distinct quantizers of method #QNT_TEQ that have observed; afterwards fitted, with
 *                the bits that were found; all are unchanged on failure.
 * @param inputs  the same of each layer's input, with the same #QNT_LITERAL; NULL, or NULL for a layer:
 *                its inputs are not exponential. Layers with the same input need one quantizer each.
 * @param layers  how many, at least 1.
 * @param[in,out] spec the request, and what was found.
 * @param loss    measures; called on the caller's thread.
 * @param user    for `loss`.
 * @return #QNT_OK, #QNT_E_INVALID (also for a loss that is NaN), #QNT_E_UNSUPPORTED, #QNT_E_STATE,
 *         #QNT_E_VERSION, #QNT_E_NOMEM, #QNT_E_CANCELLED (also if `loss` stops it), #QNT_E_PARALLEL.
 */
QNT_API qnt_status qnt_teq_search(const qnt_context *context, qnt_quantizer *const *weights,
                                  qnt_quantizer *const *inputs, size_t layers, qnt_teq_spec *spec,
                                  qnt_teq_loss_fn loss, void *user);

/**
 * @brief Reads a parameter.
 * @param context   for the reason.
 * @param quantizer the quantizer.
 * @param param     a QNT_P_ number.
 * @param[out] values receives the values; NULL to ask for the count only.
 * @param capacity  how many fit into values.
 * @param[out] count how many there are.
 * @return #QNT_OK, #QNT_E_INVALID, #QNT_E_UNSUPPORTED, #QNT_E_STATE, #QNT_E_SPACE.
 */
QNT_API qnt_status qnt_quantizer_get(const qnt_context *context, const qnt_quantizer *quantizer,
                                     int32_t param, double *values, size_t capacity, size_t *count);

/**
 * @brief Writes a parameter; #QNT_P_SCALE decides the number of groups of a #QNT_FIXED quantizer.
 *
 * #QNT_P_ZERO and #QNT_P_OFFSET start at the default (0, or the middle with #QNT_SYMMETRIC). One
 * value sets all groups alike.
 * @param context   for the reason.
 * @param quantizer the quantizer; unchanged on failure.
 * @param param     a QNT_P_ number marked "set".
 * @param values    the values; what decoded numbers are made of is rounded to float32, but the base.
 * @param count     how many.
 * @return #QNT_OK, #QNT_E_INVALID, #QNT_E_UNSUPPORTED, #QNT_E_STATE, #QNT_E_NOMEM.
 */
QNT_API qnt_status qnt_quantizer_set(const qnt_context *context, qnt_quantizer *quantizer,
                                     int32_t param, const double *values, size_t count);

/**
 * @brief Describes the codes of x: same shape, packed code type, compact strides.
 * @param context   for the reason.
 * @param quantizer the quantizer.
 * @param x         any legal view.
 * @param[in,out] codes `shape` and `strides` must point to #QNT_MAX_NDIM numbers each; everything
 *                  but `data` is filled in.
 * @return #QNT_OK, #QNT_E_INVALID, #QNT_E_SHAPE, #QNT_E_DTYPE, #QNT_E_UNSUPPORTED.
 */
QNT_API qnt_status qnt_quantizer_view(const qnt_context *context, const qnt_quantizer *quantizer,
                                      const qnt_tensor *x, qnt_tensor *codes);

/**
 * @brief Turns floats into codes.
 * @param context   hooks.
 * @param quantizer fitted or set.
 * @param x         float view.
 * @param[out] codes same shape; packed codes, or one code per byte.
 * @return #QNT_OK, #QNT_E_INVALID, #QNT_E_SHAPE, #QNT_E_DTYPE, #QNT_E_STATE, #QNT_E_UNSUPPORTED,
 *         #QNT_E_PARALLEL.
 */
QNT_API qnt_status qnt_quantizer_encode(const qnt_context *context, const qnt_quantizer *quantizer,
                                        const qnt_tensor *x, qnt_tensor *codes);

/**
 * @brief Turns codes into floats.
 * @param context   hooks.
 * @param quantizer fitted or set.
 * @param codes     packed codes, or one code per byte.
 * @param[out] y    float view of the same shape.
 * @return as qnt_quantizer_encode().
 */
QNT_API qnt_status qnt_quantizer_decode(const qnt_context *context, const qnt_quantizer *quantizer,
                                        const qnt_tensor *codes, qnt_tensor *y);

/**
 * @brief decode(encode(x)) without storing codes ("fake quantization"); y may be x itself.
 * @param context   hooks.
 * @param quantizer fitted or set; with #QNT_DYNAMIC parameters are found from x for each group.
 * @param x         float view.
 * @param[out] y    float view of the same shape, the same memory and strides as x or disjoint.
 * @return as qnt_quantizer_encode(), #QNT_E_NOMEM with #QNT_DYNAMIC.
 */
QNT_API qnt_status qnt_quantizer_apply(const qnt_context *context, const qnt_quantizer *quantizer,
                                       const qnt_tensor *x, qnt_tensor *y);

/**
 * @brief Measures what quantizing x costs, without storing the decoded tensor.
 * @param context    hooks.
 * @param quantizer  fitted or set.
 * @param x          float view.
 * @param importance as in qnt_quantizer_observe(), or NULL.
 * @param[in,out] out `size` set by the caller; receives the rest.
 * @return as qnt_quantizer_encode(), #QNT_E_VERSION, #QNT_E_NOMEM.
 */
QNT_API qnt_status qnt_quantizer_error(const qnt_context *context, const qnt_quantizer *quantizer,
                                       const qnt_tensor *x, const qnt_tensor *importance,
                                       qnt_error *out);

#ifdef __cplusplus
}
#endif
/** @} */
#endif
