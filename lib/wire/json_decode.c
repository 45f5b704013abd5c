/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/wire/json_decode.c: sp_otlp_json_decode: the fixed levels of an export request in OTLP JSON. One function a message;
 * fields come in any order. Strings stay slices of the input unless they have escapes. */
#include "lib/wire/json_decoder.h"
#include "lib/wire/wire.h"

static bool decode_event(struct sp_json_decoder *d, struct sp_event *ret)
{
    static const char *const names[] = {"timeUnixNano", "name", "attributes",
                                        "droppedAttributesCount"};
    int field;
    for (;;) {
        bool ok = sp_json_decoder_key(d, names, SP_ARRAY_LEN(names), &field);
        if (ok && field < 0)
            return true;
        switch (ok ? field : -1) {
        case 0:
            ok = sp_json_decoder_u64(d, &ret->time_unix_ns);
            break;
        case 1:
            ok = sp_json_decoder_text(d, &ret->name);
            break;
        case 2:
            ok = sp_json_decode_attributes(d, &ret->attributes);
            break;
        case 3:
            ok = sp_json_decoder_u32(d, &ret->attributes.dropped);
            break;
        default:
            break;
        }
        if (!ok)
            return false;
    }
}

/* Hex into id; an id of another length or with other digits refuses the span. "" and null give zero. */
static bool id_field(struct sp_json_decoder *d, const char *name, enum sp_rejection why,
                     uint8_t *id, size_t id_bytes)
{
    struct sp_slice text = {NULL, 0};
    if (!sp_json_decoder_text(d, &text))
        return false;
    memset(id, 0, id_bytes);
    if (text.len > 0 && !sp_hex_decode(text, id, id_bytes))
        sp_json_decoder_refuse(d, why, "%s is not %zu hex digits", name, 2 * id_bytes);
    return true;
}

static bool decode_link(struct sp_json_decoder *d, struct sp_link *ret)
{
    static const char *const names[] = {"traceId",    "spanId", "traceState",
                                        "attributes", "flags",  "droppedAttributesCount"};
    int field;
    for (;;) {
        bool ok = sp_json_decoder_key(d, names, SP_ARRAY_LEN(names), &field);
        if (ok && field < 0)
            return true;
        switch (ok ? field : -1) {
        case 0:
            ok = id_field(d, "traceId of a link", SP_REJECTED_LINK_ID_INVALID, ret->trace_id.bytes,
                          SP_TRACE_ID_BYTES);
            break;
        case 1:
            ok = id_field(d, "spanId of a link", SP_REJECTED_LINK_ID_INVALID, ret->span_id.bytes,
                          SP_SPAN_ID_BYTES);
            break;
        case 2:
            ok = sp_json_decoder_text(d, &ret->trace_state);
            break;
        case 3:
            ok = sp_json_decode_attributes(d, &ret->attributes);
            break;
        case 4:
            ok = sp_json_decoder_u32(d, &ret->flags);
            break;
        case 5:
            ok = sp_json_decoder_u32(d, &ret->attributes.dropped);
            break;
        default:
            break;
        }
        if (!ok)
            return false;
    }
}

static bool decode_status(struct sp_json_decoder *d, struct sp_span *span)
{
    static const char *const names[] = {"message", "code"};
    int field = 0;
    bool ok = sp_json_decoder_object(d, &span->status_present);
    while (ok && span->status_present && field >= 0) {
        ok = sp_json_decoder_key(d, names, SP_ARRAY_LEN(names), &field);
        if (ok && field == 0)
            ok = sp_json_decoder_text(d, &span->status_message);
        else if (ok && field == 1)
            ok = sp_json_decoder_enum(d, &span->status_code);
    }
    return ok;
}

/* An array that stands twice in its message goes on, as it would in protobuf. */
static bool decode_events(struct sp_json_decoder *d, struct sp_span *span)
{
    bool more;
    if (!sp_json_decoder_array(d, &more) || !more)
        return d->status == SP_OK;
    for (uint32_t i = 0; i < span->event_count; i++)
        if (!sp_json_decoder_append(d, &d->events, &span->events[i], sizeof(span->events[i])))
            return false;
    for (;;) {
        struct sp_event event = {0};
        if (!sp_json_decoder_element(d, &more))
            return false;
        if (!more)
            break;
        if (!decode_event(d, &event) ||
            !sp_json_decoder_append(d, &d->events, &event, sizeof(event)))
            return false;
    }
    void *items;
    span->event_count = (uint32_t)(d->events.len / sizeof(struct sp_event));
    if (!sp_json_decoder_keep(d, &d->events, 0, &items))
        return false;
    span->events = items;
    return true;
}

static bool decode_links(struct sp_json_decoder *d, struct sp_span *span)
{
    bool more;
    if (!sp_json_decoder_array(d, &more) || !more)
        return d->status == SP_OK;
    for (uint32_t i = 0; i < span->link_count; i++)
        if (!sp_json_decoder_append(d, &d->links, &span->links[i], sizeof(span->links[i])))
            return false;
    for (;;) {
        struct sp_link link = {0};
        if (!sp_json_decoder_element(d, &more))
            return false;
        if (!more)
            break;
        if (!decode_link(d, &link) || !sp_json_decoder_append(d, &d->links, &link, sizeof(link)))
            return false;
    }
    void *items;
    span->link_count = (uint32_t)(d->links.len / sizeof(struct sp_link));
    if (!sp_json_decoder_keep(d, &d->links, 0, &items))
        return false;
    span->links = items;
    return true;
}

enum span_field {
    TRACE_ID,
    SPAN_ID,
    PARENT_SPAN_ID,
    NAME,
    KIND,
    START,
    END,
    ATTRIBUTES,
    STATUS,
    FLAGS,
    EVENTS,
    LINKS,
    TRACE_STATE,
    DROPPED_ATTRIBUTES,
    DROPPED_EVENTS,
    DROPPED_LINKS,
};

static const char *const span_names[] = {
    [TRACE_ID] = "traceId",
    [SPAN_ID] = "spanId",
    [PARENT_SPAN_ID] = "parentSpanId",
    [NAME] = "name",
    [KIND] = "kind",
    [START] = "startTimeUnixNano",
    [END] = "endTimeUnixNano",
    [ATTRIBUTES] = "attributes",
    [STATUS] = "status",
    [FLAGS] = "flags",
    [EVENTS] = "events",
    [LINKS] = "links",
    [TRACE_STATE] = "traceState",
    [DROPPED_ATTRIBUTES] = "droppedAttributesCount",
    [DROPPED_EVENTS] = "droppedEventsCount",
    [DROPPED_LINKS] = "droppedLinksCount",
};

static bool span_field(struct sp_json_decoder *d, enum span_field field, struct sp_span *span)
{
    d->part = span_names[field];
    switch (field) {
    case TRACE_ID:
        return id_field(d, "traceId", SP_REJECTED_TRACE_ID_INVALID, span->trace_id.bytes,
                        SP_TRACE_ID_BYTES);
    case SPAN_ID:
        return id_field(d, "spanId", SP_REJECTED_SPAN_ID_INVALID, span->span_id.bytes,
                        SP_SPAN_ID_BYTES);
    case PARENT_SPAN_ID:
        return id_field(d, "parentSpanId", SP_REJECTED_PARENT_SPAN_ID_INVALID,
                        span->parent_span_id.bytes, SP_SPAN_ID_BYTES);
    case NAME:
        return sp_json_decoder_text(d, &span->name);
    case KIND:
        return sp_json_decoder_enum(d, &span->kind);
    case START:
        return sp_json_decoder_u64(d, &span->start_unix_ns);
    case END:
        return sp_json_decoder_u64(d, &span->end_unix_ns);
    case ATTRIBUTES:
        return sp_json_decode_attributes(d, &span->attributes);
    case STATUS:
        return decode_status(d, span);
    case FLAGS:
        return sp_json_decoder_u32(d, &span->flags);
    case EVENTS:
        return decode_events(d, span);
    case LINKS:
        return decode_links(d, span);
    case TRACE_STATE:
        return sp_json_decoder_text(d, &span->trace_state);
    case DROPPED_ATTRIBUTES:
        return sp_json_decoder_u32(d, &span->attributes.dropped);
    case DROPPED_EVENTS:
        return sp_json_decoder_u32(d, &span->dropped_events);
    case DROPPED_LINKS:
        return sp_json_decoder_u32(d, &span->dropped_links);
    }
    return false;
}

static bool decode_span(struct sp_json_decoder *d, const struct sp_resource *resource,
                        const struct sp_scope *scope)
{
    struct sp_span span = {.resource = resource, .scope = scope};
    int field;
    d->faults = 0;
    for (;;) {
        d->part = NULL;
        if (!sp_json_decoder_key(d, span_names, SP_ARRAY_LEN(span_names), &field))
            return false;
        if (field < 0)
            break;
        if (!span_field(d, (enum span_field)field, &span))
            return false;
    }
    if (sp_trace_id_is_zero(&span.trace_id))
        sp_json_decoder_refuse(d, SP_REJECTED_TRACE_ID_MISSING, "traceId is missing or zero");
    if (sp_span_id_is_zero(&span.span_id))
        sp_json_decoder_refuse(d, SP_REJECTED_SPAN_ID_MISSING, "spanId is missing or zero");
    if (d->rejected_count + d->spans.len / sizeof(span) >= d->limits->spans_max)
        return sp_json_decoder_limit(d, "more than %zu spans in one request", d->limits->spans_max);
    if (d->faults != 0) {
        d->rejected_count++;
        d->rejected[sp_rejection_first(d->faults)]++;
        return true;
    }
    return sp_json_decoder_append(d, &d->spans, &span, sizeof(span));
}

static bool decode_spans(struct sp_json_decoder *d, const struct sp_resource *resource,
                         const struct sp_scope *scope)
{
    bool more;
    if (!sp_json_decoder_array(d, &more) || !more)
        return d->status == SP_OK;
    d->level = SP_JSON_SPAN;
    for (d->index[SP_JSON_SPAN] = 0;; d->index[SP_JSON_SPAN]++) {
        if (!sp_json_decoder_element(d, &more))
            return false;
        if (!more)
            break;
        if (!decode_span(d, resource, scope))
            return false;
    }
    d->level = SP_JSON_SCOPE;
    return true;
}

static bool decode_scope(struct sp_json_decoder *d, struct sp_scope *scope)
{
    static const char *const names[] = {"name", "version", "attributes", "droppedAttributesCount"};
    int field = 0;
    bool ok = sp_json_decoder_object(d, &scope->present);
    while (ok && scope->present && field >= 0) {
        ok = sp_json_decoder_key(d, names, SP_ARRAY_LEN(names), &field);
        switch (ok ? field : -1) {
        case 0:
            ok = sp_json_decoder_text(d, &scope->name);
            break;
        case 1:
            ok = sp_json_decoder_text(d, &scope->version);
            break;
        case 2:
            ok = sp_json_decode_attributes(d, &scope->attributes);
            break;
        case 3:
            ok = sp_json_decoder_u32(d, &scope->attributes.dropped);
            break;
        default:
            break;
        }
    }
    return ok;
}

static bool decode_resource(struct sp_json_decoder *d, struct sp_resource *resource)
{
    static const char *const names[] = {"attributes", "droppedAttributesCount"};
    int field = 0;
    bool ok = sp_json_decoder_object(d, &resource->present);
    while (ok && resource->present && field >= 0) {
        ok = sp_json_decoder_key(d, names, SP_ARRAY_LEN(names), &field);
        if (ok && field == 0)
            ok = sp_json_decode_attributes(d, &resource->attributes);
        else if (ok && field == 1)
            ok = sp_json_decoder_u32(d, &resource->attributes.dropped);
    }
    return ok;
}

static bool decode_scope_spans(struct sp_json_decoder *d, const struct sp_resource *resource)
{
    static const char *const names[] = {"scope", "spans", "schemaUrl"};
    struct sp_scope *scope = sp_arena_calloc(d->arena, 1, sizeof(*scope));
    if (!scope)
        return sp_json_decoder_no_memory(d, d->arena->error);
    for (int field = 0;;) {
        d->part = NULL;
        bool ok = sp_json_decoder_key(d, names, SP_ARRAY_LEN(names), &field);
        if (ok && field < 0)
            return true;
        if (ok && field != 1)
            d->part = names[field];
        switch (ok ? field : -1) {
        case 0:
            ok = decode_scope(d, scope);
            break;
        case 1:
            ok = decode_spans(d, resource, scope);
            break;
        case 2:
            ok = sp_json_decoder_text(d, &scope->schema_url);
            break;
        default:
            break;
        }
        if (!ok)
            return false;
    }
}

/* The array of ScopeSpans. */
static bool decode_scopes(struct sp_json_decoder *d, const struct sp_resource *resource)
{
    bool more;
    if (!sp_json_decoder_array(d, &more) || !more)
        return d->status == SP_OK;
    d->level = SP_JSON_SCOPE;
    for (d->index[SP_JSON_SCOPE] = 0;; d->index[SP_JSON_SCOPE]++) {
        if (!sp_json_decoder_element(d, &more))
            return false;
        if (!more)
            break;
        if (!decode_scope_spans(d, resource))
            return false;
    }
    d->level = SP_JSON_RESOURCE;
    return true;
}

static bool decode_resource_spans(struct sp_json_decoder *d)
{
    static const char *const names[] = {"resource", "scopeSpans", "schemaUrl"};
    struct sp_resource *resource = sp_arena_calloc(d->arena, 1, sizeof(*resource));
    if (!resource)
        return sp_json_decoder_no_memory(d, d->arena->error);
    for (int field = 0;;) {
        d->part = NULL;
        bool ok = sp_json_decoder_key(d, names, SP_ARRAY_LEN(names), &field);
        if (ok && field < 0)
            return true;
        if (ok && field != 1)
            d->part = names[field];
        switch (ok ? field : -1) {
        case 0:
            ok = decode_resource(d, resource);
            break;
        case 1:
            ok = decode_scopes(d, resource);
            break;
        case 2:
            ok = sp_json_decoder_text(d, &resource->schema_url);
            break;
        default:
            break;
        }
        if (!ok)
            return false;
    }
}

static bool decode_resources(struct sp_json_decoder *d)
{
    bool more;
    if (!sp_json_decoder_array(d, &more) || !more)
        return d->status == SP_OK;
    d->level = SP_JSON_RESOURCE;
    for (d->index[SP_JSON_RESOURCE] = 0;; d->index[SP_JSON_RESOURCE]++) {
        if (!sp_json_decoder_element(d, &more))
            return false;
        if (!more)
            break;
        if (!decode_resource_spans(d))
            return false;
    }
    d->level = SP_JSON_REQUEST;
    return true;
}

static bool decode_request(struct sp_json_decoder *d)
{
    static const char *const names[] = {"resourceSpans"};
    int field = 0;
    if (sp_json_next(&d->r) != SP_JSON_OBJECT_BEGIN)
        return sp_json_decoder_expected(d, "an object");
    while (field >= 0)
        if (!sp_json_decoder_key(d, names, SP_ARRAY_LEN(names), &field) ||
            (field == 0 && !decode_resources(d)))
            return false;
    return sp_json_next(&d->r) == SP_JSON_END || sp_json_decoder_failed(d);
}

static bool finish(struct sp_json_decoder *d, const struct sp_batch **ret_batch)
{
    struct sp_batch *batch = sp_arena_calloc(d->arena, 1, sizeof(*batch));
    size_t count = d->spans.len / sizeof(struct sp_span);
    void *spans;
    if (!sp_json_decoder_keep(d, &d->spans, 0, &spans))
        return false;
    if (!batch || (d->rejected_count > 0 &&
                   !sp_arena_copy(d->arena, sp_slice_cstr(d->reason), &batch->rejected_reason)))
        return sp_json_decoder_no_memory(d, d->arena->error);
    batch->spans = spans;
    batch->span_count = count;
    batch->rejected_count = d->rejected_count;
    memcpy(batch->rejected, d->rejected, sizeof(batch->rejected));
    *ret_batch = batch;
    return true;
}

enum sp_status sp_otlp_json_decode(struct sp_arena *arena, struct sp_slice in,
                                   const struct sp_limits *limits,
                                   const struct sp_batch **ret_batch, struct sp_error *reterr)
{
    struct sp_json_decoder d = {
        .arena = arena,
        .limits = limits,
        .nesting_max = limits->nesting_max < SP_NESTING_MAX ? limits->nesting_max : SP_NESTING_MAX,
        .attributes_left = limits->attributes_max,
        .reterr = reterr,
    };
    if (in.len > limits->body_bytes_max) {
        return sp_error_set(reterr, SP_LIMIT, "a request of %zu bytes, more than %zu", in.len,
                            limits->body_bytes_max);
    }
    struct sp_buf *arrays[] = {&d.attributes, &d.values, &d.frames, &d.events,
                               &d.links,      &d.spans,  &d.scratch};
    for (size_t i = 0; i < SP_ARRAY_LEN(arrays); i++) {
        sp_buf_init(arrays[i], arena->cap_bytes);
        arrays[i]->account = arena->account;
    }
    sp_json_reader_init(&d.r, in, arena, SP_JSON_DEPTH_MAX);
    bool ok = decode_request(&d) && finish(&d, ret_batch);
    for (size_t i = 0; i < SP_ARRAY_LEN(arrays); i++)
        sp_buf_fini(arrays[i]);
    return ok ? SP_OK : d.status;
}
