/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/net/h2_worker.h: one event-loop thread of the HTTP/2 server, with its connections. Other threads reach it through
 * its mailbox only. Must not know frames. */
#pragma once

#include <pthread.h>

#include "lib/net/h2_session.h"

/* What other threads hand to a worker: replies and accepted sockets. Outlives the worker as long as an exchange holds it,
 * so that a late reply finds it closed, and not gone. */
struct sp_h2_mailbox {
    atomic_uint references;
    pthread_mutex_t lock;
    int wake_fd;                     /* eventfd, in the worker's epoll */
    bool closed;                     /* the worker has ended */
    bool awake;                      /* the worker will look before it sleeps: no need to wake it */
    struct sp_exchange *replies;     /* newest first */
    struct sp_h2_accepted *accepted; /* newest first */
};

struct sp_h2_accepted {
    struct sp_h2_accepted *next;
    int fd;
    char peer[SP_ADDRESS_TEXT_MAX];
};

struct sp_h2_worker {
    struct sp_server *server;               /* borrowed: options, counters */
    const atomic_bool *draining, *stopping; /* the server's */
    struct sp_h2_environment environment;
    struct sp_h2_mailbox *mailbox;
    pthread_t thread;
    int epoll_fd;
    uint8_t *input; /* of one read, shared by the connections */
    struct sp_h2_connection *connections, *dirty;
    bool drain_announced, drain_finished;
    uint64_t drain_finish_ns;
};

/* Starts the thread. On error nothing is left. */
SP_MUST_USE enum sp_status sp_h2_worker_start(struct sp_h2_worker *worker, struct sp_server *server,
                                              const atomic_bool *draining,
                                              const atomic_bool *stopping, struct sp_error *reterr);

/* Makes the worker look at draining and stopping. Any thread. */
void sp_h2_worker_wake(struct sp_h2_worker *worker);

/* Hands an accepted socket over; it is closed when there is no memory. Any thread. */
void sp_h2_worker_give(struct sp_h2_worker *worker, int fd, const char *peer);

/* Waits for the thread's end (stopping is set) and frees. */
void sp_h2_worker_join(struct sp_h2_worker *worker);
