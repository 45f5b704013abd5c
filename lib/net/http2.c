/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/net/http2.c: the HTTP/2 server: one thread accepts and hands connections to the workers in turn, because a few
 * long-lived connections are the rule with gRPC, and a hash of their addresses would leave workers idle. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/net/h2_worker.h"

#define ACCEPT_PAUSE_MS 100 /* after accept fails for lack of descriptors or memory */
#define DRAIN_LOOK_MS   5   /* how often drain looks whether all is done */
#define NS_PER_MS       UINT64_C(1000000)

struct http2_server {
    struct sp_server base;
    atomic_bool draining, stopping;
    pthread_t acceptor;
    bool acceptor_runs;
    int wake_fd; /* eventfd that ends the acceptor */
    struct sp_h2_worker *workers;
    uint32_t worker_count; /* started */
};

/* ---- accepting ---- */

static void accept_one(struct http2_server *server, uint32_t turn)
{
    struct sockaddr_storage address;
    socklen_t len = sizeof(address);
    int fd = accept4(server->base.listen_fd, (struct sockaddr *)&address, &len,
                     SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)
            poll(NULL, 0, ACCEPT_PAUSE_MS);
        return;
    }
    struct sp_server_counters *counters = &server->base.counters;
    if (sp_counted(&counters->connections_open) >= server->base.options.limits.connections_max) {
        sp_count(&counters->connections_refused, 1);
        close(fd);
        return;
    }
    int on = 1;
    /* Replies are small and whole: waiting for more would only delay acks. */
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    char peer[SP_ADDRESS_TEXT_MAX] = {0};
    sp_address_format((struct sockaddr *)&address, peer);
    sp_count(&counters->connections_accepted, 1);
    sp_count(&counters->connections_open, 1);
    sp_h2_worker_give(&server->workers[turn % server->worker_count], fd, peer);
}

static void *run_acceptor(void *cookie)
{
    struct http2_server *server = cookie;
    struct pollfd fds[] = {{.fd = server->base.listen_fd, .events = POLLIN},
                           {.fd = server->wake_fd, .events = POLLIN}};
    for (uint32_t turn = 0; !atomic_load(&server->draining); turn++) {
        if (poll(fds, SP_ARRAY_LEN(fds), -1) > 0 && fds[0].revents != 0)
            accept_one(server, turn);
    }
    return NULL;
}

static void stop_accepting(struct http2_server *server)
{
    atomic_store(&server->draining, true);
    if (server->acceptor_runs) {
        uint64_t one = 1;
        ssize_t written = write(server->wake_fd, &one, sizeof(one));
        (void)written; /* the first write to an eventfd cannot fail */
        pthread_join(server->acceptor, NULL);
        server->acceptor_runs = false;
    }
    if (server->base.listen_fd >= 0)
        close(server->base.listen_fd);
    server->base.listen_fd = -1;
}

/* ---- the server ---- */

static bool http2_drain(struct sp_server *base, uint32_t timeout_ms)
{
    struct http2_server *server = (struct http2_server *)base;
    const struct sp_clock *clock = base->options.clock;
    uint64_t until = sp_clock_monotonic_ns(clock) + timeout_ms * NS_PER_MS;
    stop_accepting(server);
    for (uint32_t i = 0; i < server->worker_count; i++)
        sp_h2_worker_wake(&server->workers[i]);
    while (sp_counted(&base->counters.connections_open) > 0 && sp_clock_monotonic_ns(clock) < until)
        poll(NULL, 0, DRAIN_LOOK_MS);
    return sp_counted(&base->counters.requests_open) == 0;
}

static void http2_stop(struct sp_server *base)
{
    struct http2_server *server = (struct http2_server *)base;
    stop_accepting(server);
    atomic_store(&server->stopping, true);
    for (uint32_t i = 0; i < server->worker_count; i++)
        sp_h2_worker_join(&server->workers[i]);
    if (server->wake_fd >= 0)
        close(server->wake_fd);
    free(server->workers);
    free(server);
}

static enum sp_status start_threads(struct http2_server *server, struct sp_error *reterr)
{
    uint32_t count = server->base.options.threads;
    server->wake_fd = eventfd(0, EFD_CLOEXEC);
    server->workers = calloc(count, sizeof(*server->workers));
    if (server->wake_fd < 0 || !server->workers)
        return sp_error_set(reterr, SP_NO_MEMORY, "cannot start the HTTP/2 server: %s",
                            strerror(errno));
    for (uint32_t i = 0; i < count; i++) {
        enum sp_status status = sp_h2_worker_start(&server->workers[i], &server->base,
                                                   &server->draining, &server->stopping, reterr);
        if (status != SP_OK)
            return status;
        server->worker_count++;
    }
    if (pthread_create(&server->acceptor, NULL, run_acceptor, server) != 0)
        return sp_error_set(reterr, SP_IO, "cannot start a thread of the HTTP/2 server");
    server->acceptor_runs = true;
    return SP_OK;
}

enum sp_status sp_http2_server_start(const struct sp_server_options *options,
                                     struct sp_server **ret_server, struct sp_error *reterr)
{
    static const struct sp_server_kind kind = {http2_drain, http2_stop};
    struct http2_server *server = calloc(1, sizeof(*server));
    if (!server)
        return sp_error_set(reterr, SP_NO_MEMORY, "out of memory");
    server->wake_fd = -1;
    enum sp_status status = sp_server_init(&server->base, &kind, options, reterr);
    if (status != SP_OK) {
        free(server);
        return status;
    }
    status = start_threads(server, reterr);
    if (status != SP_OK) {
        http2_stop(&server->base);
        return status;
    }
    *ret_server = &server->base;
    return SP_OK;
}
