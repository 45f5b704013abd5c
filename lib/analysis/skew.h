/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/analysis/skew.h: clocks that disagree within one trace: found from calls that begin before their callers or end
 * after them, with bounds, and taken out only for who asks. Included by analysis.h. What counts as evidence, and why:
 * docs/decisions/0080-clock-skew.md. */
#pragma once

#include "lib/model/model.h"

struct sp_trace;

#define SP_CLOCK_NONE UINT32_MAX

/* A clock is a host's (host.id, host.name, k8s.node.name of the resource, the first there is), or a service's where no host
 * is named. */
struct sp_skew_clock {
    struct sp_slice name; /* memory of the spans */
    bool is_host;         /* otherwise name is a service */
    uint32_t span_count;
    /* The clock that this one was compared with; SP_CLOCK_NONE: the reference, and clocks that no call connects with it. */
    uint32_t via;
    /* What it shows more than the reference at the same moment; 0 unless there is evidence. The bounds hold if no call
     * begins before its caller, and calls that are waited for end before it: INT64_MIN and INT64_MAX are open ends. */
    int64_t offset_ns, offset_min_ns, offset_max_ns;
    uint32_t call_count;    /* calls between it and via */
    uint32_t outside_count; /* of them: lie outside their caller by what the spans say */
    /* the calls (rows of the called span) that decide the bounds; SP_ROW_NONE: an open end */
    uint32_t min_row, max_row;
    /* false: no one offset explains all calls: only that no call begins before its caller was asked for */
    bool is_consistent;
};

struct sp_skew {
    /* by first row: the first is the reference, the clock of row 0. The arena's memory. */
    struct sp_skew_clock *clocks;
    uint32_t clock_count;
    uint32_t *clock_of_row;
    uint32_t skewed_count; /* clocks with an offset */
    uint32_t span_count;   /* spans with such a clock */
    uint64_t offset_ns;    /* the largest, without its sign */
};

/* Looks at each call between two clocks, and sets SP_ROW_SKEWED in the rows whose clock has an offset. Linear in the spans.
 * SP_LIMIT  the arena is full; *ret is untouched then. */
SP_MUST_USE enum sp_status sp_skew_find(struct sp_arena *arena, struct sp_trace *trace,
                                        struct sp_skew *ret);

/* The spans of the trace on the reference's clock: copies in the order of the rows, with starts, ends and times of events
 * moved by the offset of their clock; all else is shared. Times stop at the ends of time.
 * SP_LIMIT  the arena is full. */
SP_MUST_USE enum sp_status sp_skew_adjust(struct sp_arena *arena, const struct sp_trace *trace,
                                          const struct sp_skew *skew, struct sp_batch *ret);
