/* SPDX-License-Identifier: Apache-2.0
 *
 * query/parameters.c: what a request asks for: query strings and the headers that choose a representation. It knows
 * tables of parameters, not endpoints. */
#include <stdio.h>

#include "query/internal.h"

/* Copies a name from the request into an error, so that nothing but UTF-8 can be in it. */
static void parameter_name(struct sp_slice name, char *out, size_t out_bytes)
{
    size_t len = name.len < out_bytes - 1 ? name.len : out_bytes - 1;
    len = sp_utf8_valid_prefix(sp_slice_make(name.ptr, len));
    memcpy(out, name.ptr ? name.ptr : (const uint8_t *)"", len);
    out[len] = 0;
}

static enum sp_status unknown_parameter(const struct sp_parameter *table, size_t count,
                                        struct sp_slice name, struct sp_error *reterr)
{
    char allowed[SP_ERROR_MESSAGE_MAX] = "";
    size_t used = 0;
    for (size_t i = 0; i < count && used < sizeof(allowed); i++)
        used += (size_t)snprintf(allowed + used, sizeof(allowed) - used, "%s%s", i ? ", " : "",
                                 table[i].name);
    char text[64];
    parameter_name(name, text, sizeof(text));
    if (count == 0)
        return sp_error_set_parameter(reterr, SP_INVALID_ARGUMENT, text,
                                      "there is no parameter \"%s\" here; none is allowed", text);
    return sp_error_set_parameter(reterr, SP_INVALID_ARGUMENT, text,
                                  "there is no parameter \"%s\" here; allowed are: %s", text,
                                  allowed);
}

static enum sp_status parse_choice(const struct sp_parameter *row, struct sp_parameter_value *value,
                                   struct sp_error *reterr)
{
    struct sp_slice rest = sp_slice_cstr(row->choices);
    for (uint64_t index = 0; rest.len > 0; index++) {
        size_t end = sp_slice_find(rest, '|');
        if (sp_slice_equal(sp_slice_sub(rest, 0, end), value->text)) {
            value->number = index;
            return SP_OK;
        }
        rest = sp_slice_sub(rest, end + 1, rest.len);
    }
    return sp_error_set_parameter(reterr, SP_INVALID_ARGUMENT, row->name,
                                  "\"%s\" must be one of %s", row->name, row->choices);
}

static enum sp_status parse_switch(const struct sp_parameter *row, struct sp_parameter_value *value,
                                   struct sp_error *reterr)
{
    bool on = sp_slice_equal_cstr(value->text, "true") || sp_slice_equal_cstr(value->text, "1");
    bool off = sp_slice_equal_cstr(value->text, "false") || sp_slice_equal_cstr(value->text, "0");
    if (!on && !off)
        return sp_error_set_parameter(reterr, SP_INVALID_ARGUMENT, row->name,
                                      "\"%s\" must be true or false (or 1 or 0)", row->name);
    value->number = on;
    return SP_OK;
}

/* "now+1h" and "+02:00" are often sent as they are; in a query string a plus means a space, and no time has one inside. */
static bool restore_plus(struct sp_slice *text, struct sp_arena *arena)
{
    struct sp_slice copy;
    if (!sp_arena_copy(arena, *text, &copy))
        return false;
    uint8_t *bytes = sp_arena_alloc(arena, copy.len);
    if (!bytes)
        return false;
    for (size_t i = 0; i < copy.len; i++)
        bytes[i] = copy.ptr[i] == ' ' ? '+' : copy.ptr[i];
    *text = sp_slice_make(bytes, copy.len);
    return true;
}

static enum sp_status parse_value(const struct sp_parameter *row, uint64_t now_unix_ns,
                                  struct sp_arena *arena, struct sp_parameter_value *value,
                                  struct sp_error *reterr)
{
    switch (row->type) {
    case SP_PARAMETER_TEXT:
        if (!sp_utf8_valid(value->text))
            return sp_error_set_parameter(reterr, SP_INVALID_ARGUMENT, row->name,
                                          "\"%s\" is not valid UTF-8", row->name);
        return SP_OK;
    case SP_PARAMETER_TIME: {
        if (!restore_plus(&value->text, arena))
            return sp_arena_failed(arena, reterr, "the query has no memory left");
        struct sp_error why = {0};
        if (sp_parse_time(value->text, now_unix_ns, &value->number, &why) != SP_OK)
            return sp_error_set_parameter(reterr, SP_INVALID_ARGUMENT, row->name,
                                          "\"%s\" is not a time: %s", row->name, why.message);
        return SP_OK;
    }
    case SP_PARAMETER_NUMBER:
        if (!sp_parse_u64(value->text, &value->number) || value->number < row->number_min ||
            value->number > row->number_max)
            return sp_error_set_parameter(reterr, SP_INVALID_ARGUMENT, row->name,
                                          "\"%s\" must be a whole number between %llu and %llu",
                                          row->name, (unsigned long long)row->number_min,
                                          (unsigned long long)row->number_max);
        return SP_OK;
    case SP_PARAMETER_CHOICE:
        return parse_choice(row, value, reterr);
    case SP_PARAMETER_SWITCH:
        return parse_switch(row, value, reterr);
    }
    return sp_error_set(reterr, SP_INTERNAL, "unknown type of parameter");
}

/* One decoded pair. */
static enum sp_status take_pair(const struct sp_parameter *table, size_t count,
                                const struct sp_param *pair, uint64_t now_unix_ns,
                                struct sp_arena *arena, struct sp_parameter_value *values,
                                bool *seen, struct sp_error *reterr)
{
    size_t i = 0;
    while (i < count && !sp_slice_equal_cstr(pair->name, table[i].name))
        i++;
    if (i == count)
        return unknown_parameter(table, count, pair->name, reterr);
    if (seen[i])
        return sp_error_set_parameter(reterr, SP_INVALID_ARGUMENT, table[i].name,
                                      "\"%s\" is given more than once", table[i].name);
    seen[i] = true;
    values[i].text = pair->value;
    if (pair->value.len == 0)
        return SP_OK;
    values[i].set = true;
    return parse_value(&table[i], now_unix_ns, arena, &values[i], reterr);
}

enum sp_status sp_parameters_parse(const struct sp_parameter *table, size_t count,
                                   struct sp_slice query, uint64_t now_unix_ns,
                                   struct sp_arena *arena, struct sp_parameter_value *values,
                                   struct sp_error *reterr)
{
    SP_ASSERT(count <= SP_QUERY_PARAMETERS_MAX);
    bool seen[SP_QUERY_PARAMETERS_MAX] = {false};
    for (size_t i = 0; i < count; i++)
        values[i] = (struct sp_parameter_value){.number = table[i].preset};
    if (query.len > SP_QUERY_STRING_BYTES_MAX)
        return sp_error_set(reterr, SP_LIMIT, "the query string is longer than %d bytes",
                            SP_QUERY_STRING_BYTES_MAX);
    struct sp_params *params = sp_arena_alloc(arena, sizeof(*params));
    if (!params)
        return sp_arena_failed(arena, reterr, "the query has no memory left");
    enum sp_status status = sp_params_decode(arena, query, params, reterr);
    for (size_t i = 0; status == SP_OK && i < params->count; i++)
        status =
            take_pair(table, count, &params->items[i], now_unix_ns, arena, values, seen, reterr);
    return status;
}

bool sp_etag_matches(struct sp_slice if_none_match, const char *etag)
{
    struct sp_slice rest = if_none_match;
    while (rest.len > 0) {
        size_t end = sp_slice_find(rest, ',');
        struct sp_slice tag = sp_slice_trim(sp_slice_sub(rest, 0, end));
        rest = sp_slice_sub(rest, end + 1, rest.len);
        if (sp_slice_equal_cstr(tag, "*"))
            return true;
        if (tag.len > 2 && tag.ptr[0] == 'W' && tag.ptr[1] == '/')
            tag = sp_slice_sub(tag, 2, tag.len);
        if (sp_slice_equal_cstr(tag, etag))
            return true;
    }
    return false;
}
