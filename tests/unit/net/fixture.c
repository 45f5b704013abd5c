/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/unit/net/fixture.c: see fixture.h. */
#include "tests/unit/net/fixture.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#define REPLY_MAX ((size_t)64 << 20)

void start(struct fixture *f, bool http2)
{
    struct sp_error error;
    enum sp_status status = http2 ? sp_http2_server_start(&f->options, &f->server, &error)
                                  : sp_http1_server_start(&f->options, &f->server, &error);
    ck_assert_msg(status == SP_OK, "%s", error.message);
}

void prepare(struct fixture *f)
{
    f->service = service_new();
    sp_budget_init(&f->budget, (size_t)64 << 20);
    sp_budget_init(&f->reply_budget, (size_t)64 << 20);
    f->options = (struct sp_server_options){
        .address = "127.0.0.1:0",
        .threads = 2,
        .handler = service_handler(f->service),
        .budget = &f->budget,
        .reply_budget = &f->reply_budget,
        .clock = sp_clock_system(),
        .limits = sp_net_limits_default(),
    };
}

void finish(struct fixture *f)
{
    if (f->server)
        sp_server_stop(f->server);
    service_free(f->service);
    ck_assert_uint_eq(sp_budget_used(&f->budget), 0);
    ck_assert_uint_eq(sp_budget_used(&f->reply_budget), 0);
}

int dial_small(const struct fixture *f, int receive_bytes)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(sp_server_port(f->server))};
    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (receive_bytes > 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof(receive_bytes));
    const struct timeval patience = {.tv_sec = PATIENCE_S};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&in, sizeof(in)), 0);
    return fd;
}

int dial(const struct fixture *f)
{
    return dial_small(f, 0);
}

void say(int fd, const void *bytes, size_t len)
{
    while (len > 0) {
        ssize_t sent = send(fd, bytes, len, MSG_NOSIGNAL);
        if (sent <= 0)
            return; /* the server has closed: what it said is read by the caller */
        bytes = (const char *)bytes + sent;
        len -= (size_t)sent;
    }
}

void say_text(int fd, const char *text)
{
    say(fd, text, strlen(text));
}

char *read_all(int fd)
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

char *read_some(int fd)
{
    static char some[65536];
    ssize_t len = recv(fd, some, sizeof(some) - 1, 0);
    ck_assert_int_gt(len, 0);
    some[len] = '\0';
    return some;
}

void wait_for(uint64_t (*value)(struct fixture *f), struct fixture *f, uint64_t wanted)
{
    for (int i = 0; i < PATIENCE_S * 1000 && value(f) != wanted; i++)
        poll(NULL, 0, 1);
    ck_assert_uint_eq(value(f), wanted);
}

uint64_t waiting(struct fixture *f)
{
    return service_waiting(f->service);
}

uint64_t cancelled(struct fixture *f)
{
    return service_cancelled(f->service);
}

uint64_t open_connections(struct fixture *f)
{
    struct sp_server_stats stats;
    sp_server_stats(f->server, &stats);
    return stats.connections_open;
}

uint64_t refused_connections(struct fixture *f)
{
    struct sp_server_stats stats;
    sp_server_stats(f->server, &stats);
    return stats.connections_refused;
}

const char *exchange(struct fixture *f, const char *request)
{
    int fd = dial(f);
    say_text(fd, request);
    return read_all(fd);
}

void check_starts(const char *said, const char *wanted)
{
    ck_assert_msg(strncmp(said, wanted, strlen(wanted)) == 0, "%.200s", said);
}

void check_holds(const char *said, const char *wanted)
{
    ck_assert_msg(strstr(said, wanted) != NULL, "%.400s", said);
}
