/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/brute.h: answers by looking at every span: exact by construction. An engine hands in a source of whole traces
 * and gets counts. Internal to storage/. Knows no engine. */
#pragma once

#include "storage/catalogue.h"

/* Whole traces from somewhere. each visits every trace that has a span which starts in range, once, in any order, with
 * all its spans in the order they were acked; the batch is valid during the visit only. It returns the first error, its
 * own, the visitor's or what stop says, which it asks before each trace. */
struct sp_trace_source {
    enum sp_status (*each)(void *cookie, struct sp_time_range range, const struct sp_stop *stop,
                           enum sp_status (*visit)(void *visitor, const struct sp_batch *trace,
                                                   struct sp_error *reterr),
                           void *visitor, struct sp_error *reterr);
    void *cookie;
    const struct sp_stop *stop; /* for each; NULL: never */
};

/* Each adds what it finds to a tally (a graph), so that an engine can add several sources up. Errors: the source's,
 * those of sp_tally_row, SP_NO_MEMORY. */
SP_MUST_USE enum sp_status sp_brute_operations(const struct sp_trace_source *source,
                                               const struct sp_operation_filter *filter,
                                               struct sp_time_range range, bool with_latency,
                                               struct sp_tally *tally, struct sp_error *reterr);

/* next_mark: the next free mark of the tally, at first 1. */
SP_MUST_USE enum sp_status sp_brute_keys(const struct sp_trace_source *source, uint32_t scopes,
                                         struct sp_slice prefix, struct sp_time_range range,
                                         uint64_t *next_mark, struct sp_tally *tally,
                                         struct sp_error *reterr);
SP_MUST_USE enum sp_status sp_brute_values(const struct sp_trace_source *source,
                                           const struct sp_value_filter *filter,
                                           struct sp_time_range range, uint64_t *next_mark,
                                           struct sp_tally *tally, struct sp_error *reterr);

/* Memory to assemble one trace in, about 150 bytes a span: enough for the largest request the default limits let in. */
#define SP_BRUTE_TRACE_BYTES_MAX ((size_t)1024 * 1024 * 1024)

/* The graph of the calls whose time lies in range, as sp_store_graph returns it. */
SP_MUST_USE enum sp_status sp_brute_graph(const struct sp_trace_source *source,
                                          struct sp_time_range range, struct sp_arena *arena,
                                          struct sp_graph_edge **ret_edges, size_t *ret_count,
                                          struct sp_error *reterr);
