/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/wire/json_field.c: single fields of OTLP JSON, errors with their place, growing arrays. Knows no message. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "lib/wire/json_decoder.h"

static void place_format(const struct sp_json_decoder *d, char *out, size_t out_bytes)
{
    static const char *const names[] = {"request", "resourceSpans", ".scopeSpans", ".spans"};
    size_t len = 0;
    if (d->level == SP_JSON_REQUEST) {
        snprintf(out, out_bytes, "%s", names[0]);
        return;
    }
    for (enum sp_json_level i = SP_JSON_RESOURCE; i <= d->level && len < out_bytes; i++)
        len += (size_t)snprintf(out + len, out_bytes - len, "%s[%u]", names[i], d->index[i]);
    if (d->part && len < out_bytes)
        snprintf(out + len, out_bytes - len, ".%s", d->part);
}

bool sp_json_decoder_failed(struct sp_json_decoder *d)
{
    char place[128];
    const struct sp_error *error = &d->r.error;
    place_format(d, place, sizeof(place));
    d->status =
        sp_error_set_at(d->reterr, error->status, error->offset, "%s: %s", place, error->message);
    return false;
}

bool sp_json_decoder_expected(struct sp_json_decoder *d, const char *what)
{
    sp_json_fail(&d->r, "%s was expected", what);
    return sp_json_decoder_failed(d);
}

bool sp_json_decoder_limit(struct sp_json_decoder *d, const char *format, ...)
{
    char place[128], text[256];
    place_format(d, place, sizeof(place));
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    d->status = sp_error_set_at(d->reterr, SP_LIMIT, d->r.event_pos, "%s: %s", place, text);
    return false;
}

void sp_json_decoder_refuse(struct sp_json_decoder *d, enum sp_rejection why, const char *format,
                            ...)
{
    bool first = d->rejected_count == 0 && d->faults == 0;
    d->faults |= 1U << why;
    if (first) {
        char place[128], text[256];
        place_format(d, place, sizeof(place));
        va_list args;
        va_start(args, format);
        vsnprintf(text, sizeof(text), format, args);
        va_end(args);
        snprintf(d->reason, sizeof(d->reason), "%s: %s", place, text);
    }
}

bool sp_json_decoder_key(struct sp_json_decoder *d, const char *const *names, size_t count,
                         int *ret)
{
    for (;;) {
        enum sp_json_event event = sp_json_next(&d->r);
        if (event == SP_JSON_OBJECT_END) {
            *ret = -1;
            return true;
        }
        if (event != SP_JSON_KEY)
            return sp_json_decoder_failed(d);
        for (size_t i = 0; i < count; i++) {
            if (sp_slice_equal_cstr(d->r.text, names[i])) {
                *ret = (int)i;
                return true;
            }
        }
        if (sp_json_skip(&d->r) != SP_OK)
            return sp_json_decoder_failed(d);
    }
}

bool sp_json_decoder_object(struct sp_json_decoder *d, bool *ret)
{
    enum sp_json_event event = sp_json_next(&d->r);
    *ret = event == SP_JSON_OBJECT_BEGIN;
    return *ret || event == SP_JSON_NULL || sp_json_decoder_expected(d, "an object");
}

bool sp_json_decoder_array(struct sp_json_decoder *d, bool *ret)
{
    enum sp_json_event event = sp_json_next(&d->r);
    *ret = event == SP_JSON_ARRAY_BEGIN;
    return *ret || event == SP_JSON_NULL || sp_json_decoder_expected(d, "an array");
}

bool sp_json_decoder_element(struct sp_json_decoder *d, bool *ret)
{
    enum sp_json_event event = sp_json_next(&d->r);
    *ret = event == SP_JSON_OBJECT_BEGIN;
    return *ret || event == SP_JSON_ARRAY_END || sp_json_decoder_expected(d, "an object");
}

bool sp_json_decoder_text(struct sp_json_decoder *d, struct sp_slice *ret)
{
    enum sp_json_event event = sp_json_next(&d->r);
    if (event == SP_JSON_STRING) {
        *ret = d->r.text;
        return true;
    }
    return event == SP_JSON_NULL || sp_json_decoder_expected(d, "a string");
}

/* "1e3" and "4.0" are whole numbers too; they go through a double, so only as far as it is exact. */
static bool whole_double(struct sp_slice text, double *ret)
{
    return sp_parse_double(text, ret) && fabs(*ret) <= 9007199254740992.0 && trunc(*ret) == *ret;
}

bool sp_json_decoder_i64(struct sp_json_decoder *d, int64_t *ret, bool *ret_present)
{
    enum sp_json_event event = sp_json_next(&d->r);
    double number;
    *ret_present = event != SP_JSON_NULL;
    if (event == SP_JSON_NULL)
        return true;
    if (event == SP_JSON_STRING || event == SP_JSON_NUMBER) {
        if (sp_parse_i64(d->r.text, ret))
            return true;
        if (whole_double(d->r.text, &number)) {
            *ret = (int64_t)number;
            return true;
        }
    }
    return sp_json_decoder_expected(d, "a whole number of 64 bits");
}

bool sp_json_decoder_u64(struct sp_json_decoder *d, uint64_t *ret)
{
    enum sp_json_event event = sp_json_next(&d->r);
    double number;
    if (event == SP_JSON_NULL)
        return true;
    if (event == SP_JSON_STRING || event == SP_JSON_NUMBER) {
        if (sp_parse_u64(d->r.text, ret))
            return true;
        if (whole_double(d->r.text, &number) && number >= 0) {
            *ret = (uint64_t)number;
            return true;
        }
    }
    return sp_json_decoder_expected(d, "a whole number of 64 bits, not negative");
}

bool sp_json_decoder_u32(struct sp_json_decoder *d, uint32_t *ret)
{
    uint64_t number = *ret;
    if (!sp_json_decoder_u64(d, &number))
        return false;
    if (number > UINT32_MAX)
        return sp_json_decoder_expected(d, "a whole number of 32 bits, not negative");
    *ret = (uint32_t)number;
    return true;
}

bool sp_json_decoder_enum(struct sp_json_decoder *d, int32_t *ret)
{
    enum sp_json_event event = sp_json_next(&d->r);
    int64_t number = 0;
    double whole;
    if (event == SP_JSON_NULL)
        return true;
    bool ok = event == SP_JSON_NUMBER && sp_parse_i64(d->r.text, &number);
    if (!ok && event == SP_JSON_NUMBER && whole_double(d->r.text, &whole)) {
        number = (int64_t)whole;
        ok = true;
    }
    if (!ok || number < INT32_MIN || number > INT32_MAX)
        return sp_json_decoder_expected(d, "the number of an enum value, not its name,");
    *ret = (int32_t)number;
    return true;
}

bool sp_json_decoder_no_memory(struct sp_json_decoder *d, enum sp_status status)
{
    if (status == SP_LIMIT) {
        return sp_json_decoder_limit(d, "the decoded request needs more than %zu bytes",
                                     d->arena->cap_bytes);
    }
    d->status = sp_error_set(d->reterr, status, "%s",
                             status == SP_OVERLOADED ? "the memory is in use, try again"
                                                     : "out of memory, try again");
    return false;
}

bool sp_json_decoder_append(struct sp_json_decoder *d, struct sp_buf *array, const void *item,
                            size_t size)
{
    sp_buf_append(array, item, size);
    return array->error == SP_OK || sp_json_decoder_no_memory(d, array->error);
}

bool sp_json_decoder_keep(struct sp_json_decoder *d, struct sp_buf *array, size_t from, void **ret)
{
    size_t bytes = array->len - from;
    *ret = sp_arena_alloc(d->arena, bytes);
    if (!*ret)
        return sp_json_decoder_no_memory(d, d->arena->error);
    if (bytes > 0)
        memcpy(*ret, array->ptr + from, bytes);
    array->len = from;
    return true;
}
