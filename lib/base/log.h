/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/base/log.h: structured log lines: a level, an event name and stable key=value pairs (logfmt, or JSON lines).
 * Libraries return errors; programs log, once, where the error is handled. Long-running rooms that have nobody to return
 * to (a committer thread) get a struct sp_log at start. Thread-safe: one write(2) a line, at most SP_LOG_LINE_MAX bytes. */
#pragma once

#include "lib/base/clock.h"
#include "lib/base/compiler.h"
#include "lib/base/slice.h"
#include "lib/base/status.h"

#define SP_LOG_LINE_MAX 4096 /* a longer line is cut and ends in "..."; nobody parses past that */

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
 * Values are quoted and escaped as needed, so no value can forge a line. fields ends with kind SP_LOG_FIELD_END. */
void sp_log_write(const struct sp_log *log, enum sp_log_level level, const char *event,
                  const char *message, const struct sp_log_field *fields);

/* sp_log_event(log, SP_LOG_INFO, "listening", "ready for spans", sp_log_cstr("address", text), sp_log_u64("port", 4317)) */
#define sp_log_event(log, level, event, message, ...)                                              \
    sp_log_write(                                                                                  \
        (log), (level), (event), (message),                                                        \
        (const struct sp_log_field[]){__VA_ARGS__ __VA_OPT__(, ){.kind = SP_LOG_FIELD_END}})
