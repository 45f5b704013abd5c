/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/unit/net/test_http1.c: the HTTP/1.1 server over real sockets: limits, refusals, slow senders and slow readers. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/support/check_main.h"
#include "tests/unit/net/fixture.h"

START_TEST(http1_keeps_connections_and_answers_in_order)
{
    struct fixture f = {0};
    prepare(&f);
    start(&f, false);
    const char *said =
        exchange(&f, "POST /Later HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\none"
                     "POST /Echo?a=%20b HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n"
                     "connection: close\r\n\r\ntwo");
    const char *one = strstr(said, "\r\n\r\none"), *two = strstr(said, "\r\n\r\ntwo");
    ck_assert(one && two && one < two);
    finish(&f);
}
END_TEST

START_TEST(http1_refuses_bodies_above_the_limit)
{
    static const char *const requests[] = {
        "POST /Echo HTTP/1.1\r\nhost: x\r\ncontent-length: 11\r\n\r\n12345678901",
        "POST /Echo HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
        "b\r\n12345678901\r\n0\r\n\r\n",
        "POST /Echo HTTP/1.1\r\nhost: x\r\ncontent-length: 11\r\nexpect: 100-continue\r\n\r\n",
    };
    struct fixture f = {0};
    prepare(&f);
    f.options.limits.body_bytes_max = 10;
    start(&f, false);
    for (size_t i = 0; i < SP_ARRAY_LEN(requests); i++) {
        const char *said = exchange(&f, requests[i]); /* closed by the server */
        check_starts(said, "HTTP/1.1 413 ");
        check_holds(said, "Connection: close");
        check_holds(said, "larger than 10 bytes");
    }
    const char *said = exchange(&f, "POST /Echo HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n"
                                    "connection: close\r\n\r\n1234567890");
    check_starts(said, "HTTP/1.1 200 ");
    finish(&f);
}
END_TEST

START_TEST(http1_reads_a_refused_body_so_that_the_refusal_is_read)
{
    struct fixture f = {0};
    prepare(&f);
    f.options.limits.body_bytes_max = 10;
    start(&f, false);
    size_t len = (size_t)20 << 20;
    char *body = calloc(1, len);
    int fd = dial(&f);
    say_text(fd, "POST /Echo HTTP/1.1\r\nhost: x\r\ncontent-length: 20971520\r\n\r\n");
    say(fd, body, len);
    check_starts(read_all(fd), "HTTP/1.1 413 ");
    free(body);
    finish(&f);
}
END_TEST

START_TEST(http1_stops_reading_refused_bodies_at_a_limit)
{
    struct fixture f = {0};
    prepare(&f);
    f.options.limits.body_bytes_max = 10;
    f.options.limits.refused_body_bytes_max = 1000;
    start(&f, false);
    int fd = dial(&f);
    char *body = calloc(1, 1 << 20);
    say_text(fd, "POST /Echo HTTP/1.1\r\nhost: x\r\ncontent-length: 900000000\r\n\r\n");
    say(fd, body, 1 << 20);
    (void)read_all(fd); /* returns: the server has closed */
    free(body);
    finish(&f);
}
END_TEST

START_TEST(http1_refuses_heads_above_the_limit)
{
    struct fixture f = {0};
    prepare(&f);
    f.options.limits.head_bytes_max = 1000;
    start(&f, false);
    char request[3000];
    snprintf(request, sizeof(request), "GET /Echo HTTP/1.1\r\nhost: x\r\nx-long: %01500d\r\n\r\n",
             1);
    check_starts(exchange(&f, request), "HTTP/1.1 431 ");
    snprintf(request, sizeof(request), "GET /Echo?%01500d HTTP/1.1\r\nhost: x\r\n\r\n", 1);
    check_starts(exchange(&f, request), "HTTP/1.1 431 ");
    finish(&f);
}
END_TEST

START_TEST(http1_says_try_again_when_the_budget_is_used_up)
{
    struct fixture f = {0};
    prepare(&f);
    start(&f, false);
    ck_assert(sp_budget_take(&f.budget, f.budget.max_bytes - 20000));
    const char *said = exchange(&f, "POST /Echo HTTP/1.1\r\nhost: x\r\ncontent-length: 30000\r\n"
                                    "expect: 100-continue\r\n\r\n");
    check_starts(said, "HTTP/1.1 503 ");
    check_holds(said, "retry-after: 1");
    sp_budget_give(&f.budget, f.budget.max_bytes - 20000);
    finish(&f);
}
END_TEST

START_TEST(http1_refuses_before_the_body_is_read)
{
    struct fixture f = {0};
    prepare(&f);
    start(&f, false);
    const char *said = exchange(&f, "POST /Head HTTP/1.1\r\nhost: x\r\ncontent-length: 5000000\r\n"
                                    "expect: 100-continue\r\n\r\n");
    check_starts(said, "HTTP/1.1 404 ");
    check_holds(said, "application/problem+json");
    finish(&f);
}
END_TEST

START_TEST(http1_answers_what_is_not_http)
{
    static const char *const requests[] = {"nonsense\r\n\r\n", "GET / HTTP/3.7\r\nhost: x\r\n\r\n"};
    struct fixture f = {0};
    prepare(&f);
    start(&f, false);
    for (size_t i = 0; i < SP_ARRAY_LEN(requests); i++) {
        const char *said = exchange(&f, requests[i]);
        ck_assert(said[0] == '\0' || said[9] == '4' || said[9] == '5');
    }
    finish(&f);
}
END_TEST

START_TEST(http1_refuses_requests_that_others_might_read_differently)
{
    static const struct {
        const char *request, *wanted;
    } rows[] = {
        {"POST /Echo HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\nContent-Length: 3\r\n\r\none",
         "Content-Length"},
        {"POST /Echo HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\ncontent-length: 33\r\n\r\n"
         "GET /Echo HTTP/1.1\r\nhost: x\r\n\r\n",
         "Content-Length"},
        {"POST /Echo HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n"
         "transfer-encoding: chunked\r\n\r\n0\r\n\r\n",
         "Transfer-Encoding"},
        {"POST /Echo HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n"
         "transfer-encoding: identity\r\n\r\n0\r\n\r\n",
         "Transfer-Encoding"},
        {"POST /Echo HTTP/1.1\r\nhost: x\r\ntransfer-encoding: gzip\r\n\r\nzip",
         "Transfer-Encoding"},
        {"POST /Echo HTTP/1.0\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
         "Transfer-Encoding"},
        {"POST /Echo HTTP/1.1\r\nhost: x\r\ncontent-length : 3\r\n\r\none", "name"},
        {"GET /Echo HTTP/1.1\r\n\r\n", "Host"},
        {"GET /Echo HTTP/1.1\r\nhost: x\r\nhost: y\r\n\r\n", "Host"},
        {"GET /Echo /Head HTTP/1.1\r\nhost: x\r\n\r\n", "target"},
    };
    struct fixture f = {0};
    prepare(&f);
    start(&f, false);
    for (size_t i = 0; i < SP_ARRAY_LEN(rows); i++) {
        const char *said = exchange(&f, rows[i].request); /* closed by the server */
        check_starts(said, "HTTP/1.1 400 ");
        check_holds(said, "application/problem+json");
        check_holds(strstr(said, "\r\n\r\n"), rows[i].wanted);
        ck_assert_ptr_null(strstr(said + 1, "HTTP/1.1"));
    }
    ck_assert_uint_eq(service_requests(f.service), 0);
    check_starts(exchange(&f, "POST /Echo HTTP/1.1\r\nhost: x\r\ntransfer-encoding: Chunked\r\n"
                              "connection: close\r\n\r\n0\r\n\r\n"),
                 "HTTP/1.1 200 ");
    check_starts(exchange(&f, "GET /Echo HTTP/1.0\r\n\r\n"), "HTTP/1.1 200 ");
    finish(&f);
}
END_TEST

START_TEST(http1_takes_query_strings_of_thousands_of_parameters)
{
    static const char *const parts[] = {"&", "a&", "a=b&", "%zz&", "?"};
    char request[40000];
    struct fixture f = {0};
    prepare(&f);
    start(&f, false);
    for (size_t i = 0; i < SP_ARRAY_LEN(parts); i++) {
        size_t len = (size_t)snprintf(request, sizeof(request), "GET /Query?");
        while (len < 30000)
            len += (size_t)snprintf(request + len, sizeof(request) - len, "%s", parts[i]);
        size_t query_len = len - strlen("GET /Query?");
        snprintf(request + len, sizeof(request) - len,
                 " HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        const char *said = exchange(&f, request);
        check_starts(said, "HTTP/1.1 200 ");
        said = strstr(said, "\r\n\r\n") + 4;
        ck_assert_uint_eq(strlen(said), query_len);
        ck_assert_int_eq(memcmp(said, request + strlen("GET /Query?"), query_len), 0);
    }
    finish(&f);
}
END_TEST

START_TEST(http1_refuses_parameters_behind_a_zero_byte)
{
    static const char *const parts[] = {"&", "a&", "a=b&", "a=&", "=b&"};
    char request[40000];
    struct fixture f = {0};
    prepare(&f);
    start(&f, false);
    for (size_t i = 0; i < SP_ARRAY_LEN(parts); i++) {
        size_t len = (size_t)snprintf(request, sizeof(request), "GET /Echo%cHTTP/1.1%c?", 0, 0);
        while (len < 30000)
            len += (size_t)snprintf(request + len, sizeof(request) - len, "%s", parts[i]);
        len +=
            (size_t)snprintf(request + len, sizeof(request) - len, " HTTP/1.1\r\nhost: x\r\n\r\n");
        int fd = dial(&f);
        say(fd, request, len);
        const char *said = read_all(fd);
        check_starts(said, "HTTP/1.1 400 ");
        check_holds(said, "zero byte");
    }
    finish(&f);
}
END_TEST

START_TEST(http1_closes_clients_that_are_too_slow)
{
    static const char *const beginnings[] = {
        "", "GET /Echo HT", "POST /Echo HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nabc"};
    struct fixture f = {0};
    prepare(&f);
    f.options.limits.head_timeout_ms = SHORT_MS;
    f.options.limits.body_timeout_ms = SHORT_MS;
    start(&f, false);
    for (size_t i = 0; i < SP_ARRAY_LEN(beginnings); i++) {
        ck_assert_str_eq(exchange(&f, beginnings[i]), "");
        wait_for(open_connections, &f, 0);
    }
    finish(&f);
}
END_TEST

START_TEST(http1_closes_idle_connections)
{
    struct fixture f = {0};
    prepare(&f);
    f.options.limits.idle_timeout_ms = SHORT_MS;
    start(&f, false);
    check_starts(exchange(&f, "GET /Echo HTTP/1.1\r\nhost: x\r\n\r\n"), "HTTP/1.1 200 ");
    finish(&f);
}
END_TEST

START_TEST(http1_gives_slow_readers_their_time)
{
    struct fixture f = {0};
    prepare(&f);
    f.options.limits.write_timeout_ms = 1000;
    start(&f, false);
    int fd = dial(&f), small = 65536;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    say_text(fd, "GET /Big HTTP/1.1\r\nhost: x\r\nx-bytes: 20000000\r\nconnection: close\r\n\r\n");
    char part[100000];
    size_t total = 0;
    for (ssize_t len; (len = recv(fd, part, sizeof(part), MSG_WAITALL)) > 0; poll(NULL, 0, 10))
        total += (size_t)len; /* 200 parts: more than two seconds */
    ck_assert_uint_gt(total, 20000000);
    close(fd);
    finish(&f);
}
END_TEST

/* ---- replies that nobody reads, together ---- */

#define BIG_20_MB "GET /Big HTTP/1.1\r\nhost: x\r\nx-bytes: 20000000\r\nconnection: close\r\n\r\n"

static uint64_t reply_bytes(struct fixture *f)
{
    return sp_budget_used(&f->reply_budget);
}

/* A client that has asked for 20 MB, and reads only what it is told to. */
static int dial_slow(struct fixture *f)
{
    int fd = dial_small(f, 4096);
    uint64_t before = reply_bytes(f);
    say_text(fd, BIG_20_MB);
    wait_for(reply_bytes, f, before + 20000000);
    return fd;
}

START_TEST(http1_refuses_large_replies_when_their_memory_is_used_up)
{
    struct fixture f = {0};
    prepare(&f);
    sp_budget_init(&f.reply_budget, 50000000);
    start(&f, false);
    int first = dial_slow(&f), second = dial_slow(&f);
    const char *said = exchange(&f, BIG_20_MB);
    check_starts(said, "HTTP/1.1 503 ");
    check_holds(said, "retry-after: 1");
    check_holds(said, "application/problem+json");
    check_holds(said, "clients that read slowly");
    ck_assert_uint_eq(sp_budget_refused(&f.reply_budget), 1);
    /* Small replies, acks say, go all the same. */
    said = exchange(&f, "POST /Echo HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n"
                        "connection: close\r\n\r\nack");
    check_starts(said, "HTTP/1.1 200 ");
    close(first);
    wait_for(reply_bytes, &f, 20000000);
    check_starts(exchange(&f, BIG_20_MB), "HTTP/1.1 200 ");
    close(second);
    wait_for(reply_bytes, &f, 0);
    finish(&f);
}
END_TEST

START_TEST(http1_refuses_for_good_what_all_memory_for_replies_cannot_hold)
{
    struct fixture f = {0};
    prepare(&f);
    sp_budget_init(&f.reply_budget, 20000000 - 1);
    start(&f, false);
    const char *said = exchange(&f, BIG_20_MB);
    check_starts(said, "HTTP/1.1 413 ");
    ck_assert_ptr_null(strstr(said, "retry-after"));
    check_holds(said, "19999999");
    ck_assert_uint_eq(sp_budget_refused(&f.reply_budget), 0);
    finish(&f);
}
END_TEST

START_TEST(http1_counts_replies_until_they_are_sent_and_no_small_ones)
{
    char request[100];
    struct fixture f = {0};
    prepare(&f);
    sp_budget_init(&f.reply_budget, SP_REPLY_SMALL_BYTES_MAX);
    start(&f, false);
    for (size_t more = 0; more < 2; more++) {
        snprintf(request, sizeof(request),
                 "GET /Big HTTP/1.1\r\nhost: x\r\nx-bytes: %zu\r\nconnection: close\r\n\r\n",
                 SP_REPLY_SMALL_BYTES_MAX + more);
        check_starts(exchange(&f, request), more == 0 ? "HTTP/1.1 200 " : "HTTP/1.1 413 ");
    }
    finish(&f);
}
END_TEST

START_TEST(http1_closes_readers_by_drops_when_others_are_refused_for_them)
{
    struct fixture f = {0};
    prepare(&f);
    sp_budget_init(&f.reply_budget, 30000000);
    f.options.limits.write_timeout_ms = SHORT_MS;
    f.options.limits.write_bytes_min = UINT32_MAX;
    start(&f, false);
    int slow = dial_slow(&f);
    char drop[4096];
    bool closed = false;
    for (int i = 0; i < PATIENCE_S * 100 && !closed; i++) {
        closed = recv(slow, drop, sizeof(drop), 0) <= 0 || reply_bytes(&f) == 0;
        if (!closed)
            (void)exchange(&f, BIG_20_MB); /* refused, until the slow one is closed */
    }
    wait_for(reply_bytes, &f, 0);
    check_starts(exchange(&f, BIG_20_MB), "HTTP/1.1 200 ");
    struct sp_server_stats stats;
    sp_server_stats(f.server, &stats);
    ck_assert_uint_ge(stats.timeouts, 1);
    close(slow);
    finish(&f);
}
END_TEST

Suite *sp_test_suite(void)
{
    Suite *suite = suite_create("net/http1");
    TCase *tcase = tcase_create("http1");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, http1_keeps_connections_and_answers_in_order);
    tcase_add_test(tcase, http1_refuses_bodies_above_the_limit);
    tcase_add_test(tcase, http1_reads_a_refused_body_so_that_the_refusal_is_read);
    tcase_add_test(tcase, http1_stops_reading_refused_bodies_at_a_limit);
    tcase_add_test(tcase, http1_refuses_heads_above_the_limit);
    tcase_add_test(tcase, http1_says_try_again_when_the_budget_is_used_up);
    tcase_add_test(tcase, http1_refuses_before_the_body_is_read);
    tcase_add_test(tcase, http1_answers_what_is_not_http);
    tcase_add_test(tcase, http1_refuses_requests_that_others_might_read_differently);
    tcase_add_test(tcase, http1_takes_query_strings_of_thousands_of_parameters);
    tcase_add_test(tcase, http1_refuses_parameters_behind_a_zero_byte);
    tcase_add_test(tcase, http1_closes_clients_that_are_too_slow);
    tcase_add_test(tcase, http1_closes_idle_connections);
    tcase_add_test(tcase, http1_gives_slow_readers_their_time);
    tcase_add_test(tcase, http1_refuses_large_replies_when_their_memory_is_used_up);
    tcase_add_test(tcase, http1_refuses_for_good_what_all_memory_for_replies_cannot_hold);
    tcase_add_test(tcase, http1_counts_replies_until_they_are_sent_and_no_small_ones);
    tcase_add_test(tcase, http1_closes_readers_by_drops_when_others_are_refused_for_them);
    suite_add_tcase(suite, tcase);
    return suite;
}
