/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/wire/json_encode.c: spans as OTLP JSON. Fields with the default value are left out, as protobuf's mapping does;
 * a span's times, kind and ids are always there, for those who read without a schema.
 * Spec: opentelemetry-proto docs/specification.md, "JSON Protobuf Encoding". */
#include "lib/wire/wire.h"

static void field_text(struct sp_json_writer *w, const char *key, struct sp_slice text)
{
    if (text.len > 0) {
        sp_json_key(w, key);
        sp_json_string(w, text);
    }
}

static void field_number(struct sp_json_writer *w, const char *key, int64_t number)
{
    if (number != 0) {
        sp_json_key(w, key);
        sp_json_i64(w, number);
    }
}

static void field_time(struct sp_json_writer *w, const char *key, uint64_t unix_ns)
{
    sp_json_key(w, key);
    sp_json_u64_string(w, unix_ns);
}

static void field_hex(struct sp_json_writer *w, const char *key, const uint8_t *bytes, size_t len)
{
    sp_json_key(w, key);
    sp_json_hex(w, sp_slice_make(bytes, len));
}

static void scalar(struct sp_json_writer *w, const struct sp_value *value)
{
    sp_json_object_begin(w);
    switch (value->kind) {
    case SP_VALUE_STRING:
        sp_json_key(w, "stringValue");
        sp_json_string(w, value->string);
        break;
    case SP_VALUE_BOOL:
        sp_json_key(w, "boolValue");
        sp_json_bool(w, value->boolean);
        break;
    case SP_VALUE_INT:
        sp_json_key(w, "intValue");
        sp_json_i64_string(w, value->integer);
        break;
    case SP_VALUE_DOUBLE:
        sp_json_key(w, "doubleValue");
        sp_json_double(w, value->number);
        break;
    case SP_VALUE_BYTES:
        sp_json_key(w, "bytesValue");
        sp_json_base64(w, value->string);
        break;
    case SP_VALUE_EMPTY:
    case SP_VALUE_ARRAY: /* containers do not come here */
    case SP_VALUE_KVLIST:
        break;
    }
    sp_json_object_end(w);
}

static void container_begin(struct sp_json_writer *w, enum sp_value_kind kind)
{
    sp_json_object_begin(w);
    sp_json_key(w, kind == SP_VALUE_ARRAY ? "arrayValue" : "kvlistValue");
    sp_json_object_begin(w);
    sp_json_key(w, "values");
    sp_json_array_begin(w);
}

static void container_end(struct sp_json_writer *w)
{
    sp_json_array_end(w);
    sp_json_object_end(w);
    sp_json_object_end(w);
}

_Static_assert(SP_JSON_DEPTH_MAX >= 4 * SP_NESTING_MAX + 32,
               "a value nested as deep as decoders let in must fit, four levels of JSON each");

void sp_otlp_json_value(const struct sp_value *value, struct sp_json_writer *w)
{
    struct sp_value_walk walk;
    sp_value_walk_init(&walk, value);
    for (enum sp_walk_event event; (event = sp_value_walk_next(&walk)) != SP_WALK_END;) {
        if (walk.entry && event != SP_WALK_LEAVE) { /* of a kvlist: {"key":..., "value":...} */
            sp_json_object_begin(w);
            sp_json_key(w, "key");
            sp_json_string(w, walk.entry->key);
            sp_json_key(w, "value");
        }
        if (event == SP_WALK_SCALAR)
            scalar(w, walk.value);
        else if (event == SP_WALK_ENTER)
            container_begin(w, walk.value->kind);
        else
            container_end(w);
        if (walk.entry && event != SP_WALK_ENTER)
            sp_json_object_end(w);
    }
}

void sp_otlp_json_attributes(const struct sp_attributes *attributes, struct sp_json_writer *w)
{
    sp_json_array_begin(w);
    for (uint32_t i = 0; i < attributes->count; i++) {
        sp_json_object_begin(w);
        sp_json_key(w, "key");
        sp_json_string(w, attributes->items[i].key);
        sp_json_key(w, "value");
        sp_otlp_json_value(&attributes->items[i].value, w);
        sp_json_object_end(w);
    }
    sp_json_array_end(w);
}

static void field_attributes(struct sp_json_writer *w, const struct sp_attributes *attributes)
{
    if (attributes->count > 0) {
        sp_json_key(w, "attributes");
        sp_otlp_json_attributes(attributes, w);
    }
    field_number(w, "droppedAttributesCount", attributes->dropped);
}

static void write_event(struct sp_json_writer *w, const struct sp_event *event)
{
    sp_json_object_begin(w);
    field_time(w, "timeUnixNano", event->time_unix_ns);
    field_text(w, "name", event->name);
    field_attributes(w, &event->attributes);
    sp_json_object_end(w);
}

static void write_link(struct sp_json_writer *w, const struct sp_link *link)
{
    sp_json_object_begin(w);
    field_hex(w, "traceId", link->trace_id.bytes, SP_TRACE_ID_BYTES);
    field_hex(w, "spanId", link->span_id.bytes, SP_SPAN_ID_BYTES);
    field_text(w, "traceState", link->trace_state);
    field_attributes(w, &link->attributes);
    field_number(w, "flags", link->flags);
    sp_json_object_end(w);
}

static void events_and_links(struct sp_json_writer *w, const struct sp_span *span)
{
    if (span->event_count > 0) {
        sp_json_key(w, "events");
        sp_json_array_begin(w);
        for (uint32_t i = 0; i < span->event_count; i++)
            write_event(w, &span->events[i]);
        sp_json_array_end(w);
    }
    field_number(w, "droppedEventsCount", span->dropped_events);
    if (span->link_count > 0) {
        sp_json_key(w, "links");
        sp_json_array_begin(w);
        for (uint32_t i = 0; i < span->link_count; i++)
            write_link(w, &span->links[i]);
        sp_json_array_end(w);
    }
    field_number(w, "droppedLinksCount", span->dropped_links);
}

void sp_otlp_json_span(const struct sp_span *span, struct sp_json_writer *w)
{
    sp_json_object_begin(w);
    field_hex(w, "traceId", span->trace_id.bytes, SP_TRACE_ID_BYTES);
    field_hex(w, "spanId", span->span_id.bytes, SP_SPAN_ID_BYTES);
    field_text(w, "traceState", span->trace_state);
    if (!sp_span_id_is_zero(&span->parent_span_id))
        field_hex(w, "parentSpanId", span->parent_span_id.bytes, SP_SPAN_ID_BYTES);
    field_number(w, "flags", span->flags);
    field_text(w, "name", span->name);
    sp_json_key(w, "kind");
    sp_json_i64(w, span->kind);
    field_time(w, "startTimeUnixNano", span->start_unix_ns);
    field_time(w, "endTimeUnixNano", span->end_unix_ns);
    field_attributes(w, &span->attributes);
    events_and_links(w, span);
    if (span->status_present) {
        sp_json_key(w, "status");
        sp_json_object_begin(w);
        field_text(w, "message", span->status_message);
        field_number(w, "code", span->status_code);
        sp_json_object_end(w);
    }
    sp_json_object_end(w);
}

void sp_otlp_json_resource(const struct sp_resource *resource, struct sp_json_writer *w)
{
    sp_json_object_begin(w);
    field_attributes(w, &resource->attributes);
    sp_json_object_end(w);
}

void sp_otlp_json_scope(const struct sp_scope *scope, struct sp_json_writer *w)
{
    sp_json_object_begin(w);
    field_text(w, "name", scope->name);
    field_text(w, "version", scope->version);
    field_attributes(w, &scope->attributes);
    sp_json_object_end(w);
}

/* One ScopeSpans: the run of spans from begin that share resource and scope. Returns its end. */
static size_t scope_spans(struct sp_json_writer *w, const struct sp_span *const *spans,
                          size_t begin, size_t count)
{
    const struct sp_scope *scope = spans[begin]->scope;
    size_t i = begin;
    sp_json_object_begin(w);
    if (scope->present) {
        sp_json_key(w, "scope");
        sp_otlp_json_scope(scope, w);
    }
    sp_json_key(w, "spans");
    sp_json_array_begin(w);
    while (i < count && sp_scope_equal(spans[i]->scope, scope) &&
           sp_resource_equal(spans[i]->resource, spans[begin]->resource))
        sp_otlp_json_span(spans[i++], w);
    sp_json_array_end(w);
    field_text(w, "schemaUrl", scope->schema_url);
    sp_json_object_end(w);
    return i;
}

void sp_otlp_json_encode(const struct sp_span *const *spans, size_t count, struct sp_json_writer *w)
{
    sp_json_object_begin(w);
    sp_json_key(w, "resourceSpans");
    sp_json_array_begin(w);
    for (size_t i = 0; i < count;) {
        const struct sp_resource *resource = spans[i]->resource;
        sp_json_object_begin(w);
        if (resource->present) {
            sp_json_key(w, "resource");
            sp_otlp_json_resource(resource, w);
        }
        sp_json_key(w, "scopeSpans");
        sp_json_array_begin(w);
        while (i < count && sp_resource_equal(spans[i]->resource, resource))
            i = scope_spans(w, spans, i, count);
        sp_json_array_end(w);
        field_text(w, "schemaUrl", resource->schema_url);
        sp_json_object_end(w);
    }
    sp_json_array_end(w);
    sp_json_object_end(w);
}
