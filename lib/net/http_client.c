/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/net/http_client.c: HTTP/1.1 requests, many at once, and the only file that knows libcurl. Not gRPC: libcurl 7.88
 * (Debian 12) breaks an HTTP/2 connection that is used twice with prior knowledge (curl issue 10634). */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/net/client_parts.h"

#define TYPE_BYTES_MAX     1024 /* of content-type */
#define HEADER_LINE_MAX    8192 /* of one request header, name and value */
#define UPLOAD_CHUNK_BYTES (256L << 10)

#define WAIT_FDS_MAX      256  /* sockets of others to wait for */
#define RETRY_AFTER_S_MAX 3600 /* a longer Retry-After is not taken at its word */

struct call {
    struct call *previous, *next;
    struct sp_http_client *http;
    CURL *easy;
    struct curl_slist *headers;
    struct sp_slice body; /* borrowed */
    bool too_large;
    size_t sent_bytes;
    struct sp_buf received, content_type, header;
    const char *reply_header;
    uint64_t retry_after_ms, started_ns;
    void (*on_reply)(void *cookie, const struct sp_client_reply *reply);
    void (*on_part)(void *cookie, int http_status, struct sp_slice received);
    void *cookie;
    char curl_message[CURL_ERROR_SIZE];
};

struct sp_http_client {
    CURLM *multi;
    const struct sp_client_options *options;
    struct call *calls;
    uint32_t in_flight;
};

/* ---- one call ---- */

static void call_free(struct call *call)
{
    if (!call)
        return;
    curl_easy_cleanup(call->easy);
    curl_slist_free_all(call->headers);
    sp_buf_fini(&call->received);
    sp_buf_fini(&call->content_type);
    sp_buf_fini(&call->header);
    free(call);
}

static size_t on_upload(char *out, size_t size, size_t count, void *cookie)
{
    struct call *call = cookie;
    struct sp_slice part = sp_slice_sub(call->body, call->sent_bytes, size * count);
    if (part.len > 0)
        memcpy(out, part.ptr, part.len);
    call->sent_bytes += part.len;
    return part.len;
}

/* A connection that was kept open may have died: curl sends the request again on a new one. */
static int on_seek(void *cookie, curl_off_t offset, int origin)
{
    struct call *call = cookie;
    if (origin != SEEK_SET || offset < 0)
        return CURL_SEEKFUNC_CANTSEEK;
    call->sent_bytes = (size_t)offset;
    return CURL_SEEKFUNC_OK;
}

static size_t on_download(char *bytes, size_t size, size_t count, void *cookie)
{
    struct call *call = cookie;
    size_t len = size * count;
    sp_buf_append(&call->received, bytes, len);
    call->too_large = call->received.error == SP_LIMIT;
    if (call->on_part && call->received.error == SP_OK) {
        long http_status = 0;
        curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &http_status);
        call->on_part(call->cookie, (int)http_status, sp_buf_slice(&call->received));
    }
    return call->received.error == SP_OK ? len : 0;
}

static size_t on_header(char *bytes, size_t size, size_t count, void *cookie)
{
    struct call *call = cookie;
    struct sp_slice line = sp_slice_make(bytes, size * count);
    size_t colon = sp_slice_find(line, ':');
    struct sp_slice name = sp_slice_trim(sp_slice_sub(line, 0, colon));
    struct sp_slice value = sp_slice_trim(sp_slice_sub(line, colon + 1, line.len));
    uint64_t number;
    if (sp_slice_equal_nocase(name, SP_SLICE("content-type"))) {
        sp_buf_reset(&call->content_type);
        sp_buf_append_slice(&call->content_type, value);
    } else if (sp_slice_equal_nocase(name, SP_SLICE("retry-after"))) {
        if (sp_parse_u64(value, &number) && number <= RETRY_AFTER_S_MAX)
            call->retry_after_ms = number * 1000;
    } else if (call->reply_header &&
               sp_slice_equal_nocase(name, sp_slice_cstr(call->reply_header))) {
        sp_buf_reset(&call->header);
        sp_buf_append_slice(&call->header, value);
    }
    return line.len;
}

static bool add_header(struct call *call, struct sp_slice name, struct sp_slice value)
{
    char line[HEADER_LINE_MAX];
    int len =
        snprintf(line, sizeof(line), "%.*s: %.*s", SP_SLICE_PRINTF(name), SP_SLICE_PRINTF(value));
    struct curl_slist *list =
        len > 0 && (size_t)len < sizeof(line) ? curl_slist_append(call->headers, line) : NULL;
    if (list)
        call->headers = list;
    return list != NULL;
}

static bool set_headers(struct call *call, const struct sp_client_request *request)
{
    bool ok = true;
    for (size_t i = 0; i < request->header_count; i++)
        ok = ok && add_header(call, request->headers[i].name, request->headers[i].value);
    /* Without a value: curl then leaves the field out, and does not wait for "100 Continue". */
    struct curl_slist *list = curl_slist_append(call->headers, "Expect:");
    call->headers = list ? list : call->headers;
    return ok && list;
}

static void set_body(struct call *call, const struct sp_client_request *request)
{
    if (strcmp(request->method, "GET") == 0)
        return;
    call->body = request->body;
    curl_easy_setopt(call->easy, CURLOPT_POST, 1L);
    curl_easy_setopt(call->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.len);
    curl_easy_setopt(call->easy, CURLOPT_READFUNCTION, on_upload);
    curl_easy_setopt(call->easy, CURLOPT_READDATA, call);
    curl_easy_setopt(call->easy, CURLOPT_SEEKFUNCTION, on_seek);
    curl_easy_setopt(call->easy, CURLOPT_SEEKDATA, call);
    curl_easy_setopt(call->easy, CURLOPT_UPLOAD_BUFFERSIZE, UPLOAD_CHUNK_BYTES);
}

static enum sp_status call_prepare(struct call *call, const struct sp_client_request *request,
                                   struct sp_error *reterr)
{
    call->easy = curl_easy_init();
    if (!call->easy || !set_headers(call, request))
        return sp_error_set(reterr, SP_NO_MEMORY, "out of memory, or a header is too long");
    CURL *easy = call->easy;
    curl_easy_setopt(easy, CURLOPT_PRIVATE, call);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, call->curl_message);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 1L);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_PROXY, ""); /* what we talk to is near */
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)request->timeout_ms);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, call->headers);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_download);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, call);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, call);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    set_body(call, request);
    if (strcmp(request->method, "GET") != 0 && strcmp(request->method, "POST") != 0)
        curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
    if (curl_easy_setopt(easy, CURLOPT_URL, request->url) != CURLE_OK)
        return sp_error_set(reterr, SP_NO_MEMORY, "out of memory");
    return SP_OK;
}

/* ---- replies ---- */

static enum sp_status status_of(CURLcode code, const struct call *call)
{
    if (call->too_large)
        return SP_LIMIT;
    static const struct {
        CURLcode code;
        enum sp_status status;
    } rows[] = {
        {CURLE_OK, SP_OK},
        {CURLE_UNSUPPORTED_PROTOCOL, SP_INVALID_ARGUMENT},
        {CURLE_URL_MALFORMAT, SP_INVALID_ARGUMENT},
        {CURLE_COULDNT_RESOLVE_HOST, SP_UNAVAILABLE},
        {CURLE_COULDNT_CONNECT, SP_UNAVAILABLE},
        {CURLE_GOT_NOTHING, SP_UNAVAILABLE},
        {CURLE_OPERATION_TIMEDOUT, SP_DEADLINE},
        {CURLE_OUT_OF_MEMORY, SP_NO_MEMORY},
    };
    for (size_t i = 0; i < SP_ARRAY_LEN(rows); i++) {
        if (rows[i].code == code)
            return rows[i].status;
    }
    return SP_IO;
}

static void deliver(struct call *call, CURLcode code)
{
    uint64_t now = sp_clock_monotonic_ns(call->http->options->clock);
    struct sp_client_reply reply = {
        .status = status_of(code, call),
        .error = {.offset = SP_ERROR_NO_OFFSET},
        .grpc_status = -1,
        .content_type = sp_buf_slice(&call->content_type),
        .header = sp_buf_slice(&call->header),
        .body = sp_buf_slice(&call->received),
        .retry_after_ms = call->retry_after_ms,
        .started_ns = call->started_ns,
        .elapsed_ns = now - call->started_ns,
    };
    long http_status = 0;
    curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &http_status);
    reply.http_status = (int)http_status;
    if (call->too_large)
        (void)sp_error_set(&reply.error, SP_LIMIT, "the reply is larger than %zu bytes",
                           call->received.max);
    else if (code != CURLE_OK)
        (void)sp_error_set(&reply.error, reply.status, "%s",
                           call->curl_message[0] ? call->curl_message : curl_easy_strerror(code));
    call->on_reply(call->cookie, &reply);
}

static void call_remove(struct call *call)
{
    struct sp_http_client *http = call->http;
    curl_multi_remove_handle(http->multi, call->easy);
    if (call->previous)
        call->previous->next = call->next;
    else
        http->calls = call->next;
    if (call->next)
        call->next->previous = call->previous;
    http->in_flight--;
}

/* Returns how many replies were delivered. */
static uint32_t deliver_all(struct sp_http_client *http)
{
    uint32_t delivered = 0;
    int left;
    for (CURLMsg *message; (message = curl_multi_info_read(http->multi, &left));) {
        struct call *call = NULL;
        CURLcode code = message->data.result;
        if (message->msg != CURLMSG_DONE ||
            curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&call) != CURLE_OK)
            continue;
        call_remove(call);
        deliver(call, code);
        call_free(call);
        delivered++;
    }
    return delivered;
}

/* ---- the half ---- */

struct sp_http_client *sp_http_client_new(const struct sp_client_options *options)
{
    struct sp_http_client *http = calloc(1, sizeof(*http));
    if (http && curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK)
        http->multi = curl_multi_init();
    if (!http || !http->multi) {
        free(http);
        return NULL;
    }
    http->options = options;
    curl_multi_setopt(http->multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long)options->connections_max);
    curl_multi_setopt(http->multi, CURLMOPT_MAXCONNECTS, (long)options->connections_max);
    return http;
}

void sp_http_client_free(struct sp_http_client *http)
{
    if (!http)
        return;
    while (http->calls) {
        struct call *call = http->calls;
        call_remove(call);
        call_free(call);
    }
    curl_multi_cleanup(http->multi);
    curl_global_cleanup();
    free(http);
}

enum sp_status sp_http_client_submit(struct sp_http_client *http,
                                     const struct sp_client_request *request,
                                     struct sp_error *reterr)
{
    struct call *call = calloc(1, sizeof(*call));
    if (!call)
        return sp_error_set(reterr, SP_NO_MEMORY, "out of memory");
    call->http = http;
    call->on_reply = request->on_reply;
    call->on_part = request->on_part;
    call->cookie = request->cookie;
    call->started_ns = sp_clock_monotonic_ns(http->options->clock);
    sp_buf_init(&call->received, (size_t)http->options->reply_bytes_max);
    sp_buf_init(&call->content_type, TYPE_BYTES_MAX);
    sp_buf_init(&call->header, TYPE_BYTES_MAX);
    call->reply_header = request->reply_header;
    enum sp_status status = call_prepare(call, request, reterr);
    if (status == SP_OK && curl_multi_add_handle(http->multi, call->easy) != CURLM_OK)
        status = sp_error_set(reterr, SP_NO_MEMORY, "the HTTP client library takes no more");
    if (status != SP_OK) {
        call_free(call);
        return status;
    }
    call->next = http->calls;
    if (http->calls)
        http->calls->previous = call;
    http->calls = call;
    http->in_flight++;
    return SP_OK;
}

uint32_t sp_http_client_in_flight(const struct sp_http_client *http)
{
    return http->in_flight;
}

static enum sp_status check(CURLMcode code, struct sp_error *reterr)
{
    if (code != CURLM_OK)
        return sp_error_set(reterr, SP_IO, "HTTP client: %s", curl_multi_strerror(code));
    return SP_OK;
}

enum sp_status sp_http_client_step(struct sp_http_client *http, uint32_t *ret_delivered,
                                   struct sp_error *reterr)
{
    int running = 0;
    CURLMcode code = curl_multi_perform(http->multi, &running);
    *ret_delivered = deliver_all(http);
    return check(code, reterr);
}

enum sp_status sp_http_client_wait(struct sp_http_client *http, const struct pollfd *others,
                                   size_t count, uint32_t wait_ms, struct sp_error *reterr)
{
    struct curl_waitfd fds[WAIT_FDS_MAX];
    if (count > WAIT_FDS_MAX)
        count = WAIT_FDS_MAX; /* the others are looked at when these have news, or after wait_ms */
    for (size_t i = 0; i < count; i++) {
        fds[i] = (struct curl_waitfd){.fd = others[i].fd};
        if (others[i].events & POLLIN)
            fds[i].events |= CURL_WAIT_POLLIN;
        if (others[i].events & POLLOUT)
            fds[i].events |= CURL_WAIT_POLLOUT;
    }
    return check(curl_multi_poll(http->multi, fds, (unsigned int)count, (int)wait_ms, NULL),
                 reterr);
}
