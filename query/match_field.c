/* SPDX-License-Identifier: Apache-2.0
 *
 * query/match_field.c: reads a field of the language from a span, its trace and its place in the tree. */
#include "query/match_operand.h"

/* ---- values ---- */

static void set_nil(struct sp_operand *ret)
{
    ret->kind = SP_OPERAND_NIL;
}

static void set_string(struct sp_slice text, struct sp_operand *ret)
{
    ret->kind = SP_OPERAND_SCALAR;
    ret->scalar = (struct sp_traceql_value){.type = SP_TRACEQL_TYPE_STRING, .string = text};
}

static void set_number(enum sp_traceql_type type, int64_t number, struct sp_operand *ret)
{
    ret->kind = SP_OPERAND_SCALAR;
    ret->scalar = (struct sp_traceql_value){.type = type, .integer = number};
}

/* Durations beyond 292 years are all the same. */
static void set_duration(uint64_t ns, struct sp_operand *ret)
{
    set_number(SP_TRACEQL_TYPE_DURATION, ns > INT64_MAX ? INT64_MAX : (int64_t)ns, ret);
}

/* From one moment to another, which may lie before it. */
static void set_distance(uint64_t from_unix_ns, uint64_t to_unix_ns, struct sp_operand *ret)
{
    uint64_t back = from_unix_ns - to_unix_ns;
    if (to_unix_ns >= from_unix_ns)
        set_duration(to_unix_ns - from_unix_ns, ret);
    else
        set_number(SP_TRACEQL_TYPE_DURATION, back > INT64_MAX ? INT64_MIN : -(int64_t)back, ret);
}

static void set_trace_id(const struct sp_trace_id *id, struct sp_operand *ret)
{
    sp_trace_id_format(id, ret->text);
    set_string(sp_slice_make(ret->text, SP_TRACE_ID_TEXT - 1), ret);
}

static void set_span_id(const struct sp_span_id *id, struct sp_operand *ret)
{
    sp_span_id_format(id, ret->text);
    set_string(sp_slice_make(ret->text, SP_SPAN_ID_TEXT - 1), ret);
}

void sp_operand_value(const struct sp_value *value, struct sp_operand *ret)
{
    ret->kind = SP_OPERAND_OPAQUE;
    ret->array = value;
    switch (value->kind) {
    case SP_VALUE_STRING:
        set_string(value->string, ret);
        return;
    case SP_VALUE_BOOL:
        sp_operand_bool(value->boolean, ret);
        return;
    case SP_VALUE_INT:
        set_number(SP_TRACEQL_TYPE_INT, value->integer, ret);
        return;
    case SP_VALUE_DOUBLE:
        ret->kind = SP_OPERAND_SCALAR;
        ret->scalar =
            (struct sp_traceql_value){.type = SP_TRACEQL_TYPE_FLOAT, .number = value->number};
        return;
    case SP_VALUE_ARRAY:
        ret->kind = SP_OPERAND_ARRAY;
        ret->array = value;
        return;
    case SP_VALUE_EMPTY:
    case SP_VALUE_BYTES:
    case SP_VALUE_KVLIST:
        return;
    }
}

static void set_attribute(const struct sp_attributes *attributes, struct sp_slice key,
                          struct sp_operand *ret)
{
    const struct sp_value *value = sp_attributes_find(attributes, key);
    if (value)
        sp_operand_value(value, ret);
    else
        set_nil(ret);
}

/* ---- places ---- */

static const struct sp_span *span_at(const struct sp_span_place *place)
{
    return place->facts->tree ? place->facts->tree->rows[place->row].span
                              : &place->facts->batch->spans[place->row];
}

/* The row a field is read at, or SP_ROW_NONE: its parent is not stored. */
static uint32_t field_row(const struct sp_span_place *place, const struct sp_traceql_field *field)
{
    return field->of_parent ? place->facts->tree->rows[place->row].parent : place->row;
}

/* Positions as a walk around the tree gives them: 1, 2, 3 ... on entering and on leaving each span. Rows are in that
 * order, so they follow from row, depth and size. */
static int64_t nested_left(const struct sp_trace *tree, uint32_t row)
{
    return 2 * (int64_t)row - tree->rows[row].depth + 1;
}

static void set_tree_field(const struct sp_span_place *place, enum sp_traceql_intrinsic intrinsic,
                           struct sp_operand *ret)
{
    const struct sp_trace *tree = place->facts->tree;
    const struct sp_trace_row *row = &tree->rows[place->row];
    int64_t number = 0;
    if (intrinsic == SP_TRACEQL_CHILD_COUNT) {
        for (uint32_t child = row->first_child; child != SP_ROW_NONE;
             child = tree->rows[child].next_sibling)
            number++;
    } else if (intrinsic == SP_TRACEQL_NESTED_SET_LEFT) {
        number = nested_left(tree, place->row);
    } else if (intrinsic == SP_TRACEQL_NESTED_SET_RIGHT) {
        number = nested_left(tree, place->row) + 2 * (int64_t)row->subtree_size - 1;
    } else if (row->parent != SP_ROW_NONE) {
        number = nested_left(tree, row->parent);
    } else if (sp_span_id_is_zero(&row->span->parent_span_id)) {
        number = -1; /* a root; an orphan keeps 0, as it is connected to nothing */
    }
    set_number(SP_TRACEQL_TYPE_INT, number, ret);
}

/* ---- fields ---- */

static void set_span_attribute(const struct sp_span_place *place,
                               const struct sp_traceql_field *field, struct sp_operand *ret)
{
    uint32_t row = field_row(place, field);
    if (row == SP_ROW_NONE) {
        set_nil(ret);
        return;
    }
    const struct sp_span *span = span_at(&(struct sp_span_place){place->facts, row});
    switch (field->scope) {
    case SP_TRACEQL_SCOPE_ANY:
        set_attribute(&span->attributes, field->key, ret);
        if (ret->kind == SP_OPERAND_NIL)
            set_attribute(&span->resource->attributes, field->key, ret);
        return;
    case SP_TRACEQL_SCOPE_SPAN:
        set_attribute(&span->attributes, field->key, ret);
        return;
    case SP_TRACEQL_SCOPE_RESOURCE:
        set_attribute(&span->resource->attributes, field->key, ret);
        return;
    case SP_TRACEQL_SCOPE_INSTRUMENTATION:
        set_attribute(&span->scope->attributes, field->key, ret);
        return;
    case SP_TRACEQL_SCOPE_EVENT:
    case SP_TRACEQL_SCOPE_LINK:
        ret->kind = SP_OPERAND_EACH;
        ret->each = field;
        return;
    }
}

static void set_status(const struct sp_span *span, struct sp_operand *ret)
{
    bool known =
        span->status_code == SP_SPAN_STATUS_OK || span->status_code == SP_SPAN_STATUS_ERROR;
    set_number(SP_TRACEQL_TYPE_STATUS, known ? span->status_code : SP_SPAN_STATUS_UNSET, ret);
}

static void set_kind(const struct sp_span *span, struct sp_operand *ret)
{
    bool known = span->kind >= SP_KIND_INTERNAL && span->kind <= SP_KIND_CONSUMER;
    set_number(SP_TRACEQL_TYPE_KIND, known ? span->kind : SP_KIND_UNSPECIFIED, ret);
}

static void set_parent_id(const struct sp_span *span, struct sp_operand *ret)
{
    if (sp_span_id_is_zero(&span->parent_span_id))
        set_nil(ret);
    else
        set_span_id(&span->parent_span_id, ret);
}

void sp_operand_field(const struct sp_span_place *place, const struct sp_traceql_field *field,
                      struct sp_operand *ret)
{
    const struct sp_trace_facts *facts = place->facts;
    const struct sp_span *span = span_at(place);
    switch (field->intrinsic) {
    case SP_TRACEQL_INTRINSIC_NONE:
        set_span_attribute(place, field, ret);
        return;
    case SP_TRACEQL_SERVICE:
        set_string(sp_span_service(span), ret);
        return;
    case SP_TRACEQL_NAME:
        set_string(span->name, ret);
        return;
    case SP_TRACEQL_STATUS:
        set_status(span, ret);
        return;
    case SP_TRACEQL_STATUS_MESSAGE:
        set_string(span->status_message, ret);
        return;
    case SP_TRACEQL_KIND:
        set_kind(span, ret);
        return;
    case SP_TRACEQL_DURATION:
        set_duration(sp_span_duration_ns(span), ret);
        return;
    case SP_TRACEQL_SPAN_ID:
        set_span_id(&span->span_id, ret);
        return;
    case SP_TRACEQL_PARENT_ID:
        set_parent_id(span, ret);
        return;
    case SP_TRACEQL_TRACE_DURATION:
        set_duration(facts->end_unix_ns - facts->start_unix_ns, ret);
        return;
    case SP_TRACEQL_ROOT_NAME:
        if (facts->root)
            set_string(facts->root->name, ret);
        else
            set_nil(ret);
        return;
    case SP_TRACEQL_ROOT_SERVICE:
        if (facts->root)
            set_string(sp_span_service(facts->root), ret);
        else
            set_nil(ret);
        return;
    case SP_TRACEQL_TRACE_ID:
        set_trace_id(&span->trace_id, ret);
        return;
    case SP_TRACEQL_EVENT_NAME:
    case SP_TRACEQL_EVENT_TIME_SINCE_START:
    case SP_TRACEQL_LINK_TRACE_ID:
    case SP_TRACEQL_LINK_SPAN_ID:
        ret->kind = SP_OPERAND_EACH;
        ret->each = field;
        return;
    case SP_TRACEQL_INSTRUMENTATION_NAME:
        set_string(span->scope->name, ret);
        return;
    case SP_TRACEQL_INSTRUMENTATION_VERSION:
        set_string(span->scope->version, ret);
        return;
    case SP_TRACEQL_CHILD_COUNT:
    case SP_TRACEQL_NESTED_SET_LEFT:
    case SP_TRACEQL_NESTED_SET_RIGHT:
    case SP_TRACEQL_NESTED_SET_PARENT:
        set_tree_field(place, field->intrinsic, ret);
        return;
    case SP_TRACEQL_PARENT_SPAN:
        ret->kind = facts->tree->rows[place->row].parent == SP_ROW_NONE ? SP_OPERAND_NIL
                                                                        : SP_OPERAND_OPAQUE;
        ret->array = NULL;
        return;
    case SP_TRACEQL_INTRINSIC_COUNT:
        break;
    }
    set_nil(ret);
}

/* ---- events and links ---- */

static bool is_of_links(const struct sp_traceql_field *field)
{
    return field->intrinsic == SP_TRACEQL_LINK_TRACE_ID ||
           field->intrinsic == SP_TRACEQL_LINK_SPAN_ID ||
           (field->intrinsic == SP_TRACEQL_INTRINSIC_NONE && field->scope == SP_TRACEQL_SCOPE_LINK);
}

/* The parent's events are read at the parent; without one there are none. */
static const struct sp_span *each_span(const struct sp_span_place *place,
                                       const struct sp_traceql_field *field)
{
    uint32_t row = field_row(place, field);
    return row == SP_ROW_NONE ? NULL : span_at(&(struct sp_span_place){place->facts, row});
}

uint32_t sp_operand_each_count(const struct sp_span_place *place,
                               const struct sp_traceql_field *field)
{
    const struct sp_span *span = each_span(place, field);
    if (!span)
        return 0;
    return is_of_links(field) ? span->link_count : span->event_count;
}

void sp_operand_each(const struct sp_span_place *place, const struct sp_traceql_field *field,
                     uint32_t index, struct sp_operand *ret)
{
    const struct sp_span *span = each_span(place, field);
    if (is_of_links(field)) {
        const struct sp_link *link = &span->links[index];
        if (field->intrinsic == SP_TRACEQL_LINK_TRACE_ID)
            set_trace_id(&link->trace_id, ret);
        else if (field->intrinsic == SP_TRACEQL_LINK_SPAN_ID)
            set_span_id(&link->span_id, ret);
        else
            set_attribute(&link->attributes, field->key, ret);
        return;
    }
    const struct sp_event *event = &span->events[index];
    if (field->intrinsic == SP_TRACEQL_EVENT_NAME)
        set_string(event->name, ret);
    else if (field->intrinsic == SP_TRACEQL_EVENT_TIME_SINCE_START)
        set_distance(span->start_unix_ns, event->time_unix_ns, ret);
    else
        set_attribute(&event->attributes, field->key, ret);
}
