/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/net/client.c: HTTP/1.1 and gRPC requests, many at once, and the only file that knows libcurl. For `spoor load` and
 * the thin commands; servers do not use it. One thread owns a client. */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/net/net.h"

#define GRPC_PREFIX_LEN    5
#define MESSAGE_BYTES_MAX  1024 /* of grpc-message and content-type that are kept */
#define HEADER_LINE_MAX    8192 /* of one request header, name and value */
#define UPLOAD_CHUNK_BYTES (256L << 10)

#define REUSE_WORKS_SINCE                                                                          \
    0x080000 /* curl issue 10634: 7.88 breaks a reused prior-knowledge connection */
#define RETRY_AFTER_S_MAX 3600 /* a longer Retry-After is not taken at its word */

struct call {
    struct call *previous, *next;
    struct sp_client *client;
    CURL *easy;
    struct curl_slist *headers;
    struct sp_slice body; /* borrowed */
    bool grpc, too_large;
    uint8_t prefix[GRPC_PREFIX_LEN];
    size_t sent_bytes; /* of prefix and body */
    struct sp_buf received;
    struct sp_buf grpc_message, content_type;
    int grpc_status;
    uint64_t retry_after_ms, started_ns;
    void (*on_reply)(void *cookie, const struct sp_client_reply *reply);
    void *cookie;
    char curl_message[CURL_ERROR_SIZE];
};

struct sp_client {
    CURLM *multi;
    struct sp_client_options options;
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
    sp_buf_fini(&call->grpc_message);
    sp_buf_fini(&call->content_type);
    free(call);
}

static size_t on_upload(char *out, size_t size, size_t count, void *cookie)
{
    struct call *call = cookie;
    size_t room = size * count, copied = 0;
    size_t prefix_len = call->grpc ? GRPC_PREFIX_LEN : 0;
    while (copied < room && call->sent_bytes < prefix_len)
        out[copied++] = (char)call->prefix[call->sent_bytes++];
    if (call->sent_bytes < prefix_len)
        return copied;
    struct sp_slice part = sp_slice_sub(call->body, call->sent_bytes - prefix_len, room - copied);
    if (part.len > 0)
        memcpy(out + copied, part.ptr, part.len);
    call->sent_bytes += part.len;
    return copied + part.len;
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
    return call->received.error == SP_OK ? len : 0;
}

static void keep(struct sp_buf *buf, struct sp_slice value)
{
    sp_buf_reset(buf);
    sp_buf_append_slice(buf, value);
}

/* Header lines and, for gRPC, trailers: they come the same way. */
static size_t on_header(char *bytes, size_t size, size_t count, void *cookie)
{
    struct call *call = cookie;
    struct sp_slice line = sp_slice_make(bytes, size * count);
    size_t colon = sp_slice_find(line, ':');
    struct sp_slice name = sp_slice_trim(sp_slice_sub(line, 0, colon));
    struct sp_slice value = sp_slice_trim(sp_slice_sub(line, colon + 1, line.len));
    uint64_t number;
    if (sp_slice_equal_nocase(name, SP_SLICE("content-type"))) {
        keep(&call->content_type, value);
    } else if (sp_slice_equal_nocase(name, SP_SLICE("grpc-status"))) {
        call->grpc_status = sp_parse_u64(value, &number) && number <= 16 ? (int)number : 2;
    } else if (sp_slice_equal_nocase(name, SP_SLICE("grpc-message"))) {
        sp_buf_reset(&call->grpc_message);
        if (!sp_percent_decode(value, &call->grpc_message))
            keep(&call->grpc_message, value);
    } else if (sp_slice_equal_nocase(name, SP_SLICE("retry-after"))) {
        if (sp_parse_u64(value, &number) && number <= RETRY_AFTER_S_MAX)
            call->retry_after_ms = number * 1000;
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
    if (request->grpc) {
        ok = ok && add_header(call, SP_SLICE("content-type"), SP_SLICE("application/grpc"));
        ok = ok && add_header(call, SP_SLICE("te"), SP_SLICE("trailers"));
    }
    /* Without a value: curl then leaves the field out, and does not wait for "100 Continue". */
    struct curl_slist *list = curl_slist_append(call->headers, "Expect:");
    call->headers = list ? list : call->headers;
    return ok && list;
}

static void set_body(struct call *call, const struct sp_client_request *request)
{
    size_t len = request->body.len;
    call->body = request->body;
    if (request->grpc) {
        const uint8_t prefix[GRPC_PREFIX_LEN] = {request->grpc_compressed, (uint8_t)(len >> 24),
                                                 (uint8_t)(len >> 16), (uint8_t)(len >> 8),
                                                 (uint8_t)len};
        memcpy(call->prefix, prefix, sizeof(prefix));
        len += GRPC_PREFIX_LEN;
    } else if (strcmp(request->method, "GET") == 0) {
        return;
    }
    curl_easy_setopt(call->easy, CURLOPT_POST, 1L);
    curl_easy_setopt(call->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)len);
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
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION,
                     request->grpc ? (long)CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE
                                   : (long)CURL_HTTP_VERSION_1_1);
    if (request->grpc && curl_version_info(CURLVERSION_NOW)->version_num < REUSE_WORKS_SINCE) {
        curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
        curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
    }
    set_body(call, request);
    if (!request->grpc && strcmp(request->method, "GET") != 0 &&
        strcmp(request->method, "POST") != 0)
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

/* The one message of a gRPC reply, without its prefix; an empty reply (trailers only) is an empty message. */
static enum sp_status unwrap(const struct call *call, struct sp_slice *ret, struct sp_error *reterr)
{
    struct sp_slice all = sp_buf_slice(&call->received);
    *ret = sp_slice_sub(all, GRPC_PREFIX_LEN, all.len);
    if (all.len == 0)
        return SP_OK;
    uint64_t len = 0;
    for (size_t i = 1; i < GRPC_PREFIX_LEN && all.len >= GRPC_PREFIX_LEN; i++)
        len = len << 8 | all.ptr[i];
    if (all.len < GRPC_PREFIX_LEN || all.ptr[0] != 0 || len != ret->len)
        return sp_error_set(reterr, SP_MALFORMED, "the reply is not one plain gRPC message");
    return SP_OK;
}

static void deliver(struct call *call, CURLcode code)
{
    uint64_t now = sp_clock_monotonic_ns(call->client->options.clock);
    struct sp_client_reply reply = {
        .status = status_of(code, call),
        .error = {.offset = SP_ERROR_NO_OFFSET},
        .grpc_status = call->grpc_status,
        .grpc_message = sp_buf_slice(&call->grpc_message),
        .content_type = sp_buf_slice(&call->content_type),
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
    else if (call->grpc && http_status == 200)
        reply.status = unwrap(call, &reply.body, &reply.error);
    call->on_reply(call->cookie, &reply);
}

static void call_remove(struct call *call)
{
    struct sp_client *client = call->client;
    curl_multi_remove_handle(client->multi, call->easy);
    if (call->previous)
        call->previous->next = call->next;
    else
        client->calls = call->next;
    if (call->next)
        call->next->previous = call->previous;
    client->in_flight--;
}

/* Returns how many replies were delivered. */
static uint32_t deliver_all(struct sp_client *client)
{
    uint32_t delivered = 0;
    int left;
    for (CURLMsg *message; (message = curl_multi_info_read(client->multi, &left));) {
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

/* ---- the client ---- */

enum sp_status sp_client_new(const struct sp_client_options *options, struct sp_client **ret_client,
                             struct sp_error *reterr)
{
    struct sp_client *client = calloc(1, sizeof(*client));
    if (client && curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK)
        client->multi = curl_multi_init();
    if (!client || !client->multi) {
        free(client);
        return sp_error_set(reterr, SP_NO_MEMORY, "the HTTP client library does not start");
    }
    client->options = *options;
    curl_multi_setopt(client->multi, CURLMOPT_PIPELINING, CURLPIPE_MULTIPLEX);
    curl_multi_setopt(client->multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long)options->connections_max);
    curl_multi_setopt(client->multi, CURLMOPT_MAXCONNECTS, (long)options->connections_max);
    *ret_client = client;
    return SP_OK;
}

void sp_client_free(struct sp_client *client)
{
    if (!client)
        return;
    while (client->calls) {
        struct call *call = client->calls;
        call_remove(call);
        call_free(call);
    }
    curl_multi_cleanup(client->multi);
    curl_global_cleanup();
    free(client);
}

enum sp_status sp_client_submit(struct sp_client *client, const struct sp_client_request *request,
                                struct sp_error *reterr)
{
    if (client->in_flight >= client->options.in_flight_max)
        return sp_error_set(reterr, SP_OVERLOADED, "%u requests are in flight already",
                            client->in_flight);
    if (request->body.len > UINT32_MAX)
        return sp_error_set(reterr, SP_LIMIT, "the request body is larger than 4 GiB");
    struct call *call = calloc(1, sizeof(*call));
    if (!call)
        return sp_error_set(reterr, SP_NO_MEMORY, "out of memory");
    call->client = client;
    call->grpc = request->grpc;
    call->grpc_status = -1;
    call->on_reply = request->on_reply;
    call->cookie = request->cookie;
    call->started_ns = sp_clock_monotonic_ns(client->options.clock);
    sp_buf_init(&call->received,
                (size_t)client->options.reply_bytes_max + (request->grpc ? GRPC_PREFIX_LEN : 0));
    sp_buf_init(&call->grpc_message, MESSAGE_BYTES_MAX);
    sp_buf_init(&call->content_type, MESSAGE_BYTES_MAX);
    enum sp_status status = call_prepare(call, request, reterr);
    if (status == SP_OK && curl_multi_add_handle(client->multi, call->easy) != CURLM_OK)
        status = sp_error_set(reterr, SP_NO_MEMORY, "the HTTP client library takes no more");
    if (status != SP_OK) {
        call_free(call);
        return status;
    }
    call->next = client->calls;
    if (client->calls)
        client->calls->previous = call;
    client->calls = call;
    client->in_flight++;
    return SP_OK;
}

uint32_t sp_client_in_flight(const struct sp_client *client)
{
    return client->in_flight;
}

enum sp_status sp_client_run(struct sp_client *client, uint32_t wait_ms, struct sp_error *reterr)
{
    int running = 0;
    CURLMcode code = curl_multi_perform(client->multi, &running);
    if (code == CURLM_OK && deliver_all(client) == 0 && client->in_flight > 0 && wait_ms > 0) {
        code = curl_multi_poll(client->multi, NULL, 0, (int)wait_ms, NULL);
        if (code == CURLM_OK)
            code = curl_multi_perform(client->multi, &running);
        (void)deliver_all(client);
    }
    if (code != CURLM_OK)
        return sp_error_set(reterr, SP_IO, "HTTP client: %s", curl_multi_strerror(code));
    return SP_OK;
}
