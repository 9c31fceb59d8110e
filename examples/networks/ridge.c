/*
 * Cholesky's factor R of a = R^T R, row by row, in panels of PANEL rows: first the rows of a panel
 * among themselves, then what they take away from all rows below, which is nearly all of the work
 * and runs on tiles whose sums stay in registers.
 */
#include "ridge.h"

#include <math.h>
#include <string.h>

/* GNU C vectors as wide as the machine's registers; eight of them hold the sums of a tile. */
#if defined(__AVX512F__)
enum { LANES = 8 };
#elif defined(__AVX__)
enum { LANES = 4 };
#else
enum { LANES = 2 };
#endif
enum { PANEL = 64, COLUMNS = 16, PARTS = COLUMNS / LANES, ROWS = PARTS < 8 ? 8 / PARTS : 1 };

typedef double lanes __attribute__((vector_size(8 * LANES), aligned(8), may_alias));

/* y[ROWS][COLUMNS] -= left^T right: PANEL rows of both, all n apart. */
static void take_tile(const double *left, const double *right, double *y, size_t n)
{
    lanes sum[ROWS][PARTS];
    for (int r = 0; r < ROWS; r++)
        for (int i = 0; i < PARTS; i++) sum[r][i] = *(const lanes *)(y + (size_t)r * n + i * LANES);
    for (int k = 0; k < PANEL; k++, left += n, right += n)
        for (int r = 0; r < ROWS; r++)
            for (int i = 0; i < PARTS; i++)
                sum[r][i] -= left[r] * *(const lanes *)(right + i * LANES);
    for (int r = 0; r < ROWS; r++)
        for (int i = 0; i < PARTS; i++) *(lanes *)(y + (size_t)r * n + i * LANES) = sum[r][i];
}

/* The same for one row and some columns. */
static void take_row(const double *left, const double *right, double *y, size_t n, size_t columns)
{
    for (int k = 0; k < PANEL; k++, left += n, right += n)
        for (size_t c = 0; c < columns; c++) y[c] -= *left * right[c];
}

/* From rows below `first` what the PANEL rows before them account for, on and above the diagonal;
 * tiles that meet it reach below, where nobody looks. */
static void take_panel(double *f, size_t n, size_t first)
{
    const double *panel = f + (first - PANEL) * n;
    for (size_t c = first; c < n; c += COLUMNS) {
        const size_t columns = n - c < COLUMNS ? n - c : COLUMNS, end = c + columns;
        size_t r = first;
        for (; columns == COLUMNS && r + ROWS <= end; r += ROWS)
            take_tile(panel + r, panel + c, f + r * n + c, n);
        for (; r < end; r++) take_row(panel + r, panel + c, f + r * n + c, n, columns);
    }
}

static bool factorise(double *f, size_t n)
{
    for (size_t first = 0; first < n; first += PANEL) {
        const size_t end = n - first < PANEL ? n : first + PANEL;
        for (size_t k = first; k < end; k++) {
            double *row = f + k * n;
            for (size_t j = first; j < k; j++)
                for (size_t c = k; c < n; c++) row[c] -= f[j * n + k] * f[j * n + c];
            if (!(row[k] > 0)) return false;
            const double root = sqrt(row[k]);
            for (size_t c = k; c < n; c++) row[c] /= root;
        }
        if (end < n) take_panel(f, n, end);
    }
    return true;
}

bool ridge_solve(const double *a, size_t n, double penalty, double *factor, double *x, size_t sides)
{
    if (factor != a) memcpy(factor, a, n * n * sizeof *a);
    for (size_t i = 0; i < n; i++) factor[i * n + i] += penalty;
    if (!factorise(factor, n)) return false;
    for (size_t k = 0; k < n; k++) { /* R^T z = y */
        const double *row = factor + k * n;
        for (size_t s = 0; s < sides; s++) x[k * sides + s] /= row[k];
        for (size_t c = k + 1; c < n; c++)
            for (size_t s = 0; s < sides; s++) x[c * sides + s] -= row[c] * x[k * sides + s];
    }
    for (size_t k = n; k-- > 0;) { /* R x = z */
        const double *row = factor + k * n;
        for (size_t c = k + 1; c < n; c++)
            for (size_t s = 0; s < sides; s++) x[k * sides + s] -= row[c] * x[c * sides + s];
        for (size_t s = 0; s < sides; s++) x[k * sides + s] /= row[k];
    }
    return true;
}
