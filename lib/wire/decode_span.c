/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/wire/decode_span.c: Span, Event, Link and Status. One function a message; each scans its fields once, remembers its
 * repeated children on a stack, and then makes their arrays at their final size. Strings and bytes stay slices of the
 * input. Spec: trace/v1/trace.proto. */
#include "lib/wire/decoder.h"

/* Field numbers each message knows, as bits. */
enum { KNOWN_SPAN = 0x1fffe, KNOWN_EVENT = 0x1e, KNOWN_LINK = 0x7e, KNOWN_STATUS = 0xc };

/* ids of one span or link as they came, judged when all fields were read: the last one wins */
static bool id_copy(struct sp_slice from, uint8_t *to, size_t len)
{
    if (from.len != len)
        return false;
    memcpy(to, from.ptr, len);
    return true;
}

static bool decode_event(struct sp_decoder *d, struct sp_slice bytes, struct sp_event *ret)
{
    struct sp_scan scan = sp_scan_make(bytes);
    struct sp_field f;
    struct sp_joined residue = {0};
    size_t base = d->child_count;
    *ret = (struct sp_event){0};
    while (scan.at < scan.end) {
        NEXT_FIELD(d, &scan, &f);
        switch (f.tag) {
        case SP_TAG(1, SP_WIRE_I64):
            ret->time_unix_ns = f.number;
            break;
        case SP_TAG(2, SP_WIRE_LEN):
            ret->name = f.bytes;
            sp_decoder_check_text(d, SP_LEVEL_SPAN, f.bytes, "the name of an event");
            break;
        case SP_TAG(3, SP_WIRE_LEN):
            if (!sp_decoder_push_attribute(d, f))
                return false;
            break;
        case SP_TAG(4, SP_WIRE_VARINT):
            ret->attributes.dropped = (uint32_t)f.number;
            break;
        default:
            if (!sp_decoder_unknown(d, f, scan.at, KNOWN_EVENT, &residue))
                return false;
        }
    }
    bool ok = sp_decode_attributes(d, SP_LEVEL_SPAN, base, 3, (uint32_t)(d->child_count - base),
                                   &ret->attributes);
    d->child_count = base;
    ret->residue = residue.bytes;
    return ok;
}

static bool link_ids(struct sp_decoder *d, struct sp_slice trace_id, struct sp_slice span_id,
                     struct sp_link *ret)
{
    if (trace_id.len > 0 && !id_copy(trace_id, ret->trace_id.bytes, SP_TRACE_ID_BYTES)) {
        sp_decoder_refuse(d, SP_LEVEL_SPAN, SP_REJECTED_LINK_ID_INVALID,
                          "trace_id of a link has %zu bytes, not %d", trace_id.len,
                          SP_TRACE_ID_BYTES);
    }
    if (span_id.len > 0 && !id_copy(span_id, ret->span_id.bytes, SP_SPAN_ID_BYTES)) {
        sp_decoder_refuse(d, SP_LEVEL_SPAN, SP_REJECTED_LINK_ID_INVALID,
                          "span_id of a link has %zu bytes, not %d", span_id.len, SP_SPAN_ID_BYTES);
    }
    return true;
}

static bool decode_link(struct sp_decoder *d, struct sp_slice bytes, struct sp_link *ret)
{
    struct sp_scan scan = sp_scan_make(bytes);
    struct sp_field f;
    struct sp_joined residue = {0};
    struct sp_slice trace_id = {NULL, 0}, span_id = {NULL, 0};
    size_t base = d->child_count;
    *ret = (struct sp_link){0};
    while (scan.at < scan.end) {
        NEXT_FIELD(d, &scan, &f);
        switch (f.tag) {
        case SP_TAG(1, SP_WIRE_LEN):
            trace_id = f.bytes;
            break;
        case SP_TAG(2, SP_WIRE_LEN):
            span_id = f.bytes;
            break;
        case SP_TAG(3, SP_WIRE_LEN):
            ret->trace_state = f.bytes;
            sp_decoder_check_text(d, SP_LEVEL_SPAN, f.bytes, "trace_state of a link");
            break;
        case SP_TAG(4, SP_WIRE_LEN):
            if (!sp_decoder_push_attribute(d, f))
                return false;
            break;
        case SP_TAG(5, SP_WIRE_VARINT):
            ret->attributes.dropped = (uint32_t)f.number;
            break;
        case SP_TAG(6, SP_WIRE_I32):
            ret->flags = (uint32_t)f.number;
            break;
        default:
            if (!sp_decoder_unknown(d, f, scan.at, KNOWN_LINK, &residue))
                return false;
        }
    }
    bool ok = link_ids(d, trace_id, span_id, ret) &&
              sp_decode_attributes(d, SP_LEVEL_SPAN, base, 4, (uint32_t)(d->child_count - base),
                                   &ret->attributes);
    d->child_count = base;
    ret->residue = residue.bytes;
    return ok;
}

static bool decode_status(struct sp_decoder *d, struct sp_slice bytes, struct sp_span *span)
{
    struct sp_scan scan = sp_scan_make(bytes);
    struct sp_field f;
    struct sp_joined residue = {0};
    while (scan.at < scan.end) {
        NEXT_FIELD(d, &scan, &f);
        switch (f.tag) {
        case SP_TAG(2, SP_WIRE_LEN):
            span->status_message = f.bytes;
            sp_decoder_check_text(d, SP_LEVEL_SPAN, f.bytes, "the message of status");
            break;
        case SP_TAG(3, SP_WIRE_VARINT):
            span->status_code = (int32_t)(uint32_t)f.number;
            break;
        default:
            if (!sp_decoder_unknown(d, f, scan.at, KNOWN_STATUS, &residue))
                return false;
        }
    }
    span->status_residue = residue.bytes;
    return true;
}

/* What the first look at a span leaves for later. */
struct span_parts {
    struct sp_slice trace_id, span_id, parent_span_id;
    struct sp_joined status, residue;
    size_t base; /* of its children on the stack */
    uint32_t attribute_count;
};

static bool span_number(struct sp_span *span, const struct sp_field *f)
{
    switch (f->tag) {
    case SP_TAG(6, SP_WIRE_VARINT):
        span->kind = (int32_t)(uint32_t)f->number;
        return true;
    case SP_TAG(7, SP_WIRE_I64):
        span->start_unix_ns = f->number;
        return true;
    case SP_TAG(8, SP_WIRE_I64):
        span->end_unix_ns = f->number;
        return true;
    case SP_TAG(10, SP_WIRE_VARINT):
        span->attributes.dropped = (uint32_t)f->number;
        return true;
    case SP_TAG(12, SP_WIRE_VARINT):
        span->dropped_events = (uint32_t)f->number;
        return true;
    case SP_TAG(14, SP_WIRE_VARINT):
        span->dropped_links = (uint32_t)f->number;
        return true;
    case SP_TAG(16, SP_WIRE_I32):
        span->flags = (uint32_t)f->number;
        return true;
    default:
        return false;
    }
}

static bool span_fields(struct sp_decoder *d, struct sp_slice bytes, struct sp_span *span,
                        struct span_parts *parts)
{
    struct sp_scan scan = sp_scan_make(bytes);
    struct sp_field f;
    while (scan.at < scan.end) {
        NEXT_FIELD(d, &scan, &f);
        bool ok = true;
        switch (f.tag) {
        case SP_TAG(1, SP_WIRE_LEN):
            parts->trace_id = f.bytes;
            break;
        case SP_TAG(2, SP_WIRE_LEN):
            parts->span_id = f.bytes;
            break;
        case SP_TAG(3, SP_WIRE_LEN):
            span->trace_state = f.bytes;
            sp_decoder_check_text(d, SP_LEVEL_SPAN, f.bytes, "trace_state");
            break;
        case SP_TAG(4, SP_WIRE_LEN):
            parts->parent_span_id = f.bytes;
            break;
        case SP_TAG(5, SP_WIRE_LEN):
            span->name = f.bytes;
            sp_decoder_check_text(d, SP_LEVEL_SPAN, f.bytes, "name");
            break;
        case SP_TAG(9, SP_WIRE_LEN):
            parts->attribute_count++;
            ok = sp_decoder_push_attribute(d, f);
            break;
        case SP_TAG(11, SP_WIRE_LEN):
            span->event_count++;
            ok = sp_decoder_push(d, f);
            break;
        case SP_TAG(13, SP_WIRE_LEN):
            span->link_count++;
            ok = sp_decoder_push(d, f);
            break;
        case SP_TAG(15, SP_WIRE_LEN):
            span->status_present = true;
            ok = sp_joined_add(d, &parts->status, f.bytes);
            break;
        default:
            ok = span_number(span, &f) ||
                 sp_decoder_unknown(d, f, scan.at, KNOWN_SPAN, &parts->residue);
        }
        if (SP_UNLIKELY(!ok))
            return false;
    }
    return true;
}

static void span_ids(struct sp_decoder *d, const struct span_parts *parts, struct sp_span *span)
{
    if (!id_copy(parts->trace_id, span->trace_id.bytes, SP_TRACE_ID_BYTES)) {
        sp_decoder_refuse(d, SP_LEVEL_SPAN,
                          parts->trace_id.len > 0 ? SP_REJECTED_TRACE_ID_INVALID
                                                  : SP_REJECTED_TRACE_ID_MISSING,
                          "trace_id has %zu bytes, not %d", parts->trace_id.len, SP_TRACE_ID_BYTES);
    } else if (sp_trace_id_is_zero(&span->trace_id)) {
        sp_decoder_refuse(d, SP_LEVEL_SPAN, SP_REJECTED_TRACE_ID_MISSING, "trace_id is zero");
    }
    if (!id_copy(parts->span_id, span->span_id.bytes, SP_SPAN_ID_BYTES)) {
        sp_decoder_refuse(d, SP_LEVEL_SPAN,
                          parts->span_id.len > 0 ? SP_REJECTED_SPAN_ID_INVALID
                                                 : SP_REJECTED_SPAN_ID_MISSING,
                          "span_id has %zu bytes, not %d", parts->span_id.len, SP_SPAN_ID_BYTES);
    } else if (sp_span_id_is_zero(&span->span_id)) {
        sp_decoder_refuse(d, SP_LEVEL_SPAN, SP_REJECTED_SPAN_ID_MISSING, "span_id is zero");
    }
    if (parts->parent_span_id.len > 0 &&
        !id_copy(parts->parent_span_id, span->parent_span_id.bytes, SP_SPAN_ID_BYTES)) {
        sp_decoder_refuse(d, SP_LEVEL_SPAN, SP_REJECTED_PARENT_SPAN_ID_INVALID,
                          "parent_span_id has %zu bytes, not %d or none", parts->parent_span_id.len,
                          SP_SPAN_ID_BYTES);
    }
}

static bool span_events_and_links(struct sp_decoder *d, const struct span_parts *parts,
                                  struct sp_span *span)
{
    struct sp_event *events = sp_arena_alloc(d->arena, span->event_count * sizeof(*events));
    struct sp_link *links = sp_arena_alloc(d->arena, span->link_count * sizeof(*links));
    if (!events || !links)
        return sp_decoder_no_memory(d);
    span->events = events;
    span->links = links;
    size_t top = d->child_count;
    for (size_t i = parts->base; i < top; i++) {
        struct sp_child child = d->children[i]; /* by value: the stack may move */
        d->part = child.number == 11 ? "events" : "links";
        if ((child.number == 11 && !decode_event(d, child.bytes, events++)) ||
            (child.number == 13 && !decode_link(d, child.bytes, links++)))
            return false;
    }
    return true;
}

bool sp_decode_span(struct sp_decoder *d, struct sp_slice bytes)
{
    struct sp_span *span = &d->spans[d->span_count];
    struct span_parts parts = {.base = d->child_count};
    memset(span, 0, sizeof(*span));
    d->faults[SP_LEVEL_SPAN] = 0;
    d->part = NULL;
    if (!span_fields(d, bytes, span, &parts))
        return false;
    span_ids(d, &parts, span);
    span->residue = parts.residue.bytes;
    d->part = "attributes";
    if (!sp_decode_attributes(d, SP_LEVEL_SPAN, parts.base, 9, parts.attribute_count,
                              &span->attributes))
        return false;
    if (span->event_count + span->link_count > 0 && !span_events_and_links(d, &parts, span))
        return false;
    d->part = "status";
    if (!decode_status(d, parts.status.bytes, span))
        return false;
    d->child_count = parts.base;
    return true;
}
