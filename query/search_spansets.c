/* SPDX-License-Identifier: Apache-2.0
 *
 * query/search_spansets.c: the sets of spans of one result: how many matched, what by() and aggregates say of each, and the first
 * of their spans with the fields of select(). */
#include "lib/wire/wire.h"
#include "query/match_operand.h"
#include "query/search_result.h"

const struct sp_span *sp_result_span(const struct sp_search_result *result, uint32_t row)
{
    return result->facts.tree ? result->facts.tree->rows[row].span
                              : &result->facts.batch->spans[row];
}

/* ---- the first spans ---- */

static bool is_earlier(const struct sp_span *a, const struct sp_span *b)
{
    if (a->start_unix_ns != b->start_unix_ns)
        return a->start_unix_ns < b->start_unix_ns;
    return sp_span_id_compare(&a->span_id, &b->span_id) < 0;
}

static void add_first(const struct sp_search_result *result, uint32_t row,
                      struct sp_first_spans *first)
{
    const struct sp_span *span = sp_result_span(result, row);
    uint32_t at = first->count;
    if (first->limit == 0)
        return;
    if (at == first->limit) {
        if (!is_earlier(span, sp_result_span(result, first->rows[at - 1])))
            return;
        at--;
    } else {
        first->count++;
    }
    for (; at > 0 && is_earlier(span, sp_result_span(result, first->rows[at - 1])); at--)
        first->rows[at] = first->rows[at - 1];
    first->rows[at] = row;
}

uint64_t sp_first_spans_find(const struct sp_search_result *result, const struct sp_spanset *set,
                             struct sp_time_range range, struct sp_first_spans *first)
{
    uint64_t count = 0;
    for (uint32_t i = 0; i < set->count; i++) {
        const struct sp_span *span = sp_result_span(result, set->rows[i]);
        if (!sp_time_range_contains(range, span->start_unix_ns))
            continue;
        count++;
        add_first(result, set->rows[i], first);
    }
    return count;
}

/* ---- values ---- */

static void write_text(const char *text, struct sp_json_writer *w)
{
    struct sp_value value = {.kind = SP_VALUE_STRING, .string = sp_slice_cstr(text)};
    sp_otlp_json_value(&value, w);
}

/* As OTLP writes values; status and kind by their names. */
static void write_typed(enum sp_traceql_type type, const struct sp_value *value,
                        struct sp_json_writer *w)
{
    if (type == SP_TRACEQL_TYPE_STATUS)
        write_text(sp_span_status_name((int32_t)value->integer), w);
    else if (type == SP_TRACEQL_TYPE_KIND)
        write_text(sp_span_kind_name((int32_t)value->integer), w);
    else
        sp_otlp_json_value(value, w);
}

static void write_scalar(const struct sp_traceql_value *scalar, struct sp_json_writer *w)
{
    struct sp_value value = {.kind = SP_VALUE_INT, .integer = scalar->integer};
    if (scalar->type == SP_TRACEQL_TYPE_STRING)
        value = (struct sp_value){.kind = SP_VALUE_STRING, .string = scalar->string};
    else if (scalar->type == SP_TRACEQL_TYPE_BOOL)
        value = (struct sp_value){.kind = SP_VALUE_BOOL, .boolean = scalar->boolean};
    else if (scalar->type == SP_TRACEQL_TYPE_FLOAT)
        value = (struct sp_value){.kind = SP_VALUE_DOUBLE, .number = scalar->number};
    write_typed(scalar->type, &value, w);
}

static void write_operand(const struct sp_operand *operand, struct sp_json_writer *w)
{
    if (operand->kind == SP_OPERAND_SCALAR)
        write_scalar(&operand->scalar, w);
    else
        sp_otlp_json_value(operand->array, w);
}

void sp_result_write_order_value(const struct sp_operand *value, struct sp_json_writer *w)
{
    sp_json_key(w, "orderValue");
    if (value->kind == SP_OPERAND_NIL)
        sp_json_null(w);
    else
        write_operand(value, w);
}

/* Of events and links all values, in a list. */
static void write_each(const struct sp_span_place *place, const struct sp_traceql_field *field,
                       struct sp_json_writer *w)
{
    uint32_t count = sp_operand_each_count(place, field);
    sp_json_object_begin(w);
    sp_json_key(w, "arrayValue");
    sp_json_object_begin(w);
    sp_json_key(w, "values");
    sp_json_array_begin(w);
    for (uint32_t i = 0; i < count; i++) {
        struct sp_operand one;
        sp_operand_each(place, field, i, &one);
        if (one.kind != SP_OPERAND_NIL)
            write_operand(&one, w);
    }
    sp_json_array_end(w);
    sp_json_object_end(w);
    sp_json_object_end(w);
}

static void write_name(const struct sp_traceql_node *node, struct sp_json_writer *w)
{
    struct sp_buf text;
    sp_buf_init(&text, 2 * SP_TRACEQL_QUERY_BYTES_MAX);
    sp_traceql_print_node(node, &text);
    sp_json_string(w, sp_buf_slice(&text));
    sp_buf_fini(&text);
}

/* The oldest first: back through the list, which knows the way to earlier ones only. Values are few, as stages are. */
static void write_values(const struct sp_spanset *set, struct sp_json_writer *w)
{
    uint32_t count = 0;
    for (const struct sp_spanset_value *v = set->values; v; v = v->earlier)
        count++;
    sp_json_key(w, "attributes");
    sp_json_array_begin(w);
    while (count > 0) {
        const struct sp_spanset_value *value = set->values;
        for (uint32_t i = 1; i < count; i++)
            value = value->earlier;
        count--;
        sp_json_object_begin(w);
        sp_json_key(w, "name");
        write_name(value->node, w);
        sp_json_key(w, "type");
        sp_json_cstr(w, value->value.kind == SP_VALUE_EMPTY ? "nil"
                                                            : sp_traceql_type_name(value->type));
        sp_json_key(w, "value");
        if (value->value.kind == SP_VALUE_EMPTY)
            sp_json_null(w);
        else
            write_typed(value->type, &value->value, w);
        sp_json_object_end(w);
    }
    sp_json_array_end(w);
}

/* ---- spans ---- */

void sp_result_write_span(const struct sp_span *span, struct sp_json_writer *w)
{
    sp_json_key(w, "spanId");
    sp_json_hex(w, sp_slice_make(span->span_id.bytes, SP_SPAN_ID_BYTES));
    sp_json_key(w, "serviceName");
    sp_json_string(w, sp_span_service(span));
    sp_json_key(w, "name");
    sp_json_string(w, span->name);
    sp_json_key(w, "kind");
    sp_json_cstr(w, sp_span_kind_name(span->kind));
    sp_json_key(w, "status");
    sp_json_cstr(w, sp_span_status_name(span->status_code));
    sp_json_key(w, "startTimeUnixNano");
    sp_json_u64_string(w, span->start_unix_ns);
    sp_json_key(w, "durationNano");
    sp_json_u64_string(w, sp_span_duration_ns(span));
}

static void write_selected(const struct sp_search_result *result, uint32_t row,
                           const struct sp_pipeline *pipeline, struct sp_json_writer *w)
{
    uint32_t count;
    struct sp_span_place place = {&result->facts, row};
    const struct sp_traceql_node *const *fields = sp_pipeline_selected(pipeline, &count);
    if (count == 0)
        return;
    sp_json_key(w, "attributes");
    sp_json_array_begin(w);
    for (uint32_t i = 0; i < count; i++) {
        struct sp_operand operand;
        sp_operand_field(&place, &fields[i]->field, &operand);
        if (!sp_operand_exists(&place, &operand) ||
            (operand.kind == SP_OPERAND_OPAQUE && !operand.array))
            continue;
        sp_json_object_begin(w);
        sp_json_key(w, "key");
        write_name(fields[i], w);
        sp_json_key(w, "value");
        if (operand.kind == SP_OPERAND_EACH)
            write_each(&place, operand.each, w);
        else
            write_operand(&operand, w);
        sp_json_object_end(w);
    }
    sp_json_array_end(w);
}

static void write_set(const struct sp_search_result *result, const struct sp_spanset *set,
                      const struct sp_result_view *view, struct sp_json_writer *w)
{
    struct sp_first_spans first = {.limit = view->spans_per_set};
    uint64_t count = sp_first_spans_find(result, set, view->range, &first);
    sp_json_object_begin(w);
    sp_json_key(w, "matched");
    sp_json_u64(w, count);
    write_values(set, w);
    sp_json_key(w, "spans");
    sp_json_array_begin(w);
    for (uint32_t i = 0; i < first.count; i++) {
        sp_json_object_begin(w);
        sp_result_write_span(sp_result_span(result, first.rows[i]), w);
        write_selected(result, first.rows[i], view->pipeline, w);
        sp_json_object_end(w);
    }
    sp_json_array_end(w);
    sp_json_object_end(w);
}

void sp_result_write_sets(const struct sp_search_result *result, const struct sp_result_view *view,
                          struct sp_json_writer *w)
{
    sp_json_key(w, "spanSetCount");
    sp_json_u64(w, result->set_count);
    sp_json_key(w, "spanSets");
    sp_json_array_begin(w);
    for (uint32_t i = 0; i < result->set_count && i < SP_RESULT_SETS; i++)
        write_set(result, &result->sets[i], view, w);
    sp_json_array_end(w);
}
