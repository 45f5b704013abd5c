/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/wire/decode.c: sp_otlp_decode: the upper levels of an export request, resource and scope, and what all levels need:
 * errors with their place, refusals, the stack of children. Two passes: the first counts spans (and so checks the framing
 * of the upper levels), the second decodes. */
#include <stdarg.h>
#include <stdio.h>

#include "lib/wire/decoder.h"
#include "lib/wire/wire.h"

/* Field numbers each message knows, as bits. */
enum {
    KNOWN_REQUEST = 0x2,
    KNOWN_RESOURCE_SPANS = 0xe,
    KNOWN_SCOPE_SPANS = 0xe,
    KNOWN_RESOURCE = 0x6,
    KNOWN_SCOPE = 0x1e,
};

#define CHILDREN_MIN 256

static void place_format(const struct sp_decoder *d, enum sp_level level, const char *part,
                         char *out, size_t out_bytes)
{
    static const char *const names[] = {"request", "resource_spans", ".scope_spans", ".spans"};
    size_t len = 0;
    if (level == SP_LEVEL_REQUEST) {
        snprintf(out, out_bytes, "%s", names[0]);
        return;
    }
    for (enum sp_level i = SP_LEVEL_RESOURCE; i <= level && len < out_bytes; i++)
        len += (size_t)snprintf(out + len, out_bytes - len, "%s[%u]", names[i], d->index[i]);
    if (part && len < out_bytes)
        snprintf(out + len, out_bytes - len, ".%s", part);
}

bool sp_decoder_fail(struct sp_decoder *d, enum sp_status status, const uint8_t *at,
                     const char *format, ...)
{
    char place[128], text[256];
    place_format(d, d->level, d->part, place, sizeof(place));
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    /* Joined messages lie in the arena: then only the place is known. */
    uintptr_t offset = (uintptr_t)at - (uintptr_t)d->in.ptr;
    d->status = at && offset <= d->in.len
                    ? sp_error_set_at(d->reterr, status, offset, "%s: %s", place, text)
                    : sp_error_set(d->reterr, status, "%s: %s", place, text);
    return false;
}

bool sp_decoder_no_memory(struct sp_decoder *d)
{
    if (d->arena->error == SP_LIMIT) {
        return sp_decoder_fail(d, SP_LIMIT, NULL, "the decoded request needs more than %zu bytes",
                               d->arena->cap_bytes);
    }
    d->status = sp_arena_failed(d->arena, d->reterr, "no room for the decoded request");
    return false;
}

/* Of the span that is read now. */
static uint32_t all_faults(const struct sp_decoder *d)
{
    return d->faults[SP_LEVEL_RESOURCE] | d->faults[SP_LEVEL_SCOPE] | d->faults[SP_LEVEL_SPAN];
}

void sp_decoder_refuse(struct sp_decoder *d, enum sp_level level, enum sp_rejection why,
                       const char *format, ...)
{
    bool first = d->rejected_count == 0 && all_faults(d) == 0;
    d->faults[level] |= 1U << why;
    if (!first)
        return;
    char place[128], text[256];
    place_format(d, level, level == d->level ? d->part : NULL, place, sizeof(place));
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    snprintf(d->reason, sizeof(d->reason), "%s: %s", place, text);
}

void sp_decoder_refuse_text(struct sp_decoder *d, enum sp_level level, const char *what)
{
    static const enum sp_rejection rejections[] = {
        [SP_LEVEL_RESOURCE] = SP_REJECTED_RESOURCE_NOT_UTF8,
        [SP_LEVEL_SCOPE] = SP_REJECTED_SCOPE_NOT_UTF8,
        [SP_LEVEL_SPAN] = SP_REJECTED_SPAN_NOT_UTF8,
    };
    sp_decoder_refuse(d, level, rejections[level], "%s is not valid UTF-8", what);
}

bool sp_joined_add(struct sp_decoder *d, struct sp_joined *joined, struct sp_slice bytes)
{
    size_t len = joined->bytes.len;
    if (!joined->own && (len == 0 || joined->bytes.ptr + len == bytes.ptr)) {
        joined->bytes.ptr = len == 0 ? bytes.ptr : joined->bytes.ptr;
        joined->bytes.len = len + bytes.len;
        return true;
    }
    if (bytes.len > joined->cap - (joined->own ? len : 0)) {
        size_t cap = (len + bytes.len) * 2;
        uint8_t *grown = sp_arena_alloc(d->arena, cap);
        if (!grown)
            return sp_decoder_no_memory(d);
        memcpy(grown, joined->bytes.ptr, len);
        joined->own = grown;
        joined->bytes.ptr = grown;
        joined->cap = cap;
    }
    if (bytes.len > 0)
        memcpy(joined->own + len, bytes.ptr, bytes.len);
    joined->bytes.len = len + bytes.len;
    return true;
}

bool sp_decoder_unknown(struct sp_decoder *d, struct sp_field field, const uint8_t *end,
                        uint32_t known, struct sp_joined *residue)
{
    uint32_t number = field.tag >> 3;
    if (number < 32 && (known >> number & 1)) {
        return sp_decoder_fail(d, SP_MALFORMED, field.begin, "field %u has the wire type %u",
                               number, field.tag & 7);
    }
    return !residue ||
           sp_joined_add(d, residue, sp_slice_make(field.begin, (size_t)(end - field.begin)));
}

bool sp_decoder_grow_children(struct sp_decoder *d)
{
    size_t cap = d->child_cap ? d->child_cap * 2 : CHILDREN_MIN;
    struct sp_child *grown = sp_arena_grow(
        d->arena, d->children, d->child_cap * sizeof(*d->children), cap * sizeof(*d->children));
    if (!grown)
        return sp_decoder_no_memory(d);
    d->children = grown;
    d->child_cap = cap;
    return true;
}

static bool scope_message(struct sp_decoder *d, struct sp_slice bytes, struct sp_scope *ret)
{
    struct sp_scan scan = sp_scan_make(bytes);
    struct sp_field f;
    struct sp_joined residue = {0};
    size_t base = d->child_count;
    while (scan.at < scan.end) {
        NEXT_FIELD(d, &scan, &f);
        switch (f.tag) {
        case SP_TAG(1, SP_WIRE_LEN):
            ret->name = f.bytes;
            sp_decoder_check_text(d, SP_LEVEL_SCOPE, f.bytes, "name");
            break;
        case SP_TAG(2, SP_WIRE_LEN):
            ret->version = f.bytes;
            sp_decoder_check_text(d, SP_LEVEL_SCOPE, f.bytes, "version");
            break;
        case SP_TAG(3, SP_WIRE_LEN):
            if (!sp_decoder_push_attribute(d, f))
                return false;
            break;
        case SP_TAG(4, SP_WIRE_VARINT):
            ret->attributes.dropped = (uint32_t)f.number;
            break;
        default:
            if (!sp_decoder_unknown(d, f, scan.at, KNOWN_SCOPE, &residue))
                return false;
        }
    }
    bool ok = sp_decode_attributes(d, SP_LEVEL_SCOPE, base, 3, (uint32_t)(d->child_count - base),
                                   &ret->attributes);
    d->child_count = base;
    ret->residue = residue.bytes;
    return ok;
}

static bool resource_message(struct sp_decoder *d, struct sp_slice bytes, struct sp_resource *ret)
{
    struct sp_scan scan = sp_scan_make(bytes);
    struct sp_field f;
    struct sp_joined residue = {0};
    size_t base = d->child_count;
    while (scan.at < scan.end) {
        NEXT_FIELD(d, &scan, &f);
        switch (f.tag) {
        case SP_TAG(1, SP_WIRE_LEN):
            if (!sp_decoder_push_attribute(d, f))
                return false;
            break;
        case SP_TAG(2, SP_WIRE_VARINT):
            ret->attributes.dropped = (uint32_t)f.number;
            break;
        default:
            if (!sp_decoder_unknown(d, f, scan.at, KNOWN_RESOURCE, &residue))
                return false;
        }
    }
    bool ok = sp_decode_attributes(d, SP_LEVEL_RESOURCE, base, 1, (uint32_t)(d->child_count - base),
                                   &ret->attributes);
    d->child_count = base;
    ret->residue = residue.bytes;
    return ok;
}

/* Decodes the spans of one ScopeSpans: all that was pushed from base on. */
static bool scope_children(struct sp_decoder *d, size_t base, const struct sp_resource *resource,
                           const struct sp_scope *scope)
{
    size_t top = d->child_count;
    d->level = SP_LEVEL_SPAN;
    for (size_t i = base; i < top; i++) {
        d->index[SP_LEVEL_SPAN] = (uint32_t)(i - base);
        if (!sp_decode_span(d, d->children[i].bytes))
            return false;
        uint32_t faults = all_faults(d);
        if (SP_UNLIKELY(faults != 0)) {
            d->rejected_count++;
            d->rejected[sp_rejection_first(faults)]++;
            continue;
        }
        d->spans[d->span_count].resource = resource;
        d->spans[d->span_count].scope = scope;
        d->span_count++;
    }
    d->level = SP_LEVEL_SCOPE;
    d->part = NULL;
    return true;
}

static bool scope_spans(struct sp_decoder *d, struct sp_slice bytes,
                        const struct sp_resource *resource)
{
    struct sp_scan scan = sp_scan_make(bytes);
    struct sp_field f;
    struct sp_joined message = {0}, residue = {0};
    size_t base = d->child_count;
    struct sp_scope *scope = sp_arena_calloc(d->arena, 1, sizeof(*scope));
    if (!scope)
        return sp_decoder_no_memory(d);
    d->faults[SP_LEVEL_SCOPE] = d->faults[SP_LEVEL_SPAN] = 0;
    while (scan.at < scan.end) {
        NEXT_FIELD(d, &scan, &f);
        bool ok = true;
        switch (f.tag) {
        case SP_TAG(1, SP_WIRE_LEN):
            scope->present = true;
            ok = sp_joined_add(d, &message, f.bytes);
            break;
        case SP_TAG(2, SP_WIRE_LEN):
            ok = sp_decoder_push(d, f);
            break;
        case SP_TAG(3, SP_WIRE_LEN):
            scope->schema_url = f.bytes;
            sp_decoder_check_text(d, SP_LEVEL_SCOPE, f.bytes, "schema_url");
            break;
        default:
            ok = sp_decoder_unknown(d, f, scan.at, KNOWN_SCOPE_SPANS, &residue);
        }
        if (!ok)
            return false;
    }
    scope->group_residue = residue.bytes;
    d->part = "scope";
    if (!scope_message(d, message.bytes, scope) || !scope_children(d, base, resource, scope))
        return false;
    d->child_count = base;
    return true;
}

static bool resource_spans(struct sp_decoder *d, struct sp_slice bytes)
{
    struct sp_scan scan = sp_scan_make(bytes);
    struct sp_field f;
    struct sp_joined message = {0}, residue = {0};
    size_t base = d->child_count;
    struct sp_resource *resource = sp_arena_calloc(d->arena, 1, sizeof(*resource));
    if (!resource)
        return sp_decoder_no_memory(d);
    memset(d->faults, 0, sizeof(d->faults));
    while (scan.at < scan.end) {
        NEXT_FIELD(d, &scan, &f);
        bool ok = true;
        switch (f.tag) {
        case SP_TAG(1, SP_WIRE_LEN):
            resource->present = true;
            ok = sp_joined_add(d, &message, f.bytes);
            break;
        case SP_TAG(2, SP_WIRE_LEN):
            ok = sp_decoder_push(d, f);
            break;
        case SP_TAG(3, SP_WIRE_LEN):
            resource->schema_url = f.bytes;
            sp_decoder_check_text(d, SP_LEVEL_RESOURCE, f.bytes, "schema_url");
            break;
        default:
            ok = sp_decoder_unknown(d, f, scan.at, KNOWN_RESOURCE_SPANS, &residue);
        }
        if (!ok)
            return false;
    }
    resource->group_residue = residue.bytes;
    d->part = "resource";
    if (!resource_message(d, message.bytes, resource))
        return false;
    d->part = NULL;
    size_t top = d->child_count;
    for (size_t i = base; i < top; i++) {
        d->level = SP_LEVEL_SCOPE;
        d->index[SP_LEVEL_SCOPE] = (uint32_t)(i - base);
        if (!scope_spans(d, d->children[i].bytes, resource))
            return false;
        d->level = SP_LEVEL_RESOURCE;
    }
    d->child_count = base;
    return true;
}

/* Spans of the request, whatever they are worth. Fields that are not on the way to them are left to the second pass. */
static bool count_spans(struct sp_decoder *d, size_t *ret)
{
    struct sp_scan request = sp_scan_make(d->in), resource, scope;
    struct sp_field f = {0};
    size_t count = 0;
    for (uint32_t r = 0; request.at < request.end;) {
        d->level = SP_LEVEL_REQUEST;
        NEXT_FIELD(d, &request, &f);
        if (f.tag != SP_TAG(1, SP_WIRE_LEN))
            continue;
        d->index[SP_LEVEL_RESOURCE] = r++;
        resource = sp_scan_make(f.bytes);
        for (uint32_t s = 0; resource.at < resource.end;) {
            d->level = SP_LEVEL_RESOURCE;
            NEXT_FIELD(d, &resource, &f);
            if (f.tag != SP_TAG(2, SP_WIRE_LEN))
                continue;
            d->level = SP_LEVEL_SCOPE;
            d->index[SP_LEVEL_SCOPE] = s++;
            scope = sp_scan_make(f.bytes);
            while (scope.at < scope.end) {
                NEXT_FIELD(d, &scope, &f);
                count += f.tag == SP_TAG(2, SP_WIRE_LEN);
            }
        }
    }
    d->level = SP_LEVEL_REQUEST;
    if (count > d->limits->spans_max) {
        return sp_decoder_fail(d, SP_LIMIT, NULL, "%zu spans in one request, more than %zu", count,
                               d->limits->spans_max);
    }
    *ret = count;
    return true;
}

static bool decode_request(struct sp_decoder *d)
{
    struct sp_scan scan = sp_scan_make(d->in);
    struct sp_field f;
    uint32_t index = 0;
    while (scan.at < scan.end) {
        d->level = SP_LEVEL_REQUEST;
        d->part = NULL;
        NEXT_FIELD(d, &scan, &f);
        if (f.tag != SP_TAG(1, SP_WIRE_LEN)) {
            if (!sp_decoder_unknown(d, f, scan.at, KNOWN_REQUEST, NULL))
                return false;
            continue;
        }
        d->level = SP_LEVEL_RESOURCE;
        d->index[SP_LEVEL_RESOURCE] = index++;
        if (!resource_spans(d, f.bytes))
            return false;
    }
    return true;
}

enum sp_status sp_otlp_decode(struct sp_arena *arena, struct sp_slice in,
                              const struct sp_limits *limits, const struct sp_batch **ret_batch,
                              struct sp_error *reterr)
{
    struct sp_decoder d = {
        .arena = arena,
        .in = in,
        .limits = limits,
        .nesting_max = limits->nesting_max < SP_NESTING_MAX ? limits->nesting_max : SP_NESTING_MAX,
        .attributes_left = limits->attributes_max,
        .reterr = reterr,
    };
    if (in.len > limits->body_bytes_max) {
        return sp_error_set(reterr, SP_LIMIT, "a request of %zu bytes, more than %zu", in.len,
                            limits->body_bytes_max);
    }
    size_t count = 0;
    if (!count_spans(&d, &count))
        return d.status;
    struct sp_batch *batch = sp_arena_calloc(arena, 1, sizeof(*batch));
    d.spans = sp_arena_alloc(arena, count * sizeof(*d.spans));
    if (!batch || !d.spans) {
        sp_decoder_no_memory(&d);
        return d.status;
    }
    if (!decode_request(&d))
        return d.status;
    if (d.rejected_count > 0 &&
        !sp_arena_copy(arena, sp_slice_cstr(d.reason), &batch->rejected_reason)) {
        sp_decoder_no_memory(&d);
        return d.status;
    }
    batch->spans = d.spans;
    batch->span_count = d.span_count;
    batch->rejected_count = d.rejected_count;
    memcpy(batch->rejected, d.rejected, sizeof(batch->rejected));
    *ret_batch = batch;
    return SP_OK;
}
