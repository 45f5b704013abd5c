/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/analysis/analysis.h: pure functions on spans: latency histograms, assembly of a trace, self time, critical path,
 * service graph. Uses base and model. No I/O, no threads, no globals. */
#pragma once

#include "lib/model/model.h"

/* ---- latency histogram: exponential buckets of base 2^(1/32) (OpenTelemetry's scale 5), so any quantile is within
 * SP_HISTOGRAM_RELATIVE_ERROR of the exact order statistic, and merging is exact. ---- */

#define SP_HISTOGRAM_SCALE          5
#define SP_HISTOGRAM_RELATIVE_ERROR 0.011 /* 2^(1/64) - 1 = 0.01089, rounded up */
#define SP_HISTOGRAM_BUCKETS                                                                       \
    (64 << SP_HISTOGRAM_SCALE) /* values 1 ns to 2^64 ns; index floor(log2(v) * 32) */

/* Sparse and sorted; grows on the heap. Zero-initialised is the empty histogram. */
struct sp_histogram {
    struct sp_histogram_bucket {
        uint16_t index;
        uint64_t count;
    } * buckets; /* ascending index, no zero counts */
    uint32_t bucket_count, bucket_cap;
    uint64_t count; /* all, zeros included */
    uint64_t zero_count;
    uint64_t sum_ns; /* saturating */
    uint64_t min_ns, max_ns;
};

void sp_histogram_fini(struct sp_histogram *h);
SP_MUST_USE enum sp_status sp_histogram_add(struct sp_histogram *h, uint64_t value_ns,
                                            uint64_t times); /* SP_NO_MEMORY */
SP_MUST_USE enum sp_status sp_histogram_merge(struct sp_histogram *into,
                                              const struct sp_histogram *from);

/* The value of rank ceil(q * count) (1-based, at least 1), within the relative error and never outside [min, max].
 * 0 for an empty histogram. q is clamped to [0, 1]. */
uint64_t sp_histogram_quantile(const struct sp_histogram *h, double q);

/* ---- rollup keys and rows: what the store adds up for each minute, and what the API shows ---- */

#define SP_ROLLUP_NS                                                                               \
    (60ULL * 1000 * 1000 * 1000) /* rollups are kept for each minute of span start */

/* Calls of one (service, operation, kind). */
struct sp_latency_series {
    struct sp_slice service, operation;
    int32_t kind;
    uint64_t calls, errors; /* error: status code ERROR */
    struct sp_histogram latency;
};

/* How the two ends of an edge met; the names are those of the OpenTelemetry Collector's servicegraph connector. */
enum sp_connection_type {
    SP_CONNECTION_DIRECT,    /* "": a client span and the server span that is its child */
    SP_CONNECTION_MESSAGING, /* "messaging_system": producer and consumer, by parent or by link */
    SP_CONNECTION_DATABASE,  /* "database": a client span with db.* and no server span */
    SP_CONNECTION_VIRTUAL,   /* "virtual_node": the other end is not instrumented */
};

const char *sp_connection_type_name(enum sp_connection_type type);

enum sp_node_type {
    SP_NODE_SERVICE,
    SP_NODE_DATABASE,
    SP_NODE_MESSAGING,
    SP_NODE_EXTERNAL,
    SP_NODE_CLIENT
};

const char *sp_node_type_name(
    enum sp_node_type type); /* "service", "database", "messaging", "external", "client" */

struct sp_graph_edge {
    struct sp_slice client, server;
    enum sp_node_type client_type, server_type;
    enum sp_connection_type type;
    uint64_t calls, errors;
    struct sp_histogram client_latency; /* durations of the calling spans; empty if none was seen */
    struct sp_histogram server_latency; /* durations of the called spans; empty if none was seen */
    struct sp_trace_id exemplar;        /* the trace of the slowest call; zero if none */
    uint64_t exemplar_duration_ns;
};

/* One call found in a trace: the increment of one edge. Slices are memory of the spans, or static. */
struct sp_graph_call {
    struct sp_slice client, server;
    enum sp_node_type client_type, server_type;
    enum sp_connection_type type;
    bool error;                                      /* either end has status ERROR */
    const struct sp_span *client_span, *server_span; /* one may be NULL */
    uint64_t
        time_unix_ns; /* start of the client span if there is one, else of the server span: decides the minute */
};
