/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/net/http1_rules.c: see http1_rules.h. Repeated fields arrive joined by ", ", which is how they are known here. */
#include "lib/net/http1_rules.h"

static bool holds_space(struct sp_slice s)
{
    return sp_slice_find(s, ' ') < s.len || sp_slice_find(s, '\t') < s.len;
}

static enum sp_status check_length(const struct sp_exchange *exchange, bool http11,
                                   struct sp_error *reterr)
{
    struct sp_slice length, coding;
    uint64_t number;
    bool has_length = sp_exchange_header(exchange, "content-length", &length);
    bool has_coding = sp_exchange_header(exchange, "transfer-encoding", &coding);
    if (has_length && has_coding)
        return sp_error_set(reterr, SP_MALFORMED,
                            "the request has both Content-Length and Transfer-Encoding");
    if (has_length && !sp_parse_u64(length, &number))
        return sp_error_set(reterr, SP_MALFORMED,
                            "the request has more than one Content-Length, or not a number");
    if (has_coding && !http11)
        return sp_error_set(reterr, SP_MALFORMED, "HTTP/1.0 has no Transfer-Encoding");
    if (has_coding && !sp_slice_equal_nocase(coding, SP_SLICE("chunked")))
        return sp_error_set(reterr, SP_MALFORMED,
                            "the only Transfer-Encoding that is read here is one \"chunked\"");
    return SP_OK;
}

enum sp_status sp_http1_check_head(const struct sp_exchange *exchange, const char *version,
                                   struct sp_error *reterr)
{
    struct sp_slice host;
    bool http11 = strcmp(version, "HTTP/1.0") != 0;
    for (size_t i = 0; i < exchange->field_count; i++) {
        if (holds_space(exchange->fields[i].name))
            return sp_error_set(reterr, SP_MALFORMED, "the name of a header field holds a space");
    }
    if (holds_space(exchange->path) || holds_space(exchange->query))
        return sp_error_set(reterr, SP_MALFORMED, "the request's target holds a space");
    bool has_host = sp_exchange_header(exchange, "host", &host);
    if (!has_host && http11)
        return sp_error_set(reterr, SP_MALFORMED, "the request has no Host");
    if (has_host && sp_slice_find(host, ',') < host.len)
        return sp_error_set(reterr, SP_MALFORMED, "the request has more than one Host");
    return check_length(exchange, http11, reterr);
}

void sp_http1_hide_parameters(const char *target, size_t len)
{
    size_t question = sp_slice_find(sp_slice_make(target, len), '?');
    union {
        const char *theirs;
        char *bytes;
    } read_buffer = {.theirs = target};
    if (question < len)
        read_buffer.bytes[question + 1 < len ? question + 1 : question] = '\0';
}

bool sp_http1_has_body(const struct sp_exchange *exchange)
{
    struct sp_slice value;
    if (sp_exchange_header(exchange, "transfer-encoding", &value))
        return true;
    return sp_exchange_header(exchange, "content-length", &value) &&
           !sp_slice_equal_cstr(value, "0");
}

bool sp_http1_body_follows(const struct sp_exchange *exchange)
{
    struct sp_slice expect;
    return sp_http1_has_body(exchange) && !sp_exchange_header(exchange, "expect", &expect);
}
