/*
 * Sums of places of tiles, 16 columns at a time, as they are loaded and added up at every level with
 * 512 bits. INLINE, UNROLL and TILE are those of the file that includes this.
 */
INLINE __m512i add(__m512i a, __m512i b) { return _mm512_add_epi32(a, b); }
INLINE __m512i sub(__m512i a, __m512i b) { return _mm512_sub_epi32(a, b); }

/* Sums of all places of a line, of which narrow tiles have no j of 3 and 4. */
INLINE void load_places(const struct qnt__lowbit_tiles *t, const int32_t *m, __m512i x[6], int width)
{
    UNROLL for (int j = 0; j < 6; j++)
    {
        const bool missing = width < TILE && (j == 3 || j == 4);
        x[j] =
            missing ? _mm512_setzero_si512() : _mm512_loadu_si512(m + (size_t)(2 * j) * t->ld);
    }
}

/* Which y is pixel k. */
INLINE int find_y(int k, int width)
{
    return width < TILE ? 3 * k : k;
}
