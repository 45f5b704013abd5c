/* SPDX-License-Identifier: Apache-2.0
 *
 * query/complete.c: see complete.h: the look at spans, and the values that they have. */
#include "query/complete.h"

#include <stdlib.h>

#include "query/answer.h"
#include "query/match_operand.h"
#include "query/rows_reads.h"

/* ---- one look ---- */

enum sp_status sp_completion_init(struct sp_completion *completion, struct sp_query_call *call,
                                  const char *parameter, struct sp_slice query,
                                  struct sp_error *reterr)
{
    *completion = (struct sp_completion){.call = call};
    sp_arena_init(&completion->arena, call->api->limits.memory_bytes_max / 2);
    return sp_answer_pass(call, parameter, query, &completion->pass, reterr);
}

void sp_completion_fini(struct sp_completion *completion)
{
    sp_rows_free(completion->filter);
    sp_arena_fini(&completion->arena);
}

static enum sp_status visit(void *cookie, struct sp_sheet *sheet,
                            const struct sp_trace_facts *facts, struct sp_error *reterr)
{
    struct sp_completion *completion = cookie;
    struct sp_rows_taken taken;
    enum sp_status status =
        sp_rows_open(completion->filter, sheet, facts, &completion->call->stop, &taken, reterr);
    if (status != SP_OK || taken.count == 0)
        return status;
    sheet->rows = taken.bits; /* for whoever counts */
    sheet->match_count = taken.count;
    status = completion->count(completion->cookie, sheet, facts, reterr);
    if (status == SP_OK)
        completion->span_count += taken.count;
    return status;
}

enum sp_status sp_completion_run(struct sp_completion *completion,
                                 const struct sp_traceql_node *const *keys, uint32_t key_count,
                                 struct sp_error *reterr)
{
    struct sp_query_call *call = completion->call;
    struct sp_pass *pass = &completion->pass;
    struct sp_pass_visitor visitor = {visit, completion};
    pass->whole_spans = true; /* whoever counts looks at attributes that no text names */
    enum sp_status status = sp_pass_prepare(pass, keys, key_count, reterr);
    completion->question =
        (struct sp_rows_question){.query = pass->query, .condition = pass->condition};
    if (status == SP_OK)
        status = sp_rows_new(&call->arena, &completion->question, pass->condition_known,
                             sp_pass_visitor_bytes(pass), &completion->filter, reterr);
    if (status != SP_OK)
        return status;
    uint64_t deadline = call->deadline_ns;
    uint64_t own = sp_clock_monotonic_ns(call->api->clock) + SP_COMPLETION_TIME_MS * 1000000;
    if (own < deadline)
        call->deadline_ns = own; /* what call->stop asks for */
    status = sp_pass_run(pass, &visitor, 1, &completion->scanned, reterr);
    call->deadline_ns = deadline;
    call->running.bytes_scanned = completion->scanned.bytes;
    completion->complete = status == SP_OK;
    bool ended = (status == SP_DEADLINE && own < deadline) ||
                 (status == SP_LIMIT && completion->arena.error == SP_LIMIT);
    return ended ? SP_OK : status;
}

/* ---- values ---- */

/* What is counted: series by text and the name of its type. The second cell of a series is the last row that has it, so that a row
 * counts once for it. */
struct values {
    struct sp_completion completion;
    struct sp_slice prefix;
    struct sp_series_set set;
    struct sp_buf text;
    uint64_t row; /* that is being looked at: of all sheets; from 1 */

    /* an attribute */
    uint32_t scopes;
    struct sp_slice key;
    /* an intrinsic */
    const struct sp_traceql_node *field; /* NULL: an attribute */
    const char *type;
    struct sp_rows_question question;
    struct sp_rows *rows;
    struct sp_series_set labels; /* by its value; COUNT of them */
};

enum { COUNT, LAST_ROW, CELLS };

static enum sp_status add_text(struct values *values, struct sp_slice text, const char *type,
                               uint64_t count, struct sp_error *reterr)
{
    struct sp_label labels[] = {{SP_LABEL_STRING, text}, {SP_LABEL_STRING, sp_slice_cstr(type)}};
    uint32_t number;
    if (!sp_slice_starts_with(text, values->prefix))
        return SP_OK;
    enum sp_status status = sp_series_find(&values->set, labels, &number, reterr);
    if (status != SP_OK)
        return status;
    uint64_t *cells = values->set.series[number].counts;
    if (values->row == 0 || cells[LAST_ROW] != values->row)
        cells[COUNT] += count;
    cells[LAST_ROW] = values->row;
    return SP_OK;
}

static enum sp_status add_value(struct values *values, const struct sp_value *value, uint64_t count,
                                struct sp_error *reterr)
{
    sp_buf_reset(&values->text);
    sp_value_text(value, &values->text);
    if (values->text.error != SP_OK)
        return sp_error_set(reterr, values->text.error, "a value does not fit into memory");
    return add_text(values, sp_buf_slice(&values->text), sp_value_kind_name(value->kind), count,
                    reterr);
}

static int compare_values(const void *a, const void *b)
{
    const struct sp_completion_value *x = a, *y = b;
    if (x->span_count != y->span_count)
        return x->span_count > y->span_count ? -1 : 1;
    int order = sp_slice_compare(x->text, y->text);
    return order != 0 ? order : sp_slice_compare(x->type, y->type);
}

static enum sp_status take_values(struct values *values, struct sp_completion_values *ret,
                                  struct sp_error *reterr)
{
    struct sp_arena *arena = &values->completion.call->arena;
    size_t count = values->set.count;
    struct sp_completion_value *items = sp_arena_calloc(arena, count + 1, sizeof(*items));
    for (size_t i = 0; i < count && items; i++) {
        const struct sp_series *series = &values->set.series[i];
        items[i].span_count = series->counts[COUNT];
        if (!sp_arena_copy(arena, series->labels[0].text, &items[i].text) ||
            !sp_arena_copy(arena, series->labels[1].text, &items[i].type))
            items = NULL;
    }
    if (!items)
        return sp_arena_failed(arena, reterr, "the values are larger than the query's memory");
    if (count > 0)
        qsort(items, count, sizeof(*items), compare_values);
    *ret = (struct sp_completion_values){.items = items,
                                         .count = count,
                                         .complete = values->completion.complete,
                                         .looked = true,
                                         .scanned = values->completion.scanned};
    return SP_OK;
}

/* Looks, and takes what was found. */
static enum sp_status count_values(struct values *values, struct sp_completion_values *ret,
                                   struct sp_error *reterr)
{
    struct sp_query_call *call = values->completion.call;
    sp_series_set_init(&values->set, &values->completion.arena, SP_CELL_COUNT, 2, CELLS,
                       sp_answer_seed(call));
    sp_buf_init(&values->text, call->api->limits.memory_bytes_max);
    values->completion.cookie = values;
    enum sp_status status =
        sp_completion_run(&values->completion, &values->field, values->field ? 1 : 0, reterr);
    for (uint32_t i = 0; i < values->labels.count && status == SP_OK; i++) {
        const struct sp_series *series = &values->labels.series[i];
        if (series->labels[0].type != SP_LABEL_NIL && series->labels[0].text.len > 0)
            status = add_text(values, series->labels[0].text, values->type, series->counts[COUNT],
                              reterr);
    }
    if (status == SP_OK)
        status = take_values(values, ret, reterr);
    sp_buf_fini(&values->text);
    return status;
}

/* ---- of an attribute ---- */

static const struct sp_attributes *attributes_of(const struct sp_span *span, uint32_t scope)
{
    return scope == SP_SCOPE_RESOURCE          ? &span->resource->attributes
           : scope == SP_SCOPE_INSTRUMENTATION ? &span->scope->attributes
                                               : &span->attributes;
}

static enum sp_status add_all(struct values *values, const struct sp_attributes *attributes,
                              struct sp_error *reterr)
{
    enum sp_status status = SP_OK;
    for (uint32_t i = 0; i < attributes->count && status == SP_OK; i++)
        if (sp_slice_equal(attributes->items[i].key, values->key))
            status = add_value(values, &attributes->items[i].value, 1, reterr);
    return status;
}

static enum sp_status add_span(struct values *values, const struct sp_span *span,
                               struct sp_error *reterr)
{
    static const uint32_t levels[] = {SP_SCOPE_SPAN, SP_SCOPE_RESOURCE, SP_SCOPE_INSTRUMENTATION};
    enum sp_status status = SP_OK;
    values->row++;
    for (size_t i = 0; i < SP_ARRAY_LEN(levels) && status == SP_OK; i++)
        if (values->scopes & levels[i])
            status = add_all(values, attributes_of(span, levels[i]), reterr);
    for (uint32_t i = 0; i < span->event_count && values->scopes & SP_SCOPE_EVENT; i++)
        if (status == SP_OK)
            status = add_all(values, &span->events[i].attributes, reterr);
    for (uint32_t i = 0; i < span->link_count && values->scopes & SP_SCOPE_LINK; i++)
        if (status == SP_OK)
            status = add_all(values, &span->links[i].attributes, reterr);
    return status;
}

/* Of several levels, events or links: whole spans. */
static enum sp_status count_spans(struct values *values, struct sp_sheet *sheet,
                                  struct sp_error *reterr)
{
    const struct sp_span *spans;
    enum sp_status status = sp_sheet_spans(sheet, &spans, reterr);
    for (uint32_t row = 0; row < sheet->row_count && status == SP_OK; row++)
        if (sp_bits_have(sheet->rows, row))
            status = add_span(values, &spans[row], reterr);
    return status;
}

/* How many rows have each code. */
static enum sp_status count_codes(const struct sp_sheet *sheet, const uint32_t *codes,
                                  uint32_t code_count, uint64_t **ret, struct sp_error *reterr)
{
    uint64_t *counts = calloc((size_t)code_count + 1, sizeof(*counts));
    if (!counts)
        return sp_error_set(reterr, SP_NO_MEMORY, "no memory to count values");
    for (uint32_t row = 0; row < sheet->row_count; row++)
        counts[codes[row]] += sp_bits_have(sheet->rows, row);
    *ret = counts;
    return SP_OK;
}

/* Of spans: the codes of their column. */
static enum sp_status count_column(struct values *values, struct sp_sheet *sheet,
                                   struct sp_error *reterr)
{
    struct sp_sheet_field field = {
        .field = SP_FIELD_ATTRIBUTE, .scopes = SP_SCOPE_SPAN, .key = values->key};
    struct sp_sheet_column column;
    uint64_t *counts = NULL;
    enum sp_status status = sp_sheet_column(sheet, &field, &column, reterr);
    if (status == SP_OK)
        status = count_codes(sheet, column.codes, column.value_count, &counts, reterr);
    for (uint32_t code = 1; status == SP_OK && code < column.value_count; code++)
        if (counts[code] > 0)
            status = add_value(values, &column.values[code], counts[code], reterr);
    free(counts);
    return status;
}

/* Of resources and instrumentation scopes: many spans share one. */
static enum sp_status count_templates(struct values *values, struct sp_sheet *sheet,
                                      struct sp_error *reterr)
{
    const uint32_t *templates;
    uint64_t *counts = NULL;
    enum sp_status status = sp_sheet_templates(sheet, &templates, reterr);
    if (status == SP_OK)
        status = count_codes(sheet, templates, sheet->template_count, &counts, reterr);
    for (uint32_t i = 0; status == SP_OK && i < sheet->template_count; i++) {
        const struct sp_value *value =
            sp_attributes_find(attributes_of(&sheet->templates[i], values->scopes), values->key);
        if (value && counts[i] > 0)
            status = add_value(values, value, counts[i], reterr);
    }
    free(counts);
    return status;
}

static enum sp_status count_attribute(void *cookie, struct sp_sheet *sheet,
                                      const struct sp_trace_facts *facts, struct sp_error *reterr)
{
    struct values *values = cookie;
    (void)facts;
    switch (values->scopes) {
    case SP_SCOPE_SPAN:
        return count_column(values, sheet, reterr);
    case SP_SCOPE_RESOURCE:
    case SP_SCOPE_INSTRUMENTATION:
        return count_templates(values, sheet, reterr);
    default:
        return count_spans(values, sheet, reterr);
    }
}

/* The levels, of those asked for, that have the key at all. */
static enum sp_status find_scopes(struct values *values, uint32_t scopes, struct sp_error *reterr)
{
    struct sp_query_call *call = values->completion.call;
    const struct sp_key_row *rows;
    size_t count;
    bool all;
    enum sp_status status = sp_store_attribute_keys(
        call->api->store, scopes, values->key, values->completion.pass.range, &call->stop,
        SP_COMPLETION_KEYS_MAX, &call->arena, &rows, &count, &all, reterr);
    for (size_t i = 0; status == SP_OK && i < count; i++)
        if (sp_slice_equal(rows[i].key, values->key))
            values->scopes |= rows[i].scope;
    return status;
}

enum sp_status sp_complete_attribute(struct sp_query_call *call, struct sp_slice query,
                                     uint32_t scopes, struct sp_slice key, struct sp_slice prefix,
                                     struct sp_completion_values *ret, struct sp_error *reterr)
{
    struct values values = {.prefix = prefix, .key = key};
    enum sp_status status = sp_completion_init(&values.completion, call, "q", query, reterr);
    values.completion.count = count_attribute;
    if (status == SP_OK)
        status = find_scopes(&values, scopes, reterr);
    if (status == SP_OK && values.scopes == 0)
        *ret = (struct sp_completion_values){.complete = true};
    else if (status == SP_OK)
        status = count_values(&values, ret, reterr);
    sp_completion_fini(&values.completion);
    return status;
}

/* ---- of an intrinsic: an empty text is no value there ---- */

/* Of events and links: each of them. */
static enum sp_status add_each(struct values *values, const struct sp_span_place *place,
                               struct sp_error *reterr)
{
    const struct sp_traceql_field *field = &values->field->field;
    uint32_t count = sp_operand_each_count(place, field);
    enum sp_status status = SP_OK;
    values->row++;
    for (uint32_t i = 0; i < count && status == SP_OK; i++) {
        struct sp_operand one;
        sp_operand_each(place, field, i, &one);
        if (one.kind == SP_OPERAND_SCALAR && one.scalar.type == SP_TRACEQL_TYPE_STRING &&
            one.scalar.string.len > 0)
            status = add_text(values, one.scalar.string, values->type, 1, reterr);
    }
    return status;
}

static enum sp_status count_each(struct values *values, struct sp_sheet *sheet,
                                 struct sp_error *reterr)
{
    const struct sp_span *spans;
    enum sp_status status = sp_sheet_spans(sheet, &spans, reterr);
    struct sp_batch batch = {.spans = spans, .span_count = sheet->row_count};
    struct sp_trace_facts facts = {.batch = &batch};
    for (uint32_t row = 0; row < sheet->row_count && status == SP_OK; row++)
        if (sp_bits_have(sheet->rows, row))
            status = add_each(values, &(struct sp_span_place){&facts, row}, reterr);
    return status;
}

static enum sp_status count_intrinsic(void *cookie, struct sp_sheet *sheet,
                                      const struct sp_trace_facts *facts, struct sp_error *reterr)
{
    struct values *values = cookie;
    struct sp_rows_taken taken;
    const uint32_t *series;
    if (sp_field_is_each(&values->field->field))
        return count_each(values, sheet, reterr);
    enum sp_status status =
        sp_rows_open(values->rows, sheet, facts, &values->completion.call->stop, &taken, reterr);
    if (status == SP_OK)
        status = sp_rows_series(values->rows, &values->labels, &series, reterr);
    for (uint32_t row = 0; row < sheet->row_count && status == SP_OK; row++)
        if (sp_bits_have(sheet->rows, row))
            values->labels.series[series[row]].counts[COUNT]++;
    return status;
}

enum sp_status sp_complete_intrinsic(struct sp_query_call *call, struct sp_slice query,
                                     enum sp_traceql_intrinsic intrinsic, const char *type,
                                     struct sp_slice prefix, struct sp_completion_values *ret,
                                     struct sp_error *reterr)
{
    const struct sp_traceql_node field = {.kind = SP_TRACEQL_FIELD,
                                          .depth = 1,
                                          .reads_span = true,
                                          .field = {.intrinsic = intrinsic}};
    struct values values = {.prefix = prefix, .field = &field, .type = type};
    struct sp_completion *completion = &values.completion;
    enum sp_status status = sp_completion_init(completion, call, "q", query, reterr);
    completion->count = count_intrinsic;
    values.question = (struct sp_rows_question){
        .query = completion->pass.query, .keys = &values.field, .key_count = 1};
    sp_series_set_init(&values.labels, &completion->arena, SP_CELL_COUNT, 1, 1,
                       sp_answer_seed(call));
    if (status == SP_OK)
        status = sp_rows_new(&call->arena, &values.question, true,
                             sp_pass_visitor_bytes(&completion->pass), &values.rows, reterr);
    if (status == SP_OK)
        status = count_values(&values, ret, reterr);
    sp_rows_free(values.rows);
    sp_completion_fini(completion);
    return status;
}
