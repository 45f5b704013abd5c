/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/base/config_value.c: the text of one option becomes a value, or an error that says where it stood and what is
 * allowed. Knows nothing of where texts come from. */
#include <arpa/inet.h>
#include <stdio.h>

#include "lib/base/config_internal.h"
#include "lib/base/text.h"

#define HOST_BYTES_MAX 253 /* a name in the DNS is not longer (RFC 1035) */

/* What every check needs. */
struct check {
    struct sp_arena *arena;
    const struct sp_option *option;
    const struct sp_config_place *place;
    struct sp_error *reterr;
};

static enum sp_status no_memory(const struct check *check)
{
    return sp_error_set_parameter(
        check->reterr, SP_LIMIT, check->option->name,
        "%s: the configuration is larger than the memory set aside for it", check->place->name);
}

static enum sp_status refuse(const struct check *check, struct sp_slice text, const char *expected)
{
    return sp_error_set_parameter(check->reterr, SP_INVALID_ARGUMENT, check->option->name,
                                  "%s: '%.*s' is not %s", check->place->name,
                                  SP_SLICE_PRINTF(sp_slice_sub(text, 0, 100)), expected);
}

/* A copy with a terminating zero behind it, for the C library's sake. */
static bool copy_text(struct sp_arena *arena, struct sp_slice text, struct sp_slice *ret)
{
    uint8_t *copy = sp_arena_alloc(arena, text.len + 1);
    if (!copy)
        return false;
    if (text.len)
        memcpy(copy, text.ptr, text.len);
    copy[text.len] = 0;
    *ret = sp_slice_make(copy, text.len);
    return true;
}

static enum sp_status check_bool(const struct check *check, struct sp_option_value *value)
{
    static const char *const yes[] = {"true", "yes", "on", "1"};
    static const char *const no[] = {"false", "no", "off", "0"};
    for (size_t i = 0; i < SP_ARRAY_LEN(yes); i++) {
        if (sp_slice_equal_nocase(value->text, sp_slice_cstr(yes[i]))) {
            value->flag = true;
            return SP_OK;
        }
        if (sp_slice_equal_nocase(value->text, sp_slice_cstr(no[i]))) {
            value->flag = false;
            return SP_OK;
        }
    }
    return refuse(check, value->text, "true or false");
}

/* A number in the way its type is written. out: 32 bytes at least. */
static void print_bound(enum sp_option_type type, uint64_t number, char *out)
{
    if (type == SP_OPTION_DURATION)
        out[sp_format_duration(number, out)] = 0;
    else
        snprintf(out, 32, "%llu", (unsigned long long)number);
}

static enum sp_status check_range(const struct check *check, const struct sp_option_value *value)
{
    const struct sp_option *option = check->option;
    if (value->number >= option->min && (option->max == 0 || value->number <= option->max))
        return SP_OK;
    char min[40], max[40], expected[120];
    print_bound(option->type, option->min, min);
    print_bound(option->type, option->max, max);
    if (option->max == 0)
        snprintf(expected, sizeof(expected), "at least %s", min);
    else
        snprintf(expected, sizeof(expected), "between %s and %s", min, max);
    return refuse(check, value->text, expected);
}

static enum sp_status check_choice(const struct check *check, struct sp_option_value *value)
{
    struct sp_slice rest = sp_slice_cstr(check->option->choices);
    for (value->number = 0; rest.len; value->number++) {
        size_t len = sp_slice_find(rest, '|');
        if (sp_slice_equal(sp_slice_sub(rest, 0, len), value->text))
            return SP_OK;
        rest = sp_slice_sub(rest, len + 1, rest.len);
    }
    char expected[200];
    snprintf(expected, sizeof(expected), "one of %s", check->option->choices);
    return refuse(check, value->text, expected);
}

static bool host_is_name(struct sp_slice host)
{
    for (size_t i = 0; i < host.len; i++) {
        uint8_t byte = host.ptr[i];
        bool letter = (byte | 0x20) >= 'a' && (byte | 0x20) <= 'z';
        if (!letter && !(byte >= '0' && byte <= '9') && byte != '.' && byte != '-' && byte != '_')
            return false;
    }
    return host.len > 0;
}

/* The inside of [ ]: an IPv6 address, with an optional zone (fe80::1%eth0). */
static bool host_is_ipv6(struct sp_slice host)
{
    char text[INET6_ADDRSTRLEN];
    struct in6_addr address;
    size_t len = sp_slice_find(host, '%');
    if (len == 0 || len >= sizeof(text) || len + 1 == host.len)
        return false;
    memcpy(text, host.ptr, len);
    text[len] = 0;
    return inet_pton(AF_INET6, text, &address) == 1 &&
           (len == host.len || host_is_name(sp_slice_sub(host, len + 1, host.len)));
}

static enum sp_status check_address(const struct check *check, struct sp_option_value *value)
{
    static const char expected[] =
        "HOST:PORT (127.0.0.1:4317, [::1]:4317, or 0.0.0.0:4317 for all interfaces)";
    struct sp_slice text = value->text, host;
    size_t colon = text.len;
    while (colon > 0 && text.ptr[colon - 1] != ':')
        colon--;
    uint64_t port;
    if (colon == 0 || !sp_parse_u64(sp_slice_sub(text, colon, text.len), &port) ||
        port > UINT16_MAX)
        return refuse(check, text, expected);
    host = sp_slice_sub(text, 0, colon - 1);
    bool bracketed = host.len >= 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']';
    if (bracketed)
        host = sp_slice_sub(host, 1, host.len - 2);
    if (host.len > HOST_BYTES_MAX || !(bracketed ? host_is_ipv6(host) : host_is_name(host)))
        return refuse(check, text, expected);
    value->port = (uint16_t)port;
    return copy_text(check->arena, host, &value->host) ? SP_OK : no_memory(check);
}

static enum sp_status check_items(const struct check *check, const struct sp_slice *items,
                                  size_t count, struct sp_option_value *value)
{
    struct sp_slice *copies = sp_arena_calloc(check->arena, count, sizeof(*copies));
    if (!copies)
        return no_memory(check);
    for (size_t i = 0; i < count; i++) {
        if (items[i].len == 0) {
            return sp_error_set_parameter(check->reterr, SP_INVALID_ARGUMENT, check->option->name,
                                          "%s: item %zu of the list is empty", check->place->name,
                                          i + 1);
        }
        if (!copy_text(check->arena, items[i], &copies[i]))
            return no_memory(check);
    }
    value->items = copies;
    value->item_count = count;
    return SP_OK;
}

static enum sp_status too_many_items(const struct check *check)
{
    return sp_error_set_parameter(check->reterr, SP_INVALID_ARGUMENT, check->option->name,
                                  "%s: a list has at most %d items", check->place->name,
                                  SP_OPTION_LIST_MAX);
}

/* "a, b,c" */
static enum sp_status check_list(const struct check *check, struct sp_option_value *value)
{
    struct sp_slice items[SP_OPTION_LIST_MAX];
    struct sp_slice rest = value->text;
    size_t count = 0;
    for (bool more = sp_slice_trim(rest).len > 0; more;) {
        if (count == SP_OPTION_LIST_MAX)
            return too_many_items(check);
        size_t len = sp_slice_find(rest, ',');
        items[count++] = sp_slice_trim(sp_slice_sub(rest, 0, len));
        more = len < rest.len;
        rest = sp_slice_sub(rest, len + 1, rest.len);
    }
    return check_items(check, items, count, value);
}

static enum sp_status check_type(const struct check *check, struct sp_option_value *value)
{
    switch (check->option->type) {
    case SP_OPTION_TEXT:
        return SP_OK;
    case SP_OPTION_BOOL:
        return check_bool(check, value);
    case SP_OPTION_U64:
        if (!sp_parse_u64(value->text, &value->number))
            return refuse(check, value->text, "a whole number");
        return check_range(check, value);
    case SP_OPTION_BYTES:
        if (!sp_parse_bytes(value->text, &value->number))
            return refuse(check, value->text, "a size such as 64MiB, 500kB or 1024");
        return check_range(check, value);
    case SP_OPTION_DURATION:
        if (!sp_parse_duration_ns(value->text, &value->number))
            return refuse(check, value->text, "a duration such as 250ms, 5s or 1h30m");
        return check_range(check, value);
    case SP_OPTION_ADDRESS:
        return check_address(check, value);
    case SP_OPTION_CHOICE:
        return check_choice(check, value);
    case SP_OPTION_LIST:
        return check_list(check, value);
    }
    SP_ASSERT(!"a type that is not in the enum");
    return SP_INTERNAL;
}

enum sp_status sp_config_set(struct sp_arena *arena, const struct sp_option *option,
                             struct sp_slice text, const struct sp_config_place *place,
                             struct sp_option_value *ret, struct sp_error *reterr)
{
    const struct check check = {arena, option, place, reterr};
    struct sp_option_value value = {.set = true, .origin = place->origin};
    if (sp_slice_find(text, 0) < text.len)
        return refuse(&check, text, "a text without zero bytes");
    if (!copy_text(arena, text, &value.text))
        return no_memory(&check);
    enum sp_status status = check_type(&check, &value);
    if (status == SP_OK)
        *ret = value;
    return status;
}

enum sp_status sp_config_set_items(struct sp_arena *arena, const struct sp_option *option,
                                   const struct sp_slice *items, size_t count,
                                   const struct sp_config_place *place, struct sp_option_value *ret,
                                   struct sp_error *reterr)
{
    const struct check check = {arena, option, place, reterr};
    struct sp_option_value value = {.set = true, .origin = place->origin};
    if (count > SP_OPTION_LIST_MAX)
        return too_many_items(&check);
    size_t len = 0;
    for (size_t i = 0; i < count; i++) {
        if (sp_slice_find(items[i], 0) < items[i].len)
            return refuse(&check, items[i], "a text without zero bytes");
        len += items[i].len + 1;
    }
    char *joined = sp_arena_alloc(arena, len + 1);
    if (!joined)
        return no_memory(&check);
    len = 0;
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            joined[len++] = ',';
        if (items[i].len)
            memcpy(joined + len, items[i].ptr, items[i].len);
        len += items[i].len;
    }
    joined[len] = 0;
    value.text = sp_slice_make(joined, len);
    enum sp_status status = check_items(&check, items, count, &value);
    if (status == SP_OK)
        *ret = value;
    return status;
}
