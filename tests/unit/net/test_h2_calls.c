/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/unit/net/test_h2_calls.c: gRPC calls on the server's HTTP/2 session: whole, split, refused, answered late. */
#include <stdlib.h>

#include "tests/support/check_main.h"
#include "tests/unit/net/h2_peer.h"

#define NS_PER_MS UINT64_C(1000000)

static struct peer peer;

static struct sp_slice reply_body(int32_t id)
{
    static struct sp_buf body;
    sp_buf_fini(&body);
    sp_buf_init(&body, (size_t)64 << 20);
    for (size_t n = 0; n < peer_count(&peer, DATA, id); n++)
        sp_buf_append_slice(&body, peer_payload(&peer, peer_find(&peer, DATA, id, n)));
    return sp_buf_slice(&body);
}

static void check_echo(int32_t id, const char *message)
{
    struct sp_slice body = reply_body(id);
    ck_assert_str_eq(peer_value(&peer, id, ":status"), "200");
    ck_assert_str_eq(peer_value(&peer, id, "content-type"), "application/grpc");
    ck_assert_int_eq(peer_status(&peer, id), 0);
    ck_assert_uint_eq(body.len, 5 + strlen(message));
    ck_assert_uint_eq(body.ptr[4], strlen(message) & 0xff);
    ck_assert(sp_slice_equal_cstr(sp_slice_sub(body, 5, body.len), message));
    ck_assert_int_eq(peer_reset(&peer, id), -1);
}

START_TEST(h2_opens_with_its_settings_and_windows)
{
    peer_init(&peer, NULL);
    peer_open(&peer);
    const struct peer_frame *settings = peer_find(&peer, SETTINGS, 0, 0);
    ck_assert_ptr_nonnull(settings);
    uint32_t values[8] = {0};
    for (size_t at = 0; at < settings->len; at += 6) {
        struct sp_slice p = peer_payload(&peer, settings);
        uint32_t name = (uint32_t)p.ptr[at] << 8 | p.ptr[at + 1];
        ck_assert_uint_lt(name, 8);
        values[name] = peer_u32(&peer, settings, at + 2);
    }
    const struct sp_net_limits *limits = &peer.options.limits;
    ck_assert_uint_eq(values[3], limits->streams_max);
    ck_assert_uint_eq(values[4], limits->stream_window_bytes);
    ck_assert_uint_ge(values[4], 4 << 20);
    ck_assert_uint_eq(values[5], limits->frame_bytes_max);
    ck_assert_uint_eq(values[6], limits->head_bytes_max);
    ck_assert_uint_eq(peer_u32(&peer, peer_find(&peer, WINDOW_UPDATE, 0, 0), 0),
                      limits->connection_window_bytes - 65535);
    ck_assert_uint_ge(limits->connection_window_bytes, 16 << 20);
    ck_assert_int_eq(peer_goaway(&peer), -1);
    peer_fini(&peer);
}
END_TEST

START_TEST(h2_echoes_a_call)
{
    peer_init(&peer, NULL);
    peer_open(&peer);
    peer_call(&peer, 1, "/t.T/Echo", "hello");
    check_echo(1, "hello");
    ck_assert_str_eq(peer_value(&peer, 1, "grpc-accept-encoding"), "identity,gzip");
    peer_call(&peer, 3, "/t.T/Echo", "");
    check_echo(3, "");
    peer_fini(&peer);
}
END_TEST

/* A session of its own records the bytes; here they come one by one. */
START_TEST(h2_takes_a_connection_byte_by_byte)
{
    struct sp_buf all;
    sp_buf_init(&all, 65536);
    static const uint8_t block[] = "\x83\x86\x04\x09/t.T/Echo\x41\x09localhost"
                                   "\x5f\x10"
                                   "application/grpc";
    static const uint8_t data[] = {0, 0, 0, 0, 5, 'h', 'e', 'l', 'l', 'o'};
    sp_buf_append_cstr(&all, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    sp_buf_append(&all, "\0\0\0\4\0\0\0\0\0", 9);
    sp_buf_append_byte(&all, 0);
    sp_buf_append_byte(&all, 0);
    sp_buf_append_byte(&all, sizeof(block) - 1);
    sp_buf_append(&all, "\1\4\0\0\0\1", 6);
    sp_buf_append(&all, block, sizeof(block) - 1);
    sp_buf_append(&all, "\0\0\x0a\0\1\0\0\0\1", 9);
    sp_buf_append(&all, data, sizeof(data));
    peer_init(&peer, NULL);
    for (size_t i = 0; i < all.len; i++)
        peer_bytes(&peer, all.ptr + i, 1);
    check_echo(1, "hello");
    peer_fini(&peer);
    sp_buf_fini(&all);
}
END_TEST

START_TEST(h2_joins_a_message_from_one_byte_frames)
{
    static const uint8_t bytes[] = {0, 0, 0, 0, 5, 'h', 'e', 'l', 'l', 'o'};
    peer_init(&peer, NULL);
    peer_open(&peer);
    peer_begin(&peer, 1, "/t.T/Echo");
    for (size_t i = 0; i < sizeof(bytes); i++)
        peer_frame(&peer, DATA, i + 1 == sizeof(bytes) ? END_STREAM : 0, 1, &bytes[i], 1);
    check_echo(1, "hello");
    peer_fini(&peer);
}
END_TEST

START_TEST(h2_takes_padding_priority_continuation_and_trailers)
{
    peer_init(&peer, NULL);
    peer_open(&peer);
    /* HEADERS, padded and with priority, its block cut in three. */
    peer_call_fields(&peer, "/t.T/Echo");
    struct sp_buf first;
    sp_buf_init(&first, 4096);
    sp_buf_append(&first, "\3\0\0\0\0\x10", 6);
    sp_buf_append(&first, peer.block.ptr, 10);
    sp_buf_append(&first, "\0\0\0", 3);
    peer_frame(&peer, HEADERS, PADDED | WITH_PRIORITY, 1, first.ptr, first.len);
    peer_frame(&peer, CONTINUATION, 0, 1, peer.block.ptr + 10, 7);
    peer_frame(&peer, CONTINUATION, END_HEADERS, 1, peer.block.ptr + 17, peer.block.len - 17);
    sp_buf_reset(&peer.block);
    peer_frame(&peer, DATA, PADDED, 1, "\2\0\0\0\0\5he\0\0", 10);
    peer_frame(&peer, DATA, 0, 1, "llo", 3);
    peer_field(&peer, "x-trailer", "1");
    peer_headers(&peer, END_STREAM, 1);
    check_echo(1, "hello");
    sp_buf_fini(&first);
    peer_fini(&peer);
}
END_TEST

START_TEST(h2_ignores_unknown_frames_and_settings)
{
    peer_init(&peer, NULL);
    peer_open(&peer);
    peer_frame(&peer, 0x42, 0xff, 0, "abc", 3);
    peer_frame(&peer, 0xfe, 0, 77, NULL, 0);
    peer_frame(&peer, SETTINGS, 0, 0, "\x7a\x7a\1\2\3\4", 6);
    peer_frame(&peer, PRIORITY, 0, 9, "\0\0\0\0\1", 5);
    peer_begin(&peer, 1, "/t.T/Echo");
    peer_frame(&peer, 0x42, 0, 1, "abc", 3);
    peer_message(&peer, END_STREAM, 1, "hello");
    check_echo(1, "hello");
    ck_assert_int_eq(peer_goaway(&peer), -1);
    peer_fini(&peer);
}
END_TEST

START_TEST(h2_answers_pings)
{
    peer_init(&peer, NULL);
    peer_open(&peer);
    peer_frame(&peer, PING, 0, 0, "12345678", 8);
    const struct peer_frame *pong = peer_find(&peer, PING, 0, 0);
    ck_assert_ptr_nonnull(pong);
    ck_assert_uint_eq(pong->flags, ACK);
    ck_assert(sp_slice_equal_cstr(peer_payload(&peer, pong), "12345678"));
    peer_fini(&peer);
}
END_TEST

START_TEST(grpc_refuses_what_is_not_one_message)
{
    static const struct {
        const char *bytes;
        size_t len;
        const char *words; /* of the answer */
        int status;
    } rows[] = {
        {"", 0, "no message", 3},
        {"\0", 1, "truncated", 3},
        {"\0\0\0\0\5", 5, "truncated", 3},
        {"\0\0\0\0\5hell", 9, "truncated", 3},
        {"\0\0\0\0\5hello!", 11, "one message", 3},
        {"\0\0\0\0\0\0\0\0\0\0", 10, "one message", 3},
        {"\2\0\0\0\5hello", 10, "begins with 0 or 1", 3},
        {"\1\0\0\0\5hello", 10, "grpc-encoding is missing", 13},
    };
    for (size_t i = 0; i < SP_ARRAY_LEN(rows); i++) {
        peer_init(&peer, NULL);
        peer_open(&peer);
        peer_begin(&peer, 1, "/t.T/Echo");
        peer_frame(&peer, DATA, END_STREAM, 1, rows[i].bytes, rows[i].len);
        ck_assert_msg(peer_status(&peer, 1) == rows[i].status, "row %zu: %d %s", i,
                      peer_status(&peer, 1), peer_value(&peer, 1, "grpc-message"));
        ck_assert_msg(strstr(peer_value(&peer, 1, "grpc-message"), rows[i].words), "%s",
                      peer_value(&peer, 1, "grpc-message"));
        ck_assert_uint_eq(peer.requests, 0);
        peer_fini(&peer);
    }
}
END_TEST

START_TEST(grpc_refuses_a_call_that_ends_with_its_head)
{
    peer_init(&peer, NULL);
    peer_open(&peer);
    peer_call_fields(&peer, "/t.T/Echo");
    peer_headers(&peer, END_STREAM, 1);
    ck_assert_int_eq(peer_status(&peer, 1), 3);
    peer_fini(&peer);
}
END_TEST

START_TEST(grpc_hands_up_the_compressed_flag_and_its_encoding)
{
    peer_init(&peer, NULL);
    peer_open(&peer);
    peer_call_fields(&peer, "/t.T/Hold");
    peer_field(&peer, "grpc-encoding", "gzip");
    peer_headers(&peer, 0, 1);
    peer_frame(&peer, DATA, END_STREAM, 1, "\1\0\0\0\2zz", 7);
    ck_assert_uint_eq(peer.held_count, 1);
    struct sp_slice encoding;
    ck_assert(sp_exchange_grpc_compressed(peer.held[0]));
    ck_assert(sp_exchange_header(peer.held[0], "Grpc-Encoding", &encoding));
    ck_assert(sp_slice_equal_cstr(encoding, "gzip"));
    peer_fini(&peer);
}
END_TEST

START_TEST(grpc_exchange_shows_the_request)
{
    peer_init(&peer, NULL);
    peer_open(&peer);
    peer_call_fields(&peer, "/t.T/Hold");
    peer_field(&peer, "x-twice", "a");
    peer_field(&peer, "x-twice", "b");
    peer_field(&peer, "grpc-timeout", "250m");
    peer_headers(&peer, 0, 1);
    peer_message(&peer, END_STREAM, 1, "hello");
    ck_assert_uint_eq(peer.held_count, 1);
    struct sp_exchange *exchange = peer.held[0];
    struct sp_slice value;
    ck_assert(sp_exchange_is_grpc(exchange));
    ck_assert(!sp_exchange_grpc_compressed(exchange));
    ck_assert(sp_slice_equal_cstr(sp_exchange_method(exchange), "POST"));
    ck_assert(sp_slice_equal_cstr(sp_exchange_path(exchange), "/t.T/Hold"));
    ck_assert(sp_slice_equal_cstr(sp_exchange_peer(exchange), "127.0.0.1:1"));
    ck_assert(sp_slice_equal_cstr(sp_exchange_body(exchange), "hello"));
    ck_assert(sp_exchange_header(exchange, "x-twice", &value));
    ck_assert(sp_slice_equal_cstr(value, "a, b"));
    ck_assert(sp_exchange_header(exchange, "host", &value));
    ck_assert(!sp_exchange_header(exchange, "x-none", &value));
    ck_assert_uint_eq(sp_exchange_deadline_ns(exchange), peer.now_ns + 250 * NS_PER_MS);
    peer_fini(&peer);
}
END_TEST

START_TEST(grpc_refuses_a_timeout_it_cannot_read)
{
    peer_init(&peer, NULL);
    peer_open(&peer);
    peer_call_fields(&peer, "/t.T/Echo");
    peer_field(&peer, "grpc-timeout", "soon");
    peer_headers(&peer, 0, 1);
    ck_assert_int_eq(peer_status(&peer, 1), 3);
    peer_fini(&peer);
}
END_TEST

START_TEST(h2_answers_what_is_not_grpc_with_a_sentence)
{
    static const struct {
        const char *method, *type, *status;
    } rows[] = {
        {"GET", NULL, "415"},
        {"POST", "application/json", "415"},
        {"POST", "application/grpc+json", "415"},
        {"POST", "application/grpcx", "415"},
        {"GET", "application/grpc", "405"},
    };
    for (size_t i = 0; i < SP_ARRAY_LEN(rows); i++) {
        peer_init(&peer, NULL);
        peer_open(&peer);
        peer_field(&peer, ":method", rows[i].method);
        peer_field(&peer, ":scheme", "http");
        peer_field(&peer, ":path", "/v1/traces");
        peer_field(&peer, ":authority", "x");
        if (rows[i].type)
            peer_field(&peer, "content-type", rows[i].type);
        peer_headers(&peer, END_STREAM, 1);
        ck_assert_str_eq(peer_value(&peer, 1, ":status"), rows[i].status);
        ck_assert_str_eq(peer_value(&peer, 1, "content-type"), "text/plain; charset=utf-8");
        ck_assert_uint_gt(reply_body(1).len, 10);
        ck_assert_uint_eq(peer.requests, 0);
        peer_fini(&peer);
    }
}
END_TEST

START_TEST(grpc_takes_the_proto_subtype_and_parameters)
{
    peer_init(&peer, NULL);
    peer_open(&peer);
    peer_field(&peer, ":method", "POST");
    peer_field(&peer, ":scheme", "http");
    peer_field(&peer, ":path", "/t.T/Echo");
    peer_field(&peer, ":authority", "x");
    peer_field(&peer, "content-type", "application/grpc+proto");
    peer_headers(&peer, 0, 1);
    peer_message(&peer, END_STREAM, 1, "x");
    ck_assert_int_eq(peer_status(&peer, 1), 0);
    ck_assert_str_eq(peer_value(&peer, 1, "content-type"), "application/grpc+proto");
    peer_fini(&peer);
}
END_TEST

START_TEST(grpc_refusal_by_the_handler_comes_before_the_body)
{
    peer_init(&peer, NULL);
    peer_open(&peer);
    peer_begin(&peer, 1, "/t.T/Head");
    ck_assert_int_eq(peer_status(&peer, 1), 12);
    /* Percent-encoded: printable ASCII but '%' stays as it is. */
    ck_assert_str_eq(peer_value(&peer, 1, "grpc-message"), "no: 100%25 %C3%A4%0A");
    ck_assert_str_eq(peer_value(&peer, 1, "grpc-status-details-bin"), "CAw=");
    ck_assert_uint_eq(peer_count(&peer, DATA, 1), 0);
    /* The rest is thrown away, and a client that ends is not reset. */
    peer_message(&peer, END_STREAM, 1, "hello");
    ck_assert_int_eq(peer_reset(&peer, 1), -1);
    ck_assert_uint_eq(peer.requests, 0);
    peer_fini(&peer);
}
END_TEST

START_TEST(h2_resets_a_refused_stream_that_does_not_end)
{
    peer_init(&peer, NULL);
    peer_open(&peer);
    peer_begin(&peer, 1, "/t.T/Head");
    peer_wait(&peer, 1000);
    ck_assert_int_eq(peer_reset(&peer, 1), NO_ERROR);
    /* And one that goes on and on. */
    uint8_t *zeros = calloc(1, 600000);
    peer_begin(&peer, 3, "/t.T/Head");
    peer_frame(&peer, DATA, 0, 3, zeros, 600000);
    ck_assert_int_eq(peer_reset(&peer, 3), -1);
    peer_frame(&peer, DATA, 0, 3, zeros, 600000);
    ck_assert_int_eq(peer_reset(&peer, 3), NO_ERROR);
    peer_frame(&peer, DATA, 0, 3, zeros, 600000); /* was under way already */
    ck_assert_int_eq(peer_goaway(&peer), -1);
    free(zeros);
    peer_fini(&peer);
}
END_TEST

START_TEST(h2_reset_by_the_client_cancels_a_held_call)
{
    peer_init(&peer, NULL);
    peer_open(&peer);
    peer_call(&peer, 1, "/t.T/Hold", "hello");
    ck_assert(!sp_exchange_cancelled(peer.held[0]));
    peer_frame(&peer, RST_STREAM, 0, 1, "\0\0\0\x08", 4);
    ck_assert(sp_exchange_cancelled(peer.held[0]));
    /* The late reply does no harm; it is sent to nobody. */
    sp_exchange_reply_grpc(peer.held[0], 0, SP_SLICE(""), SP_SLICE(""), NULL);
    peer.held[0] = NULL;
    peer_pump(&peer);
    ck_assert_uint_eq(peer_count(&peer, HEADERS, 1), 0);
    peer_call(&peer, 3, "/t.T/Echo", "next");
    check_echo(3, "next");
    peer_fini(&peer);
}
END_TEST

START_TEST(h2_reset_mid_body_frees_its_memory)
{
    peer_init(&peer, NULL);
    peer_open(&peer);
    peer_begin(&peer, 1, "/t.T/Echo");
    peer_frame(&peer, DATA, 0, 1, "\0\0\1\0\0abc", 8);
    ck_assert_uint_gt(sp_budget_used(&peer.budget), 0);
    peer_frame(&peer, RST_STREAM, 0, 1, "\0\0\0\x08", 4);
    ck_assert_uint_eq(sp_budget_used(&peer.budget), 0);
    ck_assert_uint_eq(peer.requests, 0);
    peer_fini(&peer);
}
END_TEST

START_TEST(h2_session_that_ends_cancels_held_calls)
{
    peer_init(&peer, NULL);
    peer_open(&peer);
    peer_call(&peer, 1, "/t.T/Hold", "hello");
    peer_begin(&peer, 3, "/t.T/Echo");
    struct sp_exchange *held = peer.held[0];
    sp_h2_session_free(peer.session);
    peer.session = NULL;
    ck_assert(sp_exchange_cancelled(held));
    ck_assert(sp_slice_equal_cstr(sp_exchange_body(held), "hello"));
    peer_fini(&peer); /* replies to it */
}
END_TEST

START_TEST(h2_taken_body_keeps_its_budget_until_given_back)
{
    peer_init(&peer, NULL);
    peer_open(&peer);
    peer_call(&peer, 1, "/t.T/Hold", "hello");
    struct sp_body body;
    sp_exchange_take_body(peer.held[0], &body);
    ck_assert_uint_eq(sp_exchange_body(peer.held[0]).len, 0);
    sp_exchange_reply_grpc(peer.held[0], 0, SP_SLICE(""), SP_SLICE(""), NULL);
    peer.held[0] = NULL;
    peer_pump(&peer);
    ck_assert_int_eq(peer_status(&peer, 1), 0);
    ck_assert(sp_slice_equal_cstr(sp_buf_slice(&body.bytes), "hello"));
    ck_assert_uint_ge(sp_budget_used(&peer.budget), 5);
    sp_body_fini(&body);
    ck_assert_uint_eq(sp_budget_used(&peer.budget), 0);
    peer_fini(&peer);
}
END_TEST

START_TEST(h2_reply_waits_for_the_clients_window)
{
    peer_init(&peer, NULL);
    peer_open(&peer);
    peer_frame(&peer, SETTINGS, 0, 0, "\0\4\0\0\0\3", 6); /* windows of 3 bytes */
    peer_call(&peer, 1, "/t.T/Echo", "hello");
    ck_assert_uint_eq(reply_body(1).len, 3);
    ck_assert_int_eq(peer_status(&peer, 1), -1);
    peer_frame(&peer, WINDOW_UPDATE, 0, 1, "\0\0\0\5", 4);
    ck_assert_uint_eq(reply_body(1).len, 8);
    peer_frame(&peer, WINDOW_UPDATE, 0, 1, "\0\0\0\5", 4);
    check_echo(1, "hello");
    peer_fini(&peer);
}
END_TEST

START_TEST(h2_drain_finishes_what_runs_and_takes_nothing_new)
{
    peer_init(&peer, NULL);
    peer_open(&peer);
    peer_call(&peer, 1, "/t.T/Hold", "a");
    sp_h2_session_drain_announce(peer.session);
    peer_pump(&peer);
    ck_assert_uint_eq(peer_u32(&peer, peer_find(&peer, GOAWAY, 0, 0), 0), 0x7fffffff);
    /* Under way when the announcement went out: still served. */
    peer_call(&peer, 3, "/t.T/Echo", "b");
    check_echo(3, "b");
    sp_h2_session_drain_finish(peer.session);
    peer_pump(&peer);
    ck_assert_uint_eq(peer_u32(&peer, peer_find(&peer, GOAWAY, 0, 1), 0), 3);
    ck_assert_int_eq(peer_goaway(&peer), NO_ERROR);
    peer_call(&peer, 5, "/t.T/Echo", "c");
    ck_assert_uint_eq(peer_count(&peer, HEADERS, 5), 0);
    ck_assert(!sp_h2_session_done(peer.session));
    sp_exchange_reply_grpc(peer.held[0], 0, SP_SLICE(""), SP_SLICE(""), NULL);
    peer.held[0] = NULL;
    peer_pump(&peer);
    ck_assert_int_eq(peer_status(&peer, 1), 0);
    ck_assert(sp_h2_session_done(peer.session));
    peer_fini(&peer);
}
END_TEST

Suite *sp_test_suite(void)
{
    Suite *suite = suite_create("net/h2_calls");
    TCase *tcase = tcase_create("h2_calls");
    tcase_add_test(tcase, h2_opens_with_its_settings_and_windows);
    tcase_add_test(tcase, h2_echoes_a_call);
    tcase_add_test(tcase, h2_takes_a_connection_byte_by_byte);
    tcase_add_test(tcase, h2_joins_a_message_from_one_byte_frames);
    tcase_add_test(tcase, h2_takes_padding_priority_continuation_and_trailers);
    tcase_add_test(tcase, h2_ignores_unknown_frames_and_settings);
    tcase_add_test(tcase, h2_answers_pings);
    tcase_add_test(tcase, grpc_refuses_what_is_not_one_message);
    tcase_add_test(tcase, grpc_refuses_a_call_that_ends_with_its_head);
    tcase_add_test(tcase, grpc_hands_up_the_compressed_flag_and_its_encoding);
    tcase_add_test(tcase, grpc_exchange_shows_the_request);
    tcase_add_test(tcase, grpc_refuses_a_timeout_it_cannot_read);
    tcase_add_test(tcase, h2_answers_what_is_not_grpc_with_a_sentence);
    tcase_add_test(tcase, grpc_takes_the_proto_subtype_and_parameters);
    tcase_add_test(tcase, grpc_refusal_by_the_handler_comes_before_the_body);
    tcase_add_test(tcase, h2_resets_a_refused_stream_that_does_not_end);
    tcase_add_test(tcase, h2_reset_by_the_client_cancels_a_held_call);
    tcase_add_test(tcase, h2_reset_mid_body_frees_its_memory);
    tcase_add_test(tcase, h2_session_that_ends_cancels_held_calls);
    tcase_add_test(tcase, h2_taken_body_keeps_its_budget_until_given_back);
    tcase_add_test(tcase, h2_reply_waits_for_the_clients_window);
    tcase_add_test(tcase, h2_drain_finishes_what_runs_and_takes_nothing_new);
    suite_add_tcase(suite, tcase);
    return suite;
}
