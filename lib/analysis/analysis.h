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
    uint64_t
        sum_ns; /* modulo 2^64, so that parts can be taken out again exactly; sp_histogram_sum tells it */
    uint64_t min_ns, max_ns;
};

void sp_histogram_fini(struct sp_histogram *h);
SP_MUST_USE enum sp_status sp_histogram_add(struct sp_histogram *h, uint64_t value_ns,
                                            uint64_t times); /* SP_NO_MEMORY */
SP_MUST_USE enum sp_status sp_histogram_merge(struct sp_histogram *into,
                                              const struct sp_histogram *from);

/* For who keeps buckets in another form. The bucket of a value that is not 0; and count more values in a bucket (below
 * SP_HISTOGRAM_BUCKETS), which leaves sum, min and max to the caller. */
uint16_t sp_histogram_index(uint64_t value_ns);
SP_MUST_USE enum sp_status sp_histogram_add_bucket(struct sp_histogram *h, uint16_t index,
                                                   uint64_t count); /* SP_NO_MEMORY */
/* The least and the greatest value of a bucket. No value is in a bucket whose least is above its greatest. */
void sp_histogram_bounds(uint16_t index, uint64_t *ret_low, uint64_t *ret_high);
/* Sets min and max to the least and the greatest value that the lowest and the highest bucket may hold: what is known of a
 * histogram that parts were taken out of (docs/decisions/0043-exact-graph.md). Quantiles stay within the relative error. */
void sp_histogram_widen(struct sp_histogram *h);

/* The sum of all values; UINT64_MAX: that, or more. Of the values in the buckets, which sum, min and max have to be of. */
uint64_t sp_histogram_sum(const struct sp_histogram *h);

/* The value of rank ceil(q * count) (1-based, at least 1), within the relative error (then rounded to whole nanoseconds)
 * and never outside [min, max]. 0 for an empty histogram. q is clamped to [0, 1]; NaN counts as 0. The last bit of q does
 * not count, so that 0.9 of 40 values is the 36th. */
uint64_t sp_histogram_quantile(const struct sp_histogram *h, double q);

/* ---- rollup keys and rows: what the store adds up for each minute, and what the API shows ---- */

#define SP_ROLLUP_NS                                                                               \
    (60ULL * 1000 * 1000 * 1000) /* rollups are kept for each minute of span start */

/* A span that stands for many. */
struct sp_span_exemplar {
    uint64_t duration_ns;
    struct sp_trace_id trace_id; /* zero: there is none */
    struct sp_span_id span_id;
};

/* The slowest of all, and of those with status ERROR; of equally slow ones the one with the smaller trace id, then span id. So the order
 * in which spans are offered, and how they are grouped, does not matter. Zero-initialised is none. */
struct sp_span_exemplars {
    struct sp_span_exemplar slowest, failed;
};

void sp_span_exemplar_offer(struct sp_span_exemplar *exemplar,
                            const struct sp_span_exemplar *other);
void sp_span_exemplars_merge(struct sp_span_exemplars *into, const struct sp_span_exemplars *from);

/* Could a span of this duration take the place of one? */
static inline bool sp_span_exemplars_want(const struct sp_span_exemplars *exemplars,
                                          uint64_t duration_ns, bool is_error)
{
    return duration_ns >= exemplars->slowest.duration_ns ||
           (is_error && duration_ns >= exemplars->failed.duration_ns);
}

/* Calls of one (service, operation, kind). */
struct sp_latency_series {
    struct sp_slice service, operation;
    int32_t kind;
    uint64_t calls, errors; /* error: status code ERROR */
    struct sp_histogram latency;
    struct sp_span_exemplars exemplars;
};

/* How the two ends of an edge met; the names are those of the OpenTelemetry Collector's servicegraph connector. */
enum sp_connection_type {
    SP_CONNECTION_DIRECT,    /* "": a client span and the server span that is its child */
    SP_CONNECTION_MESSAGING, /* "messaging_system": producer and consumer, by parent or by link */
    SP_CONNECTION_DATABASE,  /* "database": a client span with db.* and no server span */
    SP_CONNECTION_VIRTUAL,   /* "virtual_node": the other end is not instrumented */
    SP_CONNECTION_LINK, /* "messaging_link", Spoor's own: producer and consumer of two traces, by link. In no store's sums */
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
    /* durations of the calling and of the called spans, min and max by sp_histogram_widen; empty if none was seen */
    struct sp_histogram client_latency, server_latency;
    struct sp_trace_id
        exemplar; /* the trace of the slowest call, of a LINK its consumer's; zero if none */
    uint64_t exemplar_duration_ns;
};

/* One call found in a trace: the increment of one edge. Slices are memory of the spans or of the arena, or static. */
struct sp_graph_call {
    struct sp_slice client, server;
    enum sp_node_type client_type, server_type;
    enum sp_connection_type type;
    bool error;                                      /* either end has status ERROR */
    const struct sp_span *client_span, *server_span; /* one may be NULL */
    /* start of the client span if there is one, else of the server span: decides the minute. Of a LINK that of the server span */
    uint64_t time_unix_ns;
};

/* The span that a call is looked at by, whose duration is the call's: the client's if there is one; of a LINK the consumer's, in whose trace
 * the link is found. */
const struct sp_span *sp_graph_call_span(const struct sp_graph_call *call);

/* ---- assembly: the spans of one trace as a tree in flat arrays. Nothing here recurses: a trace may be a million spans
 * wide or deep. Which decisions were taken, and why: docs/decisions/0025-trace-assembly.md ---- */

#define SP_ROW_NONE UINT32_MAX

enum sp_row_flag {                   /* a set of bits; the numbers are those of the read API */
                   SP_ROW_ERROR = 1, /* status ERROR */
                   SP_ROW_ERROR_BELOW = 2, /* a descendant has status ERROR */
                   SP_ROW_EVENTS = 4,
                   SP_ROW_LINKS = 8,
                   SP_ROW_ORPHAN = 16,    /* names a parent that is not among the spans */
                   SP_ROW_DUPLICATE = 32, /* a span that comes first by start has the same id */
                   SP_ROW_CRITICAL =
                       64, /* has a segment of the critical path (sp_critical_path sets it) */
                   SP_ROW_CYCLE = 128, /* cut out of a cycle of parents here, shown at the top */
                   SP_ROW_END_BEFORE_START = 256, /* its duration counts as 0 */
                   SP_ROW_SKEWED = 512,           /* its clock differs (sp_skew_find sets it) */
};

struct sp_trace_row {
    const struct sp_span *span;
    uint64_t duration_ns;
    /* time no child covers: duration minus the union of the children's intervals inside it */
    uint64_t self_ns;
    uint32_t parent, first_child; /* rows, or SP_ROW_NONE */
    uint32_t next_sibling;        /* at the top: the next row at the top */
    uint32_t depth;               /* 0 for a row at the top */
    uint32_t subtree_size;        /* itself included: its descendants are the next rows */
    uint32_t flags;               /* enum sp_row_flag */
};

struct sp_trace {
    struct sp_trace_row *rows; /* depth first, parents before children */
    uint32_t row_count;        /* one for each span given, duplicates included */
    uint32_t root_count;       /* rows whose span has no parent id: they come first */
    uint32_t orphan_count;     /* rows whose parent is missing: at the top, behind the roots */
    /* cycles of parents that were cut: a row of each at the top, in order of start among the orphans, of which it is none */
    uint32_t cycle_count;
    uint32_t duplicate_count, error_count, depth_max;
    uint64_t start_unix_ns,
        end_unix_ns; /* the earliest start, the latest end; 0, 0 without spans */
};

/* Makes the tree of a batch whose spans all belong to one trace. The result does not depend on the order of the batch,
 * except between spans that are equal in every compared field (start, span id, end, kind, status, name, service).
 *
 * Rows at the top and children are ordered by start, then span id. A span hangs from the first row with its parent's
 * id; a span that shares its id with a client span and is itself a server span (Zipkin's shared spans) hangs from
 * that client span, and is no duplicate.
 *
 * arena  owns the rows; about 110 bytes a span, 48 of them for the rows.
 * SP_LIMIT  the arena is full, or there are more than SP_TRACE_ROWS_MAX spans.  *ret is untouched then. */
#define SP_TRACE_ROWS_MAX ((size_t)1 << 30)
SP_MUST_USE enum sp_status sp_trace_assemble(struct sp_arena *arena, const struct sp_batch *batch,
                                             struct sp_trace *ret);

/* ---- critical path: which span the end of the root waited for, at each moment ---- */

struct sp_path_segment {
    uint32_t row;
    uint64_t start_unix_ns, end_unix_ns; /* half open, never empty */
};

struct sp_critical_path {
    /* ascending, gapless from start to end of the root; the arena's memory */
    const struct sp_path_segment *segments;
    size_t segment_count;
    /* NULL, or an English sentence: why there is no path, or what it leaves out. Static. */
    const char *note;
};

/* A span that ends this much later than its parent, by one clock, may have been waited for all the same: SDKs that count
 * milliseconds are wrong by one, and others end spans in callbacks. */
#define SP_PATH_LATE_END_NS ((uint64_t)1000000)

/* Walks back from the end of the root: the child that finished last before the present moment is what was waited for;
 * what lies between is the parent's own work. Children are cut to the interval of their parent; but a consumer that outlives
 * its parent, and any other child of the same resource (a server excepted) that does by more than SP_PATH_LATE_END_NS, is
 * asynchronous and not waited for. Algorithm and assumptions:
 * docs/decisions/0026-critical-path.md. Sets SP_ROW_CRITICAL in trace->rows.
 * SP_LIMIT  the arena is full; *ret is untouched then. */
SP_MUST_USE enum sp_status sp_critical_path(struct sp_arena *arena, struct sp_trace *trace,
                                            struct sp_critical_path *ret);

/* The same of one span and what is below it: what its end waited for. A span without a duration has no path: then the note
 * says so. */
SP_MUST_USE enum sp_status sp_critical_path_of(struct sp_arena *arena, struct sp_trace *trace,
                                               uint32_t row, struct sp_critical_path *ret);

#include "lib/analysis/call_tree.h"
#include "lib/analysis/findings.h"
#include "lib/analysis/path_sum.h"
#include "lib/analysis/skew.h"
#include "lib/analysis/statistics.h"
#include "lib/analysis/value_counts.h"

/* ---- service graph ---- */

/* Finds the calls of one trace, each once, whatever the order the spans came in (docs/decisions/0027-service-graph.md):
 *   a server span under a client span, or under a span of another service     DIRECT
 *   a consumer under, or with a link to, a producer of this trace             MESSAGING
 *   a client span without a server span that names a database                 DATABASE
 *   any other client or producer span without its other end                   VIRTUAL, to peer.service, server.address,
 *                                                                             messaging.system, ... or "unknown"
 *   a server span that is a root                                              VIRTUAL, from "user"
 *   a consumer without a parent and without a producer in this trace          VIRTUAL, from messaging.system, ...
 * Nothing is counted for a server whose parent is not stored (its caller is not here yet), for a duplicate, and for a
 * client span that only wraps another client or producer span of the same service.
 *
 * arena  owns *ret_calls; names are memory of the spans, or its own, or static.     SP_LIMIT  the arena is full. */
SP_MUST_USE enum sp_status sp_graph_calls(struct sp_arena *arena, const struct sp_trace *trace,
                                          const struct sp_graph_call **ret_calls,
                                          size_t *ret_count);

/* How a broker is named. A store keeps the names that it wrote once: numbers are on disk. */
enum sp_peer_names {
    SP_PEER_NAMES_BY_SYSTEM = 1,      /* "kafka": one node for all its destinations */
    SP_PEER_NAMES_BY_DESTINATION = 2, /* "orders (kafka)" */
};

/* Room for a name that is put together. Longer parts are cut, and end with an ellipsis. */
#define SP_GRAPH_DESTINATION_BYTES_MAX 256
#define SP_GRAPH_SYSTEM_BYTES_MAX      64
struct sp_graph_name {
    uint8_t bytes[SP_GRAPH_DESTINATION_BYTES_MAX + SP_GRAPH_SYSTEM_BYTES_MAX + 16];
};

/* For who finds calls in another form of spans. The VIRTUAL or DATABASE call of a span whose other end is not there: a client or
 * producer that nothing answered, a consumer without a producer, a server that is a root. Looks at kind, service and the first
 * attribute of each name key only; leaves time and error to the caller. Names are memory of the span, or of room, or static. */
struct sp_graph_call sp_graph_half_call(const struct sp_span *span, enum sp_peer_names names,
                                        struct sp_graph_name *room);
bool sp_graph_is_name_key(struct sp_slice key);

/* The keys themselves, for who says the same in another language: of each list the first attribute that has a text names the other end. */
struct sp_graph_name_key {
    const char *key;
    bool is_url; /* the host of the value is meant */
};
enum sp_graph_name_list {
    SP_GRAPH_NAMES_OF_PEERS,
    SP_GRAPH_NAMES_OF_DATABASES,        /* somebody's own word; names */
    SP_GRAPH_NAMES_OF_DATABASE_SYSTEMS, /* where there is no name, or it is a number */
    SP_GRAPH_NAMES_OF_BROKERS, /* somebody's own word; the kind of broker; names of the destination */
    SP_GRAPH_NAMES_OF_TEMPLATES, /* of the destination, in its place: one for many */
    SP_GRAPH_NAME_LISTS
};
const struct sp_graph_name_key *sp_graph_name_keys(enum sp_graph_name_list list, size_t *ret_count);

/* Spans whose brokers had these names get them for good, as a peer.service in front of their attributes, so that sp_graph_calls finds
 * what it found then. The arena's memory. SP_LIMIT, SP_NO_MEMORY: the arena. */
SP_MUST_USE enum sp_status sp_graph_keep_names(struct sp_span *spans, size_t count,
                                               enum sp_peer_names names, struct sp_arena *arena);

/* ---- messages along links into other traces (docs/decisions/0109-links-across-traces.md) ---- */

/* One link of a consumer; of several to the same span one. It may lead into its own trace. */
struct sp_graph_link {
    const struct sp_span *consumer;
    struct sp_trace_id trace_id;
    struct sp_span_id span_id;
};

/* The links of the consumers of one trace, but for those of duplicates; of each consumer sorted by ids. arena owns *ret. SP_LIMIT,
 * SP_NO_MEMORY: the arena. */
SP_MUST_USE enum sp_status sp_graph_links(struct sp_arena *arena, const struct sp_trace *trace,
                                          struct sp_graph_link **ret, size_t *ret_count);

/* The spans of one trace that ids name: the one that can have sent a message if there is one (sp_graph_sends), else another, else NULL;
 * none is a duplicate. ids: ascending, perhaps several times; ret: as many. */
void sp_graph_link_targets(const struct sp_trace *trace, const struct sp_span_id *ids, size_t count,
                           const struct sp_span **ret);
/* A producer, or a client: what a consumer of the same trace would be paired with. */
bool sp_graph_sends(const struct sp_span *span);

/* The call from the one to the other, of which ids, times and status are enough, and its service. */
struct sp_graph_call sp_graph_link_call(const struct sp_span *producer,
                                        const struct sp_span *consumer,
                                        struct sp_slice consumer_service);

/* Calls added up. Adding and merging give the same edges in any order and grouping. */
struct sp_graph {
    struct sp_graph_edge *edges; /* heap; in no order until sp_graph_sort */
    size_t edge_count, edge_cap;
    uint32_t *slots; /* heap; hash table of keys: number of the edge that has the key, plus 1 */
    size_t slot_cap; /* a power of two, more than twice edge_count; 0: to be built */
    uint64_t seed;   /* of the slots */
    struct sp_arena names; /* owns client and server of the edges */
};

#define SP_GRAPH_NAMES_BYTES_MAX ((size_t)64 * 1024 * 1024)

void sp_graph_init(struct sp_graph *graph);
void sp_graph_fini(struct sp_graph *graph); /* NULL and a finished graph are fine */

/* SP_NO_MEMORY, or SP_LIMIT: names take more than SP_GRAPH_NAMES_BYTES_MAX. Then the graph may lack a part of this call
 * and must be thrown away. */
SP_MUST_USE enum sp_status sp_graph_add(struct sp_graph *graph, const struct sp_graph_call *call);

/* The number in graph->edges of the edge of a call that was added, since the graph was sorted or taken. */
size_t sp_graph_number(const struct sp_graph *graph, const struct sp_graph_call *call);

/* Adds edges (in any order) to a graph; names are copied. Errors as sp_graph_add. */
SP_MUST_USE enum sp_status sp_graph_merge(struct sp_graph *graph, const struct sp_graph_edge *edges,
                                          size_t edge_count);

/* By client, server, type; for qsort and bsearch. */
int sp_graph_edge_compare(const void *left, const void *right);

/* Sorts the edges by client, server, type. */
void sp_graph_sort(struct sp_graph *graph);

/* Hands the edges over, sorted: the array and names are copied into arena, the histograms move (the caller frees them with
 * sp_histogram_fini), and the graph is empty afterwards. SP_LIMIT: the arena is full; the graph is unchanged. */
SP_MUST_USE enum sp_status sp_graph_take(struct sp_graph *graph, struct sp_arena *arena,
                                         struct sp_graph_edge **ret_edges, size_t *ret_count);
