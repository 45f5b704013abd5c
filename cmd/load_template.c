/* SPDX-License-Identifier: Apache-2.0
 *
 * cmd/load_template.c: one walk over the wire format, with a table that says which field of which message leads to an
 * id or a time. The nesting is fixed (request, resource, scope, span, link or event), so the walk needs no recursion
 * over the input: a stack of SP_LOAD_DEPTH message ends. */
#include "cmd/load_template.h"

#include <stdlib.h>
#include <string.h>

#define SP_LOAD_DEPTH 5

enum message {
    MESSAGE_REQUEST,
    MESSAGE_RESOURCE_SPANS,
    MESSAGE_SCOPE_SPANS,
    MESSAGE_SPAN,
    MESSAGE_EVENT,
    MESSAGE_LINK
};
enum action { ACTION_ENTER, ACTION_TRACE_ID, ACTION_SPAN_ID, ACTION_TIME, ACTION_START };

/* opentelemetry-proto: collector/trace/v1/trace_service.proto and trace/v1/trace.proto. */
static const struct row {
    enum message in;
    uint32_t field;
    enum action action;
    enum message enter; /* ACTION_ENTER */
} rows[] = {
    {MESSAGE_REQUEST, 1, ACTION_ENTER, MESSAGE_RESOURCE_SPANS},
    {MESSAGE_RESOURCE_SPANS, 2, ACTION_ENTER, MESSAGE_SCOPE_SPANS},
    {MESSAGE_SCOPE_SPANS, 2, ACTION_ENTER, MESSAGE_SPAN},
    {MESSAGE_SPAN, 1, ACTION_TRACE_ID, 0},
    {MESSAGE_SPAN, 2, ACTION_SPAN_ID, 0},
    {MESSAGE_SPAN, 4, ACTION_SPAN_ID, 0},
    {MESSAGE_SPAN, 7, ACTION_START, 0},
    {MESSAGE_SPAN, 8, ACTION_TIME, 0},
    {MESSAGE_SPAN, 11, ACTION_ENTER, MESSAGE_EVENT},
    {MESSAGE_SPAN, 13, ACTION_ENTER, MESSAGE_LINK},
    {MESSAGE_EVENT, 1, ACTION_TIME, 0},
    {MESSAGE_LINK, 1, ACTION_TRACE_ID, 0},
    {MESSAGE_LINK, 2, ACTION_SPAN_ID, 0},
};

enum { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };

struct walk {
    const uint8_t *bytes;
    size_t pos;
    struct {
        enum message message;
        size_t end;
    } stack[SP_LOAD_DEPTH];
    size_t depth;
};

static bool read_varint(struct walk *w, size_t end, uint64_t *ret)
{
    uint64_t value = 0;
    for (uint32_t shift = 0; shift < 64 && w->pos < end; shift += 7) {
        uint8_t byte = w->bytes[w->pos++];
        value |= (uint64_t)(byte & 0x7f) << shift;
        if ((byte & 0x80) == 0) {
            *ret = value;
            return true;
        }
    }
    return false;
}

static const struct row *find_row(enum message in, uint64_t field)
{
    for (size_t i = 0; i < SP_ARRAY_LEN(rows); i++) {
        if (rows[i].in == in && rows[i].field == field)
            return &rows[i];
    }
    return NULL;
}

static uint64_t read_le64(const uint8_t *p)
{
    uint64_t v = 0;
    for (int i = 7; i >= 0; i--)
        v = v << 8 | p[i];
    return v;
}

static void write_le64(uint8_t *p, uint64_t v)
{
    for (int i = 0; i < 8; i++)
        p[i] = (uint8_t)(v >> (8 * i));
}

static bool add_patch(struct sp_load_template *t, size_t offset, int kind)
{
    if (t->patch_count == t->patch_cap) {
        size_t cap = t->patch_cap ? 2 * t->patch_cap : 1024;
        struct sp_load_patch *patches = realloc(t->patches, cap * sizeof(*patches));
        if (!patches)
            return false;
        t->patches = patches;
        t->patch_cap = cap;
    }
    t->patches[t->patch_count++] = (struct sp_load_patch){.offset = offset, .kind = kind};
    return true;
}

/* Notes the place of one id or time. False: no memory. */
static bool take_field(struct sp_load_template *t, enum action action, size_t offset, size_t len)
{
    switch (action) {
    case ACTION_TRACE_ID:
        if (len != SP_TRACE_ID_BYTES)
            return true;
        if (sp_trace_id_is_zero(&t->first_trace_id))
            memcpy(t->first_trace_id.bytes, t->bytes.ptr + offset, len);
        return add_patch(t, offset, SP_LOAD_TRACE_ID);
    case ACTION_SPAN_ID:
        return len != SP_SPAN_ID_BYTES || add_patch(t, offset, SP_LOAD_SPAN_ID);
    case ACTION_START: {
        uint64_t start = read_le64(t->bytes.ptr + offset);
        t->start_min_unix_ns = start < t->start_min_unix_ns ? start : t->start_min_unix_ns;
        t->start_max_unix_ns = start > t->start_max_unix_ns ? start : t->start_max_unix_ns;
        return add_patch(t, offset, SP_LOAD_TIME);
    }
    case ACTION_TIME:
        return add_patch(t, offset, SP_LOAD_TIME);
    case ACTION_ENTER:
        break;
    }
    return true;
}

/* One field of the innermost message. */
static enum sp_status walk_field(struct walk *w, struct sp_load_template *t)
{
    size_t end = w->stack[w->depth - 1].end;
    uint64_t tag, len = 0;
    if (!read_varint(w, end, &tag))
        return SP_MALFORMED;
    const struct row *row = find_row(w->stack[w->depth - 1].message, tag >> 3);
    switch (tag & 7) {
    case WIRE_VARINT:
        return read_varint(w, end, &len) ? SP_OK : SP_MALFORMED;
    case WIRE_FIXED64:
        len = 8;
        break;
    case WIRE_FIXED32:
        len = 4;
        break;
    case WIRE_BYTES:
        if (!read_varint(w, end, &len))
            return SP_MALFORMED;
        break;
    default:
        return SP_MALFORMED;
    }
    if (len > end - w->pos)
        return SP_MALFORMED;
    size_t at = w->pos;
    bool bytes = (tag & 7) == WIRE_BYTES;
    if (row && row->action == ACTION_ENTER && bytes) {
        if (row->enter == MESSAGE_SPAN)
            t->span_count++;
        w->stack[w->depth].message = row->enter;
        w->stack[w->depth++].end = at + len;
        return SP_OK; /* its fields come next */
    }
    w->pos += len;
    bool id = row && (row->action == ACTION_TRACE_ID || row->action == ACTION_SPAN_ID);
    if (row && row->action != ACTION_ENTER && (id ? bytes : (tag & 7) == WIRE_FIXED64))
        return take_field(t, row->action, at, len) ? SP_OK : SP_NO_MEMORY;
    return SP_OK;
}

enum sp_status sp_load_template_init(struct sp_load_template *ret, struct sp_buf *bytes,
                                     struct sp_error *reterr)
{
    struct sp_load_template t = {.bytes = *bytes, .start_min_unix_ns = UINT64_MAX};
    struct walk w = {.bytes = bytes->ptr, .depth = 1};
    w.stack[0].message = MESSAGE_REQUEST;
    w.stack[0].end = bytes->len;
    while (w.depth > 0) {
        if (w.pos == w.stack[w.depth - 1].end) {
            w.depth--;
            continue;
        }
        enum sp_status status = walk_field(&w, &t);
        if (status != SP_OK) {
            free(t.patches);
            return sp_error_set_at(reterr, status, w.pos,
                                   "not an OTLP protobuf export request (broken at byte %zu)",
                                   w.pos);
        }
    }
    *ret = t;
    sp_buf_init(bytes, bytes->max);
    return SP_OK;
}

void sp_load_template_fini(struct sp_load_template *t)
{
    if (!t)
        return;
    sp_buf_fini(&t->bytes);
    free(t->patches);
    *t = (struct sp_load_template){0};
}

enum sp_status sp_load_template_write(const struct sp_load_template *t,
                                      const struct sp_load_variant *variant, struct sp_buf *out)
{
    sp_buf_reset(out);
    sp_buf_append_slice(out, sp_buf_slice(&t->bytes));
    if (out->error != SP_OK)
        return out->error;
    for (size_t i = 0; i < t->patch_count; i++) {
        uint8_t *at = out->ptr + t->patches[i].offset;
        switch (t->patches[i].kind) {
        case SP_LOAD_TRACE_ID:
            for (size_t k = 0; k < SP_TRACE_ID_BYTES; k++)
                at[k] ^= variant->trace_mask[k];
            break;
        case SP_LOAD_SPAN_ID: /* a zero parent id stays "no parent" */
            if (read_le64(at) == 0)
                break;
            for (size_t k = 0; k < SP_SPAN_ID_BYTES; k++)
                at[k] ^= variant->span_mask[k];
            break;
        case SP_LOAD_TIME:
            write_le64(at, read_le64(at) + (uint64_t)variant->shift_ns);
            break;
        }
    }
    return SP_OK;
}

struct sp_trace_id sp_load_variant_trace_id(const struct sp_load_variant *variant,
                                            const struct sp_trace_id *recorded)
{
    struct sp_trace_id id = *recorded;
    for (size_t k = 0; k < SP_TRACE_ID_BYTES; k++)
        id.bytes[k] ^= variant->trace_mask[k];
    return id;
}
