/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/base/json_read.c: the pull reader. One event a call; between the calls it knows only the kinds of the levels that
 * are open (one byte each) and what the grammar allows next:
 *
 *   VALUE ------------ value --> AFTER --- ',' --> VALUE or KEY         an array or object is open
 *   FIRST_VALUE ------ the same, or ']'    \-- ']' or '}' --> AFTER of the level outside, or DONE
 *   FIRST_KEY, KEY --- "key" ':' --> VALUE        FIRST_KEY also takes '}' */
#include <stdarg.h>
#include <stdio.h>

#include "lib/base/json.h"
#include "lib/base/json_scan.h"
#include "lib/base/text.h"

enum {
    EXPECT_VALUE,
    EXPECT_FIRST_VALUE,
    EXPECT_FIRST_KEY,
    EXPECT_KEY,
    EXPECT_AFTER,
    EXPECT_DONE,
    EXPECT_NOTHING
};
enum { LEVEL_ARRAY, LEVEL_OBJECT };

void sp_json_reader_init(struct sp_json_reader *r, struct sp_slice in, struct sp_arena *arena,
                         uint32_t depth_max)
{
    SP_ASSERT(depth_max <= SP_JSON_DEPTH_MAX);
    r->in = in;
    r->arena = arena;
    r->depth_max = depth_max;
    r->pos = r->event_pos = 0;
    r->text = sp_slice_make(NULL, 0);
    r->error.status = SP_OK;
    r->depth = 0;
    r->skipping = false;
    r->expect = EXPECT_VALUE;
}

SP_PRINTF(4, 5)
static enum sp_json_event fail_at(struct sp_json_reader *r, enum sp_status status, size_t offset,
                                  const char *format, ...)
{
    char message[SP_ERROR_MESSAGE_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    (void)sp_error_set_at(&r->error, status, offset, "%s", message);
    r->expect = EXPECT_NOTHING;
    return SP_JSON_ERROR;
}

enum sp_status sp_json_fail(struct sp_json_reader *r, const char *format, ...)
{
    if (r->error.status == SP_OK) {
        char message[SP_ERROR_MESSAGE_MAX];
        va_list args;
        va_start(args, format);
        vsnprintf(message, sizeof(message), format, args);
        va_end(args);
        fail_at(r, SP_MALFORMED, r->event_pos, "%s", message);
    }
    return r->error.status;
}

/* "expected X but found Y" at the reader's place. */
static enum sp_json_event unexpected(struct sp_json_reader *r, const char *expected)
{
    if (r->pos >= r->in.len)
        return fail_at(r, SP_MALFORMED, r->in.len, "expected %s but the input ends", expected);
    uint8_t byte = r->in.ptr[r->pos];
    if (byte > 0x20 && byte < 0x7f)
        return fail_at(r, SP_MALFORMED, r->pos, "expected %s but found '%c'", expected, byte);
    return fail_at(r, SP_MALFORMED, r->pos, "expected %s but found byte 0x%02x", expected, byte);
}

static void skip_space(struct sp_json_reader *r)
{
    while (r->pos < r->in.len) {
        uint8_t byte = r->in.ptr[r->pos];
        if (byte != ' ' && byte != '\n' && byte != '\t' && byte != '\r')
            break;
        r->pos++;
    }
}

/* ---- strings ---- */

/* Four hex digits at pos as a number, or -1. */
static int32_t hex4(struct sp_slice in, size_t pos)
{
    uint8_t bytes[2];
    if (!sp_hex_decode(sp_slice_sub(in, pos, 4), bytes, 2))
        return -1;
    return bytes[0] << 8 | bytes[1];
}

/* The escape at pos (a backslash) is decoded: *ret_code is the code point, *ret_len its length in the input. False when
 * it is none. */
static bool decode_escape(struct sp_slice in, size_t pos, uint32_t *ret_code, size_t *ret_len)
{
    static const char names[] = "\"\\/bfnrt";
    static const char codes[] = "\"\\/\b\f\n\r\t";
    uint8_t name = pos + 1 < in.len ? in.ptr[pos + 1] : 0;
    if (name != 'u') {
        const char *found = name ? strchr(names, name) : NULL;
        if (!found)
            return false;
        *ret_code = (uint8_t)codes[found - names];
        *ret_len = 2;
        return true;
    }
    int32_t unit = hex4(in, pos + 2);
    *ret_len = 6;
    if (unit < 0 || (unit >= 0xdc00 && unit <= 0xdfff))
        return false;
    if (unit >= 0xd800 && unit <= 0xdbff) {
        bool pair = pos + 7 < in.len && in.ptr[pos + 6] == '\\' && in.ptr[pos + 7] == 'u';
        int32_t low = pair ? hex4(in, pos + 8) : -1;
        if (low < 0xdc00 || low > 0xdfff)
            return false;
        *ret_code = 0x10000 + ((uint32_t)(unit - 0xd800) << 10) + (uint32_t)(low - 0xdc00);
        *ret_len = 12;
        return true;
    }
    *ret_code = (uint32_t)unit;
    return true;
}

static size_t put_utf8(uint8_t *out, uint32_t code)
{
    if (code < 0x80) {
        out[0] = (uint8_t)code;
        return 1;
    }
    /* The first byte says how many follow; each of those carries six bits. */
    size_t len = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (size_t i = len - 1; i > 0; i--) {
        out[i] = (uint8_t)(0x80 | (code & 0x3f));
        code >>= 6;
    }
    out[0] = (uint8_t)(0xf00 >> len | code);
    return len;
}

/* raw is the inside of a string whose escapes have been checked; what comes out is never longer. */
static bool unescape(struct sp_arena *arena, struct sp_slice raw, struct sp_slice *ret)
{
    uint8_t *out = sp_arena_alloc(arena, raw.len);
    if (!out)
        return false;
    size_t len = 0;
    for (size_t pos = 0; pos < raw.len;) {
        const uint8_t *backslash = memchr(raw.ptr + pos, '\\', raw.len - pos);
        size_t run = backslash ? (size_t)(backslash - raw.ptr) - pos : raw.len - pos;
        memcpy(out + len, raw.ptr + pos, run);
        len += run;
        pos += run;
        if (backslash) {
            uint32_t code = 0;
            size_t escape_len = 0;
            bool good = decode_escape(raw, pos, &code, &escape_len);
            SP_ASSERT(good);
            len += put_utf8(out + len, code);
            pos += escape_len;
        }
    }
    *ret = sp_slice_make(sp_arena_grow(arena, out, raw.len, len), len);
    return true;
}

/* A whole string from its opening quote into r->text; r->pos stands behind the closing quote. */
static bool read_string(struct sp_json_reader *r)
{
    size_t begin = r->pos + 1, pos = begin;
    bool escapes = false, high = false;
    for (;;) {
        pos += sp_json_plain_run(r->in.ptr + pos, r->in.len - pos, high);
        if (pos >= r->in.len) {
            fail_at(r, SP_MALFORMED, r->in.len, "the string that begins at byte %zu has no end",
                    begin - 1);
            return false;
        }
        uint8_t byte = r->in.ptr[pos];
        if (byte == '"')
            break;
        if (byte > 0x7f) {
            high = true; /* checked as a whole below; ASCII, the usual case, needs no second look */
            continue;
        }
        uint32_t code;
        size_t escape_len;
        if (byte != '\\') {
            fail_at(r, SP_MALFORMED, pos, "control character 0x%02x in a string", byte);
            return false;
        }
        if (!decode_escape(r->in, pos, &code, &escape_len)) {
            fail_at(r, SP_MALFORMED, pos, "not a valid escape");
            return false;
        }
        escapes = true;
        pos += escape_len;
    }
    struct sp_slice raw = sp_slice_make(r->in.ptr + begin, pos - begin);
    size_t valid = high ? sp_utf8_valid_prefix(raw) : raw.len;
    if (valid < raw.len) {
        fail_at(r, SP_MALFORMED, begin + valid, "not valid UTF-8 in a string");
        return false;
    }
    r->text = raw;
    if (escapes && !r->skipping && !unescape(r->arena, raw, &r->text)) {
        fail_at(r, r->arena->error, begin - 1, "no memory left for the string");
        return false;
    }
    r->pos = pos + 1;
    return true;
}

/* ---- numbers and literals ---- */

static size_t digits_at(struct sp_slice in, size_t pos)
{
    size_t count = 0;
    while (pos + count < in.len && in.ptr[pos + count] >= '0' && in.ptr[pos + count] <= '9')
        count++;
    return count;
}

static bool byte_is(struct sp_slice in, size_t pos, uint8_t lower)
{
    return pos < in.len && (in.ptr[pos] | 0x20) == lower;
}

static enum sp_json_event read_number(struct sp_json_reader *r)
{
    struct sp_slice in = r->in;
    size_t begin = r->pos;
    r->pos += in.ptr[r->pos] == '-';
    /* A leading zero stands alone: the digit behind it is what the next event stumbles over. */
    bool zero = r->pos < in.len && in.ptr[r->pos] == '0';
    size_t count = zero ? 1 : digits_at(in, r->pos);
    if (count == 0)
        return unexpected(r, "a digit");
    r->pos += count;
    if (zero && digits_at(in, r->pos))
        return fail_at(r, SP_MALFORMED, begin, "a number has a leading zero");
    if (r->pos < in.len && in.ptr[r->pos] == '.') {
        r->pos++;
        count = digits_at(in, r->pos);
        if (count == 0)
            return unexpected(r, "a digit");
        r->pos += count;
    }
    if (byte_is(in, r->pos, 'e')) {
        r->pos++;
        r->pos += r->pos < in.len && (in.ptr[r->pos] == '+' || in.ptr[r->pos] == '-');
        count = digits_at(in, r->pos);
        if (count == 0)
            return unexpected(r, "a digit");
        r->pos += count;
    }
    r->text = sp_slice_make(in.ptr + begin, r->pos - begin);
    return SP_JSON_NUMBER;
}

static enum sp_json_event read_literal(struct sp_json_reader *r, struct sp_slice name,
                                       enum sp_json_event event)
{
    if (!sp_slice_starts_with(sp_slice_sub(r->in, r->pos, r->in.len), name))
        return unexpected(r, "a value");
    r->pos += name.len;
    return event;
}

/* ---- the grammar ---- */

static enum sp_json_event open_level(struct sp_json_reader *r, uint8_t kind)
{
    if (r->depth >= r->depth_max)
        return fail_at(r, SP_LIMIT, r->pos, "nested deeper than %u levels", r->depth_max);
    r->pos++;
    r->state[r->depth++] = kind;
    r->expect = kind == LEVEL_OBJECT ? EXPECT_FIRST_KEY : EXPECT_FIRST_VALUE;
    return kind == LEVEL_OBJECT ? SP_JSON_OBJECT_BEGIN : SP_JSON_ARRAY_BEGIN;
}

static enum sp_json_event close_level(struct sp_json_reader *r)
{
    r->pos++;
    r->depth--;
    r->expect = r->depth ? EXPECT_AFTER : EXPECT_DONE;
    return r->state[r->depth] == LEVEL_OBJECT ? SP_JSON_OBJECT_END : SP_JSON_ARRAY_END;
}

static enum sp_json_event read_value(struct sp_json_reader *r)
{
    enum sp_json_event event;
    switch (r->pos < r->in.len ? r->in.ptr[r->pos] : 0) {
    case '{':
        return open_level(r, LEVEL_OBJECT);
    case '[':
        return open_level(r, LEVEL_ARRAY);
    case '"':
        event = read_string(r) ? SP_JSON_STRING : SP_JSON_ERROR;
        break;
    case 't':
        event = read_literal(r, SP_SLICE("true"), SP_JSON_TRUE);
        break;
    case 'f':
        event = read_literal(r, SP_SLICE("false"), SP_JSON_FALSE);
        break;
    case 'n':
        event = read_literal(r, SP_SLICE("null"), SP_JSON_NULL);
        break;
    case '-':
    case '0':
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
    case '7':
    case '8':
    case '9':
        event = read_number(r);
        break;
    default:
        return unexpected(r, "a value");
    }
    if (event != SP_JSON_ERROR)
        r->expect = r->depth ? EXPECT_AFTER : EXPECT_DONE;
    return event;
}

static enum sp_json_event read_key(struct sp_json_reader *r, const char *expected)
{
    if (r->pos >= r->in.len || r->in.ptr[r->pos] != '"')
        return unexpected(r, expected);
    if (!read_string(r))
        return SP_JSON_ERROR;
    skip_space(r);
    if (r->pos >= r->in.len || r->in.ptr[r->pos] != ':')
        return unexpected(r, "':'");
    r->pos++;
    r->expect = EXPECT_VALUE;
    return SP_JSON_KEY;
}

enum sp_json_event sp_json_next(struct sp_json_reader *r)
{
    if (r->expect == EXPECT_NOTHING)
        return SP_JSON_ERROR;
    skip_space(r);
    uint8_t byte = r->pos < r->in.len ? r->in.ptr[r->pos] : 0;
    if (r->expect == EXPECT_AFTER) {
        bool object = r->state[r->depth - 1] == LEVEL_OBJECT;
        if (byte == (object ? '}' : ']')) {
            r->event_pos = r->pos;
            return close_level(r);
        }
        if (byte != ',')
            return unexpected(r, object ? "',' or '}'" : "',' or ']'");
        r->pos++;
        skip_space(r);
        r->expect = object ? EXPECT_KEY : EXPECT_VALUE;
    }
    r->event_pos = r->pos;
    if (r->expect == EXPECT_DONE)
        return r->pos == r->in.len ? SP_JSON_END : unexpected(r, "the end of the input");
    if ((r->expect == EXPECT_FIRST_VALUE && byte == ']') ||
        (r->expect == EXPECT_FIRST_KEY && byte == '}'))
        return close_level(r);
    if (r->expect == EXPECT_FIRST_KEY || r->expect == EXPECT_KEY)
        return read_key(r, r->expect == EXPECT_KEY ? "a key" : "a key or '}'");
    return read_value(r);
}

/* Reads on until no more than depth levels are open. */
static enum sp_status skip_to_depth(struct sp_json_reader *r, uint32_t depth)
{
    r->skipping = true;
    enum sp_json_event event;
    do {
        event = sp_json_next(r);
    } while (r->depth > depth && event != SP_JSON_ERROR);
    r->skipping = false;
    return event == SP_JSON_ERROR ? r->error.status : SP_OK;
}

enum sp_status sp_json_skip(struct sp_json_reader *r)
{
    return skip_to_depth(r, r->depth);
}

enum sp_status sp_json_skip_rest(struct sp_json_reader *r)
{
    if (r->error.status == SP_OK)
        SP_ASSERT(r->depth > 0);
    return skip_to_depth(r, r->depth ? r->depth - 1 : 0);
}
