/* SPDX-License-Identifier: Apache-2.0
 *
 * query/files.c: the web UI's files and the addresses that lead to them. It knows the table of ui-static, not what is in
 * the files. */
#include "ui-static/ui.h"

#include "query/foreign_links.h"
#include "query/internal.h"

static const struct sp_ui_file *find_file(const struct sp_query_api *api, struct sp_slice path)
{
    size_t low = 0, high = api->ui_file_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = sp_slice_compare(sp_slice_cstr(api->ui_files[middle].path), path);
        if (order == 0)
            return &api->ui_files[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

/* Scheme and host of a page, "*" for any of its names: nothing that could begin another directive of the policy. */
static bool is_origin(struct sp_slice text)
{
    static const char hosts[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.:*[]";
    const char *at = (const char *)text.ptr;
    size_t scheme = text.len > 8 && memcmp(at, "https://", 8) == 0  ? 8
                    : text.len > 7 && memcmp(at, "http://", 7) == 0 ? 7
                                                                    : 0;
    if (scheme == 0)
        return false;
    for (size_t i = scheme; i < text.len; i++)
        if (at[i] == 0 || strchr(hosts, at[i]) == NULL)
            return false;
    return true;
}

enum sp_status sp_ui_policy_make(char ret[SP_UI_POLICY_BYTES], const struct sp_slice *ancestors,
                                 size_t count, struct sp_error *reterr)
{
    enum sp_status status = SP_OK;
    struct sp_buf policy;
    sp_buf_init(&policy, SP_UI_POLICY_BYTES - 1);
    sp_buf_append_cstr(&policy, count == 0 ? SP_UI_CSP : SP_UI_CSP_FRAMES);
    for (size_t i = 0; i < count && status == SP_OK; i++) {
        sp_buf_append_cstr(&policy, i > 0 ? " " : "");
        if (sp_slice_equal_cstr(ancestors[i], "self"))
            sp_buf_append_cstr(&policy, "'self'");
        else if (is_origin(ancestors[i]))
            sp_buf_append_slice(&policy, ancestors[i]);
        else
            status = sp_error_set(reterr, SP_INVALID_ARGUMENT,
                                  "--frame-ancestors has \"self\" or origins like "
                                  "https://grafana.example:3000, not \"%.*s\"",
                                  SP_SLICE_PRINTF(ancestors[i]));
    }
    if (status == SP_OK && policy.error != SP_OK)
        status = sp_error_set(reterr, policy.error,
                              "--frame-ancestors: the policy would be longer than %d bytes",
                              SP_UI_POLICY_BYTES - 1);
    if (status == SP_OK) {
        struct sp_slice text = sp_buf_slice(&policy);
        memcpy(ret, text.ptr, text.len);
        ret[text.len] = 0;
    }
    sp_buf_fini(&policy);
    return status;
}

/* Nothing that needs an escape in a header or in HTML. */
static bool is_address(struct sp_slice text)
{
    bool is_web = (text.len > 8 && memcmp(text.ptr, "https://", 8) == 0) ||
                  (text.len > 7 && memcmp(text.ptr, "http://", 7) == 0);
    for (size_t i = 0; i < text.len && is_web; i++)
        is_web =
            text.ptr[i] > ' ' && text.ptr[i] < 0x7f && strchr("\"<>\\^`{|}", text.ptr[i]) == NULL;
    return is_web;
}

enum sp_status sp_ui_opener_policy(struct sp_slice perfetto_url, const char **ret,
                                   struct sp_error *reterr)
{
    bool opens = perfetto_url.len > 0 && !sp_slice_equal_cstr(perfetto_url, "none");
    if (opens && !is_address(perfetto_url))
        return sp_error_set(reterr, SP_INVALID_ARGUMENT,
                            "--perfetto-url has \"none\" or an address like "
                            "https://perfetto.example/ui/, not \"%.*s\"",
                            SP_SLICE_PRINTF(perfetto_url));
    *ret = opens ? "same-origin-allow-popups" : "same-origin";
    return SP_OK;
}

static void send_file(struct sp_query_call *call, const struct sp_ui_file *file)
{
    static const char *const offers[] = {"gzip"};
    struct sp_query_reply *reply = &call->reply;
    sp_query_reply_header(reply, "etag", file->etag);
    sp_query_reply_header(reply, "vary", "accept-encoding");
    sp_query_reply_header(reply, "cache-control",
                          file->immutable ? "public, max-age=31536000, immutable" : "no-cache");
    sp_query_reply_header(reply, "content-security-policy", call->api->ui_policy);
    sp_query_reply_header(reply, "cross-origin-opener-policy", call->api->ui_opener_policy);
    if (sp_etag_matches(call->request.if_none_match, file->etag)) {
        reply->status = 304;
        return;
    }
    reply->status = 200;
    reply->content_type = file->content_type;
    reply->fixed = sp_slice_make(file->bytes, file->bytes_len);
    if (file->gzip && call->request.accept_encoding.len > 0 &&
        sp_accept_encoding_choose(call->request.accept_encoding, offers, 1) == 0) {
        sp_query_reply_header(reply, "content-encoding", "gzip");
        reply->fixed = sp_slice_make(file->gzip, file->gzip_len);
    }
}

static void redirect(struct sp_query_call *call)
{
    call->reply.status = 302;
    sp_query_reply_header(&call->reply, "location", call->reply.location);
    sp_query_reply_header(&call->reply, "cache-control", "no-store");
}

/* A page without its last slash: a file of that name with one is there. */
static bool page_of(const struct sp_query_call *call, struct sp_buf *out)
{
    sp_buf_append_slice(out, call->request.path);
    sp_buf_append_byte(out, '/');
    bool is_page = out->error == SP_OK && find_file(call->api, sp_buf_slice(out)) != NULL;
    if (call->request.query.len > 0)
        sp_buf_append_byte(out, '?');
    sp_buf_append_slice(out, call->request.query);
    return is_page && out->error == SP_OK;
}

/* Into reply.location, as text. */
static bool find_redirect(struct sp_query_call *call)
{
    struct sp_buf address;
    sp_buf_init(&address, sizeof(call->reply.location) - 1);
    bool found = page_of(call, &address);
    if (!found) {
        sp_buf_reset(&address);
        found = sp_foreign_link(&call->arena, call->request.path, call->request.query, &address);
    }
    struct sp_slice text = sp_buf_slice(&address);
    if (found) {
        memcpy(call->reply.location, text.ptr, text.len);
        call->reply.location[text.len] = 0;
    }
    sp_buf_fini(&address);
    return found;
}

/* Somebody looks at it in a browser, and it is no address of the API. */
static bool is_for_people(const struct sp_query_call *call)
{
    static const char *const offers[] = {SP_PROBLEM_MEDIA_TYPE, "text/html"};
    return call->api->ui_file_count > 0 &&
           !sp_slice_starts_with(call->request.path, SP_SLICE("/v1/")) &&
           sp_accept_choose(call->request.accept, offers, SP_ARRAY_LEN(offers)) == 1;
}

/* Ways to the pages, from wherever the path is: a proxy may have put something in front of it. */
static void send_ways(struct sp_query_call *call)
{
    struct sp_buf *page = &call->reply.body;
    struct sp_buf up;
    sp_buf_init(&up, SP_QUERY_LOCATION_BYTES);
    sp_buf_append_cstr(&up, "./");
    for (size_t i = 1; i < call->request.path.len; i++)
        sp_buf_append_cstr(&up, call->request.path.ptr[i] == '/' ? "../" : "");
    struct sp_slice to = sp_buf_slice(&up);
    sp_buf_printf(page,
                  "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n"
                  "<meta name=\"viewport\" content=\"width=device-width\">\n"
                  "<meta name=\"color-scheme\" content=\"light dark\">\n"
                  "<title>Not found \u00b7 Spoor</title>\n<main>\n"
                  "<h1>There is nothing at this address</h1>\n"
                  "<p>A trace is at <code>trace/?id=</code> and the 32 digits of its id.</p>\n"
                  "<ul>\n<li><a href=\"%.*s\">Search traces</a></li>\n"
                  "<li><a href=\"%.*smap/\">See the map of services</a></li>\n"
                  "<li><a href=\"%.*sstatus/\">See how this server is</a></li>\n</ul>\n</main>\n",
                  SP_SLICE_PRINTF(to), SP_SLICE_PRINTF(to), SP_SLICE_PRINTF(to));
    sp_buf_fini(&up);
    call->reply.status = 404;
    call->reply.content_type = "text/html; charset=utf-8";
}

enum sp_status sp_query_answer_file(struct sp_query_call *call, struct sp_error *reterr)
{
    const struct sp_ui_file *file = find_file(call->api, call->request.path);
    if (file)
        send_file(call, file);
    else if (find_redirect(call))
        redirect(call);
    else if (call->api->ui_file_count == 0 && sp_slice_equal_cstr(call->request.path, "/"))
        return sp_error_set(reterr, SP_NOT_FOUND,
                            "this build has no web UI; the API is at /v1/status");
    else if (is_for_people(call))
        send_ways(call);
    else
        return sp_error_set(reterr, SP_NOT_FOUND,
                            "there is nothing at this path; docs/openapi.json lists all of them");
    return SP_OK;
}
