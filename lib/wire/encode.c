/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/wire/encode.c: sp_otlp_encode: spans to TracesData. The content of a message is written behind one byte kept free
 * for its length; a longer length moves the content (messages of the fixed levels are few and small, so each byte moves
 * at most a handful of times). Values, which nest, get their lengths beforehand, in one walk that needs no recursion. */
#include "lib/wire/scan.h"
#include "lib/wire/wire.h"

struct encoder {
    struct sp_buf *out;
    /* size_t: content of each container of a value, in the order of entering */
    struct sp_buf lengths;
};

static size_t varint_len(uint64_t value)
{
    return (size_t)(64 - __builtin_clzll(value | 1) + 6) / 7;
}

static uint8_t *put_varint(uint8_t *at, uint64_t value)
{
    while (value >= 0x80) {
        *at++ = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    *at++ = (uint8_t)value;
    return at;
}

static uint8_t *put_slice(uint8_t *at, struct sp_slice s)
{
    at = put_varint(at, s.len);
    if (s.len > 0)
        memcpy(at, s.ptr, s.len);
    return at + s.len;
}

static size_t len_field_size(size_t len)
{
    return 1 + varint_len(len) + len;
}

/* ---- fields; those with the default value are left out, as proto3 does ---- */

#define FIELD_MAX 12 /* bytes of a numeric field: key of two bytes, number of ten */

static void field_varint(struct encoder *e, uint32_t number, uint64_t value)
{
    uint8_t *begin = value ? sp_buf_reserve(e->out, FIELD_MAX) : NULL;
    if (begin) {
        uint8_t *at = put_varint(begin, SP_TAG(number, SP_WIRE_VARINT));
        e->out->len += (size_t)(put_varint(at, value) - begin);
    }
}

static void field_i64(struct encoder *e, uint32_t number, uint64_t value)
{
    uint8_t *begin = value ? sp_buf_reserve(e->out, FIELD_MAX) : NULL;
    if (begin) {
        uint8_t *at = put_varint(begin, SP_TAG(number, SP_WIRE_I64));
        memcpy(at, &value, 8);
        e->out->len += (size_t)(at + 8 - begin);
    }
}

static void field_i32(struct encoder *e, uint32_t number, uint32_t value)
{
    uint8_t *begin = value ? sp_buf_reserve(e->out, FIELD_MAX) : NULL;
    if (begin) {
        uint8_t *at = put_varint(begin, SP_TAG(number, SP_WIRE_I32));
        memcpy(at, &value, 4);
        e->out->len += (size_t)(at + 4 - begin);
    }
}

static void field_slice(struct encoder *e, uint32_t number, struct sp_slice s)
{
    uint8_t *begin = s.len ? sp_buf_reserve(e->out, FIELD_MAX + s.len) : NULL;
    if (begin) {
        uint8_t *at = put_varint(begin, SP_TAG(number, SP_WIRE_LEN));
        e->out->len += (size_t)(put_slice(at, s) - begin);
    }
}

/* Begins a message field; returns where its content begins. */
static size_t message_begin(struct encoder *e, uint32_t number)
{
    uint8_t *begin = sp_buf_reserve(e->out, FIELD_MAX);
    if (begin) {
        uint8_t *at = put_varint(begin, SP_TAG(number, SP_WIRE_LEN));
        e->out->len += (size_t)(at + 1 - begin);
    }
    return e->out->len;
}

static void message_end(struct encoder *e, size_t content)
{
    if (e->out->error != SP_OK)
        return;
    size_t len = e->out->len - content, more = varint_len(len) - 1;
    if (more > 0) {
        if (!sp_buf_reserve(e->out, more))
            return;
        memmove(e->out->ptr + content + more, e->out->ptr + content, len);
        e->out->len += more;
    }
    put_varint(e->out->ptr + content - 1, len);
}

/* ---- values ---- */

/* An AnyValue that is no container: key, and number or content. */
static size_t scalar_size(const struct sp_value *value)
{
    switch (value->kind) {
    case SP_VALUE_STRING:
    case SP_VALUE_BYTES:
        return len_field_size(value->string.len);
    case SP_VALUE_BOOL:
        return 2;
    case SP_VALUE_INT:
        return 1 + varint_len((uint64_t)value->integer);
    case SP_VALUE_DOUBLE:
        return 9;
    case SP_VALUE_EMPTY:
    case SP_VALUE_ARRAY: /* containers do not come here */
    case SP_VALUE_KVLIST:
        break;
    }
    return 0;
}

static uint8_t *put_scalar(uint8_t *at, const struct sp_value *value)
{
    switch (value->kind) {
    case SP_VALUE_STRING:
        *at++ = SP_TAG(1, SP_WIRE_LEN);
        return put_slice(at, value->string);
    case SP_VALUE_BYTES:
        *at++ = SP_TAG(7, SP_WIRE_LEN);
        return put_slice(at, value->string);
    case SP_VALUE_BOOL:
        *at++ = SP_TAG(2, SP_WIRE_VARINT);
        *at++ = value->boolean;
        return at;
    case SP_VALUE_INT:
        *at++ = SP_TAG(3, SP_WIRE_VARINT);
        return put_varint(at, (uint64_t)value->integer);
    case SP_VALUE_DOUBLE:
        *at++ = SP_TAG(4, SP_WIRE_I64);
        memcpy(at, &value->number, sizeof(value->number));
        return at + sizeof(value->number);
    case SP_VALUE_EMPTY:
    case SP_VALUE_ARRAY: /* containers do not come here */
    case SP_VALUE_KVLIST:
        break;
    }
    return at;
}

/* What an element takes in its container: field 1, an AnyValue or a KeyValue whose field 2 is the AnyValue. */
static size_t element_size(const struct sp_attribute *entry, size_t any_value)
{
    return entry ? len_field_size(len_field_size(entry->key.len) + len_field_size(any_value))
                 : len_field_size(any_value);
}

/* Fills e->lengths for root, a container. False: no memory, said in out's error. */
static bool container_lengths(struct encoder *e, const struct sp_value *root)
{
    struct sp_value_walk walk;
    struct {
        size_t index, len;
    } open[SP_NESTING_MAX];
    sp_buf_reset(&e->lengths);
    sp_value_walk_init(&walk, root);
    for (enum sp_walk_event event; (event = sp_value_walk_next(&walk)) != SP_WALK_END;) {
        if (event == SP_WALK_ENTER) {
            open[walk.depth - 1].index = e->lengths.len;
            open[walk.depth - 1].len = 0;
            const size_t unknown = 0;
            sp_buf_append(&e->lengths, &unknown, sizeof(unknown));
            if (e->lengths.error != SP_OK) {
                e->out->error = SP_NO_MEMORY;
                return false;
            }
            continue;
        }
        size_t any_value;
        if (event == SP_WALK_SCALAR) {
            any_value = scalar_size(walk.value);
        } else {
            memcpy(e->lengths.ptr + open[walk.depth].index, &open[walk.depth].len, sizeof(size_t));
            any_value = len_field_size(open[walk.depth].len);
        }
        if (walk.depth > 0)
            open[walk.depth - 1].len += element_size(walk.entry, any_value);
    }
    return true;
}

/* The header of an element: field 1 of the container, and of a KeyValue its key and the header of its value. */
static void element_begin(struct encoder *e, const struct sp_attribute *entry, size_t any_value)
{
    size_t key_len = entry ? entry->key.len : 0;
    uint8_t *begin = sp_buf_reserve(e->out, 4 * FIELD_MAX + key_len);
    if (!begin)
        return;
    uint8_t *at = begin;
    *at++ = SP_TAG(1, SP_WIRE_LEN);
    if (entry) {
        at = put_varint(at, len_field_size(key_len) + len_field_size(any_value));
        *at++ = SP_TAG(1, SP_WIRE_LEN);
        at = put_slice(at, entry->key);
        *at++ = SP_TAG(2, SP_WIRE_LEN);
    }
    at = put_varint(at, any_value);
    e->out->len += (size_t)(at - begin);
}

static void put_container(struct encoder *e, const struct sp_value *root)
{
    struct sp_value_walk walk;
    size_t next = 0;
    if (!container_lengths(e, root))
        return;
    sp_value_walk_init(&walk, root);
    for (enum sp_walk_event event; (event = sp_value_walk_next(&walk)) != SP_WALK_END;) {
        if (event == SP_WALK_SCALAR) {
            size_t len = scalar_size(walk.value);
            element_begin(e, walk.entry, len);
            uint8_t *at = sp_buf_reserve(e->out, len);
            if (at) {
                put_scalar(at, walk.value);
                e->out->len += len;
            }
        } else if (event == SP_WALK_ENTER) {
            size_t len;
            memcpy(&len, e->lengths.ptr + next, sizeof(len));
            next += sizeof(len);
            if (walk.value != root)
                element_begin(e, walk.entry, len_field_size(len));
            uint8_t *begin = sp_buf_reserve(e->out, FIELD_MAX);
            if (begin) {
                *begin = walk.value->kind == SP_VALUE_ARRAY ? SP_TAG(5, SP_WIRE_LEN)
                                                            : SP_TAG(6, SP_WIRE_LEN);
                e->out->len += (size_t)(put_varint(begin + 1, len) - begin);
            }
        }
    }
}

static void put_attribute(struct encoder *e, uint32_t number, const struct sp_attribute *a)
{
    if (a->value.kind == SP_VALUE_ARRAY || a->value.kind == SP_VALUE_KVLIST) {
        size_t content = message_begin(e, number);
        field_slice(e, 1, a->key);
        size_t value = message_begin(e, 2);
        put_container(e, &a->value);
        message_end(e, value);
        message_end(e, content);
        return;
    }
    size_t any_value = scalar_size(&a->value);
    size_t len = len_field_size(a->key.len) + len_field_size(any_value);
    uint8_t *begin = sp_buf_reserve(e->out, FIELD_MAX + len);
    if (begin) {
        uint8_t *at = put_varint(begin, SP_TAG(number, SP_WIRE_LEN));
        at = put_varint(at, len);
        *at++ = SP_TAG(1, SP_WIRE_LEN);
        at = put_slice(at, a->key);
        *at++ = SP_TAG(2, SP_WIRE_LEN);
        at = put_varint(at, any_value);
        e->out->len += (size_t)(put_scalar(at, &a->value) - begin);
    }
}

static void put_attributes(struct encoder *e, uint32_t number, const struct sp_attributes *list)
{
    for (uint32_t i = 0; i < list->count; i++)
        put_attribute(e, number, &list->items[i]);
}

/* ---- the fixed levels ---- */

static void put_residue(struct encoder *e, struct sp_slice residue)
{
    sp_buf_append_slice(e->out, residue);
}

static void put_event(struct encoder *e, const struct sp_event *event)
{
    size_t content = message_begin(e, 11);
    field_i64(e, 1, event->time_unix_ns);
    field_slice(e, 2, event->name);
    put_attributes(e, 3, &event->attributes);
    field_varint(e, 4, event->attributes.dropped);
    put_residue(e, event->residue);
    message_end(e, content);
}

static void put_link(struct encoder *e, const struct sp_link *link)
{
    size_t content = message_begin(e, 13);
    field_slice(e, 1, sp_slice_make(link->trace_id.bytes, SP_TRACE_ID_BYTES));
    field_slice(e, 2, sp_slice_make(link->span_id.bytes, SP_SPAN_ID_BYTES));
    field_slice(e, 3, link->trace_state);
    put_attributes(e, 4, &link->attributes);
    field_varint(e, 5, link->attributes.dropped);
    field_i32(e, 6, link->flags);
    put_residue(e, link->residue);
    message_end(e, content);
}

static void put_status(struct encoder *e, const struct sp_span *span)
{
    if (span->status_present) {
        size_t content = message_begin(e, 15);
        field_slice(e, 2, span->status_message);
        field_varint(e, 3, (uint64_t)(int64_t)span->status_code);
        put_residue(e, span->status_residue);
        message_end(e, content);
    }
}

static void put_span(struct encoder *e, const struct sp_span *span)
{
    size_t content = message_begin(e, 2);
    field_slice(e, 1, sp_slice_make(span->trace_id.bytes, SP_TRACE_ID_BYTES));
    field_slice(e, 2, sp_slice_make(span->span_id.bytes, SP_SPAN_ID_BYTES));
    field_slice(e, 3, span->trace_state);
    if (!sp_span_id_is_zero(&span->parent_span_id))
        field_slice(e, 4, sp_slice_make(span->parent_span_id.bytes, SP_SPAN_ID_BYTES));
    field_slice(e, 5, span->name);
    field_varint(e, 6, (uint64_t)(int64_t)span->kind);
    field_i64(e, 7, span->start_unix_ns);
    field_i64(e, 8, span->end_unix_ns);
    put_attributes(e, 9, &span->attributes);
    field_varint(e, 10, span->attributes.dropped);
    for (uint32_t i = 0; i < span->event_count; i++)
        put_event(e, &span->events[i]);
    field_varint(e, 12, span->dropped_events);
    for (uint32_t i = 0; i < span->link_count; i++)
        put_link(e, &span->links[i]);
    field_varint(e, 14, span->dropped_links);
    put_status(e, span);
    field_i32(e, 16, span->flags);
    put_residue(e, span->residue);
    message_end(e, content);
}

static void put_scope(struct encoder *e, const struct sp_scope *scope)
{
    if (scope->present) {
        size_t content = message_begin(e, 1);
        field_slice(e, 1, scope->name);
        field_slice(e, 2, scope->version);
        put_attributes(e, 3, &scope->attributes);
        field_varint(e, 4, scope->attributes.dropped);
        put_residue(e, scope->residue);
        message_end(e, content);
    }
}

static void put_resource(struct encoder *e, const struct sp_resource *resource)
{
    if (resource->present) {
        size_t content = message_begin(e, 1);
        put_attributes(e, 1, &resource->attributes);
        field_varint(e, 2, resource->attributes.dropped);
        put_residue(e, resource->residue);
        message_end(e, content);
    }
}

/* One ScopeSpans: the run of spans from begin that share resource and scope. Returns its end. */
static size_t put_scope_spans(struct encoder *e, const struct sp_span *const *spans, size_t begin,
                              size_t count)
{
    const struct sp_scope *scope = spans[begin]->scope;
    size_t content = message_begin(e, 2), i = begin;
    put_scope(e, scope);
    while (i < count && sp_scope_equal(spans[i]->scope, scope) &&
           sp_resource_equal(spans[i]->resource, spans[begin]->resource))
        put_span(e, spans[i++]);
    field_slice(e, 3, scope->schema_url);
    put_residue(e, scope->group_residue);
    message_end(e, content);
    return i;
}

enum sp_status sp_otlp_encode(const struct sp_span *const *spans, size_t count, struct sp_buf *out)
{
    struct encoder e = {.out = out};
    sp_buf_init(&e.lengths, SIZE_MAX / 2);
    for (size_t i = 0; i < count && out->error == SP_OK;) {
        const struct sp_resource *resource = spans[i]->resource;
        size_t content = message_begin(&e, 1);
        put_resource(&e, resource);
        while (i < count && sp_resource_equal(spans[i]->resource, resource))
            i = put_scope_spans(&e, spans, i, count);
        field_slice(&e, 3, resource->schema_url);
        put_residue(&e, resource->group_residue);
        message_end(&e, content);
    }
    sp_buf_fini(&e.lengths);
    return out->error;
}
