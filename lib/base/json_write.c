/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/base/json_write.c: the streaming JSON writer. It holds one byte a level, never the document. */
#include <math.h>

#include "lib/base/json.h"
#include "lib/base/json_scan.h"
#include "lib/base/text.h"
#include "lib/base/utf8.h"

enum { LEVEL_OBJECT = 1, LEVEL_FILLED = 2 };

void sp_json_writer_init(struct sp_json_writer *w, struct sp_buf *out)
{
    w->out = out;
    w->depth = 0;
    w->after_key = w->done = false;
}

/* Called before each value: writes the comma that is due and checks that a value may stand here. */
static void before_value(struct sp_json_writer *w)
{
    if (w->depth == 0) {
        SP_ASSERT(!w->done);
        w->done = true;
        return;
    }
    if (w->depth > SP_JSON_DEPTH_MAX) {
        return; /* the buffer is in error; nothing is written any more */
    }
    uint8_t *level = &w->state[w->depth - 1];
    if (*level & LEVEL_OBJECT) {
        SP_ASSERT(w->after_key);
        w->after_key = false;
        return;
    }
    if (*level & LEVEL_FILLED) {
        sp_buf_append_byte(w->out, ',');
    }
    *level |= LEVEL_FILLED;
}

static void begin(struct sp_json_writer *w, uint8_t kind, uint8_t bracket)
{
    before_value(w);
    sp_buf_append_byte(w->out, bracket);
    if (w->depth < SP_JSON_DEPTH_MAX) {
        w->state[w->depth] = kind;
    } else if (w->out->error == SP_OK) {
        w->out->error = SP_LIMIT;
    }
    w->depth++;
}

static void end(struct sp_json_writer *w, uint8_t kind, uint8_t bracket)
{
    SP_ASSERT(w->depth > 0);
    w->depth--;
    if (w->depth < SP_JSON_DEPTH_MAX) {
        SP_ASSERT((w->state[w->depth] & LEVEL_OBJECT) == kind && !w->after_key);
    }
    sp_buf_append_byte(w->out, bracket);
}

void sp_json_object_begin(struct sp_json_writer *w)
{
    begin(w, LEVEL_OBJECT, '{');
}

void sp_json_object_end(struct sp_json_writer *w)
{
    end(w, LEVEL_OBJECT, '}');
}

void sp_json_array_begin(struct sp_json_writer *w)
{
    begin(w, 0, '[');
}

void sp_json_array_end(struct sp_json_writer *w)
{
    end(w, 0, ']');
}

static void put_escape(struct sp_buf *out, uint8_t byte)
{
    static const char names[] = "btn\0fr"; /* 0x08 to 0x0d; 0x0b has no short form */
    if (byte == '"' || byte == '\\') {
        sp_buf_append(out, (const uint8_t[]){'\\', byte}, 2);
    } else if (byte >= 0x08 && byte <= 0x0d && byte != 0x0b) {
        sp_buf_append(out, (const uint8_t[]){'\\', (uint8_t)names[byte - 0x08]}, 2);
    } else {
        char hex[2];
        sp_hex_encode(sp_slice_make(&byte, 1), hex);
        sp_buf_append(out, (const char[]){'\\', 'u', '0', '0', hex[0], hex[1]}, 6);
    }
}

static void put_string(struct sp_buf *out, struct sp_slice s)
{
    /* Nearly every string is plain: one look, one copy. */
    size_t begin = 0, pos = s.len ? sp_json_plain_run(s.ptr, s.len, 0) : 0;
    if (pos == s.len) {
        uint8_t *quoted = s.len <= SIZE_MAX - 2 ? sp_buf_reserve(out, s.len + 2) : NULL;
        if (quoted) {
            quoted[0] = '"';
            if (s.len) {
                memcpy(quoted + 1, s.ptr, s.len);
            }
            quoted[s.len + 1] = '"';
            out->len += s.len + 2;
        }
        return;
    }
    sp_buf_append_byte(out, '"'); /* from here on [begin, pos) goes out as it is */
    while (pos < s.len) {
        pos += sp_json_plain_run(s.ptr + pos, s.len - pos, 0);
        size_t step = sp_utf8_sequence(s.ptr + pos, s.len - pos);
        if (pos == s.len || step > 1) {
            pos += step;
            continue;
        }
        sp_buf_append(out, s.ptr + begin, pos - begin);
        if (step == 1) {
            put_escape(out, s.ptr[pos]);
        } else {
            sp_buf_append_cstr(out, "\xef\xbf\xbd");
        }
        begin = ++pos;
    }
    sp_buf_append(out, s.ptr + begin, s.len - begin);
    sp_buf_append_byte(out, '"');
}

void sp_json_key_slice(struct sp_json_writer *w, struct sp_slice key)
{
    SP_ASSERT(w->depth > 0 && !w->after_key);
    if (w->depth > SP_JSON_DEPTH_MAX) {
        return;
    }
    uint8_t *level = &w->state[w->depth - 1];
    SP_ASSERT(*level & LEVEL_OBJECT);
    if (*level & LEVEL_FILLED) {
        sp_buf_append_byte(w->out, ',');
    }
    *level |= LEVEL_FILLED;
    put_string(w->out, key);
    sp_buf_append_byte(w->out, ':');
    w->after_key = true;
}

void sp_json_key(struct sp_json_writer *w, const char *key)
{
    sp_json_key_slice(w, sp_slice_cstr(key));
}

void sp_json_string(struct sp_json_writer *w, struct sp_slice value)
{
    before_value(w);
    put_string(w->out, value);
}

void sp_json_cstr(struct sp_json_writer *w, const char *value)
{
    sp_json_string(w, sp_slice_cstr(value));
}

/* Digits of value, with quotes around them if wanted. */
static void put_integer(struct sp_json_writer *w, bool negative, uint64_t value, bool quoted)
{
    char text[24];
    size_t at = sizeof(text);
    if (quoted) {
        text[--at] = '"';
    }
    do {
        text[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    if (negative) {
        text[--at] = '-';
    }
    if (quoted) {
        text[--at] = '"';
    }
    before_value(w);
    sp_buf_append(w->out, text + at, sizeof(text) - at);
}

static uint64_t magnitude(int64_t value)
{
    return value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
}

void sp_json_i64(struct sp_json_writer *w, int64_t value)
{
    put_integer(w, value < 0, magnitude(value), false);
}

void sp_json_u64(struct sp_json_writer *w, uint64_t value)
{
    put_integer(w, false, value, false);
}

void sp_json_i64_string(struct sp_json_writer *w, int64_t value)
{
    put_integer(w, value < 0, magnitude(value), true);
}

void sp_json_u64_string(struct sp_json_writer *w, uint64_t value)
{
    put_integer(w, false, value, true);
}

void sp_json_double(struct sp_json_writer *w, double value)
{
    if (isnan(value)) {
        sp_json_cstr(w, "NaN");
    } else if (isinf(value)) {
        sp_json_cstr(w, value > 0 ? "Infinity" : "-Infinity");
    } else {
        char text[32];
        size_t len = sp_format_double(value, text);
        sp_json_raw(w, sp_slice_make(text, len));
    }
}

void sp_json_bool(struct sp_json_writer *w, bool value)
{
    sp_json_raw(w, value ? SP_SLICE("true") : SP_SLICE("false"));
}

void sp_json_null(struct sp_json_writer *w)
{
    sp_json_raw(w, SP_SLICE("null"));
}

void sp_json_hex(struct sp_json_writer *w, struct sp_slice bytes)
{
    before_value(w);
    sp_buf_append_byte(w->out, '"');
    uint8_t *text = bytes.len <= SIZE_MAX / 2 ? sp_buf_reserve(w->out, bytes.len * 2) : NULL;
    if (text) {
        sp_hex_encode(bytes, (char *)text);
        w->out->len += bytes.len * 2;
    }
    sp_buf_append_byte(w->out, '"');
}

void sp_json_base64(struct sp_json_writer *w, struct sp_slice bytes)
{
    before_value(w);
    sp_buf_append_byte(w->out, '"');
    sp_base64_encode(bytes, w->out);
    sp_buf_append_byte(w->out, '"');
}

void sp_json_raw(struct sp_json_writer *w, struct sp_slice json)
{
    before_value(w);
    sp_buf_append_slice(w->out, json);
}
