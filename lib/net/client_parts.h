/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/net/client_parts.h: the two halves of a client: HTTP/1.1 (libcurl) and gRPC (our own HTTP/2 link). client.c owns both;
 * one thread owns them all. */
#pragma once

#include <poll.h>

#include "lib/net/net.h"

struct sp_http_client;
struct sp_grpc_client;

/* options are borrowed for the half's life. NULL: no memory. */
struct sp_http_client *sp_http_client_new(const struct sp_client_options *options);
void sp_http_client_free(struct sp_http_client *http);
SP_MUST_USE enum sp_status sp_http_client_submit(struct sp_http_client *http,
                                                 const struct sp_client_request *request,
                                                 struct sp_error *reterr);
uint32_t sp_http_client_in_flight(const struct sp_http_client *http);

/* Moves what can be moved without waiting; *ret_delivered counts the replies. */
SP_MUST_USE enum sp_status sp_http_client_step(struct sp_http_client *http, uint32_t *ret_delivered,
                                               struct sp_error *reterr);

/* Waits for its own sockets and for others. */
SP_MUST_USE enum sp_status sp_http_client_wait(struct sp_http_client *http,
                                               const struct pollfd *others, size_t count,
                                               uint32_t wait_ms, struct sp_error *reterr);

struct sp_grpc_client *sp_grpc_client_new(const struct sp_client_options *options);
void sp_grpc_client_free(struct sp_grpc_client *grpc);
SP_MUST_USE enum sp_status sp_grpc_client_submit(struct sp_grpc_client *grpc,
                                                 const struct sp_client_request *request,
                                                 struct sp_error *reterr);
uint32_t sp_grpc_client_in_flight(const struct sp_grpc_client *grpc);
uint32_t sp_grpc_client_step(struct sp_grpc_client *grpc); /* how many replies were delivered */

/* What to wait for, at most as many as connections_max; *ret_wait_ns is lowered to the next timeout. */
size_t sp_grpc_client_fds(const struct sp_grpc_client *grpc, struct pollfd *out,
                          uint64_t *ret_wait_ns);
