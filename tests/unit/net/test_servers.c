/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/unit/net/test_servers.c: what both servers do over real sockets: starting, clients that vanish or never read,
 * draining, stopping with work in hand. What HTTP/2 frames mean is tested without sockets in test_h2_*.c. */
#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/support/check_main.h"
#include "tests/unit/net/fixture.h"

#define DRAIN_MS 10000

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";
/* HEADERS of a call to /t.T/Hold, and its message. */
static const char hold_call[] =
    "\0\0\x2a\1\4\0\0\0\1\x83\x86\x04\x09/t.T/Hold\x41\x09localhost\x5f\x10"
    "application/grpc\0\0\6\0\1\0\0\0\1\0\0\0\0\1x";

/* ---- starting ---- */

START_TEST(server_refuses_addresses_that_are_none)
{
    static const char *const bad[] = {
        "",      "127.0.0.1",       ":1",           "127.0.0.1:",       "127.0.0.1:x",
        "::1:1", "127.0.0.1:65536", "127.0.0.1:-1", "nowhere.invalid:1"};
    for (size_t i = 0; i < SP_ARRAY_LEN(bad); i++) {
        struct fixture f = {0};
        struct sp_error error;
        prepare(&f);
        f.options.address = bad[i];
        ck_assert_int_eq(sp_http1_server_start(&f.options, &f.server, &error), SP_INVALID_ARGUMENT);
        ck_assert_int_eq(sp_http2_server_start(&f.options, &f.server, &error), SP_INVALID_ARGUMENT);
        ck_assert_ptr_nonnull(strstr(error.message, bad[i]));
        finish(&f);
    }
}
END_TEST

START_TEST(server_says_that_a_port_is_taken)
{
    struct fixture f = {0};
    struct sp_server *other;
    struct sp_error error;
    prepare(&f);
    start(&f, true);
    f.options.address = sp_server_address(f.server);
    ck_assert_int_eq(sp_http1_server_start(&f.options, &other, &error), SP_BUSY);
    ck_assert_ptr_nonnull(strstr(error.message, sp_server_address(f.server)));
    finish(&f);
}
END_TEST

START_TEST(server_reports_the_port_it_got)
{
    for (int http2 = 0; http2 < 2; http2++) {
        struct fixture f = {0};
        char wanted[40];
        prepare(&f);
        start(&f, http2);
        ck_assert_uint_gt(sp_server_port(f.server), 0);
        snprintf(wanted, sizeof(wanted), "127.0.0.1:%u", sp_server_port(f.server));
        ck_assert_str_eq(sp_server_address(f.server), wanted);
        finish(&f);
    }
}
END_TEST

START_TEST(server_listens_on_ipv6)
{
    struct fixture f = {0};
    struct sp_error error;
    prepare(&f);
    f.options.address = "[::1]:0";
    if (sp_http2_server_start(&f.options, &f.server, &error) == SP_OK) /* where there is IPv6 */
        ck_assert_int_eq(strncmp(sp_server_address(f.server), "[::1]:", 6), 0);
    finish(&f);
}
END_TEST

/* ---- clients that never read ---- */

/* A call to /t.T/Big, for 40 MB. */
static void call_big(int fd, uint8_t id)
{
    uint8_t call[9 + 0x3b + 14];
    memcpy(call,
           "\0\0\x3b\1\4\0\0\0\1\x83\x86\x04\x08/t.T/Big\x41\x09localhost\x5f\x10"
           "application/grpc\0\7x-bytes\x08"
           "40000000\0\0\5\0\1\0\0\0\1\0\0\0\0\0",
           sizeof(call));
    call[8] = call[9 + 0x3b + 8] = id;
    say(fd, call, sizeof(call));
}

/* The stream's time may be up before its socket's. Then the reply is dropped, and the system, when it is slow, may still take
 * what was written of it: the connection is idle and stays. So the client calls again and again, and the system has room for a
 * few replies at most. */
static void call_until_closed(struct fixture *f, int fd)
{
    struct sp_server_stats stats;
    uint8_t id = 1;
    for (int i = 0; i < PATIENCE_S * 100 && open_connections(f) > 0; i++) {
        sp_server_stats(f->server, &stats);
        if (stats.requests == (id + 1U) / 2 && stats.requests_open == 0 && id < 253)
            call_big(fd, id += 2);
        poll(NULL, 0, 10);
    }
}

static void check_never_reading(bool http2)
{
    struct fixture f = {0};
    prepare(&f);
    f.options.limits.write_timeout_ms = SHORT_MS;
    start(&f, http2);
    int fd = dial(&f);
    if (http2) {
        /* The peer's windows are wide open, but its socket takes nothing. */
        say(fd, preface, sizeof(preface) - 1);
        say(fd, "\0\0\6\4\0\0\0\0\0\0\4\x7f\xff\xff\xff\0\0\4\x08\0\0\0\0\0\x7f\0\0\0", 28);
        call_big(fd, 1);
    } else {
        say_text(fd, "GET /Big HTTP/1.1\r\nhost: x\r\nx-bytes: 40000000\r\n\r\n");
    }
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    ck_assert_int_eq(poll(&readable, 1, PATIENCE_S * 1000), 1);
    if (http2)
        call_until_closed(&f, fd);
    wait_for(open_connections, &f, 0);
    struct sp_server_stats stats;
    sp_server_stats(f.server, &stats);
    ck_assert_uint_ge(stats.timeouts, 1); /* of the stream, of the connection */
    ck_assert_uint_eq(stats.protocol_errors, 0);
    close(fd);
    finish(&f);
}

START_TEST(http1_closes_clients_that_never_read)
{
    check_never_reading(false);
}
END_TEST

START_TEST(http2_closes_clients_that_never_read)
{
    check_never_reading(true);
}
END_TEST

/* ---- connections ---- */

START_TEST(http2_closes_connections_above_the_limit)
{
    struct fixture f = {0};
    prepare(&f);
    f.options.limits.connections_max = 2;
    start(&f, true);
    int first = dial(&f), second = dial(&f);
    wait_for(open_connections, &f, 2);
    ck_assert_str_eq(read_all(dial(&f)), "");
    wait_for(refused_connections, &f, 1);
    close(first);
    wait_for(open_connections, &f, 1);
    int third = dial(&f);
    say_text(third, "GET / HTTP/1.1\r\n\r\n");
    check_starts(read_all(third), "HTTP/1.1 505 ");
    close(second);
    finish(&f);
}
END_TEST

START_TEST(http1_lets_connections_above_the_limit_wait)
{
    struct fixture f = {0};
    prepare(&f);
    f.options.threads = 1;
    f.options.limits.connections_max = 2;
    start(&f, false);
    int first = dial(&f), second = dial(&f);
    wait_for(open_connections, &f, 2);
    int third = dial(&f);
    say_text(third, "GET /Echo HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    close(first);
    check_starts(read_all(third), "HTTP/1.1 200 ");
    close(second);
    finish(&f);
}
END_TEST

/* ---- clients that vanish, servers that stop ---- */

static int dial_and_hold(struct fixture *f, bool http2)
{
    int fd = dial(f);
    if (http2) {
        say(fd, preface, sizeof(preface) - 1);
        say(fd, hold_call, sizeof(hold_call) - 1);
    } else {
        say_text(fd, "POST /Hold HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\n\r\nx");
    }
    wait_for(waiting, f, 1);
    return fd;
}

/* reset: the client's system says at once that it is gone, else it looks like one that has only nothing more to say. */
static void check_vanish(bool http2, bool reset)
{
    struct fixture f = {0};
    const struct linger linger = {.l_onoff = reset};
    prepare(&f);
    start(&f, http2);
    int fd = dial_and_hold(&f, http2);
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
    close(fd);
    wait_for(cancelled, &f, 1);
    service_drain(f.service); /* now the reply comes */
    wait_for(waiting, &f, 0);
    wait_for(open_connections, &f, 0);
    finish(&f);
}

START_TEST(server_notices_clients_that_are_gone_and_survives_replies_to_them)
{
    check_vanish(false, false);
    check_vanish(false, true);
    check_vanish(true, false);
    check_vanish(true, true);
}
END_TEST

START_TEST(http1_takes_no_client_for_gone_that_has_closed_its_sending_side)
{
    static const char *const versions[] = {"1.0", "1.1"};
    char request[100];
    int fds[2];
    struct fixture f = {0};
    prepare(&f);
    start(&f, false);
    for (size_t i = 0; i < 2; i++) {
        fds[i] = dial(&f);
        snprintf(request, sizeof(request),
                 "POST /Hold HTTP/%s\r\nhost: x\r\ncontent-length: 1\r\n\r\nx", versions[i]);
        say_text(fds[i], request);
        shutdown(fds[i], SHUT_WR);
    }
    wait_for(waiting, &f, 2);
    /* Asked whether it is there, and stays; the other cannot be asked. */
    ck_assert_str_eq(read_some(fds[1]), "HTTP/1.1 100 Continue\r\n\r\n");
    ck_assert_uint_eq(cancelled(&f), 0);
    service_drain(f.service);
    /* Whether they get the reply is the library's: it may read their end first, and close (docs/known-gaps.md). */
    for (size_t i = 0; i < 2; i++)
        (void)read_all(fds[i]);
    finish(&f);
}
END_TEST

static void check_stop(bool http2)
{
    struct fixture f = {0};
    prepare(&f);
    start(&f, http2);
    int fd = dial_and_hold(&f, http2);
    sp_server_stop(f.server);
    f.server = NULL;
    (void)read_all(fd); /* closed */
    finish(&f);         /* and only now the reply comes */
}

START_TEST(server_stops_while_handlers_hold_exchanges)
{
    check_stop(false);
    check_stop(true);
}
END_TEST

START_TEST(server_stops_without_having_served)
{
    for (int http2 = 0; http2 < 2; http2++) {
        struct fixture f = {0};
        prepare(&f);
        start(&f, http2);
        finish(&f);
    }
    sp_server_stop(NULL);
}
END_TEST

static void check_drain(bool http2)
{
    struct fixture f = {0};
    prepare(&f);
    start(&f, http2);
    int idle = dial(&f), held = dial_and_hold(&f, http2);
    if (http2)
        say(idle, preface, sizeof(preface) - 1);
    wait_for(open_connections, &f, 2);
    ck_assert(!sp_server_drain(f.server, 10)); /* one exchange is not done */
    service_drain(f.service);
    ck_assert(sp_server_drain(f.server, DRAIN_MS));
    const char *said = read_all(held);
    if (!http2) {
        check_starts(said, "HTTP/1.1 200 ");
        check_holds(said, "Connection: close");
    }
    (void)read_all(idle);
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(sp_server_port(f.server))};
    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (http2) {
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        ck_assert_int_ne(connect(fd, (struct sockaddr *)&in, sizeof(in)), 0);
        close(fd);
    }
    finish(&f);
}

START_TEST(server_drains_and_says_so)
{
    check_drain(false);
    check_drain(true);
}
END_TEST

START_TEST(http2_client_that_vanishes_mid_message_leaves_nothing)
{
    struct fixture f = {0};
    prepare(&f);
    start(&f, true);
    int fd = dial(&f);
    say(fd, preface, sizeof(preface) - 1);
    say(fd, hold_call, sizeof(hold_call) - 4);
    (void)read_some(fd);
    close(fd);
    wait_for(open_connections, &f, 0);
    ck_assert_uint_eq(sp_budget_used(&f.budget), 0);
    finish(&f);
}
END_TEST

Suite *sp_test_suite(void)
{
    Suite *suite = suite_create("net/servers");
    TCase *tcase = tcase_create("servers");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, server_refuses_addresses_that_are_none);
    tcase_add_test(tcase, server_says_that_a_port_is_taken);
    tcase_add_test(tcase, server_reports_the_port_it_got);
    tcase_add_test(tcase, server_listens_on_ipv6);
    tcase_add_test(tcase, http1_closes_clients_that_never_read);
    tcase_add_test(tcase, http2_closes_clients_that_never_read);
    tcase_add_test(tcase, http2_closes_connections_above_the_limit);
    tcase_add_test(tcase, http1_lets_connections_above_the_limit_wait);
    tcase_add_test(tcase, server_notices_clients_that_are_gone_and_survives_replies_to_them);
    tcase_add_test(tcase, http1_takes_no_client_for_gone_that_has_closed_its_sending_side);
    tcase_add_test(tcase, server_stops_while_handlers_hold_exchanges);
    tcase_add_test(tcase, server_stops_without_having_served);
    tcase_add_test(tcase, server_drains_and_says_so);
    tcase_add_test(tcase, http2_client_that_vanishes_mid_message_leaves_nothing);
    suite_add_tcase(suite, tcase);
    return suite;
}
