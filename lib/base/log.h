/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/base/log.h: structured log lines: a level, an event name and stable key=value pairs (logfmt, or JSON lines).
 * Libraries return errors; programs log, once, where the error is handled. Long-running rooms that have nobody to return
 * to (a committer thread) get a struct sp_log at start. Thread-safe: one write(2) a line, at most SP_LOG_LINE_MAX bytes; a log that cannot be written is ignored. */
#pragma once

#include "lib/base/clock.h"
#include "lib/base/compiler.h"
#include "lib/base/slice.h"
#include "lib/base/status.h"

/* What a pipe takes in one piece (PIPE_BUF), so that lines of several processes do not mix. What does not fit is left out:
 * the text that reaches the end of the line is cut and ends in "...", fields behind it are dropped; the line stays
 * well-formed logfmt or JSON. */
#define SP_LOG_LINE_MAX 4096

enum sp_log_level { SP_LOG_DEBUG, SP_LOG_INFO, SP_LOG_WARN, SP_LOG_ERROR };
enum sp_log_format { SP_LOG_LOGFMT, SP_LOG_JSON };

struct sp_log {
    int fd; /* borrowed */
    enum sp_log_level level;
    enum sp_log_format format;
    const struct sp_clock *clock; /* borrowed */
};

struct sp_log_field {
    const char *key;
    enum {
        SP_LOG_FIELD_END,
        SP_LOG_FIELD_NONE, /* skipped */
        SP_LOG_FIELD_TEXT,
        SP_LOG_FIELD_U64,
        SP_LOG_FIELD_I64,
        SP_LOG_FIELD_DOUBLE
    } kind;
    struct sp_slice text;
    uint64_t u64;
    int64_t i64;
    double number;
};

static inline struct sp_log_field sp_log_cstr(const char *key, const char *text)
{
    return (struct sp_log_field){
        .key = key, .kind = SP_LOG_FIELD_TEXT, .text = sp_slice_cstr(text)};
}

static inline struct sp_log_field sp_log_slice(const char *key, struct sp_slice text)
{
    return (struct sp_log_field){.key = key, .kind = SP_LOG_FIELD_TEXT, .text = text};
}

static inline struct sp_log_field sp_log_u64(const char *key, uint64_t value)
{
    return (struct sp_log_field){.key = key, .kind = SP_LOG_FIELD_U64, .u64 = value};
}

static inline struct sp_log_field sp_log_i64(const char *key, int64_t value)
{
    return (struct sp_log_field){.key = key, .kind = SP_LOG_FIELD_I64, .i64 = value};
}

static inline struct sp_log_field sp_log_double(const char *key, double value)
{
    return (struct sp_log_field){.key = key, .kind = SP_LOG_FIELD_DOUBLE, .number = value};
}

/* log may be NULL: nothing is written. event is a stable snake_case name, message a sentence for people (may be NULL).
 * Values are quoted and escaped as needed (bytes that are not UTF-8 become U+FFFD), so no value can forge a line. fields ends with kind SP_LOG_FIELD_END. */
void sp_log_write(const struct sp_log *log, enum sp_log_level level, const char *event,
                  const char *message, const struct sp_log_field *fields);

/* sp_log_event(log, SP_LOG_INFO, "listening", "ready for spans", sp_log_cstr("address", text), sp_log_u64("port", 4317))
 * The leading field of kind NONE lets the list of fields be empty. */
#define sp_log_event(log, level, event, message, ...)                                              \
    sp_log_write((log), (level), (event), (message),                                               \
                 (const struct sp_log_field[]){                                                    \
                     {.kind = SP_LOG_FIELD_NONE}, ##__VA_ARGS__, {.kind = SP_LOG_FIELD_END}})
