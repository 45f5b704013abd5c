/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/model/equal.c: equality, field for field. Two walks in step instead of recursion; no allocation. */
#include "lib/model/model.h"

static uint64_t double_bits(double number)
{
    uint64_t bits;
    memcpy(&bits, &number, sizeof(bits));
    return bits;
}

static bool scalar_equal(const struct sp_value *a, const struct sp_value *b)
{
    switch (a->kind) {
    case SP_VALUE_EMPTY:
        return true;
    case SP_VALUE_STRING:
    case SP_VALUE_BYTES:
        return sp_slice_equal(a->string, b->string);
    case SP_VALUE_BOOL:
        return a->boolean == b->boolean;
    case SP_VALUE_INT:
        return a->integer == b->integer;
    case SP_VALUE_DOUBLE: /* by bits: a NaN equals itself, and 0 is not -0 */
        return double_bits(a->number) == double_bits(b->number);
    case SP_VALUE_ARRAY:
    case SP_VALUE_KVLIST:
        return a->count == b->count;
    }
    return false;
}

bool sp_value_equal(const struct sp_value *a, const struct sp_value *b)
{
    if (a->kind != b->kind || !scalar_equal(a, b)) {
        return false;
    }
    if (a->kind != SP_VALUE_ARRAY && a->kind != SP_VALUE_KVLIST) {
        return true;
    }
    /* Kinds and counts are compared on the way in, so both walks stay in step. */
    struct sp_value_walk wa, wb;
    sp_value_walk_init(&wa, a);
    sp_value_walk_init(&wb, b);
    while (sp_value_walk_next(&wa) != SP_WALK_END) {
        (void)sp_value_walk_next(&wb);
        if (wa.value->kind != wb.value->kind || !scalar_equal(wa.value, wb.value)) {
            return false;
        }
        if (wa.entry && !sp_slice_equal(wa.entry->key, wb.entry->key)) {
            return false;
        }
    }
    return true;
}

bool sp_attributes_equal(const struct sp_attributes *a, const struct sp_attributes *b)
{
    if (a->count != b->count || a->dropped != b->dropped) {
        return false;
    }
    for (uint32_t i = 0; i < a->count; i++) {
        if (!sp_slice_equal(a->items[i].key, b->items[i].key) ||
            !sp_value_equal(&a->items[i].value, &b->items[i].value)) {
            return false;
        }
    }
    return true;
}

bool sp_resource_equal(const struct sp_resource *a, const struct sp_resource *b)
{
    return a == b || (a->present == b->present && sp_slice_equal(a->schema_url, b->schema_url) &&
                      sp_slice_equal(a->residue, b->residue) &&
                      sp_slice_equal(a->group_residue, b->group_residue) &&
                      sp_attributes_equal(&a->attributes, &b->attributes));
}

bool sp_scope_equal(const struct sp_scope *a, const struct sp_scope *b)
{
    return a == b || (a->present == b->present && sp_slice_equal(a->name, b->name) &&
                      sp_slice_equal(a->version, b->version) &&
                      sp_slice_equal(a->schema_url, b->schema_url) &&
                      sp_slice_equal(a->residue, b->residue) &&
                      sp_slice_equal(a->group_residue, b->group_residue) &&
                      sp_attributes_equal(&a->attributes, &b->attributes));
}

static bool event_equal(const struct sp_event *a, const struct sp_event *b)
{
    return a->time_unix_ns == b->time_unix_ns && sp_slice_equal(a->name, b->name) &&
           sp_slice_equal(a->residue, b->residue) &&
           sp_attributes_equal(&a->attributes, &b->attributes);
}

static bool link_equal(const struct sp_link *a, const struct sp_link *b)
{
    return sp_trace_id_compare(&a->trace_id, &b->trace_id) == 0 &&
           sp_span_id_compare(&a->span_id, &b->span_id) == 0 && a->flags == b->flags &&
           sp_slice_equal(a->trace_state, b->trace_state) &&
           sp_slice_equal(a->residue, b->residue) &&
           sp_attributes_equal(&a->attributes, &b->attributes);
}

static bool span_own_fields_equal(const struct sp_span *a, const struct sp_span *b)
{
    return sp_trace_id_compare(&a->trace_id, &b->trace_id) == 0 &&
           sp_span_id_compare(&a->span_id, &b->span_id) == 0 &&
           sp_span_id_compare(&a->parent_span_id, &b->parent_span_id) == 0 &&
           a->start_unix_ns == b->start_unix_ns && a->end_unix_ns == b->end_unix_ns &&
           sp_slice_equal(a->name, b->name) && sp_slice_equal(a->trace_state, b->trace_state) &&
           a->kind == b->kind && a->status_code == b->status_code &&
           a->status_present == b->status_present &&
           sp_slice_equal(a->status_message, b->status_message) &&
           sp_slice_equal(a->status_residue, b->status_residue) && a->flags == b->flags &&
           a->event_count == b->event_count && a->dropped_events == b->dropped_events &&
           a->link_count == b->link_count && a->dropped_links == b->dropped_links &&
           sp_slice_equal(a->residue, b->residue);
}

bool sp_span_equal(const struct sp_span *a, const struct sp_span *b)
{
    if (!span_own_fields_equal(a, b) || !sp_attributes_equal(&a->attributes, &b->attributes)) {
        return false;
    }
    for (uint32_t i = 0; i < a->event_count; i++) {
        if (!event_equal(&a->events[i], &b->events[i])) {
            return false;
        }
    }
    for (uint32_t i = 0; i < a->link_count; i++) {
        if (!link_equal(&a->links[i], &b->links[i])) {
            return false;
        }
    }
    return sp_resource_equal(a->resource, b->resource) && sp_scope_equal(a->scope, b->scope);
}
