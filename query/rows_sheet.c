/* SPDX-License-Identifier: Apache-2.0
 *
 * query/rows_sheet.c: see rows_sheet.h. */
#include "query/rows_sheet.h"

void *sp_rows_alloc(struct sp_rows *rows, size_t count, size_t size)
{
    return sp_arena_calloc(&rows->arena, count + 1, size);
}

enum sp_status sp_rows_full(struct sp_rows *rows, struct sp_error *reterr)
{
    return sp_arena_failed(&rows->arena, reterr,
                           "a block of spans does not fit into this query's memory");
}

/* ---- tuples ---- */

/* Splits the tuples so far by the codes of one more column. An open-addressing table, at most half full. */
static enum sp_status split_tuples(struct sp_rows *rows, struct sp_tuples *tuples,
                                   const struct sp_sheet_column *column, struct sp_error *reterr)
{
    uint32_t row_count = rows->sheet->row_count;
    size_t slot_count = 64;
    while (slot_count < 2 * (size_t)row_count)
        slot_count *= 2;
    struct slot {
        uint64_t pair;
        uint32_t number; /* plus 1; 0 is free */
    } *slots = sp_rows_alloc(rows, slot_count, sizeof(*slots));
    if (!slots)
        return sp_rows_full(rows, reterr);
    uint64_t last_pair = UINT64_MAX;
    uint32_t last = 0, count = 0;
    for (uint32_t row = 0; row < row_count; row++) {
        if (!sp_bits_have(rows->bits, row))
            continue;
        uint64_t pair = (uint64_t)tuples->of_row[row] << 32 | column->codes[row];
        if (pair != last_pair) {
            uint64_t at = pair * 0x9e3779b97f4a7c15ULL >> 20;
            while (slots[at & (slot_count - 1)].number != 0 &&
                   slots[at & (slot_count - 1)].pair != pair)
                at++;
            struct slot *slot = &slots[at & (slot_count - 1)];
            if (slot->number == 0) {
                tuples->first_row[count] = row;
                *slot = (struct slot){.pair = pair, .number = ++count};
            }
            last_pair = pair;
            last = slot->number - 1;
        }
        tuples->of_row[row] = last;
    }
    tuples->count = count;
    return SP_OK;
}

/* Numbers the templates that occur, then splits. The columns go to columns, in the order of fields. */
enum sp_status sp_rows_tuples(struct sp_rows *rows, const struct sp_sheet_field *fields,
                              uint32_t field_count, struct sp_tuples *tuples,
                              struct sp_sheet_column *columns, struct sp_error *reterr)
{
    struct sp_sheet *sheet = rows->sheet;
    const uint32_t *templates;
    enum sp_status status = sp_sheet_templates(sheet, &templates, reterr);
    if (status != SP_OK)
        return status;
    *tuples = (struct sp_tuples){
        .of_row = sp_rows_alloc(rows, sheet->row_count, sizeof(*tuples->of_row)),
        .first_row = sp_rows_alloc(rows, sheet->row_count, sizeof(*tuples->first_row)),
    };
    uint32_t *numbers = sp_rows_alloc(rows, sheet->template_count, sizeof(*numbers)); /* plus 1 */
    if (!tuples->of_row || !tuples->first_row || !numbers)
        return sp_rows_full(rows, reterr);
    for (uint32_t row = 0; row < sheet->row_count; row++) {
        if (!sp_bits_have(rows->bits, row))
            continue;
        uint32_t *number = &numbers[templates[row]];
        if (*number == 0) {
            tuples->first_row[tuples->count] = row;
            *number = ++tuples->count;
        }
        tuples->of_row[row] = *number - 1;
    }
    for (uint32_t i = 0; i < field_count && status == SP_OK; i++) {
        status = sp_sheet_column(sheet, &fields[i], &columns[i], reterr);
        if (status == SP_OK && columns[i].value_count > 1)
            status = split_tuples(rows, tuples, &columns[i], reterr);
    }
    return status;
}

enum sp_status sp_rows_span(struct sp_rows *rows, uint32_t row, const struct sp_sheet_field *fields,
                            const struct sp_sheet_column *columns, uint32_t field_count,
                            struct sp_made_span *ret, struct sp_error *reterr)
{
    const uint32_t *templates;
    enum sp_status status = sp_sheet_templates(rows->sheet, &templates, reterr);
    if (status != SP_OK)
        return status;
    ret->span = rows->sheet->templates[templates[row]];
    uint32_t count = 0;
    for (uint32_t i = 0; i < field_count; i++) {
        uint32_t code = columns[i].codes[row];
        if (code == 0)
            continue;
        if (fields[i].field == SP_FIELD_STATUS_MESSAGE)
            ret->span.status_message = columns[i].values[code].string;
        else
            ret->attributes[count++] =
                (struct sp_attribute){.key = fields[i].key, .value = columns[i].values[code]};
    }
    ret->span.attributes = (struct sp_attributes){.items = ret->attributes, .count = count};
    if (rows->durations)
        ret->span.end_unix_ns = rows->durations[row]; /* from 0 */
    ret->batch = (struct sp_batch){.spans = &ret->span, .span_count = 1};
    ret->facts = (struct sp_trace_facts){.batch = &ret->batch, .stop = rows->stop};
    ret->place = (struct sp_span_place){.facts = &ret->facts, .row = 0};
    return SP_OK;
}

enum sp_status sp_rows_facts(struct sp_rows *rows, struct sp_batch *batch,
                             struct sp_trace_facts *ret, struct sp_error *reterr)
{
    if (rows->facts) {
        *ret = *rows->facts;
        return SP_OK;
    }
    enum sp_status status = sp_sheet_spans(rows->sheet, &rows->spans, reterr);
    *batch = (struct sp_batch){.spans = rows->spans, .span_count = rows->sheet->row_count};
    *ret = (struct sp_trace_facts){.batch = batch, .stop = rows->stop};
    return status;
}
