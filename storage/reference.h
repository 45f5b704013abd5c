/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/reference.h: the parts of the store in memory. Private to storage/reference*.c.
 *
 * Written to be seen through, not to be fast: a list of batches, and every answer from a pass over all spans. */
#pragma once

#include "storage/brute.h"
#include "storage/short_link_list.h"

#include <pthread.h>

/* One acked request. Never changes but for is_removed, and lives until the store is closed, so readers need no lock for its
 * content. */
struct sp_reference_batch {
    struct sp_arena arena;
    const struct sp_batch *batch;
    uint64_t received_unix_ns;
    bool is_removed;
};

struct sp_reference {
    struct sp_store base;
    size_t arena_bytes_max;

    pthread_mutex_t lock; /* of all below */
    bool draining;
    struct sp_reference_batch **batches; /* in the order they were acked */
    size_t batch_count, batch_cap;
    struct sp_pin pins[SP_PINS_MAX];
    size_t pin_count;
    struct sp_short_link_list short_links;
};

/* The spans of one moment, sorted by trace and, within one, by the order they were acked. */
struct sp_reference_moment {
    const struct sp_span **spans;
    size_t span_count, append_count;
};

static inline struct sp_reference *sp_reference_of(struct sp_store *store)
{
    return (struct sp_reference *)store; /* base is its first member */
}

/* ---- moments, traces, scans (reference_read.c) ---- */

SP_MUST_USE enum sp_status sp_reference_moment_init(struct sp_reference_moment *moment,
                                                    struct sp_reference *reference,
                                                    struct sp_error *reterr);
void sp_reference_moment_fini(struct sp_reference_moment *moment);
/* The spans [from, return value) belong to one trace. */
size_t sp_reference_moment_trace_end(const struct sp_reference_moment *moment, size_t from);

/* The source of all brute force: every trace with a span in range. */
struct sp_trace_source sp_reference_source(struct sp_store *store, const struct sp_stop *stop);

/* The operations of struct sp_store_ops. */
SP_MUST_USE enum sp_status sp_reference_trace_read(struct sp_store *store,
                                                   const struct sp_trace_id *id,
                                                   struct sp_arena *arena,
                                                   const struct sp_batch **ret_batch,
                                                   struct sp_error *reterr);
SP_MUST_USE enum sp_status sp_reference_traces_measure(struct sp_store *store,
                                                       const struct sp_trace_id *ids, size_t count,
                                                       const struct sp_stop *stop,
                                                       struct sp_trace_measure *ret,
                                                       struct sp_error *reterr);
SP_MUST_USE enum sp_status sp_reference_traces_read(struct sp_store *store,
                                                    const struct sp_trace_id *ids, size_t count,
                                                    const struct sp_traces_reader *reader,
                                                    struct sp_error *reterr);
SP_MUST_USE enum sp_status
sp_reference_scan(struct sp_store *store, const struct sp_scan *scan, const struct sp_stop *stop,
                  enum sp_visit (*visit)(void *cookie, const struct sp_candidate *candidate),
                  void *cookie, struct sp_scanned *ret_scanned, struct sp_error *reterr);
SP_MUST_USE enum sp_status sp_reference_survey(struct sp_store *store, const struct sp_scan *scan,
                                               const struct sp_surveyor *surveyors,
                                               uint32_t surveyor_count, const struct sp_stop *stop,
                                               struct sp_scanned *ret_scanned,
                                               struct sp_error *reterr);

/* ---- counts (reference_counts.c), the same ---- */

SP_MUST_USE enum sp_status sp_reference_services(struct sp_store *store, struct sp_time_range range,
                                                 const struct sp_stop *stop, struct sp_arena *arena,
                                                 const struct sp_service_row **ret_rows,
                                                 size_t *ret_count, struct sp_error *reterr);
SP_MUST_USE enum sp_status sp_reference_operations(struct sp_store *store, struct sp_slice service,
                                                   struct sp_time_range range,
                                                   const struct sp_stop *stop,
                                                   struct sp_arena *arena,
                                                   const struct sp_operation_row **ret_rows,
                                                   size_t *ret_count, struct sp_error *reterr);
SP_MUST_USE enum sp_status sp_reference_keys(struct sp_store *store, uint32_t scopes,
                                             struct sp_slice prefix, struct sp_time_range range,
                                             const struct sp_stop *stop, size_t limit,
                                             struct sp_arena *arena,
                                             const struct sp_key_row **ret_rows, size_t *ret_count,
                                             bool *ret_complete, struct sp_error *reterr);
SP_MUST_USE enum sp_status
sp_reference_values(struct sp_store *store, uint32_t scopes, struct sp_slice key,
                    struct sp_slice prefix, struct sp_time_range range, const struct sp_stop *stop,
                    size_t limit, struct sp_arena *arena, const struct sp_value_row **ret_rows,
                    size_t *ret_count, bool *ret_complete, struct sp_error *reterr);
SP_MUST_USE enum sp_status sp_reference_latency(struct sp_store *store, struct sp_slice service,
                                                struct sp_slice operation, int32_t kind,
                                                struct sp_time_range range,
                                                const struct sp_stop *stop, struct sp_arena *arena,
                                                struct sp_latency_series **ret_rows,
                                                size_t *ret_count, struct sp_error *reterr);
SP_MUST_USE enum sp_status sp_reference_graph(struct sp_store *store, struct sp_time_range range,
                                              const struct sp_stop *stop, struct sp_arena *arena,
                                              struct sp_graph_edge **ret_edges, size_t *ret_count,
                                              struct sp_error *reterr);
SP_MUST_USE enum sp_status sp_reference_stats(struct sp_store *store, struct sp_store_stats *ret,
                                              struct sp_error *reterr);
