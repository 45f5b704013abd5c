/* SPDX-License-Identifier: Apache-2.0
 *
 * query/trace_columns.h: an assembled trace as columns: arrays of numbers with one entry for each row, which a browser
 * reads into typed arrays. Pure: no store, no request. */
#pragma once

#include "lib/analysis/analysis.h"
#include "storage/storage.h"

/* Writes one JSON object. services: for colour slots, sorted by name. False: the arena is full. */
bool sp_trace_write_columns(struct sp_arena *arena, const struct sp_trace_id *id,
                            const struct sp_trace *trace, const struct sp_critical_path *path,
                            const struct sp_service_row *services, size_t service_count,
                            struct sp_json_writer *w);
