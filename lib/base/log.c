/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/base/log.c: log lines. A line is put together on the stack, so that logging works when memory is short, and every
 * field is written whole or left out, so that the line can always be parsed. */
#include "lib/base/log.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <unistd.h>

#include "lib/base/text.h"
#include "lib/base/utf8.h"

/* Always kept free for what ends a line: ..."}\n */
#define TAIL_BYTES 8

struct line {
    enum sp_log_format format;
    size_t len;
    bool full; /* something was left out; nothing more is added */
    char bytes[SP_LOG_LINE_MAX];
};

/* Adds all of text or nothing. */
static bool put(struct line *line, const char *text, size_t len)
{
    if (len + line->len + TAIL_BYTES > sizeof(line->bytes)) {
        line->full = true;
        return false;
    }
    memcpy(line->bytes + line->len, text, len);
    line->len += len;
    return true;
}

/* Adds to the part of the line that is kept free. */
static void put_tail(struct line *line, const char *text)
{
    size_t len = strlen(text);
    SP_ASSERT(len <= sizeof(line->bytes) - line->len);
    memcpy(line->bytes + line->len, text, len);
    line->len += len;
}

/* One character of a quoted text at p; *ret_step is its length there. JSON's escapes serve logfmt as well. */
static bool put_escaped(struct line *line, const uint8_t *p, size_t len, size_t *ret_step)
{
    char text[8];
    size_t step = sp_utf8_sequence(p, len);
    *ret_step = step ? step : 1;
    if (step == 0)
        return put(line, "\xef\xbf\xbd", 3);
    if (step == 1 && (p[0] < 0x20 || p[0] == 0x7f)) {
        const char *name = p[0] == '\n'   ? "\\n"
                           : p[0] == '\t' ? "\\t"
                           : p[0] == '\r' ? "\\r"
                                          : NULL;
        if (name)
            return put(line, name, 2);
        snprintf(text, sizeof(text), "\\u%04x", p[0]);
        return put(line, text, 6);
    }
    if (p[0] == '"' || p[0] == '\\') {
        text[0] = '\\';
        text[1] = (char)p[0];
        return put(line, text, 2);
    }
    return put(line, (const char *)p, step);
}

static void put_quoted(struct line *line, struct sp_slice s)
{
    if (!put(line, "\"", 1))
        return;
    size_t step;
    for (size_t pos = 0; pos < s.len; pos += step) {
        if (!put_escaped(line, s.ptr + pos, s.len - pos, &step)) {
            put_tail(line, "...");
            break;
        }
    }
    put_tail(line, "\"");
}

/* logfmt writes a text bare when nothing in it can be taken for something else. */
static bool is_bare(struct sp_slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        uint8_t byte = s.ptr[i];
        if (byte <= ' ' || byte >= 0x7f || byte == '"' || byte == '=' || byte == '\\')
            return false;
    }
    return s.len > 0 && s.len <= 256;
}

/* The key with what stands around it, if it and the shortest value fit. */
static bool put_key(struct line *line, const char *key)
{
    size_t before = line->len, len = strlen(key);
    bool json = line->format == SP_LOG_JSON;
    bool first = json ? line->len == 1 : line->len == 0;
    if (!line->full && (first || put(line, json ? "," : " ", 1)) && (!json || put(line, "\"", 1)) &&
        put(line, key, len) && put(line, json ? "\":" : "=", json ? 2 : 1) &&
        line->len + 1 + TAIL_BYTES <= sizeof(line->bytes))
        return true;
    line->full = true;
    line->len = before;
    return false;
}

static void put_text(struct line *line, const char *key, struct sp_slice value)
{
    size_t before = line->len;
    if (!put_key(line, key))
        return;
    if (line->format == SP_LOG_LOGFMT && is_bare(value)) {
        if (!put(line, (const char *)value.ptr, value.len))
            line->len = before;
    } else {
        put_quoted(line, value);
    }
}

/* A number as text; quoted in JSON only if it is none there (NaN). */
static void put_number(struct line *line, const char *key, const char *text, bool quoted)
{
    size_t before = line->len;
    const char *quote = quoted && line->format == SP_LOG_JSON ? "\"" : "";
    if (put_key(line, key) && !(put(line, quote, strlen(quote)) && put(line, text, strlen(text)) &&
                                put(line, quote, strlen(quote))))
        line->len = before;
}

static void put_double(struct line *line, const char *key, double value)
{
    char text[40];
    if (isfinite(value)) {
        text[sp_format_double(value, text)] = 0;
        put_number(line, key, text, false);
    } else {
        put_number(line, key, isnan(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity", true);
    }
}

static void put_field(struct line *line, const struct sp_log_field *field)
{
    char text[32];
    switch (field->kind) {
    case SP_LOG_FIELD_END:
    case SP_LOG_FIELD_NONE:
        break;
    case SP_LOG_FIELD_TEXT:
        put_text(line, field->key, field->text);
        break;
    case SP_LOG_FIELD_U64:
        snprintf(text, sizeof(text), "%llu", (unsigned long long)field->u64);
        put_number(line, field->key, text, false);
        break;
    case SP_LOG_FIELD_I64:
        snprintf(text, sizeof(text), "%lld", (long long)field->i64);
        put_number(line, field->key, text, false);
        break;
    case SP_LOG_FIELD_DOUBLE:
        put_double(line, field->key, field->number);
        break;
    }
}

void sp_log_write(const struct sp_log *log, enum sp_log_level level, const char *event,
                  const char *message, const struct sp_log_field *fields)
{
    static const char *const level_names[] = {"debug", "info", "warn", "error"};
    if (!log || level < log->level)
        return;
    int saved_errno = errno;
    struct line line;
    line.format = log->format;
    line.len = 0;
    line.full = false;
    bool json = log->format == SP_LOG_JSON;
    if (json)
        put_tail(&line, "{");
    char time[40];
    size_t time_len = sp_format_time(sp_clock_unix_ns(log->clock), time);
    put_text(&line, "time", sp_slice_make(time, time_len));
    put_text(&line, "level", sp_slice_cstr(level_names[level]));
    put_text(&line, "event", sp_slice_cstr(event));
    if (message)
        put_text(&line, "message", sp_slice_cstr(message));
    for (; fields->kind != SP_LOG_FIELD_END; fields++)
        put_field(&line, fields);
    put_tail(&line, json ? "}\n" : "\n");
    ssize_t written;
    do {
        written = write(log->fd, line.bytes, line.len);
    } while (written < 0 && errno == EINTR);
    errno = saved_errno;
}
