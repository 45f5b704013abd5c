/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/answers.h: the part of storage.h's contract, which includes it, whose answers are counts: services, operations, attributes,
 * latencies, the graph. */
#pragma once

#include "lib/analysis/analysis.h"
#include "storage/scan.h"

struct sp_store;

/* ---- catalogue: exact counts over the spans that start in a range; all memory is the arena's. Nothing found is SP_OK with no
 * rows. SP_LIMIT: the arena is full. Or what stop says. ---- */

struct sp_service_row {
    struct sp_slice name;
    uint64_t span_count, error_count;
    /* colour slot: given in order of first appearance, kept for ever, unique but for SP_SLOTS_MAX, which the rest has in common (slots.h) */
    uint32_t slot;
};

/* Sorted by name. */
SP_MUST_USE enum sp_status sp_store_services(struct sp_store *store, struct sp_time_range range,
                                             const struct sp_stop *stop, struct sp_arena *arena,
                                             const struct sp_service_row **ret_rows,
                                             size_t *ret_count, struct sp_error *reterr);

struct sp_operation_row {
    struct sp_slice service, name;
    int32_t kind;
    uint64_t span_count, error_count;
};

/* Sorted by service, name, kind. service: "" for all. */
SP_MUST_USE enum sp_status sp_store_operations(struct sp_store *store, struct sp_slice service,
                                               struct sp_time_range range,
                                               const struct sp_stop *stop, struct sp_arena *arena,
                                               const struct sp_operation_row **ret_rows,
                                               size_t *ret_count, struct sp_error *reterr);

struct sp_key_row {
    enum sp_attribute_scope scope; /* one bit */
    struct sp_slice key;
    enum sp_value_kind kind; /* one row for each kind of value seen under the key */
    uint64_t span_count;     /* spans that carry it there; one that carries it twice counts once */
};

/* Sorted by scope, key, kind. scopes: bits; prefix: of the key, "" for all; at most limit rows, *ret_complete says
 * whether that was all. */
SP_MUST_USE enum sp_status
sp_store_attribute_keys(struct sp_store *store, uint32_t scopes, struct sp_slice prefix,
                        struct sp_time_range range, const struct sp_stop *stop, size_t limit,
                        struct sp_arena *arena, const struct sp_key_row **ret_rows,
                        size_t *ret_count, bool *ret_complete, struct sp_error *reterr);

struct sp_value_row {
    struct sp_slice text; /* sp_value_text */
    enum sp_value_kind kind;
    uint64_t span_count;
};

/* The most frequent values first (ties by text, kind). prefix: of the text; at most limit rows. A span that carries a
 * value several times, or on several of the levels asked for, counts once for it. */
SP_MUST_USE enum sp_status
sp_store_attribute_values(struct sp_store *store, uint32_t scopes, struct sp_slice key,
                          struct sp_slice prefix, struct sp_time_range range,
                          const struct sp_stop *stop, size_t limit, struct sp_arena *arena,
                          const struct sp_value_row **ret_rows, size_t *ret_count,
                          bool *ret_complete, struct sp_error *reterr);

/* ---- rollups: exact counts, histograms; errors as above; range is widened to whole minutes (sp_time_range_minutes) ---- */

/* One row for each (service, operation, kind), sorted so. service and operation: "" for all; kind: -1 for all. The rows
 * are the arena's memory, their histograms are heap: free with sp_latency_rows_fini. */
SP_MUST_USE enum sp_status sp_store_latency(struct sp_store *store, struct sp_slice service,
                                            struct sp_slice operation, int32_t kind,
                                            struct sp_time_range range, const struct sp_stop *stop,
                                            struct sp_arena *arena,
                                            struct sp_latency_series **ret_rows, size_t *ret_count,
                                            struct sp_error *reterr);
void sp_latency_rows_fini(struct sp_latency_series *rows, size_t count);

/* The dependency graph, equal to sp_graph over every stored trace (lib/analysis), calls whose time lies in the range;
 * one row for each (client, server, type), sorted so. Only an exemplar may be another than that of sp_graph: it is a trace with a
 * call of the edge in the range that took exemplar_duration_ns, the slowest of those that the engine remembers, or zero when
 * it remembers none (docs/decisions/0043-exact-graph.md). Free the histograms with sp_graph_edges_fini. */
SP_MUST_USE enum sp_status sp_store_graph(struct sp_store *store, struct sp_time_range range,
                                          const struct sp_stop *stop, struct sp_arena *arena,
                                          struct sp_graph_edge **ret_edges, size_t *ret_count,
                                          struct sp_error *reterr);
void sp_graph_edges_fini(struct sp_graph_edge *edges, size_t count);
