/**
 * @file train.h
 * @brief Quantizers that learn: forward, backward and schedule for a host that owns graph and optimizer.
 *
 * @defgroup train Training
 * @{
 *
 * A trainer stands between a tensor and what the network computes with it:
 *
 *     create -> start(x) -> each step: set(step), forward, host's graph, backward, optimizer, set(theta)
 *            -> export: an ordinary quantizer, for encode(), apply() and layers
 *
 * The numbers it learns are one flat vector, #QNT_P_THETA, one row for each group; any optimizer of the
 * host can own them. forward() and backward() change nothing, so several threads may call them for one
 * trainer; noise is a function of seed, step and element, so that backward() sees what forward() drew
 * and a run can be repeated or resumed.
 *
 * Wherever forward() rounds, it does so with the quantizer that export gives: the trained network and the
 * deployed one see the same numbers, bit for bit. Gradients use the C library's exp, log and tanh and
 * agree between machines to about 1e-6 of their size; they do not depend on the number of workers.
 *
 * | method | scheme | learns, for each group | exported as |
 * |---|---|---|---|
 * | #QNT_LSQ | AFFINE | step | codes of one step, zero point 0 |
 * | #QNT_LSQPLUS | AFFINE | step, offset | integer zero point; #QNT_LITERAL real offset |
 * | #QNT_PACT | AFFINE | clip | zero point 0 |
 * | #QNT_DOREFA | AFFINE activations, TABLE weights | nothing | thresholds from the weights |
 * | #QNT_BALANCED (weights) | TABLE | nothing | thresholds from the weights |
 * | #QNT_EWGS, #QNT_INTERVAL | TABLE | lower and upper end | thresholds, odd or plain integers |
 * | #QNT_N2UQ | TABLE | scale, start, lengths of intervals; weights: nothing | thresholds |
 * | #QNT_STAIRCASE | TABLE | alpha, beta, biases | thresholds |
 * | #QNT_RQ | AFFINE | grid step, noise | zero point 0 |
 * | #QNT_SRQ | AFFINE | grid step, noise, keep logits of bits 2 and up | zero point 0 |
 * | #QNT_ALQ (activations) | TABLE | coordinates, reference | thresholds; #QNT_LITERAL real levels |
 * | #QNT_LQ (activations) | TABLE | coordinates | the same |
 *
 * #QNT_SIGNED means weights (or anything of both signs), its absence activations from 0 up.
 */
#ifndef QNT_TRAIN_H
#define QNT_TRAIN_H

#include "quantizer.h"

#ifdef __cplusplus
extern "C" {
#endif

/** @brief A quantizer that learns. */
typedef struct qnt_trainer qnt_trainer;

/** Methods of trainers, of one number space with those of quantizers. */
enum {
    QNT_LSQ = 32,     /**< Learned step (Esser et al. 2020, eq. 1 to 3); 2 to 8 bits. */
    QNT_LSQPLUS = 33, /**< Learned step and offset (Bhalgat et al. 2020). */
    QNT_PACT = 34,    /**< Learned clip (Choi et al. 2018, eq. 1 to 3); signed: on both sides. */
    QNT_DOREFA = 35,  /**< Weights by tanh, activations on [0, 1] (Zhou et al. 2016, eq. 7 to 11). */
    QNT_EWGS = 36,    /**< Learned interval, gradients scaled by element (Lee et al. 2021). */
    QNT_N2UQ = 37,    /**< Learned thresholds, uniform levels (Liu et al. 2022). */
    QNT_STAIRCASE = 38, /**< Sum of sigmoids that sharpen (Yang et al. 2019, Quantization Networks). */
    QNT_INTERVAL = 39,  /**< Learned interval, straight through: that of PalQuant (Hu et al. 2022). */
    QNT_RQ = 40,  /**< Samples from the relaxed grid (Louizos et al. 2019); literal: concrete samples. */
    QNT_SRQ = 41, /**< Rounds forward, relaxed backward, with DropBits (Lee et al. 2021). Literal: the
                       gradient of the chosen class alone, which leaves weights at 0. */
    QNT_LQ = 43   /**< Activations as sums of bases of 0 and 1 (Zhang et al. 2018, LQ-Nets); 1 to 4 bits,
                       one group. #QNT_ALQ, below, has signs instead, around a reference. */
};

/** Parameters of qnt_trainer_get() and qnt_trainer_set(), besides #QNT_P_LEVELS of #QNT_STAIRCASE: 2 to
 * 2^bits ascending integers, set before start(). */
enum {
    QNT_P_THETA = 64, /**< get/set: all that is learned, [groups][numbers]. Numbers that a method cannot
                           use become the nearest that it can: steps and lengths stay above 0, and no
                           number outgrows float32 by far. Setting what was read changes nothing. */
    QNT_P_STEP = 65,  /**< get/set: training step, for noise and schedules; never goes back. */
    QNT_P_EPOCH = 66, /**< get/set: steps of an epoch; the temperature of #QNT_STAIRCASE grows with the
                           number of the epoch, from 1 on. 0, the default: it does not grow. */
    QNT_P_TEMPERATURE = 67, /**< get/set: > 0. #QNT_STAIRCASE: of the first epoch, default 10;
                                 #QNT_RQ: of the concrete samples, default 1. */
    QNT_P_HARD = 68,  /**< get/set: 1: forward() is the exported quantizer; default 0. Matters to
                           #QNT_STAIRCASE, #QNT_RQ and #QNT_SRQ. */
    QNT_P_DELTA = 69, /**< get/set: of #QNT_EWGS, >= 0, default 0.001. */
    QNT_P_KEEP = 70,  /**< get/set: of #QNT_SRQ, probability in (0, 1] that DropBits keeps a bit at
                           start(); default 1, nothing is dropped. */
    QNT_P_ANNEAL = 71,  /**< get/set: of #QNT_SRQ, steps after which nothing is dropped any more; 0, the
                             default: the probabilities are learned. */
    QNT_P_PENALTY = 72  /**< get/set: of #QNT_SRQ, >= 0: weight of the expected number of bits, whose
                             gradient backward() adds; default 0. */
};

/**
 * @brief Creates a trainer.
 * @param context  memory and reasons; not kept.
 * @param spec     scheme and method as in the table above, bits, grain, seed; #QNT_SIGNED for weights,
 *                 #QNT_LITERAL for the published quirks.
 * @param[out] out the trainer; NULL on failure.
 * @return #QNT_OK, #QNT_E_INVALID, #QNT_E_UNSUPPORTED, #QNT_E_VERSION, #QNT_E_NOMEM.
 */
QNT_API qnt_status qnt_trainer_create(const qnt_context *context, const qnt_spec *spec,
                                      qnt_trainer **out);

/** @brief Frees a trainer; NULL is allowed. @param trainer what to free. */
QNT_API void qnt_trainer_destroy(qnt_trainer *trainer);

/**
 * @brief First numbers from data: the weights, or the first batch of activations.
 *
 * May be called again to begin anew; the step stays. Reports progress by groups.
 * @param context hooks.
 * @param trainer the trainer; unchanged on failure.
 * @param x       floats, any layout; fixes the number of groups. NaN and infinities are refused.
 * @return #QNT_OK, #QNT_E_INVALID, #QNT_E_SHAPE, #QNT_E_DTYPE, #QNT_E_NOMEM, #QNT_E_CANCELLED.
 */
QNT_API qnt_status qnt_trainer_start(const qnt_context *context, qnt_trainer *trainer,
                                     const qnt_tensor *x);

/**
 * @brief Reads a parameter.
 * @param context    for the reason.
 * @param trainer    the trainer.
 * @param param      #QNT_P_THETA and its neighbours.
 * @param values     receives the values; NULL asks for their number only.
 * @param capacity   how many fit.
 * @param[out] count how many there are.
 * @return #QNT_OK, #QNT_E_INVALID, #QNT_E_STATE before start(), #QNT_E_SPACE.
 */
QNT_API qnt_status qnt_trainer_get(const qnt_context *context, const qnt_trainer *trainer,
                                   int32_t param, double *values, size_t capacity, size_t *count);

/**
 * @brief Sets a parameter. No other call may use the trainer meanwhile.
 * @param context for the reason.
 * @param trainer the trainer; unchanged on failure.
 * @param param   #QNT_P_THETA and its neighbours.
 * @param values  finite numbers.
 * @param count   how many: exactly as many as qnt_trainer_get() tells.
 * @return #QNT_OK, #QNT_E_INVALID, #QNT_E_STATE, #QNT_E_NOMEM.
 */
QNT_API qnt_status qnt_trainer_set(const qnt_context *context, qnt_trainer *trainer, int32_t param,
                                   const double *values, size_t count);

/**
 * @brief What the network computes with instead of x.
 * @param context hooks.
 * @param trainer the trainer, started.
 * @param x       floats with as many groups as at start(); for activations any number of elements.
 * @param y       floats of the same shape; x itself is allowed.
 * @return #QNT_OK, #QNT_E_INVALID, #QNT_E_STATE, #QNT_E_SHAPE, #QNT_E_DTYPE, #QNT_E_NOMEM,
 *         #QNT_E_PARALLEL.
 */
QNT_API qnt_status qnt_trainer_forward(const qnt_context *context, const qnt_trainer *trainer,
                                       const qnt_tensor *x, qnt_tensor *y);

/**
 * @brief Gradients at the present step.
 * @param context hooks.
 * @param trainer the trainer, started.
 * @param x       what forward() was given.
 * @param dy      the loss's gradient by y, finite, same shape.
 * @param dx      receives the gradient by x; x or dy itself is allowed; NULL: not wanted.
 * @param dtheta  receives the gradient by #QNT_P_THETA, overwriting; NULL: not wanted.
 * @param count   numbers at dtheta: exactly those of theta.
 * @return #QNT_OK, #QNT_E_INVALID, #QNT_E_STATE, #QNT_E_SHAPE, #QNT_E_DTYPE, #QNT_E_NOMEM; then nothing
 *         was written. #QNT_E_PARALLEL: dx may be half written.
 */
QNT_API qnt_status qnt_trainer_backward(const qnt_context *context, const qnt_trainer *trainer,
                                        const qnt_tensor *x, const qnt_tensor *dy, qnt_tensor *dx,
                                        double *dtheta, size_t count);

/**
 * @brief Moves the numbers to what a batch asks for: of #QNT_ALQ and #QNT_LQ, whose publications fit
 *        coordinates instead of learning them.
 *
 * Theta becomes (1 - share) theta + share f, with f the coordinates of least squared error for the codes
 * that the batch has now. Call it once for each batch, before forward(); published: share 0.1.
 * @param context hooks; progress is not asked.
 * @param trainer the trainer, started; unchanged on failure. No other call may use it meanwhile.
 * @param x       what forward() is given, finite.
 * @param share   in (0, 1].
 * @return #QNT_OK, #QNT_E_INVALID, #QNT_E_STATE, #QNT_E_SHAPE, #QNT_E_DTYPE, #QNT_E_NOMEM,
 *         #QNT_E_UNSUPPORTED for other methods.
 */
QNT_API qnt_status qnt_trainer_refit(const qnt_context *context, qnt_trainer *trainer, const qnt_tensor *x,
                                     double share);

/**
 * @brief The quantizer that was learned; the caller destroys it.
 * @param context  memory and reasons.
 * @param trainer  the trainer, started.
 * @param x        the weights, for methods whose thresholds depend on them (#QNT_BALANCED, weights of
 *                 #QNT_DOREFA and #QNT_N2UQ); else it may be NULL.
 * @param[out] out a quantizer whose apply() is forward() with #QNT_P_HARD; NULL on failure.
 * @return #QNT_OK, #QNT_E_INVALID, #QNT_E_STATE, #QNT_E_SHAPE, #QNT_E_DTYPE, #QNT_E_NOMEM; of
 *         #QNT_BALANCED, which is fitted, #QNT_E_CANCELLED and #QNT_E_PARALLEL, too.
 */
QNT_API qnt_status qnt_trainer_export(const qnt_context *context, const qnt_trainer *trainer,
                                      const qnt_tensor *x, qnt_quantizer **out);

/** @brief Weights as sums of bases of signs, trained with the loss: ALQ (Qu et al., CVPR 2020). */
typedef struct qnt_alq qnt_alq;

/** Number of the method, and what qnt_alq_step() does besides updating its moments. */
enum {
    QNT_ALQ = 42,            /**< Method of the spec of qnt_alq_create(); of qnt_trainer_create(), without
                                  #QNT_SIGNED: activations as a reference plus bases of signs, from the
                                  same paper; 1 to 4 bits, one group. */
    QNT_ALQ_GATHER = 0,      /**< Nothing: before pruning. */
    QNT_ALQ_BASES = 1,       /**< New signs, then coordinates refitted. */
    QNT_ALQ_COORDINATES = 2, /**< New coordinates, the signs stay. */
    QNT_ALQ_STRAIGHT = 3     /**< As #QNT_ALQ_BASES, but a float copy of the weights moves: for the end. */
};

/**
 * @brief Takes weights apart into bases (structured sketching: refined greedy).
 *
 * The order of a training: some epochs with #QNT_ALQ_BASES, some with #QNT_ALQ_COORDINATES, one with
 * #QNT_ALQ_GATHER and qnt_alq_prune() after each batch; again, until the bits are few enough.
 * @param context  memory and reasons; not kept.
 * @param spec     scheme #QNT_POINTS, method #QNT_ALQ, bits 1, points 1 to 8; the tensor, axis 0, or blocks
 *                 of the last axis (view the weights so that a group is one: channel-, kernel- or
 *                 pixel-wise).
 * @param w        floats, any layout, finite.
 * @param[out] out the handle; NULL on failure.
 * @return #QNT_OK, #QNT_E_INVALID, #QNT_E_SHAPE, #QNT_E_DTYPE, #QNT_E_VERSION, #QNT_E_NOMEM.
 */
QNT_API qnt_status qnt_alq_create(const qnt_context *context, const qnt_spec *spec,
                                  const qnt_tensor *w, qnt_alq **out);

/** @brief Frees; NULL is allowed. @param alq what to free. */
QNT_API void qnt_alq_destroy(qnt_alq *alq);

/**
 * @brief The weights as they are now: the sums of their bases. Groups that lost all bases are 0.
 * @param context for the reason.
 * @param alq     the handle.
 * @param[out] w  floats, as many as at create, in row-major order.
 * @return #QNT_OK, #QNT_E_INVALID, #QNT_E_SHAPE, #QNT_E_DTYPE.
 */
QNT_API qnt_status qnt_alq_weights(const qnt_context *context, const qnt_alq *alq, qnt_tensor *w);

/**
 * @brief One step: AMSGrad's moments in the domains of weights and coordinates, then what `mode` says.
 * @param context memory.
 * @param alq     the handle; unchanged on failure.
 * @param mode    #QNT_ALQ_GATHER and its neighbours.
 * @param rate    learning rate, above 0, at most 1e6; it scales the slope of the model, also for pruning.
 * @param dw      the loss's gradient by the weights, finite.
 * @return #QNT_OK, #QNT_E_INVALID, #QNT_E_SHAPE, #QNT_E_DTYPE, #QNT_E_NOMEM.
 */
QNT_API qnt_status qnt_alq_step(const qnt_context *context, qnt_alq *alq, int32_t mode, double rate,
                                const qnt_tensor *dw);

/**
 * @brief Removes the coordinates whose loss is expected to cost least, over all layers together.
 *
 * The order is that of the modelled cost, then layer, group and base, so it is the same everywhere.
 * @param context memory.
 * @param alq     the layers of a network.
 * @param n       how many.
 * @param most    at most so many coordinates go,
 * @param bits    and none once the mean bits of a weight are at most these.
 * @return #QNT_OK, #QNT_E_INVALID, #QNT_E_NOMEM; then nothing changed.
 */
QNT_API qnt_status qnt_alq_prune(const qnt_context *context, qnt_alq *const *alq, size_t n,
                                 uint64_t most, double bits);

/**
 * @brief Mean number of bases of a weight, over several layers.
 * @param context   for the reason.
 * @param alq       the layers.
 * @param n         how many.
 * @param[out] bits the mean.
 * @return #QNT_OK, #QNT_E_INVALID.
 */
QNT_API qnt_status qnt_alq_bits(const qnt_context *context, qnt_alq *const *alq, size_t n,
                                double *bits);

/**
 * @brief Everything that steps and pruning change, as numbers in a row: for checkpoints.
 * @param context    for the reason.
 * @param alq        the handle.
 * @param values     receives the numbers; NULL asks for their number only.
 * @param capacity   how many fit.
 * @param[out] count how many there are; it depends on the weights' shape and the groups only.
 * @return #QNT_OK, #QNT_E_INVALID, #QNT_E_SPACE.
 */
QNT_API qnt_status qnt_alq_get_state(const qnt_context *context, const qnt_alq *alq, double *values,
                                     size_t capacity, size_t *count);

/**
 * @brief Goes on from numbers of qnt_alq_get_state(): steps that follow give the same bits.
 * @param context for the reason.
 * @param alq     made with the same spec from weights of the same shape; unchanged on failure.
 * @param values  the numbers; such as no handle can have are refused.
 * @param count   how many.
 * @return #QNT_OK, #QNT_E_INVALID.
 */
QNT_API qnt_status qnt_alq_set_state(const qnt_context *context, qnt_alq *alq, const double *values,
                                     size_t count);

/**
 * @brief A #QNT_POINTS quantizer with these coordinates: its codes of qnt_alq_weights() decode to the same
 * weights. The caller destroys it.
 * @param context  memory and reasons.
 * @param alq      the handle.
 * @param[out] out the quantizer; NULL on failure.
 * @return #QNT_OK, #QNT_E_INVALID, #QNT_E_NOMEM.
 */
QNT_API qnt_status qnt_alq_export(const qnt_context *context, const qnt_alq *alq,
                                  qnt_quantizer **out);

#ifdef __cplusplus
}
#endif

/** @} */

#endif
