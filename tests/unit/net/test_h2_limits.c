/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/unit/net/test_h2_limits.c: the limits, windows, budget and timeouts of the server's HTTP/2 session. Time is a number
 * here: nothing waits. */
#include "tests/support/check_main.h"
#include "tests/unit/net/h2_peer.h"

static struct peer peer;
static uint8_t zeros[4 << 20];

static void begin_message(int32_t id, uint32_t len)
{
    const uint8_t prefix[5] = {0, (uint8_t)(len >> 24), (uint8_t)(len >> 16), (uint8_t)(len >> 8),
                               (uint8_t)len};
    peer_begin(&peer, id, "/t.T/Hold");
    peer_frame(&peer, DATA, 0, id, prefix, sizeof(prefix));
}

static void body_of_100(struct sp_net_limits *limits, size_t *budget_bytes)
{
    (void)budget_bytes;
    limits->body_bytes_max = 100;
}

START_TEST(h2_takes_a_message_at_the_limit_and_refuses_one_above)
{
    char message[102];
    memset(message, 'x', 101);
    message[101] = '\0';
    peer_init(&peer, body_of_100);
    peer_open(&peer);
    peer_call(&peer, 1, "/t.T/Echo", message);
    ck_assert_int_eq(peer_status(&peer, 1), 8);
    ck_assert_str_eq(peer_value(&peer, 1, "grpc-status-details-bin"), ""); /* no RetryInfo */
    message[100] = '\0';
    peer_call(&peer, 3, "/t.T/Echo", message);
    ck_assert_int_eq(peer_status(&peer, 3), 0);
    peer_fini(&peer);
}
END_TEST

START_TEST(h2_refuses_a_message_by_its_prefix)
{
    peer_init(&peer, NULL);
    peer_open(&peer);
    begin_message(1, UINT32_MAX);
    ck_assert_int_eq(peer_status(&peer, 1), 8);
    peer_fini(&peer);
}
END_TEST

START_TEST(h2_refuses_heads_that_are_too_large)
{
    char value[40000];
    memset(value, 'v', sizeof(value) - 1);
    value[sizeof(value) - 1] = '\0';
    peer_init(&peer, NULL);
    peer_open(&peer);
    peer_call_fields(&peer, "/t.T/Echo");
    peer_field(&peer, "x-long", value);
    peer_headers(&peer, 0, 1);
    ck_assert_int_eq(peer_status(&peer, 1), 8);
    peer_field(&peer, ":method", "GET");
    peer_field(&peer, ":scheme", "http");
    peer_field(&peer, ":path", "/");
    peer_field(&peer, ":authority", "x");
    peer_field(&peer, "x-long", value);
    peer_headers(&peer, END_STREAM, 3);
    ck_assert_str_eq(peer_value(&peer, 3, ":status"), "431");
    value[10000] = '\0';
    peer_call_fields(&peer, "/t.T/Echo");
    peer_field(&peer, "x-long", value);
    peer_headers(&peer, 0, 5);
    peer_message(&peer, END_STREAM, 5, "x");
    ck_assert_int_eq(peer_status(&peer, 5), 0);
    peer_fini(&peer);
}
END_TEST

START_TEST(h2_counts_many_small_fields_against_the_head)
{
    peer_init(&peer, NULL);
    peer_open(&peer);
    peer_call_fields(&peer, "/t.T/Echo");
    for (int i = 0; i < 1100; i++)
        peer_field(&peer, "a", "b"); /* 34 each */
    peer_headers(&peer, 0, 1);
    ck_assert_int_eq(peer_status(&peer, 1), 8);
    peer_fini(&peer);
}
END_TEST

static void three_streams(struct sp_net_limits *limits, size_t *budget_bytes)
{
    (void)budget_bytes;
    limits->streams_max = 3;
}

START_TEST(h2_refuses_one_stream_more_than_announced)
{
    peer_init(&peer, three_streams);
    peer_bytes(&peer, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24);
    peer_frame(&peer, SETTINGS, 0, 0, NULL, 0);
    /* We have not acknowledged the limit: a stream too many is refused, and may be tried again. */
    for (int32_t id = 1; id <= 7; id += 2)
        peer_begin(&peer, id, "/t.T/Echo");
    ck_assert_int_eq(peer_reset(&peer, 7), REFUSED_STREAM);
    ck_assert_int_eq(peer_reset(&peer, 5), -1);
    peer_message(&peer, END_STREAM, 1, "x");
    ck_assert_int_eq(peer_status(&peer, 1), 0);
    /* Now we have, and it is an error (RFC 9113 5.1.2). */
    peer_frame(&peer, SETTINGS, ACK, 0, NULL, 0);
    peer_begin(&peer, 9, "/t.T/Echo");
    peer_begin(&peer, 11, "/t.T/Echo");
    ck_assert_int_eq(peer_goaway(&peer), PROTOCOL_ERROR);
    peer_fini(&peer);
}
END_TEST

START_TEST(h2_refuses_frames_larger_than_announced)
{
    peer_init(&peer, NULL);
    peer_open(&peer);
    peer_begin(&peer, 1, "/t.T/Echo");
    peer_frame(&peer, DATA, 0, 1, zeros, (1 << 20) + 1);
    ck_assert(peer_goaway(&peer) == FRAME_SIZE_ERROR || peer_reset(&peer, 1) == FRAME_SIZE_ERROR);
    peer_fini(&peer);
}
END_TEST

/* ---- windows and budget ---- */

#define SMALL_BUDGET 1000000
#define MOST_OF_IT   880000 /* more than seven eighths: no credit is given back */

static void small_windows(struct sp_net_limits *limits, size_t *budget_bytes)
{
    limits->stream_window_bytes = 100000;
    limits->connection_window_bytes = 150000;
    limits->frame_bytes_max = 16384;
    *budget_bytes = SMALL_BUDGET;
}

static void send_data(int32_t id, size_t len)
{
    for (size_t part; len > 0; len -= part) {
        part = len < 16000 ? len : 16000;
        peer_frame(&peer, DATA, 0, id, zeros, part);
    }
}

START_TEST(h2_gives_credit_back_while_the_budget_has_room)
{
    peer_init(&peer, small_windows);
    peer_open(&peer);
    begin_message(1, 300000);
    size_t before = peer_count(&peer, WINDOW_UPDATE, -1);
    send_data(1, 90000);
    ck_assert_uint_gt(peer_count(&peer, WINDOW_UPDATE, 1), 0);
    ck_assert_uint_gt(peer_count(&peer, WINDOW_UPDATE, -1), before);
    peer_fini(&peer);
}
END_TEST

/* So much of the budget is taken by others that no credit is given back, and so little that bodies are still taken. */
static void take_most_of_the_budget(void)
{
    ck_assert(sp_budget_take(&peer.budget, MOST_OF_IT));
}

START_TEST(h2_withholds_credit_while_the_budget_is_short_and_gives_it_later)
{
    peer_init(&peer, small_windows);
    peer_open(&peer);
    begin_message(1, 200000);
    take_most_of_the_budget();
    send_data(1, 80000);
    ck_assert_uint_eq(peer_count(&peer, WINDOW_UPDATE, 1), 0);
    peer_wait(&peer, 100);
    ck_assert_uint_eq(peer_count(&peer, WINDOW_UPDATE, 1), 0);
    sp_budget_give(&peer.budget, MOST_OF_IT);
    peer_wait(&peer, 100);
    ck_assert_uint_eq(peer_count(&peer, WINDOW_UPDATE, 1), 1);
    ck_assert_int_eq(peer_status(&peer, 1), -1);
    peer_fini(&peer);
}
END_TEST

START_TEST(h2_refuses_a_body_that_waited_too_long_for_credit)
{
    peer_init(&peer, small_windows);
    peer_open(&peer);
    begin_message(1, 200000);
    take_most_of_the_budget();
    send_data(1, 80000);
    peer_wait(&peer, peer.options.limits.budget_wait_ms - 1);
    ck_assert_int_eq(peer_status(&peer, 1), -1);
    peer_wait(&peer, 1);
    ck_assert_int_eq(peer_status(&peer, 1), 14);
    ck_assert_uint_eq(sp_counted(&peer.counters.budget_refusals), 1);
    sp_budget_give(&peer.budget, MOST_OF_IT);
    peer_fini(&peer);
}
END_TEST

START_TEST(h2_refuses_a_body_without_budget_and_frees_it)
{
    peer_init(&peer, small_windows);
    peer_open(&peer);
    begin_message(1, 200000);
    begin_message(3, 200000);
    take_most_of_the_budget();
    send_data(1, 60000);
    size_t used = sp_budget_used(&peer.budget);
    send_data(3, 60000);
    ck_assert_int_eq(peer_status(&peer, 3), 14);
    ck_assert_int_eq(peer_status(&peer, 1), -1);
    ck_assert_uint_le(sp_budget_used(&peer.budget), used);
    sp_budget_give(&peer.budget, MOST_OF_IT);
    peer_fini(&peer);
}
END_TEST

START_TEST(h2_refuses_a_head_without_budget)
{
    peer_init(&peer, small_windows);
    peer_open(&peer);
    ck_assert(sp_budget_take(&peer.budget, SMALL_BUDGET));
    peer_begin(&peer, 1, "/t.T/Echo");
    ck_assert_int_eq(peer_status(&peer, 1), 14);
    sp_budget_give(&peer.budget, SMALL_BUDGET);
    peer_fini(&peer);
}
END_TEST

START_TEST(h2_ends_peers_that_overrun_a_window)
{
    peer_init(&peer, small_windows);
    peer_open(&peer);
    begin_message(1, 200000);
    ck_assert(sp_budget_take(&peer.budget, MOST_OF_IT));
    send_data(1, 100001 - 5);
    ck_assert(peer_goaway(&peer) == FLOW_CONTROL_ERROR ||
              peer_reset(&peer, 1) == FLOW_CONTROL_ERROR);
    sp_budget_give(&peer.budget, MOST_OF_IT);
    peer_fini(&peer);
}
END_TEST

START_TEST(h2_counts_padding_against_no_budget_and_gives_it_back)
{
    uint8_t padded[256] = {255};
    peer_init(&peer, small_windows);
    peer_open(&peer);
    begin_message(1, 200000);
    size_t used = sp_budget_used(&peer.budget);
    for (int i = 0; i < 3000; i++) { /* 768000 bytes: five connection windows */
        peer_frame(&peer, DATA, PADDED, 1, padded, sizeof(padded));
        peer_call(&peer, 2 * i + 3, "/t.T/Echo", ""); /* so that it is no flood */
    }
    ck_assert_int_eq(peer_goaway(&peer), -1);
    ck_assert_uint_eq(sp_budget_used(&peer.budget), used);
    peer_fini(&peer);
}
END_TEST

/* ---- time ---- */

START_TEST(h2_gives_up_on_half_a_preface)
{
    peer_init(&peer, NULL);
    peer_bytes(&peer, "PRI * HT", 8);
    peer_wait(&peer, peer.options.limits.head_timeout_ms - 1);
    ck_assert(!sp_h2_session_done(peer.session));
    peer_wait(&peer, 1);
    ck_assert(sp_h2_session_done(peer.session));
    ck_assert_uint_eq(sp_counted(&peer.counters.timeouts), 1);
    peer_fini(&peer);
}
END_TEST

START_TEST(h2_gives_up_on_half_a_header_block)
{
    peer_init(&peer, NULL);
    peer_open(&peer);
    peer_frame(&peer, HEADERS, 0, 1, "\x83", 1);
    peer_wait(&peer, peer.options.limits.head_timeout_ms);
    ck_assert_int_eq(peer_goaway(&peer), ENHANCE_YOUR_CALM);
    ck_assert(sp_h2_session_done(peer.session));
    peer_fini(&peer);
}
END_TEST

START_TEST(h2_answers_and_resets_a_stream_that_was_opened_and_left)
{
    peer_init(&peer, NULL);
    peer_open(&peer);
    peer_begin(&peer, 1, "/t.T/Echo");
    peer_frame(&peer, DATA, 0, 1, "\0\0\0\0\5he", 7);
    peer_wait(&peer, peer.options.limits.body_timeout_ms - 1);
    ck_assert_int_eq(peer_status(&peer, 1), -1);
    peer_wait(&peer, 1);
    ck_assert_int_eq(peer_status(&peer, 1), 4);
    peer_wait(&peer, 1000);
    ck_assert_int_eq(peer_reset(&peer, 1), NO_ERROR);
    ck_assert_uint_eq(sp_budget_used(&peer.budget), 0);
    peer_call(&peer, 3, "/t.T/Echo", "x");
    ck_assert_int_eq(peer_status(&peer, 3), 0);
    peer_fini(&peer);
}
END_TEST

START_TEST(h2_resets_a_reply_that_nobody_takes)
{
    peer_init(&peer, NULL);
    peer_open(&peer);
    peer_frame(&peer, SETTINGS, 0, 0, "\0\4\0\0\0\0", 6); /* a window of nothing */
    peer_call(&peer, 1, "/t.T/Echo", "hello");
    peer_wait(&peer, peer.options.limits.write_timeout_ms - 1);
    ck_assert_int_eq(peer_reset(&peer, 1), -1);
    peer_wait(&peer, 1);
    ck_assert_int_eq(peer_reset(&peer, 1), CANCEL);
    ck_assert_uint_eq(sp_budget_used(&peer.budget), 0);
    peer_fini(&peer);
}
END_TEST

START_TEST(h2_answers_unavailable_when_the_memory_for_replies_is_used_up)
{
    struct sp_budget replies;
    struct sp_buf body;
    sp_budget_init(&replies, SP_REPLY_SMALL_BYTES_MAX + 100);
    peer_init(&peer, NULL);
    peer.options.reply_budget = &replies;
    peer_open(&peer);
    peer_frame(&peer, SETTINGS, 0, 0, "\0\4\0\0\0\0", 6); /* a window of nothing */
    static const struct {
        size_t bytes, held_after;
        int status; /* -1: the window is shut, the trailers wait */
    } rows[] = {
        {SP_REPLY_SMALL_BYTES_MAX + 1, SP_REPLY_SMALL_BYTES_MAX + 1, -1},
        {SP_REPLY_SMALL_BYTES_MAX + 1, SP_REPLY_SMALL_BYTES_MAX + 1, 14},
        {SP_REPLY_SMALL_BYTES_MAX + 101, SP_REPLY_SMALL_BYTES_MAX + 1, 8},
        {SP_REPLY_SMALL_BYTES_MAX, SP_REPLY_SMALL_BYTES_MAX + 1, -1},
    };
    for (size_t i = 0; i < SP_ARRAY_LEN(rows); i++) {
        int32_t id = (int32_t)(2 * i + 1);
        peer_call(&peer, id, "/t.T/Hold", "x");
        sp_buf_init(&body, SIZE_MAX);
        sp_buf_append(&body, zeros, rows[i].bytes);
        sp_exchange_reply_grpc(peer.held[i], 0, SP_SLICE(""), SP_SLICE(""), &body);
        ck_assert_uint_eq(body.len, 0);
        peer.held[i] = NULL;
        peer_pump(&peer);
        ck_assert_int_eq(peer_status(&peer, id), rows[i].status);
        ck_assert_uint_eq(sp_budget_used(&replies), rows[i].held_after);
    }
    peer_wait(&peer, peer.options.limits.write_timeout_ms);
    ck_assert_int_eq(peer_reset(&peer, 1), CANCEL);
    ck_assert_uint_eq(sp_budget_used(&replies), 0);
    peer_fini(&peer);
}
END_TEST

START_TEST(h2_says_goodbye_to_idle_connections_only)
{
    peer_init(&peer, NULL);
    peer_open(&peer);
    peer_call(&peer, 1, "/t.T/Hold", "x");
    peer_wait(&peer, 10 * peer.options.limits.idle_timeout_ms);
    ck_assert_int_eq(peer_goaway(&peer), -1); /* the handler takes its time */
    sp_exchange_reply_grpc(peer.held[0], 0, SP_SLICE(""), SP_SLICE(""), NULL);
    peer.held[0] = NULL;
    peer_pump(&peer);
    peer_wait(&peer, peer.options.limits.idle_timeout_ms - 1);
    ck_assert_int_eq(peer_goaway(&peer), -1);
    peer_wait(&peer, 1);
    ck_assert_int_eq(peer_goaway(&peer), NO_ERROR);
    ck_assert(sp_h2_session_done(peer.session));
    peer_fini(&peer);
}
END_TEST

Suite *sp_test_suite(void)
{
    Suite *suite = suite_create("net/h2_limits");
    TCase *tcase = tcase_create("h2_limits");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, h2_takes_a_message_at_the_limit_and_refuses_one_above);
    tcase_add_test(tcase, h2_refuses_a_message_by_its_prefix);
    tcase_add_test(tcase, h2_refuses_heads_that_are_too_large);
    tcase_add_test(tcase, h2_counts_many_small_fields_against_the_head);
    tcase_add_test(tcase, h2_refuses_one_stream_more_than_announced);
    tcase_add_test(tcase, h2_refuses_frames_larger_than_announced);
    tcase_add_test(tcase, h2_gives_credit_back_while_the_budget_has_room);
    tcase_add_test(tcase, h2_withholds_credit_while_the_budget_is_short_and_gives_it_later);
    tcase_add_test(tcase, h2_refuses_a_body_that_waited_too_long_for_credit);
    tcase_add_test(tcase, h2_refuses_a_body_without_budget_and_frees_it);
    tcase_add_test(tcase, h2_refuses_a_head_without_budget);
    tcase_add_test(tcase, h2_ends_peers_that_overrun_a_window);
    tcase_add_test(tcase, h2_counts_padding_against_no_budget_and_gives_it_back);
    tcase_add_test(tcase, h2_gives_up_on_half_a_preface);
    tcase_add_test(tcase, h2_gives_up_on_half_a_header_block);
    tcase_add_test(tcase, h2_answers_and_resets_a_stream_that_was_opened_and_left);
    tcase_add_test(tcase, h2_resets_a_reply_that_nobody_takes);
    tcase_add_test(tcase, h2_answers_unavailable_when_the_memory_for_replies_is_used_up);
    tcase_add_test(tcase, h2_says_goodbye_to_idle_connections_only);
    suite_add_tcase(suite, tcase);
    return suite;
}
