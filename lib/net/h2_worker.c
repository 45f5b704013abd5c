/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/net/h2_worker.c: sockets, epoll and threads of the HTTP/2 server. Must not know frames: a connection is a socket, a
 * session and bytes on their way out. */
#include "lib/net/h2_worker.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define INPUT_BYTES      ((size_t)256 << 10) /* of one read */
#define READS_IN_A_ROW   4                  /* of one connection, then the others have their turn */
#define OUTPUT_BYTES     ((size_t)64 << 10) /* gathered for one write */
#define OUTPUT_BYTES_MAX ((size_t)4 << 20)  /* one frame on top of that fits in any case */
#define EVENTS           64
#define TICK_MS_MIN      5
#define TICK_MS_MAX      100
#define DRAIN_NOTICE_MS  50 /* from the announcement to the last stream id: calls under way arrive */
#define LINGER_MS        1000 /* the peer reads our last words before the socket goes */
#define NS_PER_MS        UINT64_C(1000000)

struct sp_h2_connection {
    struct sp_h2_connection *previous, *next;
    struct sp_h2_connection *next_dirty; /* something may have to be sent */
    bool dirty;
    bool dead; /* closed when it is flushed next, and nowhere else: lists and events may hold it */
    struct sp_h2_worker *worker;
    int fd;
    uint32_t events; /* that epoll watches */
    struct sp_h2_session *session;
    struct sp_buf out;
    size_t out_sent;
    uint64_t blocked_since_ns; /* the peer takes nothing; 0: it does */
    uint64_t linger_until_ns;  /* closing: only the peer's end is awaited; 0: not closing */
};

static uint64_t now_ns(const struct sp_h2_worker *worker)
{
    return sp_clock_monotonic_ns(worker->server->options.clock);
}

/* ---- mailbox ---- */

static struct sp_h2_mailbox *mailbox_new(void)
{
    struct sp_h2_mailbox *mailbox = calloc(1, sizeof(*mailbox));
    if (!mailbox)
        return NULL;
    mailbox->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (mailbox->wake_fd < 0) {
        free(mailbox);
        return NULL;
    }
    atomic_init(&mailbox->references, 1);
    pthread_mutex_init(&mailbox->lock, NULL);
    return mailbox;
}

static void mailbox_retain(void *cookie)
{
    struct sp_h2_mailbox *mailbox = cookie;
    atomic_fetch_add_explicit(&mailbox->references, 1, memory_order_relaxed);
}

static void mailbox_release(void *cookie)
{
    struct sp_h2_mailbox *mailbox = cookie;
    if (atomic_fetch_sub_explicit(&mailbox->references, 1, memory_order_acq_rel) != 1)
        return;
    close(mailbox->wake_fd);
    pthread_mutex_destroy(&mailbox->lock);
    free(mailbox);
}

/* Under the lock: is a wake-up call needed, and the caller's then? It is made behind the lock, because the worker may get this thread's
 * processor at once, and would wait for the lock until this thread has one again. */
static bool mailbox_is_to_wake(struct sp_h2_mailbox *mailbox)
{
    bool asleep = !mailbox->awake;
    mailbox->awake = true;
    return asleep;
}

static void mailbox_wake(const struct sp_h2_mailbox *mailbox)
{
    uint64_t one = 1;
    /* It fails only when the counter is full, and then the worker wakes anyway. */
    ssize_t written = write(mailbox->wake_fd, &one, sizeof(one));
    (void)written;
}

static void on_replied(struct sp_exchange *exchange)
{
    if (!exchange->handed_over) {
        exchange->replied = true;
        sp_exchange_release(exchange);
        return;
    }
    struct sp_h2_mailbox *mailbox = exchange->transport_cookie;
    bool wake = false;
    pthread_mutex_lock(&mailbox->lock);
    bool closed = mailbox->closed;
    if (!closed) {
        exchange->next = mailbox->replies;
        mailbox->replies = exchange;
        wake = mailbox_is_to_wake(mailbox);
    }
    if (wake)
        mailbox_retain(
            mailbox); /* the exchange's own reference may go as soon as the worker has it */
    pthread_mutex_unlock(&mailbox->lock);
    if (closed)
        sp_exchange_release(exchange);
    if (!wake)
        return;
    mailbox_wake(mailbox);
    mailbox_release(mailbox);
}

static const struct sp_exchange_transport h2_transport = {.replied = on_replied,
                                                          .freed = mailbox_release};

void sp_h2_worker_wake(struct sp_h2_worker *worker)
{
    pthread_mutex_lock(&worker->mailbox->lock);
    bool wake = mailbox_is_to_wake(worker->mailbox);
    pthread_mutex_unlock(&worker->mailbox->lock);
    if (wake)
        mailbox_wake(worker->mailbox);
}

void sp_h2_worker_give(struct sp_h2_worker *worker, int fd, const char *peer)
{
    struct sp_h2_mailbox *mailbox = worker->mailbox;
    struct sp_h2_accepted *accepted = calloc(1, sizeof(*accepted));
    if (!accepted) {
        close(fd);
        sp_uncount(&worker->server->counters.connections_open, 1);
        return;
    }
    accepted->fd = fd;
    memcpy(accepted->peer, peer, sizeof(accepted->peer));
    pthread_mutex_lock(&mailbox->lock);
    accepted->next = mailbox->accepted;
    mailbox->accepted = accepted;
    bool wake = mailbox_is_to_wake(mailbox);
    pthread_mutex_unlock(&mailbox->lock);
    if (wake)
        mailbox_wake(mailbox);
}

/* ---- connections ---- */

static void connection_close(struct sp_h2_connection *connection)
{
    struct sp_h2_worker *worker = connection->worker;
    if (connection->previous)
        connection->previous->next = connection->next;
    else
        worker->connections = connection->next;
    if (connection->next)
        connection->next->previous = connection->previous;
    sp_h2_session_free(connection->session);
    sp_buf_fini(&connection->out);
    close(connection->fd);
    sp_uncount(&worker->server->counters.connections_open, 1);
    free(connection);
}

static void mark_dirty(struct sp_h2_connection *connection)
{
    if (connection->dirty)
        return;
    connection->dirty = true;
    connection->next_dirty = connection->worker->dirty;
    connection->worker->dirty = connection;
}

static void connection_open(struct sp_h2_worker *worker, const struct sp_h2_accepted *accepted)
{
    struct sp_h2_connection *connection = calloc(1, sizeof(*connection));
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
    if (connection)
        connection->session = sp_h2_session_new(&worker->environment, sp_slice_cstr(accepted->peer),
                                                connection, now_ns(worker));
    if (!connection || !connection->session ||
        epoll_ctl(worker->epoll_fd, EPOLL_CTL_ADD, accepted->fd, &event) < 0) {
        if (connection)
            sp_h2_session_free(connection->session);
        free(connection);
        close(accepted->fd);
        sp_uncount(&worker->server->counters.connections_open, 1);
        return;
    }
    connection->worker = worker;
    connection->fd = accepted->fd;
    connection->events = EPOLLIN;
    sp_buf_init(&connection->out, OUTPUT_BYTES_MAX);
    connection->next = worker->connections;
    if (worker->connections)
        worker->connections->previous = connection;
    worker->connections = connection;
    if (worker->drain_announced)
        sp_h2_session_drain_announce(connection->session);
    mark_dirty(connection);
}

static void watch(struct sp_h2_connection *connection, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = connection};
    if (events == connection->events)
        return;
    connection->events = events;
    /* Modifying what is watched cannot fail but for lack of memory; then a timeout ends the connection. */
    (void)epoll_ctl(connection->worker->epoll_fd, EPOLL_CTL_MOD, connection->fd, &event);
}

/* What came is read even when nobody wants it, so that the peer is not reset before it has read our last words. */
static void connection_read(struct sp_h2_connection *connection)
{
    struct sp_h2_worker *worker = connection->worker;
    for (int i = 0; i < READS_IN_A_ROW; i++) {
        ssize_t len = recv(connection->fd, worker->input, INPUT_BYTES, 0);
        connection->dead = len == 0 || (len < 0 && errno != EAGAIN && errno != EINTR);
        if (len <= 0)
            break;
        if (connection->linger_until_ns == 0)
            sp_h2_session_receive(connection->session, sp_slice_make(worker->input, (size_t)len),
                                  now_ns(worker));
        if ((size_t)len < INPUT_BYTES)
            break;
    }
    mark_dirty(connection);
}

enum written { WRITTEN_ALL, WRITTEN_SOME, WRITTEN_FAILED };

static enum written write_out(struct sp_h2_connection *connection)
{
    struct sp_buf *out = &connection->out;
    while (connection->out_sent < out->len) {
        ssize_t len = send(connection->fd, out->ptr + connection->out_sent,
                           out->len - connection->out_sent, MSG_NOSIGNAL);
        if (len < 0 && errno == EINTR)
            continue;
        if (len < 0)
            return errno == EAGAIN ? WRITTEN_SOME : WRITTEN_FAILED;
        connection->out_sent += (size_t)len;
        connection->blocked_since_ns = 0;
    }
    sp_buf_reset(out);
    connection->out_sent = 0;
    connection->blocked_since_ns = 0;
    return WRITTEN_ALL;
}

/* Sends what is due. */
static void connection_flush(struct sp_h2_connection *connection)
{
    struct sp_h2_worker *worker = connection->worker;
    if (connection->linger_until_ns != 0)
        return;
    for (;;) {
        if (connection->out.len == 0)
            sp_h2_session_send(connection->session, &connection->out, OUTPUT_BYTES, now_ns(worker));
        if (connection->out.len == 0)
            break;
        switch (write_out(connection)) {
        case WRITTEN_ALL:
            continue;
        case WRITTEN_SOME:
            if (connection->blocked_since_ns == 0)
                connection->blocked_since_ns = now_ns(worker);
            watch(connection, EPOLLIN | EPOLLOUT);
            return;
        case WRITTEN_FAILED:
            connection->dead = true;
            return;
        }
    }
    watch(connection, EPOLLIN);
    if (sp_h2_session_done(connection->session)) {
        shutdown(connection->fd, SHUT_WR);
        connection->linger_until_ns = now_ns(worker) + LINGER_MS * NS_PER_MS;
    }
}

static void flush_dirty(struct sp_h2_worker *worker)
{
    while (worker->dirty) {
        struct sp_h2_connection *connection = worker->dirty;
        worker->dirty = connection->next_dirty;
        connection->dirty = false;
        connection_flush(connection);
        if (connection->dead)
            connection_close(connection);
    }
}

/* ---- time ---- */

static bool is_late(const struct sp_h2_connection *connection, uint64_t now)
{
    uint64_t write_ns = connection->worker->server->options.limits.write_timeout_ms * NS_PER_MS;
    if (connection->linger_until_ns != 0)
        return now >= connection->linger_until_ns;
    return connection->blocked_since_ns != 0 && now >= connection->blocked_since_ns + write_ns;
}

static void tick(struct sp_h2_worker *worker)
{
    uint64_t now = now_ns(worker);
    bool finish_drain =
        worker->drain_announced && !worker->drain_finished && now >= worker->drain_finish_ns;
    worker->drain_finished = worker->drain_finished || finish_drain;
    for (struct sp_h2_connection *c = worker->connections; c; c = c->next) {
        if (is_late(c, now)) {
            c->dead = true;
            if (c->linger_until_ns == 0)
                sp_count(&worker->server->counters.timeouts, 1);
        }
        sp_h2_session_tick(c->session, now);
        if (finish_drain)
            sp_h2_session_drain_finish(c->session);
        mark_dirty(c);
    }
}

static void announce_drain(struct sp_h2_worker *worker)
{
    worker->drain_announced = true;
    worker->drain_finish_ns = now_ns(worker) + DRAIN_NOTICE_MS * NS_PER_MS;
    for (struct sp_h2_connection *c = worker->connections; c; c = c->next) {
        sp_h2_session_drain_announce(c->session);
        mark_dirty(c);
    }
    flush_dirty(worker);
}

static uint32_t tick_ms(const struct sp_net_limits *limits)
{
    const uint32_t timeouts[] = {limits->head_timeout_ms,  limits->body_timeout_ms,
                                 limits->write_timeout_ms, limits->idle_timeout_ms,
                                 limits->budget_wait_ms,   4 * TICK_MS_MAX};
    uint32_t least = UINT32_MAX;
    for (size_t i = 0; i < SP_ARRAY_LEN(timeouts); i++)
        least = timeouts[i] < least ? timeouts[i] : least;
    return least / 4 < TICK_MS_MIN ? TICK_MS_MIN : least / 4;
}

/* ---- the loop ---- */

/* Takes what is in the mailbox. False: there was nothing, and from now on a wake-up call is needed. */
static bool read_mailbox(struct sp_h2_worker *worker)
{
    struct sp_h2_mailbox *mailbox = worker->mailbox;
    pthread_mutex_lock(&mailbox->lock);
    struct sp_exchange *replies = mailbox->replies;
    struct sp_h2_accepted *accepted = mailbox->accepted;
    mailbox->replies = NULL;
    mailbox->accepted = NULL;
    mailbox->awake = replies || accepted;
    pthread_mutex_unlock(&mailbox->lock);
    bool any = replies || accepted;
    while (replies) {
        struct sp_exchange *exchange = replies;
        replies = exchange->next;
        struct sp_h2_connection *connection = sp_h2_exchange_owner(exchange);
        sp_h2_exchange_send(exchange, now_ns(worker));
        if (connection)
            mark_dirty(connection);
    }
    while (accepted) {
        struct sp_h2_accepted *one = accepted;
        accepted = one->next;
        connection_open(worker, one);
        free(one);
    }
    return any;
}

static void handle_event(struct sp_h2_worker *worker, const struct epoll_event *event)
{
    struct sp_h2_connection *connection = event->data.ptr;
    if (!connection) {
        uint64_t count;
        ssize_t len = read(worker->mailbox->wake_fd, &count, sizeof(count));
        (void)len; /* it only had to be emptied */
        return;
    }
    if (event->events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        connection_read(connection);
    mark_dirty(connection);
}

/* Posts of the handlers that run in this thread need no wake-up call. */
static void stay_awake(struct sp_h2_mailbox *mailbox)
{
    pthread_mutex_lock(&mailbox->lock);
    mailbox->awake = true;
    pthread_mutex_unlock(&mailbox->lock);
}

static void run_loop(struct sp_h2_worker *worker)
{
    uint32_t ms = tick_ms(&worker->server->options.limits);
    uint64_t next_tick_ns = 0;
    for (;;) {
        bool more;
        do {
            more = read_mailbox(worker);
            flush_dirty(worker);
        } while (more);
        /* Looked at after the mailbox: whoever sets a flag from now on finds the worker in need of a wake-up call. */
        if (atomic_load(worker->stopping))
            return;
        if (atomic_load(worker->draining) && !worker->drain_announced)
            announce_drain(worker);
        struct epoll_event events[EVENTS];
        int count =
            epoll_wait(worker->epoll_fd, events, EVENTS, worker->connections ? (int)ms : -1);
        stay_awake(worker->mailbox);
        for (int i = 0; i < count; i++)
            handle_event(worker, &events[i]);
        if (now_ns(worker) >= next_tick_ns) {
            tick(worker);
            next_tick_ns = now_ns(worker) + ms * NS_PER_MS;
        }
    }
}

static void *run(void *cookie)
{
    struct sp_h2_worker *worker = cookie;
    struct sp_h2_mailbox *mailbox = worker->mailbox;
    sp_thread_begin("spoor:http2", 0);
    run_loop(worker);
    while (worker->connections)
        connection_close(worker->connections);
    pthread_mutex_lock(&mailbox->lock);
    mailbox->closed = true;
    pthread_mutex_unlock(&mailbox->lock);
    /* Nothing is added to a closed mailbox but sockets, and the server has stopped accepting. */
    while (mailbox->replies) {
        struct sp_exchange *exchange = mailbox->replies;
        mailbox->replies = exchange->next;
        sp_exchange_release(exchange);
    }
    while (mailbox->accepted) {
        struct sp_h2_accepted *accepted = mailbox->accepted;
        mailbox->accepted = accepted->next;
        close(accepted->fd);
        sp_uncount(&worker->server->counters.connections_open, 1);
        free(accepted);
    }
    return NULL;
}

static void worker_free(struct sp_h2_worker *worker)
{
    if (worker->epoll_fd >= 0)
        close(worker->epoll_fd);
    if (worker->mailbox)
        mailbox_release(worker->mailbox);
    free(worker->input);
}

enum sp_status sp_h2_worker_start(struct sp_h2_worker *worker, struct sp_server *server,
                                  const atomic_bool *draining, const atomic_bool *stopping,
                                  struct sp_error *reterr)
{
    *worker = (struct sp_h2_worker){.server = server, .draining = draining, .stopping = stopping};
    worker->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    worker->mailbox = mailbox_new();
    worker->input = malloc(INPUT_BYTES);
    worker->environment = (struct sp_h2_environment){
        .options = &server->options,
        .counters = &server->counters,
        .transport = &h2_transport,
        .transport_cookie = worker->mailbox,
        .retain_cookie = mailbox_retain,
    };
    struct epoll_event wake = {.events = EPOLLIN, .data.ptr = NULL};
    if (worker->epoll_fd < 0 || !worker->mailbox || !worker->input ||
        epoll_ctl(worker->epoll_fd, EPOLL_CTL_ADD, worker->mailbox->wake_fd, &wake) < 0 ||
        pthread_create(&worker->thread, NULL, run, worker) != 0) {
        enum sp_status status = sp_error_set(reterr, SP_IO,
                                             "cannot start a thread of the HTTP/2 "
                                             "server: %s",
                                             strerror(errno));
        worker_free(worker);
        return status;
    }
    return SP_OK;
}

void sp_h2_worker_join(struct sp_h2_worker *worker)
{
    sp_h2_worker_wake(worker);
    pthread_join(worker->thread, NULL);
    worker_free(worker);
}
