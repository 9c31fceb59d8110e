/* Tables drawn as grids of grey cells, one SVG file for a row of them. */
#include "table_svg.h"

#include <stdio.h>

enum { CELL = 28, GAP = 24, TITLE = 28, TABLE = 8 * CELL };

static void draw_table(FILE *file, const struct table_picture *picture, int left)
{
    fprintf(file, "<text x=\"%d\" y=\"%d\" class=\"title\">%s</text>\n", left, GAP + TITLE / 2,
            picture->title);
    for (int i = 0; i < 64; i++) {
        int step = picture->table.step[i], grey = 255 - step;
        int x = left + i % 8 * CELL, y = GAP + TITLE + i / 8 * CELL;
        fprintf(file, "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" fill=\"rgb(%d,%d,%d)\"/>", x,
                y, CELL, CELL, grey, grey, grey);
        fprintf(file, "<text x=\"%d\" y=\"%d\" fill=\"%s\">%d</text>\n", x + CELL / 2,
                y + CELL / 2 + 4, grey < 128 ? "white" : "black", step);
    }
}

const char *table_svg_write(const char *path, const struct table_picture *pictures, int count)
{
    int width = GAP + count * (TABLE + GAP), height = 2 * GAP + TITLE + TABLE;
    FILE *file = fopen(path, "w");
    if (!file) return "the picture cannot be written";
    fprintf(file,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\">\n"
            "<style>text { font: 11px sans-serif; text-anchor: middle } "
            ".title { font-size: 14px; text-anchor: start }</style>\n"
            "<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n",
            width, height);
    for (int i = 0; i < count; i++) draw_table(file, &pictures[i], GAP + i * (TABLE + GAP));
    fputs("</svg>\n", file);
    int failed = ferror(file);
    return fclose(file) || failed ? "the picture cannot be written" : NULL;
}
