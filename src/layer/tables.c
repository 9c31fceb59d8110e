/*
 * Weights that stand for integers of 8 bits and stay packed: their cells hold places in a table. Where all
 * groups have the same integers, all columns share one; otherwise each group has its own, which is worth it
 * where it takes less than the codes save.
 */
#include "kernel/panels.h"
#include "prepare.h"
#include "quantizer/codebook.h"

bool qnt__recipe_table(const struct qnt__recipe *r, size_t group, int8_t table[QNT__TABLE],
                       int8_t place[256])
{
    const int size = 1 << r->head.cell_bits, zero = size / 2;
    const int32_t count = 1 << qnt__code_bits(r->weight_q);
    int8_t level[QNT__BOOK];
    bool used[256] = {false};
    int distinct = 0, field = 0;

    qnt__codebook_bytes(r->weight_q, group, level);
    for (int32_t i = 0; i < count; i++) used[level[i] + 128] = true;
    used[128] = false;
    for (int i = 0; i < 256; i++) distinct += used[i];
    for (size_t i = 0; i < qnt__layer_table(&r->head); i++) table[i] = 0;
    for (int i = 0; i < 256; i++) place[i] = 0;
    for (int integer = -128; integer < 128; integer++) {
        if (!used[integer + 128]) continue;
        if (field == zero && distinct < size) field++;
        table[field] = (int8_t)integer;
        place[(uint8_t)integer] = (int8_t)(field - zero);
        field++;
    }
    return distinct < size;
}

/* What is behind the last k of a tap must be the integer 0, which then needs a place in each table.
 */
static bool pads_well(const struct qnt__recipe *r, bool padded)
{
    size_t groups = r->weight_q->own_count ? r->weight_q->groups : 1;
    int8_t table[QNT__TABLE], place[256];
    bool well = true;
    for (size_t g = 0; padded && well && g < groups; g++) {
        well = qnt__recipe_table(r, g, table, place);
    }
    return well;
}

void qnt__recipe_pack(struct qnt__recipe *r)
{
    struct qnt__layer_head packed = r->head;
    struct qnt__layer_shape shape;
    size_t bytes, unpacked;
    const bool own = r->weight_q->own_count && r->weight_q->groups > 1, each = own && r->blocks > 1;
    packed.weight_bits = qnt__code_bits(r->weight_q);
    packed.cell_bits = qnt__place_bits(packed.weight_bits);
    if (r->divided) return; /* has few bits without a table */
    if (!qnt__layer_may_pack(&packed)) return;
    packed.arrays |= each ? QNT__HAS_BLOCK_TABLES : own ? QNT__HAS_OWN_TABLES : QNT__HAS_TABLE;
    if (qnt__layer_measure(r->context, QNT_E_INVALID, &r->head, &shape, &unpacked) != QNT_OK ||
        qnt__layer_measure(r->context, QNT_E_INVALID, &packed, &shape, &bytes) != QNT_OK) {
        return;
    }
    if ((each || packed.cell_bits > QNT__NARROW_BITS) && bytes >= unpacked)
        return; /* so large are the tables */
    const struct qnt__layer_head bytes_head = r->head;
    r->head = packed;
    if (!pads_well(r, shape.panel_depth != shape.depth)) r->head = bytes_head;
}
