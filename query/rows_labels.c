/* SPDX-License-Identifier: Apache-2.0
 *
 * query/rows_labels.c: the labels of rows, and the series that they belong to. */
#include <math.h>
#include <stdlib.h>

#include "query/rows_sheet.h"

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
    struct sp_tuples tuples;
    struct sp_made_span made;
    enum sp_status status =
        sp_rows_tuples(rows, rows->key_fields, rows->key_field_count, &tuples, columns, reterr);
    if (status != SP_OK)
        return status;
    uint32_t *series = sp_rows_alloc(rows, tuples.count, sizeof(*series));
    if (!series)
        return sp_rows_full(rows, reterr);
    for (uint32_t t = 0; t < tuples.count && status == SP_OK; t++) {
        status = sp_rows_span(rows, tuples.first_row[t], rows->key_fields, columns,
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

/* Is there one label, which one column says alone? What `.key` is, resources decide, too, and they are in the templates. */
static bool is_of_column(const struct sp_rows *rows)
{
    const struct sp_rows_question *question = rows->question;
    if (rows->facts || question->key_count != 1 || rows->key_field_count != 1 ||
        rows->keys_reads != SP_READS_COLUMNS)
        return false;
    const struct sp_traceql_field *field = &question->keys[0]->field;
    return field->intrinsic == SP_TRACEQL_STATUS_MESSAGE ||
           (field->intrinsic == SP_TRACEQL_INTRINSIC_NONE &&
            field->scope == SP_TRACEQL_SCOPE_SPAN && !field->of_parent);
}

/* No templates, no combinations. */
static enum sp_status series_of_column(struct sp_rows *rows, struct sp_series_set *set,
                                       const uint32_t **ret, struct sp_error *reterr)
{
    struct sp_sheet_column column;
    struct sp_made_span made;
    enum sp_status status = sp_sheet_column(rows->sheet, &rows->key_fields[0], &column, reterr);
    if (status != SP_OK)
        return status;
    uint32_t *series = sp_rows_alloc(rows, rows->sheet->row_count, sizeof(*series));
    uint32_t *of_code = sp_rows_alloc(rows, column.value_count, sizeof(*of_code)); /* plus 1 */
    if (!series || !of_code)
        return sp_rows_full(rows, reterr);
    for (uint32_t row = 0; row < rows->sheet->row_count && status == SP_OK; row++) {
        uint32_t *known = &of_code[column.codes[row]];
        if (!sp_bits_have(rows->bits, row))
            continue;
        if (*known == 0) {
            status = sp_rows_span(rows, row, rows->key_fields, &column, 1, &made, reterr);
            if (status == SP_OK)
                status = find_series(rows, set, &made.place, known, reterr);
            ++*known;
        }
        series[row] = *known - 1;
    }
    *ret = series;
    return status;
}

/* By duration, too. */
static enum sp_status series_of_rows(struct sp_rows *rows, struct sp_series_set *set,
                                     uint32_t *series, struct sp_error *reterr)
{
    struct sp_sheet_column columns[SP_ROWS_COLUMNS_MAX];
    struct sp_made_span made;
    enum sp_status status = sp_sheet_durations(rows->sheet, &rows->durations, reterr);
    for (uint32_t i = 0; i < rows->key_field_count && status == SP_OK; i++)
        status = sp_sheet_column(rows->sheet, &rows->key_fields[i], &columns[i], reterr);
    for (uint32_t row = 0; row < rows->sheet->row_count && status == SP_OK; row++) {
        if (!sp_bits_have(rows->bits, row))
            continue;
        status = sp_rows_span(rows, row, rows->key_fields, columns, rows->key_field_count, &made,
                              reterr);
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
    enum sp_status status = sp_rows_facts(rows, &batch, &facts, reterr);
    for (uint32_t row = 0; row < rows->sheet->row_count && status == SP_OK; row++)
        if (sp_bits_have(rows->bits, row))
            status =
                find_series(rows, set, &(struct sp_span_place){&facts, row}, &series[row], reterr);
    return status;
}

enum sp_status sp_rows_one_series(struct sp_rows *rows, struct sp_series_set *set, bool *ret_is,
                                  uint32_t *ret, struct sp_error *reterr)
{
    struct sp_sheet_column column;
    struct sp_made_span made;
    *ret_is = false;
    if (!is_of_column(rows))
        return SP_OK;
    enum sp_status status = sp_sheet_column(rows->sheet, &rows->key_fields[0], &column, reterr);
    if (status != SP_OK || column.value_count > 1)
        return status;
    status = sp_rows_span(rows, 0, rows->key_fields, &column, 1, &made, reterr);
    if (status == SP_OK)
        status = find_series(rows, set, &made.place, ret, reterr);
    *ret_is = status == SP_OK;
    return status;
}

enum sp_status sp_rows_series(struct sp_rows *rows, struct sp_series_set *set, const uint32_t **ret,
                              struct sp_error *reterr)
{
    uint32_t only;
    uint32_t *series = NULL;
    bool whole = rows->facts || rows->keys_reads >= SP_READS_SPANS;
    if (is_of_column(rows))
        return series_of_column(rows, set, ret, reterr);
    if (rows->question->key_count > 0 && !whole && rows->keys_reads == SP_READS_COLUMNS)
        return series_of_tuples(rows, set, ret, reterr);
    series = sp_rows_alloc(rows, rows->sheet->row_count, sizeof(*series));
    if (!series)
        return sp_rows_full(rows, reterr);
    *ret = series;
    if (rows->question->key_count == 0) /* the first and only one has number 0 */
        return sp_series_find(set, NULL, &only, reterr);
    return whole ? series_of_spans(rows, set, series, reterr)
                 : series_of_rows(rows, set, series, reterr);
}

static int compare_numbers(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static uint32_t each_once(uint32_t *numbers, uint32_t count)
{
    uint32_t kept = 0;
    if (count > 1)
        qsort(numbers, count, sizeof(*numbers), compare_numbers);
    for (uint32_t i = 0; i < count; i++)
        if (kept == 0 || numbers[kept - 1] != numbers[i])
            numbers[kept++] = numbers[i];
    return kept;
}

enum sp_status sp_rows_each_series(struct sp_rows *rows, struct sp_series_set *set, uint32_t row,
                                   const uint32_t **ret, uint32_t *ret_count,
                                   struct sp_error *reterr)
{
    const struct sp_traceql_field *field = &rows->question->keys[0]->field;
    struct sp_batch batch;
    struct sp_trace_facts facts;
    struct sp_span_place place = {&facts, row};
    enum sp_status status = sp_rows_facts(rows, &batch, &facts, reterr);
    uint32_t count = status == SP_OK ? sp_operand_each_count(&place, field) : 0, found = 0;
    uint32_t *series = sp_rows_alloc(rows, count, sizeof(*series)); /* and one more */
    if (status == SP_OK && !series)
        return sp_rows_full(rows, reterr);
    for (uint32_t i = 0; i <= count && status == SP_OK; i++) {
        struct sp_operand one = {.kind = SP_OPERAND_NIL};
        if (i < count)
            sp_operand_each(&place, field, i, &one);
        if (one.kind == SP_OPERAND_NIL && (i < count || found > 0))
            continue; /* the one behind the last stands for none */
        sp_buf_reset(&rows->scratch[0]);
        struct sp_label label = operand_label(&one, &rows->scratch[0]);
        if (rows->scratch[0].error != SP_OK)
            return sp_error_set(reterr, SP_LIMIT, "a value to group by does not fit into memory");
        status = sp_series_find(set, &label, &series[found++], reterr);
    }
    *ret = series;
    *ret_count = status == SP_OK ? each_once(series, found) : 0;
    return status;
}
