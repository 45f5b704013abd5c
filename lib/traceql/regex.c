/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/traceql/regex.c: regular expressions in RE2's syntax, run by PCRE2 within limits. TraceQL means RE2 (Go's regexp);
 * PCRE2 knows much more, and reads a few things differently. So a pattern is first read here: what RE2 does not have is
 * refused, and what means something else to PCRE2 is written out. docs/decisions/0029-regular-expressions.md.
 *
 * The only file that includes pcre2.h. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "lib/traceql/traceql.h"

#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>

#define REPEAT_MAX      1000u /* RE2's own limit for {n} */
#define GROUP_DEPTH_MAX 200u
#define PATTERN_GROWTH                                                                             \
    16u /* no piece of a pattern is written out longer than this times its length */

struct sp_regex {
    pcre2_code *code;
    pcre2_match_data *match;
    pcre2_match_context *context;
    uint32_t match_count;
};

/* ---- from RE2's syntax to PCRE2's ---- */

struct translation {
    struct sp_slice in;
    size_t pos;
    uint8_t *out;
    uint32_t *origin; /* for each byte of out: where it comes from, for PCRE2's own errors */
    size_t out_len, out_cap;
    bool can_repeat; /* something stands in front that * may follow */
    bool was_repeat; /* that something is already repeated: RE2 refuses a** and a{2}{3} */
    uint32_t depth;
    struct sp_error *reterr;
};

static bool refuse(struct translation *t, size_t offset, const char *what)
{
    sp_error_set_at(t->reterr, SP_INVALID_ARGUMENT, offset, "%s", what);
    return false;
}

static void emit(struct translation *t, size_t origin, const char *bytes, size_t len)
{
    SP_ASSERT(t->out_len + len <= t->out_cap);
    for (size_t i = 0; i < len; i++) {
        t->out[t->out_len] = (uint8_t)bytes[i];
        t->origin[t->out_len++] = (uint32_t)origin;
    }
}

static void emit_text(struct translation *t, size_t origin, const char *text)
{
    emit(t, origin, text, strlen(text));
}

static uint8_t peek(const struct translation *t, size_t distance)
{
    return t->pos + distance < t->in.len ? t->in.ptr[t->pos + distance] : 0;
}

/* Copies len bytes of the pattern as they are. */
static void copy(struct translation *t, size_t len)
{
    for (size_t i = 0; i < len; i++)
        emit(t, t->pos + i, (const char *)t->in.ptr + t->pos + i, 1);
    t->pos += len;
}

static bool is_digit(uint8_t byte)
{
    return byte >= '0' && byte <= '9';
}

static bool is_letter(uint8_t byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
}

/* \123: an octal number where RE2 reads one; one digit alone would be a back reference. */
static bool translate_octal(struct translation *t)
{
    size_t start = t->pos;
    uint32_t number = 0;
    size_t len = 1;
    while (len <= 3 && peek(t, len) >= '0' && peek(t, len) <= '7')
        number = number * 8 + (uint32_t)(peek(t, len++) - '0');
    if (len == 1 || (len == 2 && peek(t, 1) != '0'))
        return refuse(t, start, "back references are not supported");
    char text[16];
    int text_len = snprintf(text, sizeof text, "\\x{%x}", number);
    emit(t, start, text, (size_t)text_len);
    t->pos += len;
    return true;
}

static bool is_hex(uint8_t byte)
{
    return is_digit(byte) || (byte >= 'a' && byte <= 'f') || (byte >= 'A' && byte <= 'F');
}

/* \x41 and \x{10FFFF}; PCRE2 would also take \x alone. */
static bool translate_hex(struct translation *t)
{
    bool braces = peek(t, 2) == '{';
    size_t first = braces ? 3 : 2, len = first;
    while (is_hex(peek(t, len)) && (braces || len < 4))
        len++;
    if (braces ? len == first || peek(t, len) != '}' : len != 4)
        return refuse(t, t->pos, "expected \\xhh or \\x{h...}");
    copy(t, len + braces);
    return true;
}

/* \pL \p{Greek} \P{^L} */
static bool translate_property(struct translation *t)
{
    size_t len = 3;
    if (peek(t, 2) == '{') {
        while (t->pos + len < t->in.len && peek(t, len) != '}')
            len++;
        len++;
    }
    if (t->pos + len > t->in.len)
        return refuse(t, t->pos, "expected a Unicode class: \\pL or \\p{Greek}");
    copy(t, len);
    return true;
}

/* A backslash and what belongs to it. */
static bool translate_escape(struct translation *t, bool in_class)
{
    uint8_t name = peek(t, 1);
    size_t start = t->pos;
    if (t->pos + 1 >= t->in.len)
        return refuse(t, start, "nothing stands behind the last \\");
    if (is_digit(name))
        return translate_octal(t);
    if (name == 'x')
        return translate_hex(t);
    if (name == 'p' || name == 'P')
        return translate_property(t);
    if (name >= 0x80)
        return refuse(t, start, "this character needs no \\ in front of it");
    if (!is_letter(name)) {
        copy(t, 2);
        return true;
    }
    if (name == 'v') { /* PCRE2 takes it for every vertical space */
        emit_text(t, start, "\\x0b");
    } else if (name == 's') { /* PCRE2 adds the vertical tab */
        emit_text(t, start, in_class ? "\\t\\n\\f\\r " : "[\\t\\n\\f\\r ]");
    } else if (name == 'S') {
        emit_text(t, start,
                  in_class ? "\\x00-\\x08\\x0b\\x0e-\\x1f!-\\x{10ffff}" : "[^\\t\\n\\f\\r ]");
    } else if (strchr("afnrtdDwW", name)) {
        copy(t, 2);
        return true;
    } else {
        return refuse(t, start, "this escape is not supported");
    }
    t->pos += 2;
    return true;
}

/* [...], with [:alpha:] inside. PCRE2 gives a meaning to [. and [= that RE2 does not have. */
static bool translate_class(struct translation *t)
{
    size_t start = t->pos;
    copy(t, 1);
    if (peek(t, 0) == '^')
        copy(t, 1);
    if (peek(t, 0) == ']')
        copy(t, 1);
    while (t->pos < t->in.len && peek(t, 0) != ']') {
        if (peek(t, 0) == '\\') {
            if (!translate_escape(t, true))
                return false;
        } else if (peek(t, 0) == '[' && peek(t, 1) == ':') {
            size_t len = 2;
            while (is_letter(peek(t, len)) || peek(t, len) == '^')
                len++;
            bool named = peek(t, len) == ':' && peek(t, len + 1) == ']';
            if (!named)
                emit_text(t, t->pos, "\\");
            copy(t, named ? len + 2 : 1);
        } else if (peek(t, 0) == '[') {
            emit_text(t, t->pos, "\\");
            copy(t, 1);
        } else {
            copy(t, 1);
        }
    }
    if (t->pos >= t->in.len)
        return refuse(t, start, "this [ has no ]");
    copy(t, 1);
    return true;
}

/* \Q text \E: every character for itself. */
static void translate_quoted(struct translation *t)
{
    t->pos += 2;
    while (t->pos < t->in.len && !(peek(t, 0) == '\\' && peek(t, 1) == 'E')) {
        uint8_t byte = peek(t, 0);
        if (byte < 0x80 && !is_letter(byte) && !is_digit(byte) && byte != '_')
            emit_text(t, t->pos, "\\");
        copy(t, 1);
        t->can_repeat = true;
        t->was_repeat = false;
    }
    t->pos = t->pos + 2 < t->in.len ? t->pos + 2 : t->in.len;
}

/* The end of "?P<name>", "?<name>" or of flags "?i-s:" behind "(", or 0. */
static size_t group_prefix(const struct translation *t, bool *ret_flags_only)
{
    size_t at = 2;
    if (peek(t, at) == 'P')
        at++;
    if (peek(t, at) == '<') {
        size_t name = ++at;
        while (is_letter(peek(t, at)) || is_digit(peek(t, at)) || peek(t, at) == '_')
            at++;
        return at > name && peek(t, at) == '>' ? at + 1 : 0;
    }
    if (at == 3)
        return 0;
    bool minus = false;
    for (; peek(t, at); at++) {
        uint8_t byte = peek(t, at);
        if (byte == ':')
            return at + 1;
        if (byte == ')') {
            *ret_flags_only = true;
            return at == 2 || peek(t, at - 1) == '-' ? 0 : at + 1;
        }
        if (byte == '-' && !minus)
            minus = true;
        else if (!strchr("imsU", byte))
            return 0;
    }
    return 0;
}

static bool open_group(struct translation *t)
{
    bool flags_only = false;
    size_t len = 1;
    if (peek(t, 1) == '*')
        return refuse(t, t->pos + 1, "nothing stands in front of * that could be repeated");
    if (peek(t, 1) == '?') {
        len = group_prefix(t, &flags_only);
        if (len == 0)
            return refuse(t, t->pos,
                          "this kind of group is not supported: expected (?:...), "
                          "(?P<name>...) or flags i m s U like (?i)");
    }
    copy(t, len);
    t->can_repeat = t->was_repeat = false;
    if (!flags_only && ++t->depth > GROUP_DEPTH_MAX)
        return refuse(t, t->pos, "groups are nested too deeply");
    return true;
}

/* The length of {n}, {n,} or {n,m} that stands here, 0 if it is none: then { stands for itself. */
static size_t repeat_len(const struct translation *t, uint32_t bounds[2])
{
    size_t at = 1;
    for (int i = 0; i < 2; i++) {
        size_t digits = at;
        bounds[i] = 0;
        for (; is_digit(peek(t, at)); at++)
            bounds[i] =
                bounds[i] > REPEAT_MAX ? bounds[i] : bounds[i] * 10 + (uint32_t)(peek(t, at) - '0');
        if (i == 0 && at == digits)
            return 0;
        if (peek(t, at) == '}') {
            if (i == 1 && at == digits) /* {n,} */
                bounds[1] = bounds[0];
            if (i == 0)
                bounds[1] = bounds[0];
            return at + 1;
        }
        if (i == 1 || peek(t, at) != ',')
            return 0;
        at++;
    }
    return 0;
}

/* * + ? {n,m}, and the ? that makes them lazy. */
static bool translate_repeat(struct translation *t, size_t len)
{
    if (!t->can_repeat)
        return refuse(t, t->pos, "nothing stands in front of this that could be repeated");
    if (t->was_repeat)
        return refuse(t, t->pos, "this repeats what is repeated already: put it in (?:...)");
    copy(t, len);
    if (peek(t, 0) == '?')
        copy(t, 1);
    t->was_repeat = true;
    return true;
}

/* The length of an assertion that stands here (^ $ \b \B \A \z), or 0. */
static size_t assertion_len(const struct translation *t)
{
    uint8_t byte = peek(t, 0), next = peek(t, 1);
    if (byte == '^' || byte == '$')
        return 1;
    return byte == '\\' && (next == 'b' || next == 'B' || next == 'A' || next == 'z') ? 2 : 0;
}

/* RE2 repeats assertions, PCRE2 only groups of them. */
static void translate_assertion(struct translation *t, size_t len)
{
    uint32_t bounds[2];
    uint8_t behind = peek(t, len);
    size_t start = t->pos;
    t->pos += len;
    bool repeated = behind == '*' || behind == '+' || behind == '?' ||
                    (behind == '{' && repeat_len(t, bounds) > 0);
    t->pos = start;
    if (repeated)
        emit_text(t, start, "(?:");
    copy(t, len);
    if (repeated)
        emit_text(t, start, ")");
}

static bool translate_one(struct translation *t)
{
    uint32_t bounds[2];
    uint8_t byte = peek(t, 0);
    bool good = true;
    if (byte == '*' || byte == '+' || byte == '?')
        return translate_repeat(t, 1);
    size_t len = byte == '{' ? repeat_len(t, bounds) : 0;
    if (len > 0) {
        if (bounds[0] > REPEAT_MAX || bounds[1] > REPEAT_MAX || bounds[1] < bounds[0])
            return refuse(t, t->pos, "expected at most 1000 repetitions, the smaller number first");
        return translate_repeat(t, len);
    }
    if (byte == '(')
        return open_group(t);
    if (byte == '\\' && peek(t, 1) == 'Q') {
        translate_quoted(t);
        return true;
    }
    t->can_repeat = byte != '|';
    t->was_repeat = false;
    if (assertion_len(t) > 0)
        translate_assertion(t, assertion_len(t));
    else if (byte == '\\')
        good = translate_escape(t, false);
    else if (byte == '[')
        good = translate_class(t);
    else if (byte == '{') { /* PCRE2 of some versions reads {,3} as a repetition */
        emit_text(t, t->pos, "\\");
        copy(t, 1);
    } else if (byte == ')') {
        if (t->depth == 0)
            return refuse(t, t->pos, "this ) has no (");
        t->depth--;
        copy(t, 1);
    } else
        copy(t, 1);
    return good;
}

static bool translate(struct translation *t)
{
    while (t->pos < t->in.len)
        if (!translate_one(t))
            return false;
    return t->depth == 0 || refuse(t, t->in.len, "a ( has no )");
}

/* ---- PCRE2 ---- */

static enum sp_status compile_translated(struct translation *t, pcre2_code **ret)
{
    pcre2_compile_context *context = pcre2_compile_context_create(NULL);
    if (!context)
        return sp_error_set(t->reterr, SP_NO_MEMORY, "no memory for a regular expression");
    pcre2_set_newline(context, PCRE2_NEWLINE_LF);
    pcre2_set_bsr(context, PCRE2_BSR_ANYCRLF);
    pcre2_set_parens_nest_limit(context, GROUP_DEPTH_MAX + 10);
    int code;
    PCRE2_SIZE offset;
    *ret = pcre2_compile(t->out, t->out_len,
                         PCRE2_UTF | PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_DOLLAR_ENDONLY |
                             PCRE2_NEVER_BACKSLASH_C,
                         &code, &offset, context);
    pcre2_compile_context_free(context);
    if (*ret)
        return SP_OK;
    size_t place = offset < t->out_len ? t->origin[offset] : t->in.len;
    if (code == PCRE2_ERROR_PATTERN_TOO_LARGE || code == PCRE2_ERROR_PATTERN_TOO_COMPLICATED)
        return sp_error_set_at(t->reterr, SP_LIMIT, place, "the regular expression is too large");
    if (code == PCRE2_ERROR_HEAP_FAILED)
        return sp_error_set(t->reterr, SP_NO_MEMORY, "no memory for a regular expression");
    PCRE2_UCHAR text[128];
    if (pcre2_get_error_message(code, text, sizeof text) < 0)
        text[0] = '\0';
    return sp_error_set_at(t->reterr, SP_INVALID_ARGUMENT, place, "%s", (const char *)text);
}

static enum sp_status translate_and_compile(struct sp_slice pattern, pcre2_code **ret,
                                            struct sp_error *reterr)
{
    struct translation t = {
        .in = pattern, .out_cap = PATTERN_GROWTH * pattern.len + PATTERN_GROWTH, .reterr = reterr};
    t.out = malloc(t.out_cap);
    t.origin = malloc(t.out_cap * sizeof *t.origin);
    enum sp_status status = SP_INVALID_ARGUMENT;
    if (!t.out || !t.origin)
        status = sp_error_set(reterr, SP_NO_MEMORY, "no memory for a regular expression");
    else if (translate(&t))
        status = compile_translated(&t, ret);
    free(t.out);
    free(t.origin);
    return status;
}

enum sp_status sp_regex_compile(struct sp_slice pattern, struct sp_regex **ret,
                                struct sp_error *reterr)
{
    if (pattern.len > SP_REGEX_PATTERN_BYTES_MAX)
        return sp_error_set_at(reterr, SP_LIMIT, SP_REGEX_PATTERN_BYTES_MAX,
                               "the regular expression is longer than %zu bytes",
                               SP_REGEX_PATTERN_BYTES_MAX);
    size_t valid = sp_utf8_valid_prefix(pattern);
    if (valid < pattern.len)
        return sp_error_set_at(reterr, SP_INVALID_ARGUMENT, valid, "this is not UTF-8");
    struct sp_regex *regex = calloc(1, sizeof *regex);
    if (!regex)
        return sp_error_set(reterr, SP_NO_MEMORY, "no memory for a regular expression");
    enum sp_status status = translate_and_compile(pattern, &regex->code, reterr);
    if (status != SP_OK) {
        sp_regex_free(regex);
        return status;
    }
    regex->match = pcre2_match_data_create(1, NULL);
    regex->context = pcre2_match_context_create(NULL);
    if (!regex->match || !regex->context) {
        sp_regex_free(regex);
        return sp_error_set(reterr, SP_NO_MEMORY, "no memory for a regular expression");
    }
    pcre2_set_match_limit(regex->context, SP_REGEX_MATCH_LIMIT);
    pcre2_set_depth_limit(regex->context, SP_REGEX_MATCH_LIMIT);
    pcre2_set_heap_limit(regex->context, SP_REGEX_HEAP_KIB_MAX);
    *ret = regex;
    return SP_OK;
}

void sp_regex_free(struct sp_regex *regex)
{
    if (!regex)
        return;
    pcre2_code_free(regex->code);
    pcre2_match_data_free(regex->match);
    pcre2_match_context_free(regex->context);
    free(regex);
}

enum sp_status sp_regex_match(struct sp_regex *regex, struct sp_slice subject, bool *ret_matched)
{
    const uint8_t *bytes = subject.ptr ? subject.ptr : (const uint8_t *)"";
    int code = pcre2_match(regex->code, bytes, subject.len, 0, 0, regex->match, regex->context);
    regex->match_count++;
    if (code == PCRE2_ERROR_NOMEMORY)
        return SP_NO_MEMORY;
    if (code == PCRE2_ERROR_MATCHLIMIT || code == PCRE2_ERROR_HEAPLIMIT ||
        code == PCRE2_ERROR_DEPTHLIMIT)
        return SP_LIMIT;
    *ret_matched = code >= 0; /* below: no match, or a subject that is not UTF-8 */
    return SP_OK;
}

uint32_t sp_regex_match_count(const struct sp_regex *regex)
{
    return regex->match_count;
}
