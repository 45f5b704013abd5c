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
    if (w->depth > SP_JSON_DEPTH_MAX)
        return; /* the buffer is in error; nothing is written any more */
    uint8_t *level = &w->state[w->depth - 1];
    if (*level & LEVEL_OBJECT) {
        SP_ASSERT(w->after_key);
        w->after_key = false;
        return;
    }
    if (*level & LEVEL_FILLED)
        sp_buf_append_byte(w->out, ',');
    *level |= LEVEL_FILLED;
}

static void begin(struct sp_json_writer *w, uint8_t kind, uint8_t bracket)
{
    before_value(w);
    sp_buf_append_byte(w->out, bracket);
    if (w->depth < SP_JSON_DEPTH_MAX)
        w->state[w->depth] = kind;
    else if (w->out->error == SP_OK)
        w->out->error = SP_LIMIT;
    w->depth++;
}

static void end(struct sp_json_writer *w, uint8_t kind, uint8_t bracket)
{
    SP_ASSERT(w->depth > 0);
    w->depth--;
    if (w->depth < SP_JSON_DEPTH_MAX)
        SP_ASSERT((w->state[w->depth] & LEVEL_OBJECT) == kind && !w->after_key);
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
            if (s.len)
                memcpy(quoted + 1, s.ptr, s.len);
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
        if (step == 1)
            put_escape(out, s.ptr[pos]);
        else
            sp_buf_append_cstr(out, "\xef\xbf\xbd");
        begin = ++pos;
    }
    sp_buf_append(out, s.ptr + begin, s.len - begin);
    sp_buf_append_byte(out, '"');
}

void sp_json_key_slice(struct sp_json_writer *w, struct sp_slice key)
{
    SP_ASSERT(w->depth > 0 && !w->after_key);
    if (w->depth > SP_JSON_DEPTH_MAX)
        return;
    uint8_t *level = &w->state[w->depth - 1];
    SP_ASSERT(*level & LEVEL_OBJECT);
    if (*level & LEVEL_FILLED)
        sp_buf_append_byte(w->out, ',');
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

/* The decimal digits of value; at most 20. */
static size_t digit_count(uint64_t value)
{
    static const uint64_t powers[] = {
        0,
        10,
        100,
        1000,
        10000,
        100000,
        1000000,
        10000000,
        100000000,
        1000000000,
        10000000000,
        100000000000,
        1000000000000,
        10000000000000,
        100000000000000,
        1000000000000000,
        10000000000000000,
        100000000000000000,
        1000000000000000000,
        10000000000000000000u,
    };
    size_t bits = 64 - (size_t)__builtin_clzll(value | 1);
    size_t least = bits * 1233 >> 12; /* bits times log10(2), rounded down */
    return least + (value >= powers[least]);
}

/* Two digits a division. Returns the place behind them. */
static uint8_t *put_digits(uint8_t *out, uint64_t value)
{
    static const char pairs[] =
        "00010203040506070809101112131415161718192021222324252627282930313233"
        "34353637383940414243444546474849505152535455565758596061626364656667"
        "6869707172737475767778798081828384858687888990919293949596979899";
    uint8_t *end = out + digit_count(value), *at = end;
    for (; value >= 10; value /= 100) {
        at -= 2;
        memcpy(at, pairs + value % 100 * 2, 2);
    }
    if (at > out)
        *out = (uint8_t)('0' + value);
    return end;
}

/* Digits of value, with quotes around them if wanted. */
static void put_integer(struct sp_json_writer *w, bool negative, uint64_t value, bool quoted)
{
    uint8_t text[24], *at = text;
    if (quoted)
        *at++ = '"';
    if (negative)
        *at++ = '-';
    at = put_digits(at, value);
    if (quoted)
        *at++ = '"';
    before_value(w);
    sp_buf_append(w->out, text, (size_t)(at - text));
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

/* A comma, a sign, 20 digits. */
#define ITEM_BYTES_MAX 22
#define ITEMS_AT_ONCE  256

void sp_json_integers(struct sp_json_writer *w, const int64_t *values, size_t count, bool is_signed)
{
    SP_ASSERT(w->depth > 0);
    for (size_t i = 0; i < count && w->out->error == SP_OK;) {
        size_t many = count - i < ITEMS_AT_ONCE ? count - i : ITEMS_AT_ONCE;
        /* Near its ceiling a buffer is asked for what is needed, not for what could be. */
        bool tight = w->out->max - w->out->len < many * ITEM_BYTES_MAX;
        uint8_t *begin = tight ? NULL : sp_buf_reserve(w->out, many * ITEM_BYTES_MAX), *at = begin;
        for (size_t last = i + many; i < last; i++) {
            bool negative = is_signed && values[i] < 0;
            uint64_t value = is_signed ? magnitude(values[i]) : (uint64_t)values[i];
            if (!begin) {
                put_integer(w, negative, value, false);
                continue;
            }
            SP_ASSERT(!(w->state[w->depth - 1] & LEVEL_OBJECT));
            if (w->state[w->depth - 1] & LEVEL_FILLED)
                *at++ = ',';
            w->state[w->depth - 1] |= LEVEL_FILLED;
            if (negative)
                *at++ = '-';
            at = put_digits(at, value);
        }
        w->out->len += begin ? (size_t)(at - begin) : 0;
    }
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
