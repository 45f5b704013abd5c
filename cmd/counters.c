/* SPDX-License-Identifier: Apache-2.0
 *
 * cmd/counters.c: see cmd/counters.h. Tables of rows, each with the function that reads it. They are static: of the one server of this process. */
#include "cmd/counters.h"

#include <stdio.h>

/* ---- what came in ---- */

#define SP_COLLECTOR_METRIC(field)                                                                 \
    static uint64_t read_##field(void *cookie)                                                     \
    {                                                                                              \
        struct sp_collector_stats stats;                                                           \
        sp_collector_stats(cookie, &stats);                                                        \
        return stats.field;                                                                        \
    }
SP_COLLECTOR_METRIC(http_requests)
SP_COLLECTOR_METRIC(grpc_requests)
SP_COLLECTOR_METRIC(requests_acked)
SP_COLLECTOR_METRIC(requests_refused_permanent)
SP_COLLECTOR_METRIC(requests_refused_retryable)
SP_COLLECTOR_METRIC(spans_acked)
SP_COLLECTOR_METRIC(spans_rejected)
SP_COLLECTOR_METRIC(body_bytes)
SP_COLLECTOR_METRIC(requests_open)
SP_COLLECTOR_METRIC(spans_acked_grpc)
SP_COLLECTOR_METRIC(spans_acked_http)

static void add_totals(struct sp_query_api *query, struct sp_collector *collector)
{
    static struct sp_metric metrics[] = {
        {"spoor_received_requests", "transport=\"http\"", "Export requests received.",
         SP_METRIC_COUNTER, read_http_requests, NULL, NULL},
        {"spoor_received_requests", "transport=\"grpc\"", "Export requests received.",
         SP_METRIC_COUNTER, read_grpc_requests, NULL, NULL},
        {"spoor_acked_requests", NULL, "Export requests answered with success.", SP_METRIC_COUNTER,
         read_requests_acked, NULL, NULL},
        {"spoor_refused_requests", "retryable=\"false\"", "Export requests refused.",
         SP_METRIC_COUNTER, read_requests_refused_permanent, NULL, NULL},
        {"spoor_refused_requests", "retryable=\"true\"", "Export requests refused.",
         SP_METRIC_COUNTER, read_requests_refused_retryable, NULL, NULL},
        {"spoor_acked_spans", NULL, "Spans made durable.", SP_METRIC_COUNTER, read_spans_acked,
         NULL, NULL},
        {"spoor_rejected_spans", NULL, "Spans refused one by one.", SP_METRIC_COUNTER,
         read_spans_rejected, NULL, NULL},
        {"spoor_received_bytes", NULL, "Bytes of request bodies as received.", SP_METRIC_COUNTER,
         read_body_bytes, NULL, NULL},
        {"spoor_open_requests", NULL, "Export requests waiting for the store.", SP_METRIC_GAUGE,
         read_requests_open, NULL, NULL},
        {"spoor_acked_spans_by_transport", "transport=\"grpc\"", "Spans made durable.",
         SP_METRIC_COUNTER, read_spans_acked_grpc, NULL, NULL},
        {"spoor_acked_spans_by_transport", "transport=\"http\"", "Spans made durable.",
         SP_METRIC_COUNTER, read_spans_acked_http, NULL, NULL},
    };
    for (size_t i = 0; i < SP_ARRAY_LEN(metrics); i++)
        metrics[i].cookie = collector;
    sp_query_api_add_metrics(query, metrics, SP_ARRAY_LEN(metrics));
    sp_query_api_remember(query, metrics, SP_ARRAY_LEN(metrics));
}

/* One counter for each status that is not OK: why requests were refused. */
struct refusal {
    const struct sp_collector *collector;
    enum sp_status status;
};

static uint64_t read_refusals(void *cookie)
{
    const struct refusal *refusal = cookie;
    return sp_collector_refused(refusal->collector, refusal->status);
}

static void add_refusals(struct sp_query_api *query, const struct sp_collector *collector)
{
    static struct refusal refusals[SP_STATUS_COUNT];
    static struct sp_metric metrics[SP_STATUS_COUNT];
    static char labels[SP_STATUS_COUNT][64];
    size_t count = 0;
    for (int status = SP_OK + 1; status < SP_STATUS_COUNT; status++) {
        snprintf(labels[count], sizeof(labels[count]), "reason=\"%s\",retryable=\"%s\"",
                 sp_status_name((enum sp_status)status),
                 sp_status_retryable((enum sp_status)status) ? "true" : "false");
        refusals[count] = (struct refusal){collector, (enum sp_status)status};
        metrics[count] = (struct sp_metric){"spoor_refused_requests_by_reason",
                                            labels[count],
                                            "Export requests refused.",
                                            SP_METRIC_COUNTER,
                                            read_refusals,
                                            &refusals[count],
                                            NULL};
        count++;
    }
    sp_query_api_add_metrics(query, metrics, count);
}

/* The same for spans that were refused in requests that were taken. */
struct rejection {
    const struct sp_collector *collector;
    enum sp_rejection rejection;
};

static uint64_t read_rejections(void *cookie)
{
    const struct rejection *rejection = cookie;
    return sp_collector_rejected(rejection->collector, rejection->rejection);
}

static void add_rejections(struct sp_query_api *query, const struct sp_collector *collector)
{
    static struct rejection rejections[SP_REJECTION_COUNT];
    static struct sp_metric metrics[SP_REJECTION_COUNT];
    static char labels[SP_REJECTION_COUNT][64];
    for (int i = 0; i < SP_REJECTION_COUNT; i++) {
        snprintf(labels[i], sizeof(labels[i]), "reason=\"%s\"",
                 sp_rejection_name((enum sp_rejection)i));
        rejections[i] = (struct rejection){collector, (enum sp_rejection)i};
        metrics[i] = (struct sp_metric){"spoor_rejected_spans_by_reason",
                                        labels[i],
                                        "Spans refused one by one.",
                                        SP_METRIC_COUNTER,
                                        read_rejections,
                                        &rejections[i],
                                        sp_rejection_advice((enum sp_rejection)i)};
    }
    sp_query_api_add_metrics(query, metrics, SP_REJECTION_COUNT);
}

void sp_serve_count_collector(struct sp_query_api *query, struct sp_collector *collector)
{
    add_totals(query, collector);
    add_refusals(query, collector);
    add_rejections(query, collector);
}

/* ---- large answers ---- */

static uint64_t read_reply_bytes(void *cookie)
{
    return sp_budget_used(cookie);
}

static uint64_t read_refused(void *cookie)
{
    return sp_budget_refused(cookie);
}

void sp_serve_count_replies(struct sp_query_api *query, struct sp_budget *replies)
{
    static struct sp_metric metrics[] = {
        {"spoor_waiting_reply_bytes", NULL, "Bytes of large answers that wait for their readers.",
         SP_METRIC_GAUGE, read_reply_bytes, NULL, NULL},
        {"spoor_refused_replies", NULL, "Answers replaced by 503 for want of --reply-memory.",
         SP_METRIC_COUNTER, read_refused, NULL, NULL},
    };
    for (size_t i = 0; i < SP_ARRAY_LEN(metrics); i++)
        metrics[i].cookie = replies;
    sp_query_api_add_metrics(query, metrics, SP_ARRAY_LEN(metrics));
}

/* ---- connections ---- */

/* What listens, if it does by now. */
static struct sp_server_stats stats_of(const struct sp_listener *listener)
{
    struct sp_server_stats stats = {0};
    const struct sp_server *server = listener->server;
    if (server)
        sp_server_stats(server, &stats);
    return stats;
}

static uint64_t read_connections_open(void *cookie)
{
    return stats_of(cookie).connections_open;
}

static uint64_t read_connections_refused(void *cookie)
{
    return stats_of(cookie).connections_refused;
}

/* Listeners for HTTP/1.1 refuse none: while theirs are all open, more wait in the system's queue. */
void sp_serve_count_connections(struct sp_query_api *query, struct sp_listeners *listeners,
                                bool is_collector)
{
    static struct sp_metric metrics[] = {
        {"spoor_open_connections", "listener=\"http\"", "Connections that are open.",
         SP_METRIC_GAUGE, read_connections_open, NULL, NULL},
        {"spoor_open_connections", "listener=\"otlp-http\"", "Connections that are open.",
         SP_METRIC_GAUGE, read_connections_open, NULL, NULL},
        {"spoor_open_connections", "listener=\"otlp-grpc\"", "Connections that are open.",
         SP_METRIC_GAUGE, read_connections_open, NULL, NULL},
        {"spoor_refused_connections", "listener=\"otlp-grpc\"",
         "Connections closed at once because connections_max were open.", SP_METRIC_COUNTER,
         read_connections_refused, NULL,
         "As many were open as may be. One gRPC channel a sender is enough; a collector in between "
         "joins many."},
    };
    struct sp_listener *const of[] = {&listeners->http, &listeners->otlp_http,
                                      &listeners->otlp_grpc, &listeners->otlp_grpc};
    for (size_t i = 0; i < SP_ARRAY_LEN(metrics); i++)
        metrics[i].cookie = of[i];
    sp_query_api_add_metrics(query, metrics, is_collector ? SP_ARRAY_LEN(metrics) : 1);
}
