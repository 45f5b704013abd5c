/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/traceql/lexer.c: the query's text to tokens. Knows no grammar, only that a name behind a scope ends where no
 * attribute name can go on. */
#include "lib/traceql/tokens.h"

struct sp_slice sp_traceql_clip(struct sp_slice text)
{
    text = sp_slice_sub(text, 0, 40);
    return sp_slice_sub(text, 0, sp_utf8_valid_prefix(text));
}

static bool is_digit(uint8_t byte)
{
    return byte >= '0' && byte <= '9';
}

static bool is_word_byte(uint8_t byte)
{
    return is_digit(byte) || (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           byte == '_' || byte >= 0x80;
}

/* The byte at a distance from the present place, 0 behind the end. */
static uint8_t peek(const struct sp_traceql_lexer *lexer, size_t distance)
{
    size_t at = lexer->pos + distance;
    return at < lexer->text.len ? lexer->text.ptr[at] : 0;
}

static bool at_end(const struct sp_traceql_lexer *lexer)
{
    return lexer->pos >= lexer->text.len;
}

static enum sp_status fail(const struct sp_traceql_lexer *lexer, size_t offset, const char *what)
{
    return sp_error_set_at(lexer->reterr, SP_INVALID_ARGUMENT, offset, "%s", what);
}

static enum sp_status arena_full(const struct sp_traceql_lexer *lexer)
{
    return sp_arena_failed(lexer->arena, lexer->reterr, "the query takes too much memory");
}

/* White space and comments. */
static enum sp_status skip_blanks(struct sp_traceql_lexer *lexer)
{
    while (!at_end(lexer)) {
        uint8_t byte = peek(lexer, 0);
        if (byte == ' ' || (byte >= '\t' && byte <= '\r')) {
            lexer->pos++;
        } else if (byte == '/' && peek(lexer, 1) == '/') {
            while (!at_end(lexer) && peek(lexer, 0) != '\n')
                lexer->pos++;
        } else if (byte == '/' && peek(lexer, 1) == '*') {
            size_t start = lexer->pos;
            lexer->pos += 2;
            while (!at_end(lexer) && !(peek(lexer, 0) == '*' && peek(lexer, 1) == '/'))
                lexer->pos++;
            if (at_end(lexer))
                return fail(lexer, start, "this comment has no end: expected */");
            lexer->pos += 2;
        } else {
            break;
        }
    }
    return SP_OK;
}

/* ---- strings ---- */

static size_t encode_utf8(uint32_t rune, uint8_t *out)
{
    if (rune < 0x80) {
        out[0] = (uint8_t)rune;
        return 1;
    }
    if (rune < 0x800) {
        out[0] = (uint8_t)(0xc0 | rune >> 6);
        out[1] = (uint8_t)(0x80 | (rune & 0x3f));
        return 2;
    }
    if (rune < 0x10000) {
        out[0] = (uint8_t)(0xe0 | rune >> 12);
        out[1] = (uint8_t)(0x80 | (rune >> 6 & 0x3f));
        out[2] = (uint8_t)(0x80 | (rune & 0x3f));
        return 3;
    }
    out[0] = (uint8_t)(0xf0 | rune >> 18);
    out[1] = (uint8_t)(0x80 | (rune >> 12 & 0x3f));
    out[2] = (uint8_t)(0x80 | (rune >> 6 & 0x3f));
    out[3] = (uint8_t)(0x80 | (rune & 0x3f));
    return 4;
}

static int digit_value(uint8_t byte)
{
    if (is_digit(byte))
        return byte - '0';
    if (byte >= 'a' && byte <= 'f')
        return byte - 'a' + 10;
    return byte >= 'A' && byte <= 'F' ? byte - 'A' + 10 : 99;
}

/* count digits of a base; false when there are fewer. */
static bool read_digits(struct sp_traceql_lexer *lexer, int count, uint32_t base, uint32_t *ret)
{
    uint32_t number = 0;
    for (int i = 0; i < count; i++) {
        int digit = digit_value(peek(lexer, 0));
        if (at_end(lexer) || digit >= (int)base)
            return false;
        number = number * base + (uint32_t)digit;
        lexer->pos++;
    }
    *ret = number;
    return true;
}

/* What stands behind a backslash in a string: the escapes of Go. Appends at most 4 bytes; false when it is none. */
static bool read_escape(struct sp_traceql_lexer *lexer, uint8_t *out, size_t *len)
{
    static const char names[] = "abfnrtv\\\"", bytes[] = "\a\b\f\n\r\t\v\\\"";
    uint8_t name = peek(lexer, 0);
    uint32_t number;
    for (size_t i = 0; i + 1 < sizeof names; i++) {
        if (name == (uint8_t)names[i]) {
            lexer->pos++;
            out[(*len)++] = (uint8_t)bytes[i];
            return true;
        }
    }
    if (name == 'x' || (name >= '0' && name <= '7')) {
        bool hex = name == 'x';
        lexer->pos += hex;
        if (!read_digits(lexer, hex ? 2 : 3, hex ? 16 : 8, &number) || number > 0xff)
            return false;
        out[(*len)++] = (uint8_t)number;
        return true;
    }
    if (name != 'u' && name != 'U')
        return false;
    lexer->pos++;
    if (!read_digits(lexer, name == 'u' ? 4 : 8, 16, &number) || number > 0x10ffff ||
        (number >= 0xd800 && number <= 0xdfff))
        return false;
    *len += encode_utf8(number, out + *len);
    return true;
}

/* "text with escapes" */
static enum sp_status read_string(struct sp_traceql_lexer *lexer, struct sp_slice *ret)
{
    size_t start = lexer->pos++;
    size_t end = lexer->pos;
    bool escaped = false;
    while (end < lexer->text.len && lexer->text.ptr[end] != '"' && lexer->text.ptr[end] != '\n') {
        bool escape = lexer->text.ptr[end] == '\\';
        escaped |= escape;
        end += escape ? 2 : 1;
    }
    if (end >= lexer->text.len || lexer->text.ptr[end] != '"')
        return fail(lexer, start, "this text has no end: expected \"");
    if (!escaped) {
        *ret = sp_slice_sub(lexer->text, lexer->pos, end - lexer->pos);
        lexer->pos = end + 1;
        return SP_OK;
    }
    uint8_t *out =
        sp_arena_alloc(lexer->arena, end - start + 4); /* no escape is shorter than what it means */
    if (!out)
        return arena_full(lexer);
    size_t len = 0;
    while (lexer->pos < end) {
        size_t at = lexer->pos++;
        if (lexer->text.ptr[at] != '\\')
            out[len++] = lexer->text.ptr[at];
        else if (!read_escape(lexer, out, &len))
            return fail(
                lexer, at,
                "not an escape: expected \\\" \\\\ \\n \\t \\r \\xhh \\uhhhh or \\Uhhhhhhhh");
    }
    lexer->pos = end + 1;
    *ret = sp_slice_make(out, len);
    return SP_OK;
}

static enum sp_status read_raw_string(struct sp_traceql_lexer *lexer, struct sp_slice *ret)
{
    struct sp_slice rest = sp_slice_sub(lexer->text, lexer->pos + 1, lexer->text.len);
    size_t len = sp_slice_find(rest, '`');
    if (len == rest.len)
        return fail(lexer, lexer->pos, "this text has no end: expected `");
    *ret = sp_slice_sub(rest, 0, len);
    lexer->pos += len + 2;
    return SP_OK;
}

/* ---- attribute names ---- */

/* A quoted part of a name; only \" and \\ are escapes here. */
static enum sp_status read_quoted_part(struct sp_traceql_lexer *lexer, uint8_t *out, size_t *len)
{
    size_t start = lexer->pos++;
    while (!at_end(lexer) && peek(lexer, 0) != '"') {
        if (peek(lexer, 0) == '\\') {
            lexer->pos++;
            if (peek(lexer, 0) != '"' && peek(lexer, 0) != '\\')
                return fail(lexer, lexer->pos - 1, "not an escape: expected \\\" or \\\\");
        }
        out[(*len)++] = lexer->text.ptr[lexer->pos++];
    }
    if (at_end(lexer))
        return fail(lexer, start, "this attribute name has no end: expected \"");
    lexer->pos++;
    return SP_OK;
}

/* a.b-c, "with spaces", or parts of both kinds one behind the other. */
static enum sp_status read_attribute_name(struct sp_traceql_lexer *lexer, struct sp_slice *ret)
{
    size_t start = lexer->pos;
    while (sp_traceql_is_attribute_byte(peek(lexer, 0)) && peek(lexer, 0) != '"')
        lexer->pos++;
    if (peek(lexer, 0) != '"') {
        if (lexer->pos == start)
            return fail(lexer, start, "expected the name of an attribute");
        *ret = sp_slice_sub(lexer->text, start, lexer->pos - start);
        return SP_OK;
    }
    uint8_t *out = sp_arena_alloc(lexer->arena, lexer->text.len - start);
    if (!out)
        return arena_full(lexer);
    size_t len = lexer->pos - start;
    memcpy(out, lexer->text.ptr + start, len);
    while (sp_traceql_is_attribute_byte(peek(lexer, 0))) {
        if (peek(lexer, 0) != '"') {
            out[len++] = lexer->text.ptr[lexer->pos++];
            continue;
        }
        enum sp_status status = read_quoted_part(lexer, out, &len);
        if (status != SP_OK)
            return status;
    }
    *ret = sp_slice_make(out, len);
    return SP_OK;
}

static bool skip_text(struct sp_traceql_lexer *lexer, struct sp_slice text)
{
    if (!sp_slice_starts_with(sp_slice_sub(lexer->text, lexer->pos, text.len), text))
        return false;
    lexer->pos += text.len;
    return true;
}

/* Behind "scope." */
static enum sp_status read_attribute(struct sp_traceql_lexer *lexer, enum sp_traceql_scope scope,
                                     bool of_parent, struct sp_traceql_token *ret)
{
    ret->kind = SP_TOKEN_FIELD;
    ret->field = (struct sp_traceql_field){.scope = scope, .of_parent = of_parent};
    if (of_parent && skip_text(lexer, SP_SLICE("span.")))
        ret->field.scope = SP_TRACEQL_SCOPE_SPAN;
    else if (of_parent && skip_text(lexer, SP_SLICE("resource.")))
        ret->field.scope = SP_TRACEQL_SCOPE_RESOURCE;
    return read_attribute_name(lexer, &ret->field.key);
}

/* ---- words ---- */

/* Behind "scope:" */
static enum sp_status read_scoped_intrinsic(struct sp_traceql_lexer *lexer, size_t start,
                                            struct sp_traceql_token *ret)
{
    while (!at_end(lexer) && is_word_byte(peek(lexer, 0)))
        lexer->pos++;
    struct sp_slice text = sp_slice_sub(lexer->text, start, lexer->pos - start);
    ret->kind = SP_TOKEN_FIELD;
    ret->field = (struct sp_traceql_field){.intrinsic = sp_traceql_find_intrinsic(text)};
    if (ret->field.intrinsic != SP_TRACEQL_INTRINSIC_NONE)
        return SP_OK;
    return sp_error_set_at(
        lexer->reterr, SP_INVALID_ARGUMENT, start,
        "\"%.*s\" is not known: expected span:duration, trace:rootName, event:name, link:traceID "
        "or another intrinsic field",
        SP_SLICE_PRINTF(sp_traceql_clip(text)));
}

static enum sp_status read_word(struct sp_traceql_lexer *lexer, struct sp_traceql_token *ret)
{
    size_t start = lexer->pos;
    while (!at_end(lexer) && is_word_byte(peek(lexer, 0)))
        lexer->pos++;
    ret->kind = SP_TOKEN_WORD;
    ret->text = sp_slice_sub(lexer->text, start, lexer->pos - start);

    enum sp_traceql_scope scope;
    bool is_scope = sp_traceql_find_scope(ret->text, &scope);
    bool is_trace = sp_slice_equal_cstr(ret->text, "trace");
    bool is_parent = sp_slice_equal_cstr(ret->text, "parent");
    uint8_t next = peek(lexer, 0);
    if (next == ':' && (is_scope || is_trace)) {
        lexer->pos++;
        return read_scoped_intrinsic(lexer, start, ret);
    }
    if (next == '.' && is_trace)
        return fail(lexer, start,
                    "a trace has no attributes: expected trace:duration, "
                    "trace:rootName, trace:rootService or trace:id");
    if (next == '.' && (is_scope || is_parent)) {
        lexer->pos++;
        return read_attribute(lexer, is_scope ? scope : SP_TRACEQL_SCOPE_ANY, is_parent, ret);
    }
    return SP_OK;
}

/* ---- numbers and durations ---- */

static const struct {
    const char *text;
    uint64_t ns;
} units[] = {
    {"ns", 1},
    {"us", 1000},
    {"\xc2\xb5s", 1000}, /* U+00B5 */
    {"\xce\xbcs", 1000}, /* U+03BC */
    {"ms", 1000 * 1000},
    {"s", 1000ULL * 1000 * 1000},
    {"m", 60ULL * 1000 * 1000 * 1000},
    {"h", 3600ULL * 1000 * 1000 * 1000},
    {"d", 86400ULL * 1000 * 1000 * 1000},
    {"w", 7 * 86400ULL * 1000 * 1000 * 1000},
    {"y", 365 * 86400ULL * 1000 * 1000 * 1000},
};

/* The longest unit that stands here; its length, or 0. */
static size_t find_unit(const struct sp_traceql_lexer *lexer, uint64_t *ret_ns)
{
    struct sp_slice rest = sp_slice_sub(lexer->text, lexer->pos, 4);
    size_t longest = 0;
    for (size_t i = 0; i < SP_ARRAY_LEN(units); i++) {
        struct sp_slice unit = sp_slice_cstr(units[i].text);
        if (unit.len > longest && sp_slice_starts_with(rest, unit)) {
            longest = unit.len;
            *ret_ns = units[i].ns;
        }
    }
    return longest;
}

__extension__ typedef unsigned __int128 u128;

#define FRACTION_DIGITS_MAX 18 /* more do not change a duration of 292 years in nanoseconds */

/* digits[.digits] times unit, exactly, rounded down; false on overflow. */
static bool scale_decimal(struct sp_slice number, uint64_t unit_ns, uint64_t *sum_ns)
{
    u128 whole = 0, fraction = 0, scale = 1;
    size_t i = 0;
    for (; i < number.len && number.ptr[i] != '.'; i++) {
        whole = whole * 10 + (unsigned)(number.ptr[i] - '0');
        if (whole > INT64_MAX)
            return false;
    }
    for (int digits = 0; ++i < number.len && digits < FRACTION_DIGITS_MAX; digits++) {
        fraction = fraction * 10 + (unsigned)(number.ptr[i] - '0');
        scale *= 10;
    }
    u128 total = whole * unit_ns + fraction * unit_ns / scale + *sum_ns;
    if (total > INT64_MAX)
        return false;
    *sum_ns = (uint64_t)total;
    return true;
}

static void skip_digits(struct sp_traceql_lexer *lexer)
{
    while (is_digit(peek(lexer, 0)))
        lexer->pos++;
}

/* Behind the first number of "1h30m": units, and numbers with units. */
static enum sp_status read_duration(struct sp_traceql_lexer *lexer, size_t start,
                                    struct sp_traceql_token *ret)
{
    uint64_t sum_ns = 0, unit_ns = 0;
    size_t number = start, unit_len = find_unit(lexer, &unit_ns);
    while (unit_len > 0) {
        if (!scale_decimal(sp_slice_sub(lexer->text, number, lexer->pos - number), unit_ns,
                           &sum_ns))
            return fail(lexer, start, "this duration is too long: expected less than 292 years");
        lexer->pos += unit_len;
        number = lexer->pos;
        skip_digits(lexer);
        if (lexer->pos > number && peek(lexer, 0) == '.') {
            lexer->pos++;
            skip_digits(lexer);
        }
        if (lexer->pos == number)
            break;
        unit_len = find_unit(lexer, &unit_ns);
        if (unit_len == 0)
            return fail(lexer, lexer->pos, "expected a unit: ns us ms s m h d w y");
    }
    ret->kind = SP_TOKEN_LITERAL;
    ret->value =
        (struct sp_traceql_value){.type = SP_TRACEQL_TYPE_DURATION, .integer = (int64_t)sum_ns};
    if (is_word_byte(peek(lexer, 0)))
        return fail(lexer, lexer->pos, "expected a unit: ns us ms s m h d w y");
    return SP_OK;
}

static enum sp_status read_number(struct sp_traceql_lexer *lexer, struct sp_traceql_token *ret)
{
    size_t start = lexer->pos;
    uint64_t unit_ns;
    bool is_float = false;
    skip_digits(lexer);
    if (peek(lexer, 0) == '.') {
        is_float = true;
        lexer->pos++;
        skip_digits(lexer);
    }
    if (find_unit(lexer, &unit_ns) > 0)
        return read_duration(lexer, start, ret);
    size_t sign = peek(lexer, 1) == '+' || peek(lexer, 1) == '-';
    if ((peek(lexer, 0) | 0x20) == 'e' && is_digit(peek(lexer, 1 + sign))) {
        is_float = true;
        lexer->pos += 1 + sign;
        skip_digits(lexer);
    }
    if (is_word_byte(peek(lexer, 0)))
        return fail(lexer, lexer->pos,
                    "expected the end of the number, or a unit: ns us ms s m h d w y");
    struct sp_slice text = sp_slice_sub(lexer->text, start, lexer->pos - start);
    ret->kind = SP_TOKEN_LITERAL;
    if (!is_float) {
        ret->value.type = SP_TRACEQL_TYPE_INT;
        if (!sp_parse_i64(text, &ret->value.integer))
            return fail(lexer, start, "this number is out of range: expected a 64-bit integer");
        return SP_OK;
    }
    /* ".5" and "5." are written here, but are no numbers for sp_parse_double. */
    char digits[72];
    if (text.len > sizeof digits - 2)
        return fail(lexer, start, "this number has too many digits: expected at most 70");
    size_t len = 0;
    if (text.ptr[0] == '.')
        digits[len++] = '0';
    for (size_t i = 0; i < text.len; i++) {
        digits[len++] = (char)text.ptr[i];
        if (text.ptr[i] == '.' && (i + 1 == text.len || !is_digit(text.ptr[i + 1])))
            digits[len++] = '0';
    }
    ret->value.type = SP_TRACEQL_TYPE_FLOAT;
    if (!sp_parse_double(sp_slice_make(digits, len), &ret->value.number))
        return fail(lexer, start, "this number is out of range: expected a 64-bit float");
    return SP_OK;
}

/* ---- all together ---- */

static enum sp_status read_token(struct sp_traceql_lexer *lexer, struct sp_traceql_token *ret)
{
    uint8_t byte = peek(lexer, 0);
    if (at_end(lexer))
        return SP_OK;
    if (is_digit(byte) || (byte == '.' && is_digit(peek(lexer, 1))))
        return read_number(lexer, ret);
    if (byte == '.') {
        lexer->pos++;
        return read_attribute(lexer, SP_TRACEQL_SCOPE_ANY, false, ret);
    }
    if (byte == '"' || byte == '`') {
        ret->kind = SP_TOKEN_LITERAL;
        ret->value.type = SP_TRACEQL_TYPE_STRING;
        return byte == '"' ? read_string(lexer, &ret->value.string)
                           : read_raw_string(lexer, &ret->value.string);
    }
    if (is_word_byte(byte))
        return read_word(lexer, ret);
    uint32_t len;
    ret->kind = sp_traceql_find_operator(
        sp_slice_sub(lexer->text, lexer->pos, lexer->text.len - lexer->pos), &len);
    if (len == 0)
        return fail(lexer, lexer->pos,
                    byte == '\''
                        ? "this character has no meaning here: expected \" or ` around text"
                        : "this character has no meaning here: expected a value, a field, "
                          "an operator or a bracket");
    lexer->pos += len;
    return SP_OK;
}

enum sp_status sp_traceql_next_token(struct sp_traceql_lexer *lexer, struct sp_traceql_token *ret)
{
    enum sp_status status = skip_blanks(lexer);
    if (status != SP_OK)
        return status;
    *ret = (struct sp_traceql_token){.kind = SP_TOKEN_END, .offset = (uint32_t)lexer->pos};
    status = read_token(lexer, ret);
    ret->len = (uint32_t)(lexer->pos - ret->offset);
    ret->text = sp_slice_sub(lexer->text, ret->offset, ret->len);
    return status;
}
