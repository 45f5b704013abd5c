/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/unit/net/test_h2_rules.c: peers that break RFC 9113, and peers that flood. */
#include "tests/support/check_main.h"
#include "tests/unit/net/h2_peer.h"

static struct peer peer;

/* A frame as bytes, and what it must lead to. */
struct broken {
    const char *what; /* with the RFC's section */
    int type, flags, id;
    const char *payload;
    size_t len;
    int error; /* of GOAWAY, or of RST_STREAM when reset_id is not 0 */
    int reset_id;
};

static void check_rows(const struct broken *rows, size_t count, bool call_open)
{
    for (size_t i = 0; i < count; i++) {
        const struct broken *row = &rows[i];
        peer_init(&peer, NULL);
        peer_open(&peer);
        if (call_open)
            peer_begin(&peer, 1, "/t.T/Echo");
        peer_frame(&peer, row->type, row->flags, row->id, row->payload, row->len);
        int error = row->reset_id ? peer_reset(&peer, row->reset_id) : peer_goaway(&peer);
        ck_assert_msg(error == row->error, "%s: error %d, not %d", row->what, error, row->error);
        ck_assert_msg(row->reset_id || sp_h2_session_done(peer.session), "%s: goes on", row->what);
        ck_assert_uint_gt(sp_counted(&peer.counters.protocol_errors), 0);
        if (row->reset_id) {
            peer_call(&peer, 31, "/t.T/Echo", "next");
            ck_assert_msg(peer_status(&peer, 31) == 0, "%s: the next call failed", row->what);
        }
        ck_assert_uint_eq(peer.requests, row->reset_id ? 1 : 0);
        peer_fini(&peer);
    }
}

START_TEST(h2_ends_the_connection_when_a_rule_is_broken)
{
    static const struct broken rows[] = {
        {"DATA on stream 0 (6.1)", DATA, 0, 0, "abc", 3, PROTOCOL_ERROR, 0},
        {"DATA on an idle stream (5.1)", DATA, 0, 5, "abc", 3, PROTOCOL_ERROR, 0},
        {"padding longer than DATA (6.1)", DATA, PADDED, 0, "\xff", 1, PROTOCOL_ERROR, 0},
        {"HEADERS on stream 0 (6.2)", HEADERS, END_HEADERS, 0, "\x83", 1, PROTOCOL_ERROR, 0},
        {"HEADERS on an even stream (5.1.1)", HEADERS, END_HEADERS, 2, "\x83", 1, PROTOCOL_ERROR,
         0},
        {"a header block that is no HPACK (4.3)", HEADERS, END_HEADERS, 1, "\xff\xff\xff\xff\xff",
         5, COMPRESSION_ERROR, 0},
        {"padding longer than HEADERS (6.2)", HEADERS, END_HEADERS | PADDED, 1, "\x09\x83", 2,
         PROTOCOL_ERROR, 0},
        {"PRIORITY on stream 0 (6.3)", PRIORITY, 0, 0, "\0\0\0\0\1", 5, PROTOCOL_ERROR, 0},
        {"RST_STREAM on stream 0 (6.4)", RST_STREAM, 0, 0, "\0\0\0\x08", 4, PROTOCOL_ERROR, 0},
        {"RST_STREAM on an idle stream (6.4)", RST_STREAM, 0, 9, "\0\0\0\x08", 4, PROTOCOL_ERROR,
         0},
        {"RST_STREAM of a wrong size (6.4)", RST_STREAM, 0, 1, "\0\0\0", 3, FRAME_SIZE_ERROR, 0},
        {"SETTINGS on a stream (6.5)", SETTINGS, 0, 1, NULL, 0, PROTOCOL_ERROR, 0},
        {"SETTINGS of a wrong size (6.5)", SETTINGS, 0, 0, "\0\4\0\0", 4, FRAME_SIZE_ERROR, 0},
        {"SETTINGS ACK with payload (6.5)", SETTINGS, ACK, 0, "\0\4\0\0\0\1", 6, FRAME_SIZE_ERROR,
         0},
        {"a window above 2^31-1 (6.5.2)", SETTINGS, 0, 0, "\0\4\x80\0\0\0", 6, FLOW_CONTROL_ERROR,
         0},
        {"a frame size below 2^14 (6.5.2)", SETTINGS, 0, 0, "\0\5\0\0\0\1", 6, PROTOCOL_ERROR, 0},
        {"ENABLE_PUSH of 2 (6.5.2)", SETTINGS, 0, 0, "\0\2\0\0\0\2", 6, PROTOCOL_ERROR, 0},
        {"PUSH_PROMISE from a client (8.4)", PUSH_PROMISE, END_HEADERS, 1, "\0\0\0\2", 4,
         PROTOCOL_ERROR, 0},
        {"PING on a stream (6.7)", PING, 0, 1, "12345678", 8, PROTOCOL_ERROR, 0},
        {"PING of a wrong size (6.7)", PING, 0, 0, "1234567", 7, FRAME_SIZE_ERROR, 0},
        {"GOAWAY on a stream (6.8)", GOAWAY, 0, 1, "\0\0\0\0\0\0\0\0", 8, PROTOCOL_ERROR, 0},
        {"WINDOW_UPDATE of 0 (6.9)", WINDOW_UPDATE, 0, 0, "\0\0\0\0", 4, PROTOCOL_ERROR, 0},
        {"WINDOW_UPDATE of a wrong size (6.9)", WINDOW_UPDATE, 0, 0, "\0\0\1", 3, FRAME_SIZE_ERROR,
         0},
        {"WINDOW_UPDATE past 2^31-1 (6.9.1)", WINDOW_UPDATE, 0, 0, "\x7f\xff\xff\xff", 4,
         FLOW_CONTROL_ERROR, 0},
        {"WINDOW_UPDATE on an idle stream (5.1)", WINDOW_UPDATE, 0, 7, "\0\0\0\1", 4,
         PROTOCOL_ERROR, 0},
        {"CONTINUATION without HEADERS (6.10)", CONTINUATION, END_HEADERS, 1, "\x83", 1,
         PROTOCOL_ERROR, 0},
    };
    check_rows(rows, SP_ARRAY_LEN(rows), false);
}
END_TEST

START_TEST(h2_resets_the_stream_when_only_the_stream_is_broken)
{
    static const struct broken rows[] = {
        {"no fields at all (8.3.1)", HEADERS, END_HEADERS | END_STREAM, 3, "", 0, PROTOCOL_ERROR,
         3},
        {"no :path (8.3.1)", HEADERS, END_HEADERS | END_STREAM, 3, "\x83\x86", 2, PROTOCOL_ERROR,
         3},
        {"an upper-case name (8.2.1)", HEADERS, END_HEADERS | END_STREAM, 3,
         "\x83\x86\x84\x41\1x\0\1A\1b", 11, PROTOCOL_ERROR, 3},
        {"a connection field (8.2.2)", HEADERS, END_HEADERS | END_STREAM, 3,
         "\x83\x86\x84\x41\1x\0\x0a"
         "connection\5close",
         24, PROTOCOL_ERROR, 3},
        {"te other than trailers (8.2.2)", HEADERS, END_HEADERS | END_STREAM, 3,
         "\x83\x86\x84\x41\1x\0\2te\4gzip", 15, PROTOCOL_ERROR, 3},
        {"a pseudo field twice (8.3)", HEADERS, END_HEADERS | END_STREAM, 3,
         "\x83\x83\x86\x84\x41\1x", 7, PROTOCOL_ERROR, 3},
        {"a pseudo field behind others (8.3)", HEADERS, END_HEADERS | END_STREAM, 3,
         "\x83\x86\x84\0\1a\1b\x41\1x", 11, PROTOCOL_ERROR, 3},
        {"a window past 2^31-1 (6.9.1)", WINDOW_UPDATE, 0, 1, "\x7f\xff\xff\xff", 4,
         FLOW_CONTROL_ERROR, 1},
    };
    check_rows(rows, SP_ARRAY_LEN(rows), true);
}
END_TEST

START_TEST(h2_refuses_a_body_that_differs_from_content_length)
{
    peer_init(&peer, NULL);
    peer_open(&peer);
    peer_call_fields(&peer, "/t.T/Echo");
    peer_field(&peer, "content-length", "9");
    peer_headers(&peer, 0, 1);
    peer_message(&peer, END_STREAM, 1, "hello");
    ck_assert_int_eq(peer_reset(&peer, 1), PROTOCOL_ERROR);
    ck_assert_uint_eq(peer.requests, 0);
    peer_fini(&peer);
}
END_TEST

START_TEST(h2_refuses_data_after_the_end)
{
    peer_init(&peer, NULL);
    peer_open(&peer);
    peer_call(&peer, 1, "/t.T/Hold", "hello");
    peer_frame(&peer, DATA, 0, 1, "abc", 3);
    ck_assert(peer_goaway(&peer) == STREAM_CLOSED || peer_reset(&peer, 1) == STREAM_CLOSED);
    peer_fini(&peer);
}
END_TEST

/* They may have been closed and forgotten; nghttp2 ignores them. */
START_TEST(h2_does_not_serve_stream_ids_that_go_back)
{
    peer_init(&peer, NULL);
    peer_open(&peer);
    peer_call(&peer, 5, "/t.T/Echo", "a");
    peer_call(&peer, 3, "/t.T/Echo", "b");
    ck_assert_int_eq(peer_status(&peer, 3), -1);
    ck_assert_uint_eq(peer.requests, 1);
    peer_fini(&peer);
}
END_TEST

START_TEST(h2_wants_settings_first)
{
    peer_init(&peer, NULL);
    peer_bytes(&peer, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24);
    peer_frame(&peer, PING, 0, 0, "12345678", 8);
    ck_assert_int_eq(peer_goaway(&peer), PROTOCOL_ERROR);
    peer_fini(&peer);
}
END_TEST

START_TEST(h2_wants_nothing_between_the_parts_of_a_header_block)
{
    peer_init(&peer, NULL);
    peer_open(&peer);
    peer_frame(&peer, HEADERS, 0, 1, "\x83", 1);
    peer_frame(&peer, PING, 0, 0, "12345678", 8);
    ck_assert_int_eq(peer_goaway(&peer), PROTOCOL_ERROR);
    peer_fini(&peer);
}
END_TEST

START_TEST(h2_answers_http1_with_a_sentence)
{
    static const char *const requests[] = {"GET / HTTP/1.1\r\nhost: x\r\n\r\n", "POST /v1/traces",
                                           "PRI * HTTP/1.1\r\n"};
    for (size_t i = 0; i < SP_ARRAY_LEN(requests); i++) {
        peer_init(&peer, NULL);
        peer_bytes(&peer, requests[i], strlen(requests[i]));
        struct sp_slice said = sp_buf_slice(&peer.received);
        ck_assert(sp_slice_starts_with(said, SP_SLICE("HTTP/1.1 505 ")));
        sp_buf_append_byte(&peer.received, 0);
        ck_assert_ptr_nonnull(strstr((char *)peer.received.ptr, "gRPC on HTTP/2"));
        ck_assert(sp_h2_session_done(peer.session));
        peer_fini(&peer);
    }
}
END_TEST

START_TEST(h2_says_nothing_to_bytes_that_are_no_text)
{
    peer_init(&peer, NULL);
    peer_bytes(&peer, "\x16\x03\x01\x02\0\x01", 6); /* TLS ClientHello */
    ck_assert_uint_eq(peer.received.len, 0);
    ck_assert(sp_h2_session_done(peer.session));
    peer_fini(&peer);
}
END_TEST

/* ---- floods ---- */

#define BURST 50

static void little_burst(struct sp_net_limits *limits, size_t *budget_bytes)
{
    (void)budget_bytes;
    limits->control_frames_burst = BURST;
    limits->control_frames_per_second = 10;
}

static void flood_ping(void)
{
    peer_frame(&peer, PING, 0, 0, "12345678", 8);
}

static void flood_settings(void)
{
    peer_frame(&peer, SETTINGS, 0, 0, NULL, 0);
}

static void flood_priority(void)
{
    peer_frame(&peer, PRIORITY, 0, 1, "\0\0\0\0\1", 5);
}

static void flood_unknown(void)
{
    peer_frame(&peer, 0x77, 0, 0, NULL, 0);
}

static void flood_empty_data(void)
{
    peer_frame(&peer, DATA, 0, 1, NULL, 0);
}

static void flood_padded_data(void)
{
    peer_frame(&peer, DATA, PADDED, 1, "\2\0\0", 3);
}

static void flood_window_update(void)
{
    peer_frame(&peer, WINDOW_UPDATE, 0, 0, "\0\0\0\1", 4);
}

/* CVE-2023-44487. */
static void flood_rapid_reset(void)
{
    static int32_t id;
    id = peer.frame_count < 5 && id > 1000 ? 3 : id + 2;
    peer_begin(&peer, id + 101, "/t.T/Hold");
    peer_frame(&peer, RST_STREAM, 0, id + 101, "\0\0\0\x08", 4);
}

START_TEST(h2_tells_floods_to_calm_down)
{
    static void (*const floods[])(void) = {
        flood_ping,       flood_settings,    flood_priority,      flood_unknown,
        flood_empty_data, flood_padded_data, flood_window_update, flood_rapid_reset,
    };
    for (size_t i = 0; i < SP_ARRAY_LEN(floods); i++) {
        peer_init(&peer, little_burst);
        peer_open(&peer); /* takes two */
        peer_begin(&peer, 1, "/t.T/Echo");
        for (int n = 0; n < BURST - 2; n++)
            floods[i]();
        ck_assert_msg(peer_goaway(&peer) == -1, "flood %zu: too early", i);
        floods[i]();
        ck_assert_msg(peer_goaway(&peer) == ENHANCE_YOUR_CALM, "flood %zu: %d", i,
                      peer_goaway(&peer));
        ck_assert(sp_h2_session_done(peer.session));
        peer_fini(&peer);
    }
}
END_TEST

START_TEST(h2_ends_floods_of_continuation)
{
    peer_init(&peer, little_burst);
    peer_open(&peer);
    peer_frame(&peer, HEADERS, 0, 1, "\x83", 1);
    int sent = 0;
    while (sent < BURST && !sp_h2_session_done(peer.session)) {
        peer_frame(&peer, CONTINUATION, 0, 1, NULL, 0);
        sent++;
    }
    ck_assert(sp_h2_session_done(peer.session));
    peer_fini(&peer);
}
END_TEST

START_TEST(h2_lets_pings_go_on_with_calls_and_with_time)
{
    peer_init(&peer, little_burst);
    peer_open(&peer);
    for (int i = 0; i < 4 * BURST; i++) {
        flood_ping();
        peer_call(&peer, 2 * i + 1, "/t.T/Echo", "x");
    }
    for (int i = 0; i < 4 * BURST; i++) {
        peer_wait(&peer, 100); /* one token */
        flood_ping();
    }
    ck_assert_int_eq(peer_goaway(&peer), -1);
    peer_fini(&peer);
}
END_TEST

Suite *sp_test_suite(void)
{
    Suite *suite = suite_create("net/h2_rules");
    TCase *tcase = tcase_create("h2_rules");
    tcase_add_test(tcase, h2_ends_the_connection_when_a_rule_is_broken);
    tcase_add_test(tcase, h2_resets_the_stream_when_only_the_stream_is_broken);
    tcase_add_test(tcase, h2_refuses_a_body_that_differs_from_content_length);
    tcase_add_test(tcase, h2_refuses_data_after_the_end);
    tcase_add_test(tcase, h2_does_not_serve_stream_ids_that_go_back);
    tcase_add_test(tcase, h2_wants_settings_first);
    tcase_add_test(tcase, h2_wants_nothing_between_the_parts_of_a_header_block);
    tcase_add_test(tcase, h2_answers_http1_with_a_sentence);
    tcase_add_test(tcase, h2_says_nothing_to_bytes_that_are_no_text);
    tcase_add_test(tcase, h2_tells_floods_to_calm_down);
    tcase_add_test(tcase, h2_ends_floods_of_continuation);
    tcase_add_test(tcase, h2_lets_pings_go_on_with_calls_and_with_time);
    suite_add_tcase(suite, tcase);
    return suite;
}
