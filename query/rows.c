/* SPDX-License-Identifier: Apache-2.0
 *
 * query/rows.c: see rows.h: readers, and which rows their filter takes. */
#include "query/rows_sheet.h"

/* ---- making ---- */

static enum sp_status add_program(struct sp_rows *rows, struct sp_arena *arena,
                                  const struct sp_traceql_node *expression, struct sp_error *reterr)
{
    struct sp_rows_program *program = &rows->programs[rows->program_count];
    enum sp_status status =
        sp_match_compile(arena, rows->question->query, expression, &program->match, reterr);
    if (status != SP_OK)
        return status;
    program->reads =
        sp_expression_reads(expression, rows->filter_fields, &rows->filter_field_count);
    rows->filter_reads = program->reads > rows->filter_reads ? program->reads : rows->filter_reads;
    rows->program_count++;
    return SP_OK;
}

/* One program for each item of &&, without those that the store decides. */
static enum sp_status add_programs(struct sp_rows *rows, struct sp_arena *arena,
                                   struct sp_error *reterr)
{
    const struct sp_traceql_node *condition = rows->question->condition;
    bool joins = condition->kind == SP_TRACEQL_ALL;
    uint32_t count = joins ? condition->item_count : 1;
    enum sp_status status = SP_OK;
    rows->programs = sp_arena_calloc(arena, count, sizeof(*rows->programs));
    if (!rows->programs)
        return sp_arena_failed(arena, reterr, "the query is larger than its memory");
    for (uint32_t i = 0; i < count && status == SP_OK; i++)
        status = add_program(rows, arena, joins ? condition->items[i] : condition, reterr);
    return status;
}

enum sp_status sp_rows_new(struct sp_arena *arena, const struct sp_rows_question *question,
                           bool condition_known, size_t memory_bytes_max, struct sp_rows **ret,
                           struct sp_error *reterr)
{
    struct sp_rows *rows = sp_arena_calloc(arena, 1, sizeof(*rows));
    enum sp_status status = SP_OK;
    if (!rows)
        return sp_arena_failed(arena, reterr, "the query is larger than its memory");
    rows->question = question;
    for (uint32_t i = 0; i < SP_ROWS_KEYS_MAX; i++)
        sp_buf_init(&rows->scratch[i], memory_bytes_max);
    sp_arena_init(&rows->arena, memory_bytes_max);
    if (question->condition && !condition_known)
        status = add_programs(rows, arena, reterr);
    for (uint32_t i = 0; i < question->key_count; i++) {
        enum sp_rows_reads reads =
            sp_fields_add(&question->keys[i]->field, rows->key_fields, &rows->key_field_count);
        rows->keys_reads = reads > rows->keys_reads ? reads : rows->keys_reads;
    }
    if (status != SP_OK) {
        sp_rows_free(rows);
        return status;
    }
    *ret = rows;
    return SP_OK;
}

void sp_rows_free(struct sp_rows *rows)
{
    if (!rows)
        return;
    for (uint32_t i = 0; i < rows->program_count; i++)
        sp_match_free(rows->programs[i].match);
    for (uint32_t i = 0; i < SP_ROWS_KEYS_MAX; i++)
        sp_buf_fini(&rows->scratch[i]);
    sp_arena_fini(&rows->arena);
}

/* ---- the filter ---- */

static enum sp_status run_programs(struct sp_rows *rows, const struct sp_trace_facts *facts,
                                   uint32_t row, bool *ret, struct sp_error *reterr)
{
    enum sp_status status = SP_OK;
    *ret = true;
    for (uint32_t i = 0; i < rows->program_count && *ret && status == SP_OK; i++)
        status = sp_match_span(rows->programs[i].match, facts, row, ret, reterr);
    return status;
}

/* Rows that are taken: as bits of their own. */
static uint64_t *new_bits(struct sp_rows *rows)
{
    return sp_rows_alloc(rows, (size_t)rows->sheet->row_count / 64 + 1, sizeof(uint64_t));
}

static enum sp_status filter_tuples(struct sp_rows *rows, uint64_t *bits, struct sp_error *reterr)
{
    struct sp_sheet_column columns[SP_ROWS_COLUMNS_MAX];
    struct sp_tuples tuples;
    struct sp_made_span made;
    enum sp_status status = sp_rows_tuples(rows, rows->filter_fields, rows->filter_field_count,
                                           &tuples, columns, reterr);
    if (status != SP_OK)
        return status;
    bool *taken = sp_rows_alloc(rows, tuples.count, sizeof(*taken));
    if (!taken)
        return sp_rows_full(rows, reterr);
    for (uint32_t t = 0; t < tuples.count && status == SP_OK; t++) {
        status = sp_rows_span(rows, tuples.first_row[t], rows->filter_fields, columns,
                              rows->filter_field_count, &made, reterr);
        if (status == SP_OK)
            status = run_programs(rows, &made.facts, 0, &taken[t], reterr);
    }
    for (uint32_t row = 0; row < rows->sheet->row_count && status == SP_OK; row++)
        if (sp_bits_have(rows->bits, row) && taken[tuples.of_row[row]])
            bits[row / 64] |= (uint64_t)1 << (row % 64);
    return status;
}

/* Row by row, with durations. */
static enum sp_status filter_rows(struct sp_rows *rows, uint64_t *bits, struct sp_error *reterr)
{
    struct sp_sheet_column columns[SP_ROWS_COLUMNS_MAX];
    struct sp_made_span made;
    enum sp_status status = sp_sheet_durations(rows->sheet, &rows->durations, reterr);
    for (uint32_t i = 0; i < rows->filter_field_count && status == SP_OK; i++)
        status = sp_sheet_column(rows->sheet, &rows->filter_fields[i], &columns[i], reterr);
    for (uint32_t row = 0; row < rows->sheet->row_count && status == SP_OK; row++) {
        bool taken = false;
        if (!sp_bits_have(rows->bits, row))
            continue;
        status = sp_rows_span(rows, row, rows->filter_fields, columns, rows->filter_field_count,
                              &made, reterr);
        if (status == SP_OK)
            status = run_programs(rows, &made.facts, 0, &taken, reterr);
        bits[row / 64] |= (uint64_t)taken << (row % 64);
    }
    return status;
}

static enum sp_status filter_spans(struct sp_rows *rows, uint64_t *bits, struct sp_error *reterr)
{
    struct sp_batch batch;
    struct sp_trace_facts facts;
    enum sp_status status = sp_rows_facts(rows, &batch, &facts, reterr);
    for (uint32_t row = 0; row < rows->sheet->row_count && status == SP_OK; row++) {
        bool taken = false;
        if (!sp_bits_have(rows->bits, row))
            continue;
        status = run_programs(rows, &facts, row, &taken, reterr);
        bits[row / 64] |= (uint64_t)taken << (row % 64);
    }
    return status;
}

enum sp_status sp_rows_open(struct sp_rows *rows, struct sp_sheet *sheet,
                            const struct sp_trace_facts *facts, const struct sp_stop *stop,
                            struct sp_rows_taken *ret, struct sp_error *reterr)
{
    sp_arena_reset(&rows->arena);
    rows->sheet = sheet;
    rows->facts = facts;
    rows->stop = stop;
    rows->bits = sheet->rows;
    rows->durations = NULL;
    rows->spans = NULL;
    rows->has_value_column = false;
    *ret = (struct sp_rows_taken){.bits = sheet->rows, .count = sheet->match_count};
    if (rows->program_count == 0)
        return SP_OK;
    uint64_t *bits = new_bits(rows);
    if (!bits)
        return sp_rows_full(rows, reterr);
    enum sp_status status;
    if (facts || rows->filter_reads >= SP_READS_SPANS)
        status = filter_spans(rows, bits, reterr);
    else if (rows->filter_reads == SP_READS_DURATIONS)
        status = filter_rows(rows, bits, reterr);
    else
        status = filter_tuples(rows, bits, reterr);
    rows->bits = bits;
    *ret = (struct sp_rows_taken){.bits = bits};
    for (uint32_t i = 0; i < (sheet->row_count + 63) / 64; i++)
        ret->count += (uint32_t)__builtin_popcountll(bits[i]);
    return status;
}
