/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/unit/net/service.h: the smallest service on lib/net, for tests with real sockets. What an exchange gets is decided
 * by the last part of its path:
 *
 *   Echo  its body, at once                      Later  its body, from another thread, after a moment
 *   Hold  its body, when draining begins         Never  no reply until service_free (the server has stopped by then)
 *   Null  an empty body                          Big    as many bytes as header x-bytes says
 *   Query its query string
 *   Head  404 or UNIMPLEMENTED, before the body is read */
#pragma once

#include "lib/net/net.h"

struct service;

struct service *service_new(void);
struct sp_handler service_handler(struct service *service);
void service_drain(struct service *service);
size_t service_requests(struct service *service);  /* that on_request saw */
size_t service_waiting(struct service *service);   /* exchanges without a reply */
size_t service_cancelled(struct service *service); /* those of them whose client is gone */
void service_free(struct service *service);        /* replies to all that still wait */
