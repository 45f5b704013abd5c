/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/base/status.c: the status table, and errors as text. Messages may quote bytes from outside; they are made valid
 * UTF-8 without control characters here, once, so that every place that prints one may trust it. */
#include "lib/base/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/utf8.h"

struct status_row {
    const char *name, *text;
    int http, grpc;
    bool retryable;
};

static const struct status_row rows[] = {
#define SP_STATUS(name, text, http, grpc, retryable)                                               \
    [SP_##name] = {#name, text, http, grpc, retryable},
#include "lib/base/status.def"
#undef SP_STATUS
};

static const struct status_row *row_of(enum sp_status status)
{
    SP_ASSERT((size_t)status < SP_ARRAY_LEN(rows));
    return &rows[status];
}

const char *sp_status_name(enum sp_status status)
{
    return row_of(status)->name;
}

const char *sp_status_text(enum sp_status status)
{
    return row_of(status)->text;
}

int sp_status_http(enum sp_status status)
{
    return row_of(status)->http;
}

int sp_status_grpc(enum sp_status status)
{
    return row_of(status)->grpc;
}

bool sp_status_retryable(enum sp_status status)
{
    return row_of(status)->retryable;
}

/* Copies raw into a message of room bytes: '?' for what is not UTF-8 or is a control character; "..." when it is cut,
 * and never inside a sequence. */
static void message_copy(char *out, size_t room, const char *raw, size_t raw_len, bool cut)
{
    size_t len = 0, pos = 0, last_fit = 0;
    while (pos < raw_len) {
        size_t step = sp_utf8_sequence((const uint8_t *)raw + pos, raw_len - pos);
        bool printable = step > 1 || (step == 1 && (uint8_t)raw[pos] >= 0x20 && raw[pos] != 0x7f);
        size_t width = printable ? step : 1;
        if (len + width >= room) {
            cut = true;
            break;
        }
        if (printable)
            memcpy(out + len, raw + pos, width);
        else
            out[len] = '?';
        len += width;
        pos += step ? step : 1;
        if (len + sizeof("...") <= room)
            last_fit = len;
    }
    if (cut && room >= sizeof("...")) {
        memcpy(out + last_fit, "...", 3);
        len = last_fit + 3;
    }
    out[len] = 0;
}

static void error_fill(struct sp_error *error, enum sp_status status, uint64_t offset,
                       const char *parameter, const char *format, va_list args)
{
    /* parameter may point into *error itself (adding to an error that is already there), so it is copied aside. */
    char name[sizeof(error->parameter)];
    message_copy(name, sizeof(name), parameter, strlen(parameter), false);
    char raw[SP_ERROR_MESSAGE_MAX + 1];
    int written = vsnprintf(raw, sizeof(raw), format, args);
    size_t len = written < 0 ? 0 : (size_t)written;
    bool cut = len >= sizeof(raw);

    error->status = status;
    error->offset = offset;
    memcpy(error->parameter, name, sizeof(name));
    message_copy(error->message, sizeof(error->message), raw, cut ? sizeof(raw) - 1 : len, cut);
}

enum sp_status sp_error_set(struct sp_error *error, enum sp_status status, const char *format, ...)
{
    if (error) {
        va_list args;
        va_start(args, format);
        error_fill(error, status, SP_ERROR_NO_OFFSET, "", format, args);
        va_end(args);
    }
    return status;
}

enum sp_status sp_error_set_at(struct sp_error *error, enum sp_status status, uint64_t offset,
                               const char *format, ...)
{
    if (error) {
        va_list args;
        va_start(args, format);
        error_fill(error, status, offset, "", format, args);
        va_end(args);
    }
    return status;
}

enum sp_status sp_error_set_parameter(struct sp_error *error, enum sp_status status,
                                      const char *parameter, const char *format, ...)
{
    if (error) {
        va_list args;
        va_start(args, format);
        error_fill(error, status, SP_ERROR_NO_OFFSET, parameter, format, args);
        va_end(args);
    }
    return status;
}
