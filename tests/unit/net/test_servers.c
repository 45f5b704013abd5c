/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/unit/net/test_servers.c: both servers over real sockets: starting, limits, slow and vanishing clients, draining,
 * stopping with work in hand. What HTTP/2 frames mean is tested without sockets in test_h2_*.c. */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/support/check_main.h"
#include "tests/unit/net/service.h"

#define REPLY_MAX  ((size_t)64 << 20)
#define SHORT_MS   60 /* a timeout that is to pass */
#define PATIENCE_S 20 /* a test that waits so long has failed */
#define DRAIN_MS   10000

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";
/* HEADERS of a call to /t.T/Hold, and its message. */
static const char hold_call[] =
    "\0\0\x2a\1\4\0\0\0\1\x83\x86\x04\x09/t.T/Hold\x41\x09localhost\x5f\x10"
    "application/grpc\0\0\6\0\1\0\0\0\1\0\0\0\0\1x";

struct fixture {
    struct service *service;
    struct sp_budget budget;
    struct sp_server_options options;
    struct sp_server *server;
};

static void start(struct fixture *f, bool http2)
{
    struct sp_error error;
    enum sp_status status = http2 ? sp_http2_server_start(&f->options, &f->server, &error)
                                  : sp_http1_server_start(&f->options, &f->server, &error);
    ck_assert_msg(status == SP_OK, "%s", error.message);
}

static void prepare(struct fixture *f)
{
    f->service = service_new();
    sp_budget_init(&f->budget, (size_t)64 << 20);
    f->options = (struct sp_server_options){
        .address = "127.0.0.1:0",
        .threads = 2,
        .handler = service_handler(f->service),
        .budget = &f->budget,
        .clock = sp_clock_system(),
        .limits = sp_net_limits_default(),
    };
}

static void finish(struct fixture *f)
{
    if (f->server)
        sp_server_stop(f->server);
    service_free(f->service);
    ck_assert_uint_eq(sp_budget_used(&f->budget), 0);
}

static int dial(const struct fixture *f)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(sp_server_port(f->server))};
    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    const struct timeval patience = {.tv_sec = PATIENCE_S};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&in, sizeof(in)), 0);
    return fd;
}

static void say(int fd, const void *bytes, size_t len)
{
    while (len > 0) {
        ssize_t sent = send(fd, bytes, len, MSG_NOSIGNAL);
        if (sent <= 0)
            return; /* the server has closed: what it said is read by the caller */
        bytes = (const char *)bytes + sent;
        len -= (size_t)sent;
    }
}

static void say_text(int fd, const char *text)
{
    say(fd, text, strlen(text));
}

/* Everything until the server closes; zero-terminated. */
static char *read_all(int fd)
{
    static struct sp_buf all;
    sp_buf_fini(&all);
    sp_buf_init(&all, REPLY_MAX);
    for (;;) {
        uint8_t *room = sp_buf_reserve(&all, 65536);
        ck_assert_ptr_nonnull(room);
        ssize_t len = recv(fd, room, 65535, 0);
        ck_assert_msg(len >= 0 || errno != EAGAIN, "the server did not close the connection");
        if (len <= 0)
            break;
        all.len += (size_t)len;
    }
    sp_buf_append_byte(&all, 0);
    close(fd);
    return (char *)all.ptr;
}

static char *read_some(int fd)
{
    static char some[65536];
    ssize_t len = recv(fd, some, sizeof(some) - 1, 0);
    ck_assert_int_gt(len, 0);
    some[len] = '\0';
    return some;
}

static void wait_for(uint64_t (*value)(struct fixture *f), struct fixture *f, uint64_t wanted)
{
    for (int i = 0; i < PATIENCE_S * 1000 && value(f) != wanted; i++)
        poll(NULL, 0, 1);
    ck_assert_uint_eq(value(f), wanted);
}

static uint64_t waiting(struct fixture *f)
{
    return service_waiting(f->service);
}

static uint64_t open_connections(struct fixture *f)
{
    struct sp_server_stats stats;
    sp_server_stats(f->server, &stats);
    return stats.connections_open;
}

static uint64_t refused_connections(struct fixture *f)
{
    struct sp_server_stats stats;
    sp_server_stats(f->server, &stats);
    return stats.connections_refused;
}

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

/* ---- HTTP/1.1 ---- */

static const char *exchange(struct fixture *f, const char *request)
{
    int fd = dial(f);
    say_text(fd, request);
    return read_all(fd);
}

static void check_starts(const char *said, const char *wanted)
{
    ck_assert_msg(strncmp(said, wanted, strlen(wanted)) == 0, "%.200s", said);
}

static void check_holds(const char *said, const char *wanted)
{
    ck_assert_msg(strstr(said, wanted) != NULL, "%.400s", said);
}

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
    static const char *const requests[] = {"nonsense\r\n\r\n", "GET / HTTP/3.7\r\nhost: x\r\n\r\n",
                                           "GET / HTTP/1.1\r\n\r\n" /* no host */};
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
        say(fd,
            "\0\0\x3b\1\4\0\0\0\1\x83\x86\x04\x08/t.T/Big\x41\x09localhost\x5f\x10"
            "application/grpc\0\7x-bytes\x08"
            "40000000\0\0\5\0\1\0\0\0\1\0\0\0\0\0",
            9 + 0x3b + 14);
    } else {
        say_text(fd, "GET /Big HTTP/1.1\r\nhost: x\r\nx-bytes: 40000000\r\n\r\n");
    }
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    ck_assert_int_eq(poll(&readable, 1, PATIENCE_S * 1000), 1);
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

static void check_vanish(bool http2)
{
    struct fixture f = {0};
    prepare(&f);
    start(&f, http2);
    close(dial_and_hold(&f, http2));
    service_drain(f.service); /* now the reply comes */
    wait_for(waiting, &f, 0);
    wait_for(open_connections, &f, 0);
    finish(&f);
}

START_TEST(server_survives_replies_to_clients_that_are_gone)
{
    check_vanish(false);
    check_vanish(true);
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
    tcase_add_test(tcase, http1_keeps_connections_and_answers_in_order);
    tcase_add_test(tcase, http1_refuses_bodies_above_the_limit);
    tcase_add_test(tcase, http1_reads_a_refused_body_so_that_the_refusal_is_read);
    tcase_add_test(tcase, http1_stops_reading_refused_bodies_at_a_limit);
    tcase_add_test(tcase, http1_refuses_heads_above_the_limit);
    tcase_add_test(tcase, http1_says_try_again_when_the_budget_is_used_up);
    tcase_add_test(tcase, http1_refuses_before_the_body_is_read);
    tcase_add_test(tcase, http1_answers_what_is_not_http);
    tcase_add_test(tcase, http1_closes_clients_that_are_too_slow);
    tcase_add_test(tcase, http1_closes_idle_connections);
    tcase_add_test(tcase, http1_closes_clients_that_never_read);
    tcase_add_test(tcase, http1_gives_slow_readers_their_time);
    tcase_add_test(tcase, http2_closes_clients_that_never_read);
    tcase_add_test(tcase, http2_closes_connections_above_the_limit);
    tcase_add_test(tcase, http1_lets_connections_above_the_limit_wait);
    tcase_add_test(tcase, server_survives_replies_to_clients_that_are_gone);
    tcase_add_test(tcase, server_stops_while_handlers_hold_exchanges);
    tcase_add_test(tcase, server_stops_without_having_served);
    tcase_add_test(tcase, server_drains_and_says_so);
    tcase_add_test(tcase, http2_client_that_vanishes_mid_message_leaves_nothing);
    suite_add_tcase(suite, tcase);
    return suite;
}
