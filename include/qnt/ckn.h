/**
 * @file ckn.h
 * @brief Kernel-map layers: convolutional kernel networks, filters learned without labels.
 *
 * @defgroup ckn Kernel maps
 * @{
 *
 * A layer compares every patch of its input with `filters` anchors on the sphere and answers with
 * coordinates whose inner products approximate the kernel
 *
 *     K(x, x') = |x| |x'| exp((<x, x'> / (|x| |x'|) - 1) / sigma^2),   0 if x or x' is 0
 *
 * (Mairal 2016, "End-to-end kernel learning with supervised convolutional kernel networks", section 3). For
 * the anchors Z and A = (K(Z, Z) + regulariser)^(-1/2),
 *
 *     map(x) = A |x| exp((Z^T x / |x| - 1) / sigma^2)
 *
 * pooled by a Gaussian before A, which is linear. Order of calls:
 *
 *     create -> fit(images), or set(anchors) -> view, workspace -> run;   layers are chained by the host
 *
 * With #QNT_LITERAL the map is the one of 2014 (Mairal, Koniusz, Harchaoui, Schmid, "Convolutional kernel
 * networks", eq. 8 and 9): anchors w of any norm, each with a weight eta >= 0, both learned so that
 *
 *     exp(-|x~ - y~|^2 / (2 sigma^2)) = sum_l eta_l exp(-(|x~ - w_l|^2 + |y~ - w_l|^2) / sigma^2)
 *
 * holds for pairs of patches of norm 1; map(x) = |x| sqrt(eta_l) exp(-|x~ - w_l|^2 / sigma^2), pooled with
 * weights sqrt(2 / pi) exp(-distance^2 / subsample^2), and no A. It is less exact than the projection, and
 * cheaper for many anchors.
 *
 * Anchors may be kept in 8, 4, 2 or 1 bits, and patches be rounded to as many when a layer runs: inner
 * products are then integers, and no scale of either side matters, since both are divided by their norms. A
 * is made for the anchors as they are kept, so the map stays an exact projection. With 1 bit, centre
 * patches.
 *
 * Results are the same bytes on every CPU and for any number of workers, and so is what is learned.
 * Blobs of layers are in io.h.
 */
#ifndef QNT_CKN_H
#define QNT_CKN_H

#include "quantizer.h"

#ifdef __cplusplus
extern "C" {
#endif

/** @brief One kernel-map layer. */
typedef struct qnt_ckn qnt_ckn;

/** @brief A request. Zero-filled with `size`, channels, kernel and filters set: floats, no padding. */
typedef struct qnt_ckn_spec {
    uint32_t size;        /**< sizeof(qnt_ckn_spec). */
    int32_t channels;     /**< Of the input, at least 1; a patch has at most 2^20 elements, 2^16 if
                               anchors have at most 8 bits. */
    int32_t kernel;       /**< Height and width of a patch, 1 to 31. */
    int32_t pad;          /**< Zeros on every side, 0 to kernel - 1. */
    int32_t filters;      /**< Anchors, 1 to 1024; channels of the output. */
    int32_t subsample;    /**< Pooling keeps every so-manieth place, 1 to 64; 0 is 1: no pooling. */
    int32_t anchor_bits;  /**< 1 to 8, or 32; 0 is 32. */
    int32_t patch_bits;   /**< 1 to 8 if anchors have at most 8, or 32; 0 is 32. */
    int32_t centre;       /**< 1: the mean of a patch is taken away first. */
    float sigma;          /**< Width of the kernel, 0.05 to 100; 0 is 0.6, and with #QNT_LITERAL what fit()
                               finds: the 0.1 quantile of the distances of pairs. */
    float regulariser;    /**< Added to the square roots of the eigenvalues, 0 to 1; negative is 0, 0 is
                               0.01. */
    int32_t reserved;     /**< 0. */
    uint64_t seed;        /**< Of the places of patches, the first anchors, and pairs. */
    int32_t flags;        /**< 0, or #QNT_LITERAL: the expansion of 2014, all of it in 32 bits. */
    int32_t reserved2;    /**< 0. */
} qnt_ckn_spec;

/**
 * @brief Gives image `index` as floats [height][width][channels].
 * @return 0, or anything else to stop qnt_ckn_fit() with #QNT_E_CANCELLED.
 */
typedef int32_t (*qnt_ckn_image_fn)(void *user, uint64_t index, float *image);

/** @brief What to learn from. */
typedef struct qnt_ckn_data {
    uint32_t size;          /**< sizeof(qnt_ckn_data). */
    int32_t height;         /**< Of the images, at least 1. */
    int32_t width;          /**< Of the images, at least 1. */
    int32_t rounds;         /**< Of k-means, at most; 0 is 100. */
    uint64_t images;        /**< How many there are; each is asked for once. */
    uint64_t patches;       /**< How many patches to take from all of them, at least as many as
                                 filters, and they stay in memory. */
    qnt_ckn_image_fn read;  /**< Gives an image; called on the caller's thread. */
    void *user;             /**< Passed on. */
} qnt_ckn_data;

/**
 * @brief Creates a layer without anchors.
 * @param context  memory and reasons; not kept.
 * @param spec     the request.
 * @param[out] out the layer; NULL on failure.
 * @return #QNT_OK, #QNT_E_INVALID, #QNT_E_VERSION, #QNT_E_NOMEM.
 */
QNT_API qnt_status qnt_ckn_create(const qnt_context *context, const qnt_ckn_spec *spec,
                                  qnt_ckn **out);

/** @brief Frees a layer; NULL is allowed. @param ckn what to free. */
QNT_API void qnt_ckn_destroy(qnt_ckn *ckn);

/**
 * @brief What a layer is: the spec with its defaults filled in, and sigma as it was found.
 * @param context   for the reason.
 * @param ckn       the layer.
 * @param[out] spec `size` is set by the caller.
 * @return #QNT_OK, #QNT_E_INVALID, #QNT_E_VERSION.
 */
QNT_API qnt_status qnt_ckn_describe(const qnt_context *context, const qnt_ckn *ckn,
                                    qnt_ckn_spec *spec);

/**
 * @brief Learns anchors by spherical k-means on patches at random places; nobody tells it labels.
 *
 * Patches whose norm is below 0.001 are left out. Reports progress. With #QNT_LITERAL these anchors are
 * where Adam begins: 6,000 steps of 100 random pairs of patches.
 * @param context hooks.
 * @param ckn     the layer; unchanged on failure.
 * @param data    images and how many patches of them.
 * @return #QNT_OK, #QNT_E_INVALID, #QNT_E_VERSION, #QNT_E_STATE if there are fewer patches with a norm than
 *         anchors, or no sigma for patches that are all alike, #QNT_E_NOMEM, #QNT_E_CANCELLED,
 *         #QNT_E_PARALLEL.
 */
QNT_API qnt_status qnt_ckn_fit(const qnt_context *context, qnt_ckn *ckn, const qnt_ckn_data *data);

/**
 * @brief Sets anchors: they are normalised, rounded to their bits, and A is made for them.
 * @param context hooks.
 * @param ckn     the layer; unchanged on failure.
 * @param anchors floats [filters][kernel * kernel * channels], finite, none of them 0. With #QNT_LITERAL
 *                each has one number more, its weight eta, and norms stay as they are.
 * @return #QNT_OK, #QNT_E_INVALID, #QNT_E_STATE if sigma is not known, #QNT_E_SHAPE, #QNT_E_DTYPE,
 *         #QNT_E_NOMEM.
 */
QNT_API qnt_status qnt_ckn_set(const qnt_context *context, qnt_ckn *ckn, const qnt_tensor *anchors);

/**
 * @brief The anchors as they are kept: of norm 1, after rounding.
 * @param context      for the reason.
 * @param ckn          the layer.
 * @param[out] anchors floats as for qnt_ckn_set().
 * @return #QNT_OK, #QNT_E_INVALID, #QNT_E_STATE, #QNT_E_SHAPE, #QNT_E_DTYPE.
 */
QNT_API qnt_status qnt_ckn_get(const qnt_context *context, const qnt_ckn *ckn, qnt_tensor *anchors);

/**
 * @brief Describes the result: floats [B, (H + 2 pad - kernel) / subsample + 1, likewise W, filters].
 * @param context for the reason.
 * @param ckn     the layer.
 * @param x       [B, H, W, channels]; its elements are not touched.
 * @param[in,out] y `shape` and `strides` must point to #QNT_MAX_NDIM numbers each.
 * @return #QNT_OK, #QNT_E_INVALID, #QNT_E_SHAPE, #QNT_E_DTYPE.
 */
QNT_API qnt_status qnt_ckn_view(const qnt_context *context, const qnt_ckn *ckn, const qnt_tensor *x,
                                qnt_tensor *y);

/**
 * @brief Bytes of workspace that qnt_ckn_run() needs.
 * @param context    the context that will run it: its number of workers counts.
 * @param ckn        the layer.
 * @param x          the input; its elements are not touched.
 * @param[out] bytes the size; no alignment is needed.
 * @return #QNT_OK, #QNT_E_INVALID, #QNT_E_SHAPE, #QNT_E_DTYPE.
 */
QNT_API qnt_status qnt_ckn_workspace(const qnt_context *context, const qnt_ckn *ckn,
                                     const qnt_tensor *x, size_t *bytes);

/**
 * @brief Maps images. A patch whose sum of squares is not finite in float32 counts as zeros.
 * @param context   hooks; each image is a task.
 * @param ckn       the layer, with anchors; shared freely.
 * @param x         floats [B, H, W, channels], any strides.
 * @param[out] y    floats as qnt_ckn_view() describes them, any strides; disjoint from x.
 * @param workspace at least qnt_ckn_workspace() bytes, used by this call alone.
 * @param bytes     its size.
 * @return #QNT_OK, #QNT_E_INVALID, #QNT_E_STATE, #QNT_E_SHAPE, #QNT_E_DTYPE, #QNT_E_SPACE, #QNT_E_PARALLEL.
 */
QNT_API qnt_status qnt_ckn_run(const qnt_context *context, const qnt_ckn *ckn, const qnt_tensor *x,
                               qnt_tensor *y, void *workspace, size_t bytes);

/**
 * @brief Derivatives of a loss through a map, for training with labels (Mairal 2016, section 3).
 *
 * A training step of the host: run, its own loss, backward, a step of the anchors, qnt_ckn_set(). The
 * derivative by anchors goes through their normalisation, hence along the sphere, and through A. What is
 * rounded counts as its rounded value, and is passed through as if it had not been rounded. A patch of
 * zeros has no derivative. Sums are formed in double, the same for any number of workers.
 * @param context       hooks and memory; a few images are a task.
 * @param ckn           the layer, with anchors; not with #QNT_LITERAL.
 * @param x             what qnt_ckn_run() was given.
 * @param dy            the loss's gradient by its result, finite; the result's shape.
 * @param[out] dx       the gradient by x, its shape; disjoint from the others; NULL: not wanted.
 * @param[out] danchors the gradient by the anchors of qnt_ckn_get(), floats [filters][kernel * kernel *
 *                      channels]; disjoint from the others; NULL: not wanted.
 * @param[out] dsigma   the derivative by sigma of the spec; NULL: not wanted.
 * @return #QNT_OK, #QNT_E_INVALID, #QNT_E_UNSUPPORTED, #QNT_E_STATE, #QNT_E_SHAPE, #QNT_E_DTYPE,
 *         #QNT_E_NOMEM, #QNT_E_PARALLEL.
 */
QNT_API qnt_status qnt_ckn_backward(const qnt_context *context, const qnt_ckn *ckn,
                                    const qnt_tensor *x, const qnt_tensor *dy, qnt_tensor *dx,
                                    qnt_tensor *danchors, double *dsigma);

/**
 * @brief The kernel itself, in double precision, to compare maps with.
 * @param context    for the reason.
 * @param ckn        the layer; needs no anchors, but sigma.
 * @param a          floats [kernel * kernel * channels], a patch.
 * @param b          another.
 * @param[out] value K(a, b), of centred patches if the layer centres.
 * @return #QNT_OK, #QNT_E_INVALID, #QNT_E_STATE, #QNT_E_SHAPE, #QNT_E_DTYPE.
 */
QNT_API qnt_status qnt_ckn_kernel(const qnt_context *context, const qnt_ckn *ckn,
                                  const qnt_tensor *a, const qnt_tensor *b, double *value);

#ifdef __cplusplus
}
#endif

/** @} */

#endif
