/* SPDX-License-Identifier: Apache-2.0
 *
 * query/trace_columns.h: an assembled trace as columns: arrays of numbers with one entry for each row, which a browser
 * reads into typed arrays. Pure: no store, no request. */
#pragma once

#include "lib/analysis/analysis.h"
#include "storage/storage.h"

/* What is known of the clocks of a trace, and whether its times were moved to that of the reference. */
struct sp_trace_clocks {
    struct sp_skew skew; /* its rows are those of the trace as it was sent */
    bool is_adjusted;
    uint32_t *row_of_raw;        /* where such a row stands in the trace that is shown */
    const struct sp_span **sent; /* the spans of the rows that are shown, as they were sent */
};

#define SP_SKEW_CLOCKS_SHOWN                                                                       \
    100 /* clocks an answer tells of: those with an offset, in the order of their first spans */

/* Events whose place and name the columns tell; more are counted, and are in the spans. */
#define SP_COLUMNS_EVENTS_MAX ((uint64_t)200 * 1000)

/* Writes one JSON object with what all views of a trace begin with. The trace has rows. */
void sp_trace_write_summary(const struct sp_trace_id *id, const struct sp_trace *trace,
                            struct sp_json_writer *w);

/* Writes one JSON object. services: for colour slots, sorted by name. False: the arena is full. */
bool sp_trace_write_columns(struct sp_arena *arena, const struct sp_trace_id *id,
                            const struct sp_trace *trace, const struct sp_critical_path *path,
                            const struct sp_trace_clocks *clocks,
                            const struct sp_service_row *services, size_t service_count,
                            struct sp_json_writer *w);
