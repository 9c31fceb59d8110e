/**
 * @file qtable.h
 * @brief Quantization tables of 8x8 transform blocks: what a table does to an image, and what the
 * image then costs as a baseline JPEG file, to the byte.
 *
 * @defgroup qtable Quantization tables
 * @{
 *
 * A table is a quantizer with 64 steps, one for each coefficient of the 8x8 cosine transform. A
 * qnt_image() holds one picture as coefficients; these do not depend on the table, so a search reads
 * a picture once and then quantizes it with each table that it tries:
 *
 *     create -> read(pixels) -> for each table: quantize(table) -> size, write(pixels)
 *
 * Nothing is encoded: a table that was found is printed with qnt_qtable_text() for any encoder.
 * With #QNT_DCT_INTEGER the arithmetic from pixels to levels is that of the encoders in use
 * (ITU-T T.81 with the 13-bit integer transform of Loeffler, Ligtenberg and Moschytz, 1989), so
 * qnt_image_size() is the size of the file they write, header included.
 *
 * Pictures are rows of bytes, grey or RGB interleaved, any stride; coefficients and levels are in
 * row-major order within a block, [vertical frequency][horizontal frequency].
 *
 * A qnt_search() proposes tables and is told what they achieved. Published order: a thousand sorted
 * tables; qnt_search_curve() and qnt_search_box() from these; then one of the searches within the box,
 * with that curve and a target window; last, qnt_search_score() on data not used before. A search is
 * deterministic given seed and answers, up to the last bit of the C library's log and cos.
 */
#ifndef QNT_QTABLE_H
#define QNT_QTABLE_H

#include "context.h"

#ifdef __cplusplus
extern "C" {
#endif

/** @brief 64 steps, row-major, each 1 to 255. Layout frozen for ever. */
typedef struct qnt_qtable {
    uint16_t step[64]; /**< [vertical frequency][horizontal frequency]. */
} qnt_qtable;

/** The two example tables of ITU-T T.81, Annex K.1. */
enum {
    QNT_QTABLE_LUMA = 0,  /**< For brightness. */
    QNT_QTABLE_CHROMA = 1 /**< For both colour differences. */
};

/** Resolution of the colour differences. */
enum {
    QNT_SAMPLING_420 = 0, /**< Half of it in both directions, as encoders do unless told otherwise. */
    QNT_SAMPLING_444 = 1  /**< Full. */
};

/** Arithmetic of the forward transform. */
enum {
    QNT_DCT_INTEGER = 0, /**< That of encoders; sizes are theirs to the byte. */
    QNT_DCT_FLOAT = 1    /**< float32: the definition of the transform, a little finer. */
};

/** Codes of the entropy coder. */
enum {
    QNT_HUFFMAN_STANDARD = 0, /**< The example codes of ITU-T T.81, Annex K.3. */
    QNT_HUFFMAN_OPTIMAL = 1   /**< Made for the picture by the procedure of Annex K.2. */
};

/** @brief One picture as transform coefficients. */
typedef struct qnt_image qnt_image;

/** @brief A request for an image. */
typedef struct qnt_image_spec {
    uint32_t size;      /**< sizeof(qnt_image_spec). */
    int32_t width;      /**< Pixels, 1 to 65,500. */
    int32_t height;     /**< Pixels, 1 to 65,500. */
    int32_t components; /**< 1 grey, 3 RGB (stored as Y, Cb, Cr); 0 is 1. */
    int32_t sampling;   /**< #QNT_SAMPLING_420 or #QNT_SAMPLING_444; of RGB only. */
    int32_t transform;  /**< #QNT_DCT_INTEGER or #QNT_DCT_FLOAT. */
} qnt_image_spec;

/** @brief What a picture costs as a baseline JFIF file. */
typedef struct qnt_image_bytes {
    uint32_t size;     /**< sizeof(qnt_image_bytes). */
    uint32_t reserved; /**< 0. */
    uint64_t file;     /**< Bytes of the whole file: header + entropy. */
    uint64_t header;   /**< Bytes of all markers, tables and codes. */
    uint64_t entropy;  /**< Bytes of the coded blocks, stuffing included. */
    uint64_t stuffed;  /**< Of these, zero bytes put behind bytes of ones. */
    uint64_t bits;     /**< Bits of the coded blocks before padding and stuffing. */
} qnt_image_bytes;

/**
 * @brief An example table scaled to a quality, as encoders scale it: s = 5000 / q below 50, else
 * 200 - 2 q; each step (base * s + 50) / 100, kept within 1 to 255.
 * @param context  for the reason.
 * @param kind     #QNT_QTABLE_LUMA or #QNT_QTABLE_CHROMA.
 * @param quality  1 to 100.
 * @param[out] out the table.
 * @return #QNT_OK, #QNT_E_INVALID.
 */
QNT_API qnt_status qnt_qtable_standard(const qnt_context *context, int32_t kind, int32_t quality,
                                       qnt_qtable *out);

/**
 * @brief Prints tables in the form that `cjpeg -qtables` reads: numbers in rows, row-major.
 *
 * Use it with quality 50 or without one, so that the encoder takes the steps as they are, and with
 * `-qslots 0`, `0,1` or `0,1,2` for one, two or three tables.
 * @param context     for the reason.
 * @param tables      the tables.
 * @param count       1 to 4.
 * @param text        receives the text, closed by a zero byte; NULL asks for the length only.
 * @param capacity    bytes at `text`.
 * @param[out] length bytes of the text without the zero byte.
 * @return #QNT_OK, #QNT_E_INVALID, #QNT_E_SPACE.
 */
QNT_API qnt_status qnt_qtable_text(const qnt_context *context, const qnt_qtable *tables,
                                   size_t count, char *text, size_t capacity, size_t *length);

/**
 * @brief The orthonormal 8x8 cosine transform in float32, as JPEG scales it: a block of equal values
 * v gives 8 v at the first place. Levels are not shifted.
 * @param pixels            64 values, row-major.
 * @param[out] coefficients 64 values; may be the same memory.
 */
QNT_API void qnt_dct_forward(const float *pixels, float *coefficients);

/**
 * @brief The inverse of qnt_dct_forward().
 * @param coefficients 64 values.
 * @param[out] pixels  64 values; may be the same memory.
 */
QNT_API void qnt_dct_inverse(const float *coefficients, float *pixels);

/**
 * @brief Makes room for a picture; all its coefficients and levels are 0.
 * @param context  memory and reasons; not kept.
 * @param spec     the request.
 * @param[out] out the image; NULL on failure.
 * @return #QNT_OK, #QNT_E_INVALID, #QNT_E_SHAPE, #QNT_E_VERSION, #QNT_E_NOMEM.
 */
QNT_API qnt_status qnt_image_create(const qnt_context *context, const qnt_image_spec *spec,
                                    qnt_image **out);

/** @brief Frees an image; NULL is allowed. @param image what to free. */
QNT_API void qnt_image_destroy(qnt_image *image);

/**
 * @brief Reads pixels: colours to Y, Cb, Cr, box means where colour is coarser, edges repeated to
 * whole blocks, and the transform. The levels become 0.
 * @param context for the reason.
 * @param image   receives the coefficients.
 * @param pixels  height rows of width * components bytes.
 * @param stride  bytes from one row to the next, at least width * components.
 * @return #QNT_OK, #QNT_E_INVALID, #QNT_E_SHAPE.
 */
QNT_API qnt_status qnt_image_read(const qnt_context *context, qnt_image *image,
                                  const uint8_t *pixels, size_t stride);

/**
 * @brief Quantizes every coefficient: level = sign * floor(|coefficient| / step + 1/2). This only
 * notes the tables: levels are made where they are counted or decoded.
 * @param context for the reason.
 * @param image   has been read; receives the levels.
 * @param tables  one for all components, two for Y and for both others, or one for each.
 * @param count   1 to 3, and no more than components.
 * @return #QNT_OK, #QNT_E_INVALID, #QNT_E_STATE before anything was read.
 */
QNT_API qnt_status qnt_image_quantize(const qnt_context *context, qnt_image *image,
                                      const qnt_qtable *tables, size_t count);

/**
 * @brief Gives access to the levels of one component, e.g. to count those of another encoder.
 *
 * Blocks are in raster order; there are as many as whole units of coding need (with
 * #QNT_SAMPLING_420, Y has an even number in each direction). The memory belongs to the image and
 * stays where it is; from the first call on it holds the levels at all times, and what is changed in
 * it is what the size counts and decoding sees.
 * @param context     for the reason.
 * @param image       the image.
 * @param component   0 for grey or Y, 1 Cb, 2 Cr.
 * @param[out] levels [high][wide][64].
 * @param[out] wide   blocks in a row.
 * @param[out] high   rows of blocks.
 * @return #QNT_OK, #QNT_E_INVALID.
 */
QNT_API qnt_status qnt_image_levels(const qnt_context *context, qnt_image *image, int32_t component,
                                    int16_t **levels, size_t *wide, size_t *high);

/**
 * @brief Counts the bytes of the file that a baseline encoder would write for the present levels and
 * number of tables; every bit is laid out, so stuffed bytes are counted too.
 * @param context for the reason.
 * @param image   the image.
 * @param huffman #QNT_HUFFMAN_STANDARD or #QNT_HUFFMAN_OPTIMAL.
 * @param[in,out] bytes `size` set by the caller; receives the rest.
 * @return #QNT_OK, #QNT_E_INVALID for levels beyond what baseline files can hold, #QNT_E_STATE
 * before qnt_image_quantize(), #QNT_E_VERSION.
 */
QNT_API qnt_status qnt_image_size(const qnt_context *context, const qnt_image *image,
                                  int32_t huffman, qnt_image_bytes *bytes);

/**
 * @brief Decodes the present levels to pixels: level * step, inverse transform in float32, rounding,
 * colours repeated where they are coarser, RGB.
 * @param context for the reason.
 * @param image   has been quantized.
 * @param pixels  receives height rows of width * components bytes; nothing between rows is written.
 * @param stride  bytes from one row to the next, at least width * components.
 * @return #QNT_OK, #QNT_E_INVALID, #QNT_E_SHAPE, #QNT_E_STATE.
 */
QNT_API qnt_status qnt_image_write(const qnt_context *context, const qnt_image *image,
                                   uint8_t *pixels, size_t stride);

/**
 * @brief Peak signal-to-noise ratio of two pictures of bytes: 10 log10(255^2 / mean squared
 * difference).
 * @param context  for the reason.
 * @param a        rows of bytes.
 * @param a_stride bytes from one row to the next, at least `width`.
 * @param b        rows of bytes.
 * @param b_stride the same of b.
 * @param width    bytes of a row: pixels times components; at least 1.
 * @param height   rows; at least 1.
 * @param[out] psnr decibels; infinite if the pictures are equal.
 * @return #QNT_OK, #QNT_E_INVALID, #QNT_E_SHAPE.
 */
QNT_API qnt_status qnt_psnr(const qnt_context *context, const uint8_t *a, size_t a_stride,
                            const uint8_t *b, size_t b_stride, size_t width, size_t height,
                            double *psnr);

/** @brief A search for tables: what was tried, and how the next one is chosen. */
typedef struct qnt_search qnt_search;

/** Ways to choose the next table. */
enum {
    QNT_SEARCH_SORTED = 0,  /**< Sorted random sampling: half-normal values that rise along the
                                 diagonal order (Li, De Sa, Sampson 2020). */
    QNT_SEARCH_BOUNDED = 1, /**< Uniform within a box of steps. */
    QNT_SEARCH_BAYES = 2,   /**< Gaussian process with Matern 5/2 covariance and a noise variance,
                                 expected improvement, within a box. */
    QNT_SEARCH_BANDIT = 3   /**< Four heuristics within a box; a bandit gives most trials to those
                                 that lately found better tables (area under the curve). */
};

/** @brief A request for a search. Zero-filled with `size` set: the published sampling. */
typedef struct qnt_search_spec {
    uint32_t size;      /**< sizeof(qnt_search_spec). */
    int32_t method;     /**< #QNT_SEARCH_SORTED to #QNT_SEARCH_BANDIT. */
    int32_t tables;     /**< Tables of a trial, 1 or 3; 0 is 1. 1 with a box. */
    int32_t start;      /**< Uniform trials before a model or bandit takes over; 0: 100 and 30. */
    uint64_t seed;      /**< The same seed and answers give the same tables. */
    double scale_low;   /**< Sorted: steps are scaled by a uniform factor; both 0: 0.5 to 1.5. */
    double scale_high;  /**< Its upper end. */
    double rate_low;    /**< Target window of the rate, both ends included; both 0: any rate.
                             Bayesian and bandit search look for tables in it: a trial inside is
                             better than any outside, and of those outside the nearer. */
    double rate_high;   /**< Its upper end. */
    double curve[3];    /**< Reference utility: curve[0] + curve[1] rate + curve[2] rate^2. */
    const qnt_qtable *low;  /**< Lower corner of the box; NULL: all 1. Copied. */
    const qnt_qtable *high; /**< Upper corner of the box; NULL: all 255. Copied. */
} qnt_search_spec;

/** @brief One table or three, and what they achieved: larger is better in both. */
typedef struct qnt_trial {
    double rate;         /**< Compression, e.g. raw bytes by coded bytes; > 0. */
    double utility;      /**< E.g. accuracy, or minus cross-entropy. */
    qnt_qtable table[3]; /**< All three alike if a trial is one table. */
} qnt_trial;

/**
 * @brief Measures a trial. Returns 0, anything else ends the search with #QNT_E_CANCELLED.
 */
typedef int32_t (*qnt_trial_fn)(void *user, const qnt_qtable *tables, size_t count, double *rate,
                                double *utility);

/**
 * @brief Starts a search.
 * @param context  memory and reasons; not kept.
 * @param spec     the request.
 * @param[out] out the search; NULL on failure.
 * @return #QNT_OK, #QNT_E_INVALID, #QNT_E_VERSION, #QNT_E_NOMEM.
 */
QNT_API qnt_status qnt_search_create(const qnt_context *context, const qnt_search_spec *spec,
                                     qnt_search **out);

/** @brief Frees a search; NULL is allowed. @param search what to free. */
QNT_API void qnt_search_destroy(qnt_search *search);

/**
 * @brief Chooses what to try next; asked again before qnt_search_tell(), it gives the same.
 * @param context     for memory and the reason.
 * @param search      the search.
 * @param[out] tables as many as the spec said.
 * @return #QNT_OK, #QNT_E_INVALID, #QNT_E_NOMEM.
 */
QNT_API qnt_status qnt_search_ask(const qnt_context *context, qnt_search *search,
                                  qnt_qtable *tables);

/**
 * @brief Tells what the tables asked for achieved.
 * @param context for the reason.
 * @param search  the search.
 * @param rate    finite, > 0.
 * @param utility finite.
 * @return #QNT_OK, #QNT_E_INVALID, #QNT_E_STATE without a preceding qnt_search_ask().
 */
QNT_API qnt_status qnt_search_tell(const qnt_context *context, qnt_search *search, double rate,
                                   double utility);

/**
 * @brief Asks, measures and tells, `budget` times; reports progress, which may cancel.
 *
 * Trials finished before a failure are kept.
 * @param context for memory, progress and the reason.
 * @param search  the search.
 * @param budget  trials, at least 1.
 * @param measure called on this thread.
 * @param user    passed to it.
 * @return as ask and tell; #QNT_E_CANCELLED if progress or `measure` says so.
 */
QNT_API qnt_status qnt_search_run(const qnt_context *context, qnt_search *search, uint64_t budget,
                                  qnt_trial_fn measure, void *user);

/**
 * @brief Copies the trials told so far, in order.
 * @param context    for the reason.
 * @param search     the search.
 * @param trials     receives them; NULL asks for their number only.
 * @param capacity   room at `trials`.
 * @param[out] count trials.
 * @return #QNT_OK, #QNT_E_INVALID, #QNT_E_SPACE.
 */
QNT_API qnt_status qnt_search_trials(const qnt_context *context, const qnt_search *search,
                                     qnt_trial *trials, size_t capacity, size_t *count);

/**
 * @brief The trial furthest above the reference curve among those in the target window, ends included.
 *
 * Chosen among many noisy measurements it looks better than it is: measure it again with
 * qnt_search_score() on data the search has not seen.
 * @param context   for the reason.
 * @param search    the search.
 * @param[out] best the trial.
 * @return #QNT_OK, #QNT_E_INVALID, #QNT_E_STATE if no trial lies in the window.
 */
QNT_API qnt_status qnt_search_best(const qnt_context *context, const qnt_search *search,
                                   qnt_trial *best);

/**
 * @brief Finds the trials that no other one beats in rate or utility without losing in the other;
 * equal ones are all kept.
 * @param context    for the reason.
 * @param trials     what to compare.
 * @param n          how many.
 * @param[out] front room for n indices; receives them by falling rate.
 * @param[out] count how many.
 * @return #QNT_OK, #QNT_E_INVALID.
 */
QNT_API qnt_status qnt_search_front(const qnt_context *context, const qnt_trial *trials, size_t n,
                                    size_t *front, size_t *count);

/**
 * @brief Fits the reference curve: the quadratic of least squares through the front of the trials.
 * @param context    for memory and the reason.
 * @param trials     what was measured.
 * @param n          how many.
 * @param[out] curve as in qnt_search_spec.
 * @return #QNT_OK, #QNT_E_INVALID, #QNT_E_NOMEM, #QNT_E_STATE if the front has fewer than three
 * different rates.
 */
QNT_API qnt_status qnt_search_curve(const qnt_context *context, const qnt_trial *trials, size_t n,
                                    double curve[3]);

/**
 * @brief Makes a box around the first tables, and their transposes, of the front trials in a window:
 * smallest and largest step widened by `spread` standard deviations (published: 0.5 for bounded, 1.5
 * for Bayesian search).
 * @param context   for memory and the reason.
 * @param trials    what was measured.
 * @param n         how many.
 * @param rate_low  the window, without its ends (qnt_search_best() counts them in).
 * @param rate_high its upper end.
 * @param spread    0 or more.
 * @param[out] low  lower corner.
 * @param[out] high upper corner.
 * @return #QNT_OK, #QNT_E_INVALID, #QNT_E_NOMEM, #QNT_E_STATE if no front trial lies in the window.
 */
QNT_API qnt_status qnt_search_box(const qnt_context *context, const qnt_trial *trials, size_t n,
                                  double rate_low, double rate_high, double spread, qnt_qtable *low,
                                  qnt_qtable *high);

/**
 * @brief Measures trials anew, on data that no search has used; replaces rate and utility.
 * @param context for the reason.
 * @param trials  rates and utilities are replaced one after the other; after a failure the rest is as
 *                it was.
 * @param n       how many.
 * @param tables  1 or 3, as in the search.
 * @param measure called on this thread, once for each trial.
 * @param user    passed to it.
 * @return #QNT_OK, #QNT_E_INVALID, #QNT_E_CANCELLED.
 */
QNT_API qnt_status qnt_search_score(const qnt_context *context, qnt_trial *trials, size_t n,
                                    size_t tables, qnt_trial_fn measure, void *user);

#ifdef __cplusplus
}
#endif
/** @} */
#endif
