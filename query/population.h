/* SPDX-License-Identifier: Apache-2.0
 *
 * query/population.h: the traces that a query finds, one by one and whole, newest first: what the answers about many traces are
 * made of. */
#pragma once

#include "query/internal.h"

/* Which traces. */
struct sp_population {
    const char *parameter; /* that the query came in, for errors: "q" */
    struct sp_slice query; /* TraceQL; "" stands for {} */
    struct sp_time_range range;
    uint64_t traces_max;  /* matching ones that are looked at */
    uint64_t deadline_ns; /* monotonic: ends with what there is then */
};

/* One of them. Everything is gone after the call. */
struct sp_population_trace {
    struct sp_trace *tree;
    const bool *matched; /* by row: is a span that the query finds */
    uint32_t matched_count;
    struct sp_arena *arena; /* for what is thrown away afterwards */
};

/* When reading has to end so that the answer can still be made: after the share part / parts of the time that is left now. */
uint64_t sp_population_deadline(const struct sp_query_call *call, uint64_t part, uint64_t parts);

struct sp_population_read {
    uint64_t considered, matched, span_count;
    uint64_t oldest_unix_ns, newest_unix_ns; /* starts of the matching traces; 0, 0: none */
    bool complete;                           /* these are all that match */
    const char *incomplete_reason; /* "traces" (traces_max), "timeBudget"; NULL: complete */
    struct sp_scanned scanned;
};

/* Reads them and hands each over, some hundred of the newest at a time, in any order among these; what visit returns other than SP_OK ends it.
 * A trace that goes on after the range is whole.
 * SP_INVALID_ARGUMENT  the query, with parameter and offset.     SP_LIMIT  a trace is larger than the query's memory. */
SP_MUST_USE enum sp_status
sp_population_read(struct sp_query_call *call, const struct sp_population *population,
                   enum sp_status (*visit)(void *cookie, const struct sp_population_trace *trace,
                                           struct sp_error *reterr),
                   void *cookie, struct sp_population_read *ret, struct sp_error *reterr);

/* Members that every answer made of it has: matchedTraces, complete, incompleteReason, scanned, and the range of starts. */
void sp_population_write(const struct sp_population_read *read, struct sp_json_writer *w);
