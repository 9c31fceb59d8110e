/* What this core can do at most with bit planes: the instructions of each way, measured in
 * registers. */
#ifndef BITS_ROOF_H
#define BITS_ROOF_H

/* Products in a second; 0 where the level has no such instructions. */
struct bits_roof {
    double count; /* bits of a pair of planes, counted: xor twice, VPTERNLOGQ, VPOPCNTQ, add for
                     1,024 */
    double adders; /* the same, by carry-save adders of two instructions, 64 for 49,152 */
    double four;  /* codes and bits of a plane, by tables of four codes */
    double six;   /* the same by tables of six, eleven for a word of 64 bits */
    double bytes; /* int8 products */
    double sets;  /* elements whose parity with one more plane is counted: xor, VPOPCNTQ, add for 512 */
};

struct bits_roof bits_roof(void);

/* Products of numbers of `a` bits and `w` planes in a second: the best of the ways. `uniform`: the
 * planes are one number. `signs`: a is signs, which can only be counted. */
double bits_roof_of(const struct bits_roof *roof, int w, int a, int uniform, int signs);

#endif
