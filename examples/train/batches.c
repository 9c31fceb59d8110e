/* Which images a step sees. */
#include "batches.h"

#include <stdlib.h>

enum { ORDER = 1, CHANGE = 2 /* what a random state is for */ };

/* A state for each purpose and number, never 0 (finaliser of SplitMix64; Steele et al. 2014). */
static uint64_t random_state(uint64_t seed, uint64_t purpose, uint64_t number)
{
    uint64_t x = seed * 0x9e3779b97f4a7c15u + purpose * 0xd1b54a32d192ed03u + number;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return (x ^ x >> 31) | 1;
}

static uint64_t next_random(uint64_t *state) /* xorshift64* (Vigna 2016) */
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 0x2545f4914f6cdd1du;
}

/* 0 .. n - 1 */
static int below(uint64_t *state, int n)
{
    return (int)((next_random(state) >> 33) % (uint64_t)n);
}

bool batches_open(const struct samples *samples, int size, uint64_t seed, struct batches *out)
{
    *out = (struct batches){.samples = samples, .size = size, .seed = seed, .epoch = -1};
    if (size < 1 || samples->count < size) return false;
    out->order = malloc((size_t)samples->count * sizeof *out->order);
    return out->order != NULL;
}

void batches_close(struct batches *batches)
{
    free(batches->order);
    batches->order = NULL;
}

int batches_of_epoch(const struct batches *b)
{
    return b->samples->count / b->size;
}

static void shuffle(struct batches *b, int epoch)
{
    uint64_t state = random_state(b->seed, ORDER, (uint64_t)epoch);
    for (int i = 0; i < b->samples->count; i++) b->order[i] = i;
    for (int i = b->samples->count - 1; i > 0; i--) {
        int j = below(&state, i + 1), other = b->order[j];
        b->order[j] = b->order[i];
        b->order[i] = other;
    }
    b->epoch = epoch;
}

static void draw_image(const struct batches *b, int index, uint64_t *state, float *out)
{
    const struct record_form *form = &b->samples->set->form;
    const int c = form->channels, range = 2 * b->shift + 1;
    float image[64 * 64 * 4];
    int down = below(state, range) - b->shift, right = below(state, range) - b->shift;
    bool mirrored = b->mirror && below(state, 2);
    dataset_batch(b->samples->set, b->samples->input, index, 1, image);
    for (int p = 0; p < form->height * form->width; p++, out += c) {
        int y = p / form->width + down, x = p % form->width;
        x = (mirrored ? form->width - 1 - x : x) + right;
        bool inside = y >= 0 && y < form->height && x >= 0 && x < form->width;
        for (int k = 0; k < c; k++) out[k] = inside ? image[(y * form->width + x) * c + k] : 0;
    }
}

void batches_draw(struct batches *b, int step, float *image, unsigned char *label)
{
    const struct record_form *form = &b->samples->set->form;
    const size_t each = (size_t)(form->height * form->width * form->channels);
    const int epoch = step / batches_of_epoch(b), first = step % batches_of_epoch(b) * b->size;
    uint64_t state = random_state(b->seed, CHANGE, (uint64_t)step);
    if (epoch != b->epoch) shuffle(b, epoch);
    for (int i = 0; i < b->size; i++) {
        int index = b->samples->first + b->order[first + i];
        label[i] = b->samples->set->label[index];
        draw_image(b, index, &state, image + (size_t)i * each);
    }
}
