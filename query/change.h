/* SPDX-License-Identifier: Apache-2.0
 *
 * query/change.h: what changed of the calls of many things (edges of a graph, operations of a service) between two ranges of time, and
 * whether chance explains it. Pure: knows no requests. */
#pragma once

#include "lib/analysis/analysis.h"
#include "storage/storage.h"

/* The range that is compared with, widened to whole minutes as the range asked for is. If only this puts a minute into both, it is moved
 * away by one: nothing is compared with itself unless the ranges themselves overlap, and both keep their length.
 * SP_INVALID_ARGUMENT  that minute is all it has. */
SP_MUST_USE enum sp_status sp_change_minutes(struct sp_time_range asked,
                                             struct sp_time_range before, struct sp_time_range *ret,
                                             struct sp_error *reterr);

/* One thing. Sides: 0 is the range that is compared with, 1 the range asked for. */
struct sp_change {
    uint64_t calls[2], errors[2];
    const struct sp_histogram *latency[2]; /* borrowed; empty where nothing was seen */
    /* found by sp_changes_find: */
    const char *name;   /* "new", "gone", "slower", "faster", "same"; static */
    double superiority; /* the probability that a call of side 1 takes longer than one of side 0 */
    double latency_q, error_q; /* false discovery rates; NaN: not tested */
};

/* Fills in what is found. SP_LIMIT, SP_NO_MEMORY: the arena. */
SP_MUST_USE enum sp_status sp_changes_find(struct sp_arena *arena, struct sp_change *changes,
                                           size_t count);

/* Members "superiority", "latencyQValue", "errorQValue" of an open object. */
void sp_change_write(const struct sp_change *change, struct sp_json_writer *w);
