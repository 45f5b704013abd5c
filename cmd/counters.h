/* SPDX-License-Identifier: Apache-2.0
 *
 * cmd/counters.h: what the rooms of a server count, as rows for /metrics, /v1/system and its history. */
#pragma once

#include <stdatomic.h>

#include "collector/collector.h"
#include "lib/net/net.h"
#include "query/query.h"

/* Set when it listens, which is after the rows were added: whoever is asked first may ask what is not there yet. */
struct sp_listener {
    struct sp_server *_Atomic server;
};

struct sp_listeners {
    struct sp_listener otlp_grpc, otlp_http, http;
};

/* All are borrowed, and outlive the api's last request. Once each, before the first one. */
void sp_serve_count_collector(struct sp_query_api *query, struct sp_collector *collector);
void sp_serve_count_replies(struct sp_query_api *query, struct sp_budget *replies);
/* is_collector: it listens for spans, too. */
void sp_serve_count_connections(struct sp_query_api *query, struct sp_listeners *listeners,
                                bool is_collector);
