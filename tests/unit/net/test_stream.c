/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/unit/net/test_stream.c: replies that are made over time, over real sockets. The handler keeps the exchange, and the test
 * is the thread that makes the reply. */
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/support/check_main.h"
#include "tests/unit/net/fixture.h"

#define ASK "GET /s HTTP/1.1\r\nhost: x\r\n\r\n"

struct streamer {
    struct fixture f;
    _Atomic(struct sp_exchange *) asked; /* came, and was not fetched yet */
};

static void on_request(void *cookie, struct sp_exchange *exchange)
{
    struct streamer *s = cookie;
    ck_assert(atomic_exchange(&s->asked, exchange) == NULL);
}

static void prepare_streamer(struct streamer *s)
{
    *s = (struct streamer){0};
    prepare(&s->f);
    s->f.options.handler = (struct sp_handler){.cookie = s, .on_request = on_request};
}

/* The next request. */
static struct sp_exchange *fetch(struct streamer *s)
{
    struct sp_exchange *exchange = NULL;
    for (int i = 0; i < PATIENCE_S * 1000 && !exchange; i++) {
        exchange = atomic_exchange(&s->asked, NULL);
        if (!exchange)
            poll(NULL, 0, 1);
    }
    ck_assert_ptr_nonnull(exchange);
    return exchange;
}

static void begin(struct sp_exchange *exchange)
{
    const struct sp_header type = {SP_SLICE("content-type"), SP_SLICE("text/plain")};
    struct sp_error error;
    ck_assert_int_eq(sp_exchange_stream_begin(exchange, 200, &type, 1, &error), SP_OK);
}

static void end(struct sp_exchange *exchange, const char *text)
{
    struct sp_buf last;
    struct sp_error error;
    sp_buf_init(&last, 1 << 20);
    sp_buf_append_cstr(&last, text);
    ck_assert_int_eq(sp_exchange_stream_end(exchange, &last, &error), SP_OK);
    sp_buf_fini(&last);
}

/* Reads until what came since the last call ends in text. */
static void read_to(int fd, const char *text)
{
    char all[8192] = "";
    size_t len = 0;
    while (len < strlen(text) || strcmp(all + len - strlen(text), text) != 0) {
        ssize_t more = recv(fd, all + len, sizeof(all) - 1 - len, 0);
        ck_assert_msg(more > 0, "no %s in %s", text, all);
        len += (size_t)more;
        all[len] = '\0';
    }
}

static void wait_cancelled(const struct sp_exchange *exchange)
{
    for (int i = 0; i < PATIENCE_S * 1000 && !sp_exchange_cancelled(exchange); i++)
        poll(NULL, 0, 1);
    ck_assert(sp_exchange_cancelled(exchange));
}

START_TEST(stream_sends_what_is_written_when_it_is_written)
{
    struct streamer s;
    prepare_streamer(&s);
    start(&s.f, false);
    int fd = dial(&s.f);
    say_text(fd, ASK);
    struct sp_exchange *exchange = fetch(&s);
    begin(exchange);
    read_to(fd, "\r\n\r\n"); /* the head, before there is anything else */
    for (int i = 0; i < 3; i++) {
        ck_assert(sp_exchange_stream_write(exchange, SP_SLICE("one\n")));
        read_to(fd, "4\r\none\n\r\n");
    }
    end(exchange, "last\n");
    read_to(fd, "5\r\nlast\n\r\n0\r\n\r\n");
    /* The connection goes on; the next stream has nothing but an end. */
    say_text(fd, "GET /s HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    exchange = fetch(&s);
    begin(exchange);
    ck_assert_int_eq(sp_exchange_stream_end(exchange, NULL, NULL), SP_OK);
    const char *said = read_all(fd);
    check_starts(said, "HTTP/1.1 200 ");
    check_holds(said, "\r\n\r\n0\r\n\r\n");
    check_holds(said, "content-type: text/plain");
    finish(&s.f);
}
END_TEST

START_TEST(stream_to_http_1_0_ends_with_its_connection)
{
    struct streamer s;
    prepare_streamer(&s);
    start(&s.f, false);
    int fd = dial(&s.f);
    say_text(fd, "GET /s HTTP/1.0\r\nhost: x\r\n\r\n");
    struct sp_exchange *exchange = fetch(&s);
    begin(exchange);
    ck_assert(sp_exchange_stream_write(exchange, SP_SLICE("one\n")));
    end(exchange, "two\n");
    check_holds(read_all(fd), "\r\n\r\none\ntwo\n");
    finish(&s.f);
}
END_TEST

/* ---- more than the client takes ---- */

/* Takes the chunks of a body apart, in place. */
static size_t decode_chunks(char *body, size_t len)
{
    size_t at = 0, out = 0;
    for (;;) {
        char *end;
        size_t chunk = strtoul(body + at, &end, 16);
        at = (size_t)(end - body) + 2;
        if (chunk == 0)
            return out;
        ck_assert_uint_le(at + chunk + 2, len);
        memmove(body + out, body + at, chunk);
        out += chunk;
        at += chunk + 2;
    }
}

struct reader {
    int fd;
    struct sp_buf all;
};

static void *read_slowly(void *cookie)
{
    struct reader *reader = cookie;
    for (unsigned i = 0;; i++) {
        uint8_t *room = sp_buf_reserve(&reader->all, 4096);
        ssize_t len = room ? recv(reader->fd, room, 1 + i * 997 % 4000, 0) : -1;
        if (len <= 0)
            return NULL;
        reader->all.len += (size_t)len;
    }
}

START_TEST(stream_loses_no_byte_when_its_client_is_slow)
{
    struct streamer s;
    pthread_t thread;
    prepare_streamer(&s);
    start(&s.f, false);
    struct reader reader = {.fd = dial_small(&s.f, 4096)};
    sp_buf_init(&reader.all, (size_t)16 << 20);
    say_text(reader.fd, "GET /s HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    struct sp_exchange *exchange = fetch(&s);
    begin(exchange);
    ck_assert_int_eq(pthread_create(&thread, NULL, read_slowly, &reader), 0);
    struct sp_buf sent, rest;
    sp_buf_init(&sent, (size_t)8 << 20);
    sp_buf_init(&rest, (size_t)8 << 20);
    uint64_t refused = 0;
    for (unsigned i = 0; sent.len < (size_t)3 << 20; i++) {
        uint8_t piece[20000];
        size_t len = 1 + i * 7919 % sizeof(piece);
        for (size_t b = 0; b < len; b++)
            piece[b] = (uint8_t)(i + b * 31);
        while (!sp_exchange_stream_write(exchange, sp_slice_make(piece, len))) {
            refused++;
            poll(NULL, 0, 1);
        }
        sp_buf_append(&sent, piece, len);
    }
    ck_assert_uint_gt(refused, 0); /* 4 MB are more than all buffers together */
    for (unsigned i = 0; i < 1000000; i++)
        sp_buf_append_byte(&rest, (uint8_t)(i * 13));
    sp_buf_append_slice(&sent, sp_buf_slice(&rest));
    ck_assert_int_eq(sp_exchange_stream_end(exchange, &rest, NULL), SP_OK);
    pthread_join(thread, NULL);
    close(reader.fd);
    sp_buf_append_byte(&reader.all, 0);
    char *body = strstr((char *)reader.all.ptr, "\r\n\r\n");
    ck_assert_ptr_nonnull(body);
    body += 4;
    size_t len = decode_chunks(body, (size_t)((char *)reader.all.ptr + reader.all.len - body));
    ck_assert_uint_eq(len, sent.len);
    ck_assert(memcmp(body, sent.ptr, len) == 0);
    sp_buf_fini(&reader.all);
    sp_buf_fini(&sent);
    sp_buf_fini(&rest);
    finish(&s.f);
}
END_TEST

START_TEST(stream_takes_one_ring_whole_and_no_byte_more)
{
    static uint8_t bytes[SP_STREAM_BYTES_MAX + 1];
    struct streamer s;
    prepare_streamer(&s);
    start(&s.f, false);
    int fd = dial(&s.f);
    say_text(fd, ASK);
    struct sp_exchange *exchange = fetch(&s);
    begin(exchange);
    ck_assert(!sp_exchange_stream_write(exchange, sp_slice_make(bytes, sizeof(bytes))));
    ck_assert(sp_exchange_stream_write(exchange, sp_slice_make(bytes, sizeof(bytes) - 1)));
    close(fd);
    end(exchange, "");
    finish(&s.f);
}
END_TEST

START_TEST(stream_is_counted_and_refused_when_the_memory_for_replies_is_used_up)
{
    struct streamer s;
    struct sp_error error;
    struct sp_buf last;
    prepare_streamer(&s);
    sp_budget_init(&s.f.reply_budget, 3 * SP_STREAM_BYTES_MAX);
    start(&s.f, false);
    int fd = dial(&s.f), refused = dial(&s.f);
    say_text(fd, "GET /s HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    struct sp_exchange *exchange = fetch(&s);
    begin(exchange);
    ck_assert_uint_eq(sp_budget_used(&s.f.reply_budget), SP_STREAM_BYTES_MAX);
    ck_assert(sp_budget_take(&s.f.reply_budget, 2 * SP_STREAM_BYTES_MAX));
    say_text(refused, ASK);
    struct sp_exchange *other = fetch(&s);
    ck_assert_int_eq(sp_exchange_stream_begin(other, 200, NULL, 0, &error), SP_OVERLOADED);
    sp_exchange_reply_problem(other, 0, &error); /* a reply is still due */
    check_starts(read_some(refused), "HTTP/1.1 503 ");
    sp_buf_init(&last, 4 * SP_STREAM_BYTES_MAX);
    ck_assert_ptr_nonnull(sp_buf_reserve(&last, 4 * SP_STREAM_BYTES_MAX));
    last.len = SP_REPLY_SMALL_BYTES_MAX + 1;
    ck_assert_int_eq(sp_exchange_stream_end(exchange, &last, &error), SP_OVERLOADED);
    last.len = 4 * SP_STREAM_BYTES_MAX; /* never */
    ck_assert_int_eq(sp_exchange_stream_end(exchange, &last, &error), SP_LIMIT);
    sp_buf_fini(&last);
    end(exchange, "no room\n");
    check_holds(read_all(fd), "\r\nno room\n\r\n0\r\n\r\n");
    sp_budget_give(&s.f.reply_budget, 2 * SP_STREAM_BYTES_MAX);
    close(refused);
    finish(&s.f);
}
END_TEST

/* ---- clients that go, or do not read ---- */

START_TEST(stream_is_cancelled_when_its_client_goes)
{
    struct streamer s;
    prepare_streamer(&s);
    start(&s.f, false);
    int fd = dial(&s.f);
    say_text(fd, ASK);
    struct sp_exchange *exchange = fetch(&s);
    begin(exchange);
    read_to(fd, "\r\n\r\n");
    close(fd);
    while (!sp_exchange_cancelled(exchange)) { /* a line now and then is what shows it */
        (void)sp_exchange_stream_write(exchange, SP_SLICE("line\n"));
        poll(NULL, 0, 10);
    }
    end(exchange, "nobody reads this\n");
    finish(&s.f);
}
END_TEST

START_TEST(stream_that_is_not_read_is_closed_in_time)
{
    static const uint8_t bytes[4096];
    struct streamer s;
    prepare_streamer(&s);
    s.f.options.limits.write_timeout_ms = SHORT_MS;
    start(&s.f, false);
    int fd = dial_small(&s.f, 4096);
    say_text(fd, ASK);
    struct sp_exchange *exchange = fetch(&s);
    begin(exchange);
    /* More than the system takes for a client that reads nothing. */
    for (int i = 0; i < PATIENCE_S * 1000 && !sp_exchange_cancelled(exchange); i++) {
        while (sp_exchange_stream_write(exchange, sp_slice_make(bytes, sizeof(bytes))))
            continue;
        poll(NULL, 0, 1);
    }
    wait_cancelled(exchange);
    struct sp_server_stats stats;
    sp_server_stats(s.f.server, &stats);
    ck_assert_uint_ge(stats.timeouts, 1);
    end(exchange, "");
    close(fd);
    finish(&s.f);
}
END_TEST

START_TEST(stream_that_is_quiet_stays)
{
    struct streamer s;
    prepare_streamer(&s);
    s.f.options.limits.write_timeout_ms = SHORT_MS;
    start(&s.f, false);
    int fd = dial(&s.f);
    say_text(fd, ASK);
    struct sp_exchange *exchange = fetch(&s);
    begin(exchange);
    read_to(fd, "\r\n\r\n");
    poll(NULL, 0, 6 * SHORT_MS);
    ck_assert(!sp_exchange_cancelled(exchange));
    end(exchange, "still there\n");
    read_to(fd, "\r\nstill there\n\r\n0\r\n\r\n");
    struct sp_server_stats stats;
    sp_server_stats(s.f.server, &stats);
    ck_assert_uint_eq(stats.timeouts, 0);
    close(fd);
    finish(&s.f);
}
END_TEST

/* ---- the server ends ---- */

START_TEST(server_drains_streams_and_stops_with_them)
{
    struct streamer s;
    prepare_streamer(&s);
    start(&s.f, false);
    int done = dial(&s.f), cut = dial(&s.f);
    say_text(done, ASK);
    struct sp_exchange *first = fetch(&s);
    say_text(cut, ASK);
    struct sp_exchange *second = fetch(&s);
    begin(first);
    begin(second);
    ck_assert(!sp_server_drain(s.f.server, 10));
    end(first, "the end\n");
    check_holds(read_all(done), "the end\n\r\n0\r\n\r\n");
    ck_assert(!sp_server_drain(s.f.server, 10)); /* the other one */
    sp_server_stop(s.f.server);
    s.f.server = NULL;
    wait_cancelled(second);
    ck_assert(sp_exchange_stream_write(second, SP_SLICE("to nobody\n")));
    end(second, "");
    (void)read_all(cut);
    finish(&s.f);
}
END_TEST

Suite *sp_test_suite(void)
{
    Suite *suite = suite_create("stream");
    TCase *tcase = tcase_create("http1");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, stream_sends_what_is_written_when_it_is_written);
    tcase_add_test(tcase, stream_to_http_1_0_ends_with_its_connection);
    tcase_add_test(tcase, stream_loses_no_byte_when_its_client_is_slow);
    tcase_add_test(tcase, stream_takes_one_ring_whole_and_no_byte_more);
    tcase_add_test(tcase, stream_is_counted_and_refused_when_the_memory_for_replies_is_used_up);
    tcase_add_test(tcase, stream_is_cancelled_when_its_client_goes);
    tcase_add_test(tcase, stream_that_is_not_read_is_closed_in_time);
    tcase_add_test(tcase, stream_that_is_quiet_stays);
    tcase_add_test(tcase, server_drains_streams_and_stops_with_them);
    suite_add_tcase(suite, tcase);
    return suite;
}
