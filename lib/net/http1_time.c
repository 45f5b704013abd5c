/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/net/http1_time.c: what takes too long on HTTP/1.1 connections, and which clients are gone: one thread that looks at sockets a few
 * times a second. Must not know the protocol library. */
#include <errno.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>

#include "lib/net/http1_parts.h"
#include "lib/net/peer_watch.h"

bool sp_http1_look_at_reply(struct connection *connection)
{
    const struct sp_budget *budget = connection->server->base.options.reply_budget;
    struct tcp_info info = {0};
    socklen_t len = sizeof(info);
    if (getsockopt(connection->fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0)
        return false;
    connection->acked_bytes = info.tcpi_bytes_acked;
    connection->refused_before = budget ? sp_budget_refused(budget) : 0;
    return true;
}

/* Is there something that the peer could take? Of a stream, not always. */
static bool reply_waits(const struct connection *connection)
{
    struct sp_reply_stream *stream = connection->request->exchange->stream;
    int unsent = 0;
    return !stream || sp_reply_stream_waiting(stream) > 0 ||
           (ioctl(connection->fd, SIOCOUTQ, &unsent) == 0 && unsent > 0);
}

/* Has the peer taken enough of a reply since this was asked last? A large reply on a slow line may take its time; one that
 * nobody reads may not, and one that is read by drops may not keep the memory that others were refused for want of. */
static bool reply_advances(struct connection *connection)
{
    const struct sp_server_options *options = &connection->server->base.options;
    const struct request *request = connection->request;
    uint64_t acked_before = connection->acked_bytes, refused_before = connection->refused_before;
    if (!request || !request->queued || !sp_http1_look_at_reply(connection))
        return false;
    bool waited_before = connection->waited;
    connection->waited = reply_waits(connection);
    if (!connection->waited || !waited_before)
        return true;
    bool wanted =
        connection->refused_before > refused_before && request->exchange->reply_budget_bytes > 0;
    return connection->acked_bytes - acked_before >= (wanted ? options->limits.write_bytes_min : 1);
}

/* Under the server's lock. While it is suspended, the library does not touch the connection's socket. */
static void watch_client(const struct connection *connection)
{
    struct request *request = connection->request;
    if (!request)
        return;
    pthread_mutex_lock(&request->lock);
    if (request->state == REQUEST_SUSPENDED && sp_peer_is_gone(connection->fd, &request->may_ask))
        atomic_store(&request->exchange->cancelled, true);
    pthread_mutex_unlock(&request->lock);
}

void sp_http1_close_late(struct http1_server *server)
{
    uint64_t now = sp_http1_now_ns(server);
    for (struct connection *c = server->connections; c; c = c->next) {
        bool idle = !c->request;
        watch_client(c);
        if (c->deadline_ns > now && !(idle && atomic_load(&server->draining)))
            continue;
        if (c->deadline_ns <= now && reply_advances(c)) {
            c->deadline_ns = now + server->base.options.limits.write_timeout_ms * SP_NS_PER_MS;
            continue;
        }
        if (c->deadline_ns <= now)
            sp_count(&server->base.counters.timeouts, 1);
        c->deadline_ns = UINT64_MAX;
        shutdown(c->fd, SHUT_RDWR);
    }
}

void sp_http1_wait_ms(struct http1_server *server, uint32_t ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    uint64_t ns = (uint64_t)until.tv_nsec + ms * SP_NS_PER_MS;
    until.tv_sec += (time_t)(ns / (1000 * SP_NS_PER_MS));
    until.tv_nsec = (long)(ns % (1000 * SP_NS_PER_MS));
    pthread_cond_timedwait(&server->changed, &server->lock, &until);
}

static uint32_t tick_ms(const struct sp_net_limits *limits)
{
    uint32_t least = limits->head_timeout_ms;
    least = limits->body_timeout_ms < least ? limits->body_timeout_ms : least;
    least = limits->write_timeout_ms < least ? limits->write_timeout_ms : least;
    least = limits->idle_timeout_ms < least ? limits->idle_timeout_ms : least;
    least /= 4;
    return least < SP_HTTP1_TICK_MS_LEAST  ? SP_HTTP1_TICK_MS_LEAST
           : least > SP_HTTP1_TICK_MS_MOST ? SP_HTTP1_TICK_MS_MOST
                                           : least;
}

void *sp_http1_run_ticker(void *cookie)
{
    struct http1_server *server = cookie;
    uint32_t ms = tick_ms(&server->base.options.limits);
    uint64_t next_ns = 0;
    pthread_mutex_lock(&server->lock);
    while (!atomic_load(&server->stopping)) {
        if (sp_http1_now_ns(server) >= next_ns) {
            sp_http1_close_late(server);
            next_ns = sp_http1_now_ns(server) + ms * SP_NS_PER_MS;
        }
        sp_http1_wait_ms(server, ms);
    }
    pthread_mutex_unlock(&server->lock);
    return NULL;
}
