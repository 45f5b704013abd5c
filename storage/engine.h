/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/engine.h: what an engine implements: one function for each of the public ones, which do nothing but call it.
 * Internal to storage/. Knows no engine. */
#pragma once

#include "storage/storage.h"

struct sp_store_ops {
    void (*append)(struct sp_store *store, struct sp_append *append);
    void (*drain)(struct sp_store *store);
    void (*close)(struct sp_store *store);

    enum sp_status (*trace_read)(struct sp_store *store, const struct sp_trace_id *id,
                                 struct sp_arena *arena, const struct sp_batch **ret_batch,
                                 struct sp_error *reterr);
    enum sp_status (*traces_read)(struct sp_store *store, const struct sp_trace_id *ids,
                                  size_t count, const struct sp_traces_reader *reader,
                                  struct sp_error *reterr);
    enum sp_status (*traces_measure)(struct sp_store *store, const struct sp_trace_id *ids,
                                     size_t count, const struct sp_stop *stop,
                                     struct sp_trace_measure *ret, struct sp_error *reterr);
    enum sp_status (*scan)(struct sp_store *store, const struct sp_scan *scan,
                           const struct sp_stop *stop,
                           enum sp_visit (*visit)(void *cookie,
                                                  const struct sp_candidate *candidate),
                           void *cookie, struct sp_scanned *ret_scanned, struct sp_error *reterr);
    /* NULL, both: an engine of which reads never wait */
    void (*help)(struct sp_store *store, struct sp_store_helper *helper, pthread_t host);
    void (*help_end)(struct sp_store *store, struct sp_store_helper *helper);
    enum sp_status (*arrivals_begin)(struct sp_store *store, struct sp_arrivals_cursor *ret,
                                     struct sp_error *reterr);
    void (*arrivals_end)(struct sp_store *store);
    enum sp_status (*arrivals_read)(struct sp_store *store, struct sp_arrivals_cursor *cursor,
                                    struct sp_arena *arena, struct sp_arrivals *ret,
                                    struct sp_error *reterr);

    enum sp_status (*services)(struct sp_store *store, struct sp_time_range range,
                               const struct sp_stop *stop, struct sp_arena *arena,
                               const struct sp_service_row **ret_rows, size_t *ret_count,
                               struct sp_error *reterr);
    enum sp_status (*operations)(struct sp_store *store, struct sp_slice service,
                                 struct sp_time_range range, const struct sp_stop *stop,
                                 struct sp_arena *arena, const struct sp_operation_row **ret_rows,
                                 size_t *ret_count, struct sp_error *reterr);
    enum sp_status (*attribute_keys)(struct sp_store *store, uint32_t scopes,
                                     struct sp_slice prefix, struct sp_time_range range,
                                     const struct sp_stop *stop, size_t limit,
                                     struct sp_arena *arena, const struct sp_key_row **ret_rows,
                                     size_t *ret_count, bool *ret_complete,
                                     struct sp_error *reterr);
    enum sp_status (*attribute_values)(struct sp_store *store, uint32_t scopes, struct sp_slice key,
                                       struct sp_slice prefix, struct sp_time_range range,
                                       const struct sp_stop *stop, size_t limit,
                                       struct sp_arena *arena, const struct sp_value_row **ret_rows,
                                       size_t *ret_count, bool *ret_complete,
                                       struct sp_error *reterr);
    enum sp_status (*latency)(struct sp_store *store, struct sp_slice service,
                              struct sp_slice operation, int32_t kind, struct sp_time_range range,
                              const struct sp_stop *stop, struct sp_arena *arena,
                              struct sp_latency_series **ret_rows, size_t *ret_count,
                              struct sp_error *reterr);
    enum sp_status (*graph)(struct sp_store *store, struct sp_time_range range,
                            const struct sp_stop *stop, struct sp_arena *arena,
                            struct sp_graph_edge **ret_edges, size_t *ret_count,
                            struct sp_error *reterr);
    enum sp_status (*survey)(struct sp_store *store, const struct sp_scan *scan,
                             const struct sp_surveyor *surveyors, uint32_t surveyor_count,
                             const struct sp_stop *stop, struct sp_scanned *ret_scanned,
                             struct sp_error *reterr);
    /* NULL, all three: an engine without backups */
    enum sp_status (*backup_make)(struct sp_store *store, struct sp_arena *arena,
                                  struct sp_backup *ret, struct sp_error *reterr);
    enum sp_status (*backup_list)(struct sp_store *store, struct sp_arena *arena,
                                  const struct sp_backup **ret_rows, size_t *ret_count,
                                  struct sp_error *reterr);
    enum sp_status (*backup_remove)(struct sp_store *store, struct sp_slice name,
                                    struct sp_error *reterr);
    enum sp_status (*retain)(struct sp_store *store, const struct sp_retain *retain,
                             struct sp_error *reterr);
    enum sp_status (*pin)(struct sp_store *store, const struct sp_trace_id *id,
                          uint64_t now_unix_ns, struct sp_error *reterr);
    enum sp_status (*unpin)(struct sp_store *store, const struct sp_trace_id *id,
                            struct sp_error *reterr);
    /* rows in any order */
    enum sp_status (*pins)(struct sp_store *store, struct sp_arena *arena, struct sp_pins *ret,
                           struct sp_error *reterr);
    /* the state is one that may be added */
    enum sp_status (*short_link_add)(struct sp_store *store, struct sp_slice state,
                                     uint64_t now_unix_ns, uint64_t *ret_id,
                                     struct sp_error *reterr);
    enum sp_status (*short_link)(struct sp_store *store, uint64_t id, struct sp_arena *arena,
                                 struct sp_slice *ret_state, struct sp_error *reterr);
    enum sp_status (*short_link_remove)(struct sp_store *store, uint64_t id,
                                        struct sp_error *reterr);
    enum sp_status (*short_links)(struct sp_store *store, struct sp_arena *arena,
                                  struct sp_short_links *ret, struct sp_error *reterr);
    enum sp_status (*stats)(struct sp_store *store, struct sp_store_stats *ret,
                            struct sp_error *reterr);
};

/* Traces that are measured between two questions to the caller whether to go on. */
#define SP_MEASURE_ASK_TRACES 1024

/* The first member of every engine's struct. */
struct sp_store {
    const struct sp_store_ops *ops;
    _Atomic uint64_t appends_begun;
};

/* Answers the sender and frees the request: the end of every append. */
void sp_append_finish(struct sp_append *append, enum sp_status status,
                      const struct sp_error *error);

/* The minute a time lies in, counted from 1970. */
static inline uint64_t sp_minute_of(uint64_t unix_ns)
{
    return unix_ns / SP_ROLLUP_NS;
}

/* The last nanosecond of a range that is not empty. */
static inline uint64_t sp_time_range_last(struct sp_time_range range)
{
    return range.to_unix_ns == UINT64_MAX ? UINT64_MAX : range.to_unix_ns - 1;
}
