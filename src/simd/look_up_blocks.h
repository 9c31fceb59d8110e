/*
 * Walking blocks of words with coefficients of their own, for levels that keep sums of a chunk in
 * acc (slot look_up_blocks). The including file has defined NIBBLES, CHUNK, struct chunk,
 * make_indices() and all_digits(), which sets or adds the sums of a chunk for all rows and panels.
 */
/* y = or += the integers of block t, as floats with their coefficients. */
static void finish_block(const struct qnt__look_up_blocks *f, size_t t);

/* Tables whose sums fit bytes. */
static size_t run_of(const struct qnt__look_up_bits *g)
{
    return 255u / (4 * ((1u << g->bits) - 1));
}

/* word_bytes: of the indices of a word. */
static void look_up_blocks(const struct qnt__look_up_blocks *f, uint8_t *indices, size_t word_bytes)
{
    const struct qnt__look_up_bits *g = &f->bits;
    const size_t all = f->blocks * f->block;
    size_t done = 0, t = 0; /* words of block t */
    for (size_t first = 0; first < all; first += CHUNK) {
        size_t words = g->words - first < CHUNK ? g->words - first : CHUNK, part;
        make_indices(g, first, words, indices);
        for (size_t w = 0; w < words && t < f->blocks; w += part) {
            part = f->block - done < words - w ? f->block - done : words - w;
            struct chunk c = {
                g, indices + w * word_bytes, first + w, NIBBLES * part, run_of(g), done > 0};
            all_digits(&c);
            done += part;
            if (done < f->block) continue;
            finish_block(f, t++);
            done = 0;
        }
    }
}
