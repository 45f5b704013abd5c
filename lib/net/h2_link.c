/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/net/h2_link.c: HTTP/2 by nghttp2, and the only file that knows it. Must not know sockets, threads or gRPC. */
#include "lib/net/h2_link.h"

#include <nghttp2/nghttp2.h>
#include <stdlib.h>

#define EXTENSION_FRAME_FIRST 10 /* RFC 9113 ends at 9; nghttp2 lets us watch the types behind */
#define FIELDS_MAX            32 /* of one header block that we send */

struct sp_h2_link {
    nghttp2_session *library;
    const struct sp_h2_events *events;
    void *cookie;
    bool failed;
};

static void must(struct sp_h2_link *link, int result)
{
    if (result != 0)
        link->failed = true;
}

static void *stream_of(nghttp2_session *library, int32_t id)
{
    return nghttp2_session_get_stream_user_data(library, id);
}

/* ---- what the peer sends ---- */

static void count_idle_frame(struct sp_h2_link *link)
{
    if (link->events->idle_frame && !link->events->idle_frame(link->cookie))
        sp_h2_link_terminate(link, SP_H2_ENHANCE_YOUR_CALM);
}

static int on_begin_frame(nghttp2_session *library, const nghttp2_frame_hd *head, void *cookie)
{
    (void)library;
    if (head->type != NGHTTP2_DATA && head->type != NGHTTP2_HEADERS)
        count_idle_frame(cookie);
    return 0;
}

static int on_begin_headers(nghttp2_session *library, const nghttp2_frame *frame, void *cookie)
{
    struct sp_h2_link *link = cookie;
    if (frame->headers.cat != NGHTTP2_HCAT_REQUEST || !link->events->opened)
        return 0;
    void *stream = link->events->opened(link->cookie, frame->hd.stream_id);
    if (!stream)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    return nghttp2_session_set_stream_user_data(library, frame->hd.stream_id, stream);
}

static int on_header(nghttp2_session *library, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                     void *cookie)
{
    (void)flags;
    struct sp_h2_link *link = cookie;
    void *stream = stream_of(library, frame->hd.stream_id);
    if (stream && link->events->field)
        link->events->field(stream, sp_slice_make(name, name_len), sp_slice_make(value, value_len));
    return 0;
}

static int on_frame(nghttp2_session *library, const nghttp2_frame *frame, void *cookie)
{
    struct sp_h2_link *link = cookie;
    if (frame->hd.type != NGHTTP2_DATA && frame->hd.type != NGHTTP2_HEADERS)
        return 0;
    bool end = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
    if (frame->hd.type == NGHTTP2_DATA && frame->hd.length == frame->data.padlen && !end)
        count_idle_frame(link);
    void *stream = stream_of(library, frame->hd.stream_id);
    if (stream && frame->hd.type == NGHTTP2_HEADERS && link->events->head_ended)
        link->events->head_ended(stream);
    if (stream && end && link->events->ended)
        link->events->ended(stream);
    return 0;
}

static int on_data(nghttp2_session *library, uint8_t flags, int32_t id, const uint8_t *bytes,
                   size_t len, void *cookie)
{
    (void)flags;
    struct sp_h2_link *link = cookie;
    link->events->data(link->cookie, stream_of(library, id), id, sp_slice_make(bytes, len));
    return 0;
}

static int on_stream_close(nghttp2_session *library, int32_t id, uint32_t error_code, void *cookie)
{
    struct sp_h2_link *link = cookie;
    void *stream = stream_of(library, id);
    if (!stream)
        return 0;
    (void)nghttp2_session_set_stream_user_data(library, id, NULL);
    link->events->closed(stream, error_code);
    return 0;
}

/* Does what we send tell the peer that it broke a rule? */
static bool tells_of_error(const nghttp2_frame *frame)
{
    if (frame->hd.type == NGHTTP2_GOAWAY)
        return frame->goaway.error_code != NGHTTP2_NO_ERROR;
    return frame->hd.type == NGHTTP2_RST_STREAM &&
           (frame->rst_stream.error_code == NGHTTP2_PROTOCOL_ERROR ||
            frame->rst_stream.error_code == NGHTTP2_FLOW_CONTROL_ERROR ||
            frame->rst_stream.error_code == NGHTTP2_STREAM_CLOSED ||
            frame->rst_stream.error_code == NGHTTP2_FRAME_SIZE_ERROR);
}

static int on_frame_sent(nghttp2_session *library, const nghttp2_frame *frame, void *cookie)
{
    struct sp_h2_link *link = cookie;
    if (tells_of_error(frame) && link->events->invalid)
        link->events->invalid(link->cookie);
    bool ends = (frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA) &&
                (frame->hd.flags & NGHTTP2_FLAG_END_STREAM);
    void *stream = ends ? stream_of(library, frame->hd.stream_id) : NULL;
    if (stream && link->events->sent)
        link->events->sent(stream);
    return 0;
}

/* RFC 9113 8.2.1: a request with a malformed field is malformed. By default nghttp2 would drop the field alone. */
static int on_invalid_header(nghttp2_session *library, const nghttp2_frame *frame,
                             const uint8_t *name, size_t name_len, const uint8_t *value,
                             size_t value_len, uint8_t flags, void *cookie)
{
    (void)library;
    (void)frame;
    (void)name;
    (void)name_len;
    (void)value;
    (void)value_len;
    (void)flags;
    (void)cookie;
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

/* Frames of unknown types are watched only to be counted by on_begin_frame; their payload is dropped. */
static int on_extension_chunk(nghttp2_session *library, const nghttp2_frame_hd *head,
                              const uint8_t *bytes, size_t len, void *cookie)
{
    (void)library;
    (void)head;
    (void)bytes;
    (void)len;
    (void)cookie;
    return NGHTTP2_ERR_CANCEL;
}

static int on_extension_end(nghttp2_session *library, void **payload, const nghttp2_frame_hd *head,
                            void *cookie)
{
    (void)library;
    (void)payload;
    (void)head;
    (void)cookie;
    return NGHTTP2_ERR_CANCEL;
}

/* ---- what we send ---- */

/* nghttp2's list of fields. It copies names and values at once; its type only forgot the const. */
static void list_fields(const struct sp_header *headers, size_t count, nghttp2_nv *out)
{
    for (size_t i = 0; i < count; i++) {
        union {
            const uint8_t *ours;
            uint8_t *theirs;
        } name = {.ours = headers[i].name.ptr}, value = {.ours = headers[i].value.ptr};
        out[i] = (nghttp2_nv){name.theirs, value.theirs, headers[i].name.len, headers[i].value.len,
                              NGHTTP2_NV_FLAG_NONE};
    }
}

static ssize_t on_read_body(nghttp2_session *library, int32_t id, uint8_t *out, size_t room,
                            uint32_t *flags, nghttp2_data_source *source, void *cookie)
{
    struct sp_h2_link *link = cookie;
    bool all = false;
    size_t copied = link->events->read_body(source->ptr, out, room, &all);
    if (!all)
        return (ssize_t)copied;
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    const struct sp_header *trailers = NULL;
    size_t count = link->events->trailers ? link->events->trailers(source->ptr, &trailers) : 0;
    if (count == 0)
        return (ssize_t)copied;
    nghttp2_nv fields[FIELDS_MAX];
    SP_ASSERT(count <= FIELDS_MAX);
    list_fields(trailers, count, fields);
    *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
    if (nghttp2_submit_trailer(library, id, fields, count) != 0)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    return (ssize_t)copied;
}

void sp_h2_link_reply(struct sp_h2_link *link, int32_t id, const struct sp_header *fields,
                      size_t count, bool has_body, void *stream)
{
    nghttp2_nv list[FIELDS_MAX];
    SP_ASSERT(count <= FIELDS_MAX);
    list_fields(fields, count, list);
    nghttp2_data_provider provider = {{.ptr = stream}, on_read_body};
    must(link,
         nghttp2_submit_response(link->library, id, list, count, has_body ? &provider : NULL));
}

void sp_h2_link_request(struct sp_h2_link *link, const struct sp_header *fields, size_t count,
                        void *stream, int32_t *ret_id)
{
    nghttp2_nv list[FIELDS_MAX];
    SP_ASSERT(count <= FIELDS_MAX);
    list_fields(fields, count, list);
    nghttp2_data_provider provider = {{.ptr = stream}, on_read_body};
    int32_t id = nghttp2_submit_request(link->library, NULL, list, count, &provider, stream);
    link->failed = link->failed || id < 0;
    *ret_id = id;
}

void sp_h2_link_reset(struct sp_h2_link *link, int32_t id, uint32_t error_code)
{
    must(link, nghttp2_submit_rst_stream(link->library, NGHTTP2_FLAG_NONE, id, error_code));
}

void sp_h2_link_credit(struct sp_h2_link *link, int32_t id, size_t bytes)
{
    must(link, nghttp2_session_consume(link->library, id, bytes));
}

void sp_h2_link_credit_connection(struct sp_h2_link *link, size_t bytes)
{
    must(link, nghttp2_session_consume_connection(link->library, bytes));
}

void sp_h2_link_terminate(struct sp_h2_link *link, uint32_t error_code)
{
    must(link, nghttp2_session_terminate_session(link->library, error_code));
}

void sp_h2_link_announce_drain(struct sp_h2_link *link)
{
    must(link, nghttp2_submit_shutdown_notice(link->library));
}

void sp_h2_link_finish_drain(struct sp_h2_link *link)
{
    int32_t last = nghttp2_session_get_last_proc_stream_id(link->library);
    must(link,
         nghttp2_submit_goaway(link->library, NGHTTP2_FLAG_NONE, last, NGHTTP2_NO_ERROR, NULL, 0));
}

/* ---- in and out ---- */

void sp_h2_link_receive(struct sp_h2_link *link, struct sp_slice bytes)
{
    if (link->failed || nghttp2_session_mem_recv(link->library, bytes.ptr, bytes.len) >= 0)
        return;
    if (link->events->invalid)
        link->events->invalid(link->cookie);
    link->failed = true;
}

void sp_h2_link_send(struct sp_h2_link *link, struct sp_buf *out, size_t at_least)
{
    while (!link->failed && out->len < at_least) {
        const uint8_t *bytes;
        ssize_t len = nghttp2_session_mem_send(link->library, &bytes);
        link->failed = link->failed || len < 0;
        if (len <= 0)
            return;
        sp_buf_append(out, bytes, (size_t)len);
        link->failed = link->failed || out->error != SP_OK;
    }
}

bool sp_h2_link_done(const struct sp_h2_link *link)
{
    return link->failed || (!nghttp2_session_want_read(link->library) &&
                            !nghttp2_session_want_write(link->library));
}

bool sp_h2_link_failed(const struct sp_h2_link *link)
{
    return link->failed;
}

bool sp_h2_link_is_closing(const struct sp_h2_link *link)
{
    return link->failed || !nghttp2_session_check_request_allowed(link->library);
}

/* ---- opening ---- */

static nghttp2_session_callbacks *make_callbacks(void)
{
    nghttp2_session_callbacks *c = NULL;
    if (nghttp2_session_callbacks_new(&c) != 0)
        return NULL;
    nghttp2_session_callbacks_set_on_begin_frame_callback(c, on_begin_frame);
    nghttp2_session_callbacks_set_on_begin_headers_callback(c, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(c, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(c, on_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(c, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(c, on_stream_close);
    nghttp2_session_callbacks_set_on_frame_send_callback(c, on_frame_sent);
    nghttp2_session_callbacks_set_on_invalid_header_callback(c, on_invalid_header);
    nghttp2_session_callbacks_set_on_extension_chunk_recv_callback(c, on_extension_chunk);
    nghttp2_session_callbacks_set_unpack_extension_callback(c, on_extension_end);
    return c;
}

static nghttp2_option *make_option(enum sp_h2_role role, const struct sp_net_limits *limits)
{
    nghttp2_option *option = NULL;
    if (nghttp2_option_new(&option) != 0 || role == SP_H2_CLIENT)
        return option;
    nghttp2_option_set_no_auto_window_update(option, 1);
    /* A space around a value that a user typed into OTEL_EXPORTER_OTLP_HEADERS must not cost the spans. */
    nghttp2_option_set_no_rfc9113_leading_and_trailing_ws_validation(option, 1);
    /* One judge of floods, our token bucket: nghttp2's own limits are put behind it. */
    nghttp2_option_set_max_outbound_ack(option, 2 * (size_t)limits->control_frames_burst);
    nghttp2_option_set_stream_reset_rate_limit(option, 2 * (uint64_t)limits->control_frames_burst,
                                               2 * (uint64_t)limits->control_frames_per_second);
    for (unsigned int type = EXTENSION_FRAME_FIRST; type <= UINT8_MAX; type++)
        nghttp2_option_set_user_recv_extension_type(option, (uint8_t)type);
    return option;
}

static int submit_settings(struct sp_h2_link *link, enum sp_h2_role role,
                           const struct sp_net_limits *limits)
{
    const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, limits->stream_window_bytes},
        {NGHTTP2_SETTINGS_MAX_FRAME_SIZE, limits->frame_bytes_max},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, (uint32_t)limits->head_bytes_max},
        {role == SP_H2_CLIENT ? NGHTTP2_SETTINGS_ENABLE_PUSH
                              : NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS,
         role == SP_H2_CLIENT ? 0 : limits->streams_max},
    };
    int result =
        nghttp2_submit_settings(link->library, NGHTTP2_FLAG_NONE, settings, SP_ARRAY_LEN(settings));
    if (result == 0)
        result = nghttp2_session_set_local_window_size(link->library, NGHTTP2_FLAG_NONE, 0,
                                                       (int32_t)limits->connection_window_bytes);
    return result;
}

struct sp_h2_link *sp_h2_link_new(enum sp_h2_role role, const struct sp_net_limits *limits,
                                  const struct sp_h2_events *events, void *cookie)
{
    struct sp_h2_link *link = calloc(1, sizeof(*link));
    nghttp2_session_callbacks *callbacks = make_callbacks();
    nghttp2_option *option = make_option(role, limits);
    bool ok = link && callbacks && option;
    if (ok) {
        link->events = events;
        link->cookie = cookie;
        int result = role == SP_H2_SERVER
                         ? nghttp2_session_server_new2(&link->library, callbacks, link, option)
                         : nghttp2_session_client_new2(&link->library, callbacks, link, option);
        ok = result == 0 && submit_settings(link, role, limits) == 0;
    }
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_option_del(option);
    if (ok)
        return link;
    sp_h2_link_free(link);
    return NULL;
}

void sp_h2_link_free(struct sp_h2_link *link)
{
    if (!link)
        return;
    nghttp2_session_del(link->library);
    free(link);
}
