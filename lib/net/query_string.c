/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/net/query_string.c: percent-encoding (RFC 3986 2.1) and the parameters of a query string as HTML forms and every
 * client library write them. Pure. */
#include "lib/net/net.h"

static int hex_value(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* The byte of the escape at text[i], or -1. */
static int escape_value(struct sp_slice text, size_t i)
{
    if (text.len - i < 3)
        return -1;
    int high = hex_value(text.ptr[i + 1]), low = hex_value(text.ptr[i + 2]);
    return high < 0 || low < 0 ? -1 : high << 4 | low;
}

bool sp_percent_decode(struct sp_slice text, struct sp_buf *out)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] != '%') {
            sp_buf_append_byte(out, text.ptr[i]);
            continue;
        }
        int value = escape_value(text, i);
        if (value < 0)
            return false;
        sp_buf_append_byte(out, (uint8_t)value);
        i += 2;
    }
    return out->error == SP_OK;
}

static bool is_unreserved(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

void sp_percent_encode(struct sp_slice bytes, struct sp_buf *out)
{
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < bytes.len; i++) {
        uint8_t byte = bytes.ptr[i];
        if (is_unreserved(byte)) {
            sp_buf_append_byte(out, byte);
        } else {
            const char escape[3] = {'%', digits[byte >> 4], digits[byte & 15]};
            sp_buf_append(out, escape, sizeof(escape));
        }
    }
}

/* SP_OK and *ret, or what is wrong; *ret_bad is the offset of a bad escape in text. */
static enum sp_status decode_part(struct sp_arena *arena, struct sp_slice text,
                                  struct sp_slice *ret, size_t *ret_bad)
{
    if (sp_slice_find(text, '%') == text.len && sp_slice_find(text, '+') == text.len) {
        *ret = text;
        return SP_OK;
    }
    uint8_t *out = sp_arena_alloc(arena, text.len);
    if (!out)
        return arena->error;
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        int value = text.ptr[i] == '+' ? ' ' : text.ptr[i];
        if (value == '%') {
            value = escape_value(text, i);
            if (value < 0) {
                *ret_bad = i;
                return SP_INVALID_ARGUMENT;
            }
            i += 2;
        }
        out[len++] = (uint8_t)value;
    }
    *ret = sp_slice_make(out, len);
    return SP_OK;
}

/* An error about the parameter of that (raw) name, with what of it can be shown. */
static enum sp_status fail(struct sp_error *reterr, struct sp_slice name, const char *what)
{
    char text[sizeof(reterr->parameter)] = {0};
    struct sp_slice shown = sp_slice_sub(name, 0, sizeof(text) - 1);
    shown.len = sp_slice_find(shown, 0);
    shown.len = sp_utf8_valid_prefix(shown);
    if (shown.len > 0)
        memcpy(text, shown.ptr, shown.len);
    return sp_error_set_parameter(reterr, SP_INVALID_ARGUMENT, text, "query parameter \"%s\": %s",
                                  text, what);
}

static enum sp_status decode_item(struct sp_arena *arena, struct sp_slice item,
                                  struct sp_param *ret, struct sp_error *reterr)
{
    size_t equals = sp_slice_find(item, '=');
    struct sp_slice raw[2] = {sp_slice_sub(item, 0, equals),
                              sp_slice_sub(item, equals + 1, item.len)};
    struct sp_slice decoded[2];
    for (int i = 0; i < 2; i++) {
        size_t bad = 0;
        enum sp_status status = decode_part(arena, raw[i], &decoded[i], &bad);
        if (status == SP_LIMIT || status == SP_NO_MEMORY)
            return sp_arena_failed(arena, reterr, "the query string is too long to be decoded");
        if (status != SP_OK)
            return fail(reterr, raw[0], "'%' must be followed by two hexadecimal digits");
        if (!sp_utf8_valid(decoded[i]))
            return fail(reterr, raw[0], "it is not UTF-8 after decoding");
        if (sp_slice_find(decoded[i], 0) < decoded[i].len)
            return fail(reterr, raw[0], "it holds a zero byte");
    }
    *ret = (struct sp_param){decoded[0], decoded[1]};
    return SP_OK;
}

enum sp_status sp_params_decode(struct sp_arena *arena, struct sp_slice query,
                                struct sp_params *ret, struct sp_error *reterr)
{
    ret->count = 0;
    for (size_t from = 0; from < query.len;) {
        struct sp_slice rest = sp_slice_sub(query, from, query.len);
        struct sp_slice item = sp_slice_sub(rest, 0, sp_slice_find(rest, '&'));
        from += item.len + 1;
        if (item.len == 0)
            continue;
        if (ret->count == SP_PARAMS_MAX)
            return sp_error_set(reterr, SP_LIMIT, "more than %d query parameters", SP_PARAMS_MAX);
        enum sp_status status = decode_item(arena, item, &ret->items[ret->count], reterr);
        if (status != SP_OK)
            return status;
        ret->count++;
    }
    return SP_OK;
}

bool sp_params_get(const struct sp_params *params, const char *name, struct sp_slice *ret_value)
{
    for (size_t i = 0; i < params->count; i++) {
        if (sp_slice_equal_cstr(params->items[i].name, name)) {
            *ret_value = params->items[i].value;
            return true;
        }
    }
    return false;
}
