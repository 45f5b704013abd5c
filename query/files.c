/* SPDX-License-Identifier: Apache-2.0
 *
 * query/files.c: the web UI's files and the addresses that lead to them. It knows the table of ui-static, not what is in
 * the files. */
#include "ui-static/ui.h"

#include <stdio.h>

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

static void send_file(struct sp_query_call *call, const struct sp_ui_file *file)
{
    static const char *const offers[] = {"gzip"};
    struct sp_query_reply *reply = &call->reply;
    sp_query_reply_header(reply, "etag", file->etag);
    sp_query_reply_header(reply, "vary", "accept-encoding");
    sp_query_reply_header(reply, "cache-control",
                          file->immutable ? "public, max-age=31536000, immutable" : "no-cache");
    sp_query_reply_header(reply, "content-security-policy", SP_UI_CSP);
    sp_query_reply_header(reply, "cross-origin-opener-policy", "same-origin");
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

/* "/trace/ID", as other tools link to traces, and pages without their last slash. */
static bool find_redirect(struct sp_query_call *call)
{
    struct sp_slice path = call->request.path, prefix = SP_SLICE("/trace/");
    char *location = call->reply.location;
    size_t room = sizeof(call->reply.location);
    if (sp_slice_starts_with(path, prefix)) {
        struct sp_slice id = sp_slice_sub(path, prefix.len, path.len);
        struct sp_trace_id trace_id;
        char text[SP_TRACE_ID_TEXT];
        if (!sp_trace_id_parse(id, &trace_id))
            return false;
        sp_trace_id_format(&trace_id, text);
        snprintf(location, room, "/trace/?id=%s", text);
        return true;
    }
    static const char *const pages[] = {"/trace", "/map"};
    for (size_t i = 0; i < SP_ARRAY_LEN(pages); i++)
        if (sp_slice_equal_cstr(path, pages[i])) {
            snprintf(location, room, "%s/", pages[i]);
            return true;
        }
    return false;
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
    else
        return sp_error_set(reterr, SP_NOT_FOUND,
                            "there is nothing at this path; docs/openapi.json lists all of them");
    return SP_OK;
}
