/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/unit/net/fixture.h: a server of either kind around the service of service.h, and sockets that speak to it byte by
 * byte. Every function asserts that it succeeds. */
#pragma once

#include "tests/unit/net/service.h"

#define SHORT_MS   60 /* a timeout that is to pass */
#define PATIENCE_S 20 /* a test that waits so long has failed */

struct fixture {
    struct service *service;
    struct sp_budget budget, reply_budget;
    struct sp_server_options options;
    struct sp_server *server;
};

void prepare(struct fixture *f); /* options may be changed before start */
void start(struct fixture *f, bool http2);
void finish(struct fixture *f); /* checks that both budgets came back */

/* A connection. receive_bytes: what the system may keep for this client. */
int dial(const struct fixture *f);
int dial_small(const struct fixture *f, int receive_bytes);

void say(int fd, const void *bytes, size_t len); /* may be cut short: the server has closed */
void say_text(int fd, const char *text);
char *read_all(int fd); /* until the server closes; valid until the next call, closes fd */
char *read_some(int fd);

/* One connection with these requests, until the server closes it. */
const char *exchange(struct fixture *f, const char *request);
void check_starts(const char *said, const char *wanted);
void check_holds(const char *said, const char *wanted);

/* Values to wait for. */
void wait_for(uint64_t (*value)(struct fixture *f), struct fixture *f, uint64_t wanted);
uint64_t waiting(struct fixture *f);   /* exchanges without a reply */
uint64_t cancelled(struct fixture *f); /* those of them whose client is gone */
uint64_t open_connections(struct fixture *f);
uint64_t refused_connections(struct fixture *f);
