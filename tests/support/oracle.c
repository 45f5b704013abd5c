/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/support/oracle.c: the oracle. protobuf-c takes each message apart (otlp_oracle.proto says how it is declared); what
 * the fields mean is spelled out here a second time, without looking at speed. Errors stick in the context, so that a
 * fault in one message does not hide one in the next. */
#include "tests/support/oracle.h"

#include <stdlib.h>

#include "lib/wire/wire.h"
#include "tests/support/otlp_oracle.pb-c.h"
#include "tests/support/proto_build.h"

#define ORACLE_ARENA_BYTES ((size_t)512 * 1024 * 1024)
#define FIELD_NUMBER_MAX   ((1U << 29) - 1)

struct context {
    struct sp_arena *arena;
    uint32_t nesting_max;
    bool malformed, deep;
    bool refused_resource, refused_scope, refused_span;
    /* what is wrong with the ids of this span, and whether one of its links has a bad one; what else refuses it is a text */
    enum sp_rejection wrong_id; /* SP_REJECTION_COUNT: nothing */
    bool wrong_link;
};

static void *allocate(void *cookie, size_t bytes)
{
    void *memory = sp_arena_alloc(cookie, bytes);
    SP_ASSERT(memory);
    return memory;
}

static void keep(void *cookie, void *memory)
{
    (void)cookie;
    (void)memory;
}

static void *zeroed(struct context *c, size_t count, size_t size)
{
    void *memory = sp_arena_calloc(c->arena, count, size);
    SP_ASSERT(memory);
    return memory;
}

/* The message's fields; NULL and malformed if there is anything wrong with them. */
static void *unpack(struct context *c, struct sp_slice in,
                    const ProtobufCMessageDescriptor *descriptor)
{
    ProtobufCAllocator allocator = {allocate, keep, c->arena};
    ProtobufCMessage *message = protobuf_c_message_unpack(descriptor, &allocator, in.len, in.ptr);
    for (size_t i = 0; message && i < message->n_unknown_fields; i++) {
        uint32_t number = message->unknown_fields[i].tag;
        if (number == 0 || number > FIELD_NUMBER_MAX) {
            message = NULL;
        }
    }
    if (!message) {
        c->malformed = true;
    }
    return message;
}

static struct sp_slice unknown_of(struct context *c, const ProtobufCMessage *message)
{
    struct sp_buf buf;
    struct sp_slice bytes;
    sp_buf_init(&buf, ORACLE_ARENA_BYTES);
    for (size_t i = 0; i < message->n_unknown_fields; i++) {
        const ProtobufCMessageUnknownField *field = &message->unknown_fields[i];
        pb_varint(&buf, (uint64_t)field->tag << 3 | field->wire_type);
        sp_buf_append(&buf, field->data, field->len);
    }
    SP_ASSERT(buf.error == SP_OK && sp_arena_copy(c->arena, sp_buf_slice(&buf), &bytes));
    sp_buf_fini(&buf);
    return bytes;
}

static struct sp_slice slice_of(ProtobufCBinaryData data)
{
    return sp_slice_make(data.data, data.len);
}

/* All parts of a message, one behind the other. */
static struct sp_slice joined(struct context *c, size_t count, const ProtobufCBinaryData *parts)
{
    struct sp_buf buf;
    struct sp_slice bytes;
    sp_buf_init(&buf, ORACLE_ARENA_BYTES);
    for (size_t i = 0; i < count; i++) {
        sp_buf_append(&buf, parts[i].data, parts[i].len);
    }
    SP_ASSERT(buf.error == SP_OK && sp_arena_copy(c->arena, sp_buf_slice(&buf), &bytes));
    sp_buf_fini(&buf);
    return bytes;
}

/* The last of the texts; all of them must be UTF-8. */
static struct sp_slice text_of(size_t count, const ProtobufCBinaryData *texts, bool *refused)
{
    for (size_t i = 0; i < count; i++) {
        if (!sp_utf8_valid(slice_of(texts[i]))) {
            *refused = true;
        }
    }
    return count ? slice_of(texts[count - 1]) : (struct sp_slice){NULL, 0};
}

/* ---- values; depth is bounded by nesting_max, so this may recurse ---- */

static void key_value(struct context *c, struct sp_slice in, uint32_t depth, bool *refused,
                      struct sp_attribute *ret);

static void any_value(struct context *c, struct sp_slice in, uint32_t depth, bool *refused,
                      struct sp_value *ret);

static void list(struct context *c, struct sp_slice in, uint32_t depth, bool array, bool *refused,
                 struct sp_value *ret)
{
    if (depth > c->nesting_max) {
        c->deep = true;
        return;
    }
    const Spoor__Oracle__List *message = unpack(c, in, &spoor__oracle__list__descriptor);
    if (!message) {
        return;
    }
    struct sp_value *items = zeroed(c, message->n_values, sizeof(*items));
    struct sp_attribute *entries = zeroed(c, message->n_values, sizeof(*entries));
    for (size_t i = 0; i < message->n_values; i++) {
        struct sp_slice element = slice_of(message->values[i]);
        if (array) {
            any_value(c, element, depth + 1, refused, &items[i]);
        } else {
            key_value(c, element, depth + 1, refused, &entries[i]);
        }
    }
    ret->kind = array ? SP_VALUE_ARRAY : SP_VALUE_KVLIST;
    ret->count = (uint32_t)message->n_values;
    if (array) {
        ret->items = items;
    } else {
        ret->entries = entries;
    }
}

static void any_value(struct context *c, struct sp_slice in, uint32_t depth, bool *refused,
                      struct sp_value *ret)
{
    const Spoor__Oracle__AnyValue *message = unpack(c, in, &spoor__oracle__any_value__descriptor);
    const Spoor__Oracle__AnyValueMembers *members =
        message ? unpack(c, in, &spoor__oracle__any_value_members__descriptor) : NULL;
    if (!members) {
        return;
    }
    text_of(members->n_string_value, members->string_value, refused);
    struct sp_value array = {.kind = SP_VALUE_EMPTY}, kvlist = {.kind = SP_VALUE_EMPTY};
    for (size_t i = 0; i < members->n_array_value; i++) {
        list(c, slice_of(members->array_value[i]), depth, true, refused, &array);
    }
    for (size_t i = 0; i < members->n_kvlist_value; i++) {
        list(c, slice_of(members->kvlist_value[i]), depth, false, refused, &kvlist);
    }
    switch ((int)message->value_case) { /* protoc-c adds a member of its own to the enum */
    case SPOOR__ORACLE__ANY_VALUE__VALUE_STRING_VALUE:
        *ret =
            (struct sp_value){.kind = SP_VALUE_STRING, .string = slice_of(message->string_value)};
        break;
    case SPOOR__ORACLE__ANY_VALUE__VALUE_BOOL_VALUE:
        *ret = (struct sp_value){.kind = SP_VALUE_BOOL, .boolean = message->bool_value != 0};
        break;
    case SPOOR__ORACLE__ANY_VALUE__VALUE_INT_VALUE:
        *ret = (struct sp_value){.kind = SP_VALUE_INT, .integer = message->int_value};
        break;
    case SPOOR__ORACLE__ANY_VALUE__VALUE_DOUBLE_VALUE:
        *ret = (struct sp_value){.kind = SP_VALUE_DOUBLE, .number = message->double_value};
        break;
    case SPOOR__ORACLE__ANY_VALUE__VALUE_ARRAY_VALUE:
        *ret = array; /* the last of them */
        break;
    case SPOOR__ORACLE__ANY_VALUE__VALUE_KVLIST_VALUE:
        *ret = kvlist;
        break;
    case SPOOR__ORACLE__ANY_VALUE__VALUE_BYTES_VALUE:
        *ret = (struct sp_value){.kind = SP_VALUE_BYTES, .string = slice_of(message->bytes_value)};
        break;
    default:
        break;
    }
}

static void key_value(struct context *c, struct sp_slice in, uint32_t depth, bool *refused,
                      struct sp_attribute *ret)
{
    const Spoor__Oracle__KeyValue *message = unpack(c, in, &spoor__oracle__key_value__descriptor);
    if (message) {
        ret->key = text_of(message->n_key, message->key, refused);
        any_value(c, joined(c, message->n_value, message->value), depth, refused, &ret->value);
    }
}

static struct sp_attributes attributes(struct context *c, size_t count,
                                       const ProtobufCBinaryData *in, uint32_t dropped,
                                       bool *refused)
{
    struct sp_attribute *items = zeroed(c, count, sizeof(*items));
    for (size_t i = 0; i < count; i++) {
        key_value(c, slice_of(in[i]), 1, refused, &items[i]);
    }
    return (struct sp_attributes){items, (uint32_t)count, dropped};
}

/* ---- spans ---- */

static bool id_of(ProtobufCBinaryData data, uint8_t *id, size_t id_bytes)
{
    if (data.len == id_bytes) {
        memcpy(id, data.data, id_bytes);
    }
    return data.len == id_bytes;
}

static void decode_event(struct context *c, struct sp_slice in, struct sp_event *ret)
{
    const Spoor__Oracle__Event *e = unpack(c, in, &spoor__oracle__event__descriptor);
    if (e) {
        ret->time_unix_ns = e->time_unix_nano;
        ret->name = text_of(e->n_name, e->name, &c->refused_span);
        ret->attributes = attributes(c, e->n_attributes, e->attributes, e->dropped_attributes_count,
                                     &c->refused_span);
        ret->residue = unknown_of(c, &e->base);
    }
}

static void decode_link(struct context *c, struct sp_slice in, struct sp_link *ret)
{
    const Spoor__Oracle__Link *l = unpack(c, in, &spoor__oracle__link__descriptor);
    if (l) {
        bool sound =
            (l->trace_id.len == 0 || id_of(l->trace_id, ret->trace_id.bytes, SP_TRACE_ID_BYTES)) &&
            (l->span_id.len == 0 || id_of(l->span_id, ret->span_id.bytes, SP_SPAN_ID_BYTES));
        c->refused_span |= !sound;
        c->wrong_link |= !sound;
        ret->trace_state = text_of(l->n_trace_state, l->trace_state, &c->refused_span);
        ret->attributes = attributes(c, l->n_attributes, l->attributes, l->dropped_attributes_count,
                                     &c->refused_span);
        ret->flags = l->flags;
        ret->residue = unknown_of(c, &l->base);
    }
}

static void decode_status(struct context *c, size_t count, const ProtobufCBinaryData *parts,
                          struct sp_span *span)
{
    const Spoor__Oracle__Status *s =
        unpack(c, joined(c, count, parts), &spoor__oracle__status__descriptor);
    span->status_present = count > 0;
    if (s) {
        span->status_message = text_of(s->n_message, s->message, &c->refused_span);
        span->status_code = s->code;
        span->status_residue = unknown_of(c, &s->base);
    }
}

static enum sp_rejection wrong_id(const Spoor__Oracle__Span *s, struct sp_span *span)
{
    if (s->trace_id.len > 0 && !id_of(s->trace_id, span->trace_id.bytes, SP_TRACE_ID_BYTES))
        return SP_REJECTED_TRACE_ID_INVALID;
    if (sp_trace_id_is_zero(&span->trace_id))
        return SP_REJECTED_TRACE_ID_MISSING;
    if (s->span_id.len > 0 && !id_of(s->span_id, span->span_id.bytes, SP_SPAN_ID_BYTES))
        return SP_REJECTED_SPAN_ID_INVALID;
    if (sp_span_id_is_zero(&span->span_id))
        return SP_REJECTED_SPAN_ID_MISSING;
    return s->parent_span_id.len > 0 &&
                   !id_of(s->parent_span_id, span->parent_span_id.bytes, SP_SPAN_ID_BYTES)
               ? SP_REJECTED_PARENT_SPAN_ID_INVALID
               : SP_REJECTION_COUNT;
}

static enum sp_rejection rejection(const struct context *c)
{
    if (c->refused_resource)
        return SP_REJECTED_RESOURCE_NOT_UTF8;
    if (c->refused_scope)
        return SP_REJECTED_SCOPE_NOT_UTF8;
    if (c->wrong_id != SP_REJECTION_COUNT)
        return c->wrong_id;
    return c->wrong_link ? SP_REJECTED_LINK_ID_INVALID : SP_REJECTED_SPAN_NOT_UTF8;
}

static void decode_span(struct context *c, struct sp_slice in, struct sp_span *span)
{
    const Spoor__Oracle__Span *s = unpack(c, in, &spoor__oracle__span__descriptor);
    c->refused_span = c->wrong_link = false;
    c->wrong_id = SP_REJECTION_COUNT;
    if (!s) {
        return;
    }
    c->wrong_id = wrong_id(s, span);
    c->refused_span = c->wrong_id != SP_REJECTION_COUNT;
    span->trace_state = text_of(s->n_trace_state, s->trace_state, &c->refused_span);
    span->name = text_of(s->n_name, s->name, &c->refused_span);
    span->kind = s->kind;
    span->start_unix_ns = s->start_time_unix_nano;
    span->end_unix_ns = s->end_time_unix_nano;
    span->attributes = attributes(c, s->n_attributes, s->attributes, s->dropped_attributes_count,
                                  &c->refused_span);
    struct sp_event *events = zeroed(c, s->n_events, sizeof(*events));
    struct sp_link *links = zeroed(c, s->n_links, sizeof(*links));
    for (size_t i = 0; i < s->n_events; i++) {
        decode_event(c, slice_of(s->events[i]), &events[i]);
    }
    for (size_t i = 0; i < s->n_links; i++) {
        decode_link(c, slice_of(s->links[i]), &links[i]);
    }
    span->events = events;
    span->links = links;
    span->event_count = (uint32_t)s->n_events;
    span->link_count = (uint32_t)s->n_links;
    span->dropped_events = s->dropped_events_count;
    span->dropped_links = s->dropped_links_count;
    span->flags = s->flags;
    decode_status(c, s->n_status, s->status, span);
    span->residue = unknown_of(c, &s->base);
}

static void decode_scope(struct context *c, struct sp_slice in, struct sp_scope *scope)
{
    const Spoor__Oracle__Scope *s = unpack(c, in, &spoor__oracle__scope__descriptor);
    if (s) {
        scope->name = text_of(s->n_name, s->name, &c->refused_scope);
        scope->version = text_of(s->n_version, s->version, &c->refused_scope);
        scope->attributes = attributes(c, s->n_attributes, s->attributes,
                                       s->dropped_attributes_count, &c->refused_scope);
        scope->residue = unknown_of(c, &s->base);
    }
}

static void scope_spans(struct context *c, struct sp_slice in, const struct sp_resource *resource,
                        struct sp_batch *batch, struct sp_span **spans)
{
    const Spoor__Oracle__ScopeSpans *g = unpack(c, in, &spoor__oracle__scope_spans__descriptor);
    if (!g) {
        return;
    }
    struct sp_scope *scope = zeroed(c, 1, sizeof(*scope));
    c->refused_scope = false;
    scope->schema_url = text_of(g->n_schema_url, g->schema_url, &c->refused_scope);
    scope->present = g->n_scope > 0;
    scope->group_residue = unknown_of(c, &g->base);
    decode_scope(c, joined(c, g->n_scope, g->scope), scope);
    for (size_t i = 0; i < g->n_spans; i++) {
        struct sp_span span = {.resource = resource, .scope = scope};
        decode_span(c, slice_of(g->spans[i]), &span);
        if (c->refused_resource || c->refused_scope || c->refused_span) {
            batch->rejected_count++;
            batch->rejected[rejection(c)]++;
            continue;
        }
        *spans = sp_arena_grow(c->arena, *spans, batch->span_count * sizeof(span),
                               (batch->span_count + 1) * sizeof(span));
        SP_ASSERT(*spans);
        (*spans)[batch->span_count++] = span;
    }
}

static void resource_spans(struct context *c, struct sp_slice in, struct sp_batch *batch,
                           struct sp_span **spans)
{
    const Spoor__Oracle__ResourceSpans *g =
        unpack(c, in, &spoor__oracle__resource_spans__descriptor);
    if (!g) {
        return;
    }
    struct sp_resource *resource = zeroed(c, 1, sizeof(*resource));
    c->refused_resource = false;
    resource->schema_url = text_of(g->n_schema_url, g->schema_url, &c->refused_resource);
    resource->present = g->n_resource > 0;
    resource->group_residue = unknown_of(c, &g->base);
    const Spoor__Oracle__Resource *r =
        unpack(c, joined(c, g->n_resource, g->resource), &spoor__oracle__resource__descriptor);
    if (r) {
        resource->attributes = attributes(c, r->n_attributes, r->attributes,
                                          r->dropped_attributes_count, &c->refused_resource);
        resource->residue = unknown_of(c, &r->base);
    }
    for (size_t i = 0; i < g->n_scope_spans; i++) {
        scope_spans(c, slice_of(g->scope_spans[i]), resource, batch, spans);
    }
}

struct sp_oracle sp_oracle_decode(struct sp_arena *arena, struct sp_slice in, uint32_t nesting_max)
{
    struct context c = {.arena = arena, .nesting_max = nesting_max};
    struct sp_batch *batch = zeroed(&c, 1, sizeof(*batch));
    struct sp_span *spans = NULL;
    const Spoor__Oracle__Request *request = unpack(&c, in, &spoor__oracle__request__descriptor);
    for (size_t i = 0; request && i < request->n_resource_spans; i++) {
        resource_spans(&c, slice_of(request->resource_spans[i]), batch, &spans);
    }
    batch->spans = spans;
    bool ok = !c.malformed && !c.deep;
    return (struct sp_oracle){c.malformed, c.deep, ok ? batch : NULL};
}

/* ---- comparison ---- */

static struct sp_slice residue_of(struct context *c, struct sp_slice residue)
{
    const Spoor__Oracle__Nothing *message = unpack(c, residue, &spoor__oracle__nothing__descriptor);
    SP_ASSERT(message);
    return unknown_of(c, &message->base);
}

static void normalise_span(struct context *c, struct sp_span *span)
{
    struct sp_resource *resource = zeroed(c, 1, sizeof(*resource));
    struct sp_scope *scope = zeroed(c, 1, sizeof(*scope));
    struct sp_event *events = zeroed(c, span->event_count, sizeof(*events));
    struct sp_link *links = zeroed(c, span->link_count, sizeof(*links));
    *resource = *span->resource;
    resource->residue = residue_of(c, resource->residue);
    resource->group_residue = residue_of(c, resource->group_residue);
    *scope = *span->scope;
    scope->residue = residue_of(c, scope->residue);
    scope->group_residue = residue_of(c, scope->group_residue);
    for (uint32_t i = 0; i < span->event_count; i++) {
        events[i] = span->events[i];
        events[i].residue = residue_of(c, events[i].residue);
    }
    for (uint32_t i = 0; i < span->link_count; i++) {
        links[i] = span->links[i];
        links[i].residue = residue_of(c, links[i].residue);
    }
    span->resource = resource;
    span->scope = scope;
    span->events = events;
    span->links = links;
    span->residue = residue_of(c, span->residue);
    span->status_residue = residue_of(c, span->status_residue);
}

const struct sp_batch *sp_oracle_normalise(struct sp_arena *arena, const struct sp_batch *batch)
{
    struct context c = {.arena = arena};
    struct sp_batch *copy = zeroed(&c, 1, sizeof(*copy));
    struct sp_span *spans = zeroed(&c, batch->span_count, sizeof(*spans));
    *copy = *batch;
    for (size_t i = 0; i < batch->span_count; i++) {
        spans[i] = batch->spans[i];
        normalise_span(&c, &spans[i]);
    }
    copy->spans = spans;
    return copy;
}

void sp_oracle_check(struct sp_slice in)
{
    struct sp_arena arena;
    struct sp_error error = {0};
    const struct sp_batch *batch = NULL;
    struct sp_limits limits = *sp_limits_default();
    limits.nesting_max = 8; /* small, so that small inputs reach it */
    sp_arena_init(&arena, ORACLE_ARENA_BYTES);
    enum sp_status status = sp_otlp_decode(&arena, in, &limits, &batch, &error);
    struct sp_oracle oracle = sp_oracle_decode(&arena, in, limits.nesting_max);
    SP_ASSERT((status == SP_OK) == (oracle.batch != NULL));
    SP_ASSERT(status != SP_MALFORMED || oracle.malformed);
    SP_ASSERT(status != SP_LIMIT || oracle.deep || oracle.malformed);
    if (status == SP_OK) {
        SP_ASSERT(batch->span_count == oracle.batch->span_count);
        SP_ASSERT(batch->rejected_count == oracle.batch->rejected_count);
        SP_ASSERT(memcmp(batch->rejected, oracle.batch->rejected, sizeof(batch->rejected)) == 0);
        SP_ASSERT((batch->rejected_count > 0) == (batch->rejected_reason.len > 0));
        batch = sp_oracle_normalise(&arena, batch);
        for (size_t i = 0; i < batch->span_count; i++) {
            SP_ASSERT(sp_span_equal(&batch->spans[i], &oracle.batch->spans[i]));
        }
    } else {
        SP_ASSERT(batch == NULL && error.status == status && error.message[0]);
    }
    sp_arena_fini(&arena);
}
