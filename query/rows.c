/* SPDX-License-Identifier: Apache-2.0
 *
 * query/rows.c: see rows.h. Combinations of a template and of codes of columns are numbered, sheet by sheet ("tuples"); for each a span
 * is made that has just what the expressions read, and they are run on that. */
#include "query/rows.h"

#include <math.h>

#include "query/match_operand.h"
#include "query/rows_reads.h"

struct program {
    struct sp_match *match;
    enum sp_rows_reads reads;
};

/* Numbers of combinations in the present sheet. */
struct tuples {
    uint32_t count;
    uint32_t *of_row;    /* the tuple of each row that is meant */
    uint32_t *first_row; /* a row of each tuple */
};

struct sp_rows {
    const struct sp_rows_question *question;
    struct program *programs; /* all must be true */
    uint32_t program_count;
    enum sp_rows_reads filter_reads, keys_reads;
    struct sp_sheet_field filter_fields[SP_ROWS_COLUMNS_MAX], key_fields[SP_ROWS_COLUMNS_MAX];
    uint32_t filter_field_count, key_field_count;
    struct sp_buf scratch[SP_ROWS_KEYS_MAX]; /* of the labels of one row */
    struct sp_arena arena;                   /* of the present sheet */

    struct sp_sheet *sheet;
    const struct sp_trace_facts *facts; /* of the trace; NULL: a sheet of a store */
    const struct sp_stop *stop;
    const uint64_t *bits;
    const uint64_t *durations; /* NULL: not read yet */
    const struct sp_span *spans;
    struct sp_sheet_column value_column;
    bool has_value_column;
};

/* ---- making ---- */

static enum sp_status add_program(struct sp_rows *rows, struct sp_arena *arena,
                                  const struct sp_traceql_node *expression, struct sp_error *reterr)
{
    struct program *program = &rows->programs[rows->program_count];
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

static void *alloc(struct sp_rows *rows, size_t count, size_t size)
{
    return sp_arena_calloc(&rows->arena, count + 1, size);
}

static enum sp_status full(struct sp_rows *rows, struct sp_error *reterr)
{
    return sp_arena_failed(&rows->arena, reterr,
                           "a block of spans does not fit into this query's memory");
}

/* ---- tuples ---- */

/* Splits the tuples so far by the codes of one more column. An open-addressing table, at most half full. */
static enum sp_status split_tuples(struct sp_rows *rows, struct tuples *tuples,
                                   const struct sp_sheet_column *column, struct sp_error *reterr)
{
    uint32_t row_count = rows->sheet->row_count;
    size_t slot_count = 64;
    while (slot_count < 2 * (size_t)row_count)
        slot_count *= 2;
    struct slot {
        uint64_t pair;
        uint32_t number; /* plus 1; 0 is free */
    } *slots = alloc(rows, slot_count, sizeof(*slots));
    if (!slots)
        return full(rows, reterr);
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
static enum sp_status make_tuples(struct sp_rows *rows, const struct sp_sheet_field *fields,
                                  uint32_t field_count, struct tuples *tuples,
                                  struct sp_sheet_column *columns, struct sp_error *reterr)
{
    struct sp_sheet *sheet = rows->sheet;
    const uint32_t *templates;
    enum sp_status status = sp_sheet_templates(sheet, &templates, reterr);
    if (status != SP_OK)
        return status;
    *tuples = (struct tuples){
        .of_row = alloc(rows, sheet->row_count, sizeof(*tuples->of_row)),
        .first_row = alloc(rows, sheet->row_count, sizeof(*tuples->first_row)),
    };
    uint32_t *numbers = alloc(rows, sheet->template_count, sizeof(*numbers)); /* plus 1 */
    if (!tuples->of_row || !tuples->first_row || !numbers)
        return full(rows, reterr);
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

/* A span with what the columns say of a row. */
struct made_span {
    struct sp_span span;
    struct sp_attribute attributes[SP_ROWS_COLUMNS_MAX];
    struct sp_batch batch;
    struct sp_trace_facts facts;
    struct sp_span_place place;
};

static enum sp_status make_span(struct sp_rows *rows, uint32_t row,
                                const struct sp_sheet_field *fields,
                                const struct sp_sheet_column *columns, uint32_t field_count,
                                struct made_span *ret, struct sp_error *reterr)
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
    return alloc(rows, (size_t)rows->sheet->row_count / 64 + 1, sizeof(uint64_t));
}

static enum sp_status filter_tuples(struct sp_rows *rows, uint64_t *bits, struct sp_error *reterr)
{
    struct sp_sheet_column columns[SP_ROWS_COLUMNS_MAX];
    struct tuples tuples;
    struct made_span made;
    enum sp_status status =
        make_tuples(rows, rows->filter_fields, rows->filter_field_count, &tuples, columns, reterr);
    if (status != SP_OK)
        return status;
    bool *taken = alloc(rows, tuples.count, sizeof(*taken));
    if (!taken)
        return full(rows, reterr);
    for (uint32_t t = 0; t < tuples.count && status == SP_OK; t++) {
        status = make_span(rows, tuples.first_row[t], rows->filter_fields, columns,
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
    struct made_span made;
    enum sp_status status = sp_sheet_durations(rows->sheet, &rows->durations, reterr);
    for (uint32_t i = 0; i < rows->filter_field_count && status == SP_OK; i++)
        status = sp_sheet_column(rows->sheet, &rows->filter_fields[i], &columns[i], reterr);
    for (uint32_t row = 0; row < rows->sheet->row_count && status == SP_OK; row++) {
        bool taken = false;
        if (!sp_bits_have(rows->bits, row))
            continue;
        status = make_span(rows, row, rows->filter_fields, columns, rows->filter_field_count, &made,
                           reterr);
        if (status == SP_OK)
            status = run_programs(rows, &made.facts, 0, &taken, reterr);
        bits[row / 64] |= (uint64_t)taken << (row % 64);
    }
    return status;
}

/* The facts of the trace, or of whole spans that are not looked at as one. */
static enum sp_status whole_facts(struct sp_rows *rows, struct sp_batch *batch,
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

static enum sp_status filter_spans(struct sp_rows *rows, uint64_t *bits, struct sp_error *reterr)
{
    struct sp_batch batch;
    struct sp_trace_facts facts;
    enum sp_status status = whole_facts(rows, &batch, &facts, reterr);
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
        return full(rows, reterr);
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

/* ---- labels ---- */

/* A label whose text is made here: scratch's memory. */
static struct sp_label made_label(enum sp_label_type type, struct sp_buf *scratch)
{
    return (struct sp_label){type, sp_buf_slice(scratch)};
}

static struct sp_label float_label(double number, struct sp_buf *scratch)
{
    char text[32];
    if (isfinite(number))
        sp_buf_append_slice(scratch, sp_slice_make(text, sp_format_double(number, text)));
    else
        sp_buf_append_cstr(scratch, isnan(number) ? "NaN" : number > 0 ? "Infinity" : "-Infinity");
    return made_label(SP_LABEL_FLOAT, scratch);
}

static struct sp_label fixed_label(enum sp_label_type type, const char *text)
{
    return (struct sp_label){type, sp_slice_cstr(text)};
}

static struct sp_label scalar_label(const struct sp_operand *operand, struct sp_buf *scratch)
{
    const struct sp_traceql_value *value = &operand->scalar;
    switch (value->type) {
    case SP_TRACEQL_TYPE_STRING:
        if (value->string.ptr != (const uint8_t *)operand->text)
            return (struct sp_label){SP_LABEL_STRING, value->string};
        sp_buf_append_slice(scratch, value->string); /* an id */
        return made_label(SP_LABEL_STRING, scratch);
    case SP_TRACEQL_TYPE_BOOL:
        return fixed_label(SP_LABEL_BOOL, value->boolean ? "true" : "false");
    case SP_TRACEQL_TYPE_INT:
    case SP_TRACEQL_TYPE_DURATION:
        sp_buf_printf(scratch, "%lld", (long long)value->integer);
        return made_label(value->type == SP_TRACEQL_TYPE_INT ? SP_LABEL_INT : SP_LABEL_DURATION,
                          scratch);
    case SP_TRACEQL_TYPE_FLOAT:
        return float_label(value->number, scratch);
    case SP_TRACEQL_TYPE_STATUS:
        return fixed_label(SP_LABEL_STATUS, sp_span_status_name((int32_t)value->integer));
    case SP_TRACEQL_TYPE_KIND:
        return fixed_label(SP_LABEL_KIND, sp_span_kind_name((int32_t)value->integer));
    case SP_TRACEQL_TYPE_ANY:
    case SP_TRACEQL_TYPE_SPAN:
    case SP_TRACEQL_TYPE_SPANSET:
    case SP_TRACEQL_TYPE_SERIES:
        break;
    }
    return (struct sp_label){0};
}

/* Not of events or links. */
static struct sp_label operand_label(const struct sp_operand *operand, struct sp_buf *scratch)
{
    switch (operand->kind) {
    case SP_OPERAND_SCALAR:
        return scalar_label(operand, scratch);
    case SP_OPERAND_ARRAY:
    case SP_OPERAND_OPAQUE:
        if (operand->array)
            sp_value_text(operand->array, scratch);
        return made_label(SP_LABEL_OTHER, scratch);
    case SP_OPERAND_NIL:
    case SP_OPERAND_EACH:
        break;
    }
    return (struct sp_label){0};
}

/* Of events and links it is that of the first that has the field. Its text is the operand's memory, or scratch's. */
static struct sp_label label_of(const struct sp_span_place *place, const struct sp_operand *operand,
                                struct sp_buf *scratch)
{
    sp_buf_reset(scratch);
    if (operand->kind != SP_OPERAND_EACH)
        return operand_label(operand, scratch);
    struct sp_operand one = {.kind = SP_OPERAND_NIL};
    uint32_t count = sp_operand_each_count(place, operand->each);
    for (uint32_t i = 0; i < count && one.kind == SP_OPERAND_NIL; i++)
        sp_operand_each(place, operand->each, i, &one);
    return operand_label(&one, scratch);
}

static enum sp_status find_series(struct sp_rows *rows, struct sp_series_set *set,
                                  const struct sp_span_place *place, uint32_t *ret,
                                  struct sp_error *reterr)
{
    struct sp_label labels[SP_ROWS_KEYS_MAX];
    struct sp_operand operands[SP_ROWS_KEYS_MAX];
    for (uint32_t i = 0; i < rows->question->key_count; i++) {
        sp_operand_field(place, &rows->question->keys[i]->field, &operands[i]);
        labels[i] = label_of(place, &operands[i], &rows->scratch[i]);
        if (rows->scratch[i].error != SP_OK)
            return sp_error_set(reterr, SP_LIMIT, "a value to group by does not fit into memory");
    }
    return sp_series_find(set, labels, ret, reterr);
}

static enum sp_status series_of_tuples(struct sp_rows *rows, struct sp_series_set *set,
                                       const uint32_t **ret, struct sp_error *reterr)
{
    struct sp_sheet_column columns[SP_ROWS_COLUMNS_MAX];
    struct tuples tuples;
    struct made_span made;
    enum sp_status status =
        make_tuples(rows, rows->key_fields, rows->key_field_count, &tuples, columns, reterr);
    if (status != SP_OK)
        return status;
    uint32_t *series = alloc(rows, tuples.count, sizeof(*series));
    if (!series)
        return full(rows, reterr);
    for (uint32_t t = 0; t < tuples.count && status == SP_OK; t++) {
        status = make_span(rows, tuples.first_row[t], rows->key_fields, columns,
                           rows->key_field_count, &made, reterr);
        if (status == SP_OK)
            status = find_series(rows, set, &made.place, &series[t], reterr);
    }
    for (uint32_t row = 0; row < rows->sheet->row_count && status == SP_OK; row++)
        if (sp_bits_have(rows->bits, row))
            tuples.of_row[row] = series[tuples.of_row[row]];
    *ret = tuples.of_row;
    return status;
}

/* By duration, too. */
static enum sp_status series_of_rows(struct sp_rows *rows, struct sp_series_set *set,
                                     uint32_t *series, struct sp_error *reterr)
{
    struct sp_sheet_column columns[SP_ROWS_COLUMNS_MAX];
    struct made_span made;
    enum sp_status status = sp_sheet_durations(rows->sheet, &rows->durations, reterr);
    for (uint32_t i = 0; i < rows->key_field_count && status == SP_OK; i++)
        status = sp_sheet_column(rows->sheet, &rows->key_fields[i], &columns[i], reterr);
    for (uint32_t row = 0; row < rows->sheet->row_count && status == SP_OK; row++) {
        if (!sp_bits_have(rows->bits, row))
            continue;
        status =
            make_span(rows, row, rows->key_fields, columns, rows->key_field_count, &made, reterr);
        if (status == SP_OK)
            status = find_series(rows, set, &made.place, &series[row], reterr);
    }
    return status;
}

static enum sp_status series_of_spans(struct sp_rows *rows, struct sp_series_set *set,
                                      uint32_t *series, struct sp_error *reterr)
{
    struct sp_batch batch;
    struct sp_trace_facts facts;
    enum sp_status status = whole_facts(rows, &batch, &facts, reterr);
    for (uint32_t row = 0; row < rows->sheet->row_count && status == SP_OK; row++)
        if (sp_bits_have(rows->bits, row))
            status =
                find_series(rows, set, &(struct sp_span_place){&facts, row}, &series[row], reterr);
    return status;
}

enum sp_status sp_rows_series(struct sp_rows *rows, struct sp_series_set *set, const uint32_t **ret,
                              struct sp_error *reterr)
{
    uint32_t only;
    uint32_t *series = NULL;
    bool whole = rows->facts || rows->keys_reads >= SP_READS_SPANS;
    if (rows->question->key_count > 0 && !whole && rows->keys_reads == SP_READS_COLUMNS)
        return series_of_tuples(rows, set, ret, reterr);
    series = alloc(rows, rows->sheet->row_count, sizeof(*series));
    if (!series)
        return full(rows, reterr);
    *ret = series;
    if (rows->question->key_count == 0) /* the first and only one has number 0 */
        return sp_series_find(set, NULL, &only, reterr);
    return whole ? series_of_spans(rows, set, series, reterr)
                 : series_of_rows(rows, set, series, reterr);
}

/* ---- numbers ---- */

static struct sp_row_number operand_number(const struct sp_operand *operand)
{
    struct sp_row_number number = {0};
    if (operand->kind != SP_OPERAND_SCALAR)
        return number;
    if (operand->scalar.type == SP_TRACEQL_TYPE_INT)
        number =
            (struct sp_row_number){.kind = SP_NUMBER_INTEGER, .integer = operand->scalar.integer};
    else if (operand->scalar.type == SP_TRACEQL_TYPE_DURATION)
        number =
            (struct sp_row_number){.kind = SP_NUMBER_DURATION, .integer = operand->scalar.integer};
    else if (operand->scalar.type == SP_TRACEQL_TYPE_FLOAT && !isnan(operand->scalar.number))
        number = (struct sp_row_number){.kind = SP_NUMBER_DOUBLE, .number = operand->scalar.number};
    return number;
}

static enum sp_status duration_number(struct sp_rows *rows, uint32_t row, struct sp_row_number *ret,
                                      struct sp_error *reterr)
{
    enum sp_status status = SP_OK;
    if (!rows->durations)
        status = sp_sheet_durations(rows->sheet, &rows->durations, reterr);
    if (status != SP_OK)
        return status;
    uint64_t ns = rows->durations[row];
    *ret = (struct sp_row_number){.kind = SP_NUMBER_DURATION,
                                  .integer = ns > INT64_MAX ? INT64_MAX : (int64_t)ns};
    return SP_OK;
}

/* Events and links are read of whole spans: *ret is what stands for all of a row's. */
static enum sp_status whole_operand(struct sp_rows *rows, uint32_t row,
                                    const struct sp_traceql_field *field,
                                    struct sp_trace_facts *facts, struct sp_batch *batch,
                                    struct sp_operand *ret, struct sp_error *reterr)
{
    enum sp_status status = whole_facts(rows, batch, facts, reterr);
    if (status == SP_OK)
        sp_operand_field(&(struct sp_span_place){facts, row}, field, ret);
    return status;
}

enum sp_status sp_rows_number_count(struct sp_rows *rows, uint32_t row, uint32_t *ret,
                                    struct sp_error *reterr)
{
    const struct sp_traceql_field *field = &rows->question->value->field;
    struct sp_batch batch;
    struct sp_trace_facts facts;
    struct sp_operand operand;
    *ret = 1;
    if (!sp_field_is_each(field))
        return SP_OK;
    enum sp_status status = whole_operand(rows, row, field, &facts, &batch, &operand, reterr);
    if (status == SP_OK)
        *ret = sp_operand_each_count(&(struct sp_span_place){&facts, row}, field);
    return status;
}

enum sp_status sp_rows_number(struct sp_rows *rows, uint32_t row, uint32_t index,
                              struct sp_row_number *ret, struct sp_error *reterr)
{
    const struct sp_traceql_field *field = &rows->question->value->field;
    struct sp_operand operand, one;
    struct sp_sheet_field column;
    enum sp_status status = SP_OK;
    if (rows->facts || sp_field_reads(field) >= SP_READS_SPANS) {
        struct sp_batch batch;
        struct sp_trace_facts facts;
        status = whole_operand(rows, row, field, &facts, &batch, &operand, reterr);
        if (status == SP_OK && operand.kind == SP_OPERAND_EACH) {
            sp_operand_each(&(struct sp_span_place){&facts, row}, field, index, &one);
            *ret = operand_number(&one);
            return SP_OK;
        }
    } else if (field->intrinsic == SP_TRACEQL_DURATION) {
        return duration_number(rows, row, ret, reterr);
    } else {
        struct made_span made;
        uint32_t column_count = sp_field_column(field, &column) ? 1 : 0;
        if (!rows->has_value_column && column_count > 0)
            status = sp_sheet_column(rows->sheet, &column, &rows->value_column, reterr);
        rows->has_value_column = status == SP_OK;
        if (status == SP_OK)
            status =
                make_span(rows, row, &column, &rows->value_column, column_count, &made, reterr);
        if (status == SP_OK)
            sp_operand_field(&made.place, field, &operand);
    }
    if (status == SP_OK)
        *ret = operand_number(&operand);
    return status;
}
