/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/scan.h: the part of storage.h's contract, which includes it, that says which spans a question means, and which traces
 * may match it: ranges, conditions, scans; and how the caller of a long read ends it. */
#pragma once

#include "lib/model/model.h"

struct sp_store;

/* How the caller of a long read ends it. NULL: never. */
struct sp_stop {
    /* Asked before every trace that is read whole, every block of spans that is counted, the stored counts of every segment, and
     * every few thousand smaller steps, on the thread of the read. Anything but
     * SP_OK ends the read with that status and *reterr as it was left. Must not block. */
    enum sp_status (*ask)(void *cookie, struct sp_error *reterr);
    void *cookie;
};

static inline enum sp_status sp_stop_ask(const struct sp_stop *stop, struct sp_error *reterr)
{
    return stop != NULL ? stop->ask(stop->cookie, reterr) : SP_OK;
}

/* Half-open range of span starts. to_unix_ns == UINT64_MAX has no upper end (a span that starts at UINT64_MAX is in it),
 * so {0, UINT64_MAX} is everything. from >= to holds nothing, and is no error. */
struct sp_time_range {
    uint64_t from_unix_ns, to_unix_ns;
};

#define SP_TIME_RANGE_ALL ((struct sp_time_range){0, UINT64_MAX})

static inline bool sp_time_range_is_empty(struct sp_time_range range)
{
    return range.from_unix_ns >= range.to_unix_ns && range.to_unix_ns != UINT64_MAX;
}

static inline bool sp_time_range_contains(struct sp_time_range range, uint64_t unix_ns)
{
    return unix_ns >= range.from_unix_ns &&
           (unix_ns < range.to_unix_ns || range.to_unix_ns == UINT64_MAX);
}

/* The whole minutes that rollups over range are made of: from down, to up. An empty range stays empty. */
struct sp_time_range sp_time_range_minutes(struct sp_time_range range);

enum sp_field {
    SP_FIELD_SERVICE,
    SP_FIELD_NAME,
    SP_FIELD_KIND,
    SP_FIELD_STATUS,
    SP_FIELD_STATUS_MESSAGE,
    SP_FIELD_DURATION,
    SP_FIELD_ATTRIBUTE, /* key and scopes below */
    /* EXISTS: it has any. EQ: one to the trace whose id is the value. Other operators ask as EXISTS does */
    SP_FIELD_LINKS,
    SP_FIELD_EVENT_NAME, /* of any of its events; EXISTS: it has one */
    SP_FIELD_SCOPE_NAME,
};

enum sp_attribute_scope { /* a set of bits */
                          SP_SCOPE_SPAN = 1,
                          SP_SCOPE_RESOURCE = 2,
                          SP_SCOPE_INSTRUMENTATION = 4,
                          SP_SCOPE_EVENT = 8,
                          SP_SCOPE_LINK = 16,
};

enum sp_condition_operator {
    SP_OP_EXISTS,
    SP_OP_EQ,
    SP_OP_NE,
    SP_OP_LT,
    SP_OP_LE,
    SP_OP_GT,
    SP_OP_GE,
    SP_OP_TEST, /* a text of which test says so */
};

/* A question about texts that a store cannot answer itself, such as a regular expression. */
struct sp_text_test {
    /* The same answer each time; or true when it does not want to know. Of several threads at once. Must not use the store. */
    bool (*holds)(void *cookie, struct sp_slice text);
    void *cookie;
    const char *name; /* what explanations call it; static */
};

/* What one span must satisfy; a hint for pruning. Integers and doubles compare as numbers. An array satisfies every
 * operator: one of its items may be what the caller looks for. */
struct sp_condition {
    enum sp_field field;
    uint32_t scopes;     /* ATTRIBUTE: any of these levels */
    struct sp_slice key; /* ATTRIBUTE */
    enum sp_condition_operator operation;
    /* KIND, STATUS: INT; DURATION: INT, ns; LINKS: BYTES; of TEST what is asked, for explanations */
    struct sp_value value;
    const struct sp_text_test *test; /* of TEST */
};

/* Which traces may match. An engine may visit more traces than match, never fewer: the caller evaluates whole traces. */
struct sp_scan {
    struct sp_time_range range; /* candidates have at least one span that starts in it ... */
    /* ... and satisfies all, or any, of these; none: every span does */
    const struct sp_condition *conditions;
    size_t condition_count;
    bool match_any;
    /* ... and for each of these a span, whenever it starts, that satisfies its conditions; of them nothing but those is looked at. A
     * survey does not look at what follows. */
    const struct sp_scan *also;
    size_t also_count;                   /* SP_SCAN_ALSO_MAX at most */
    const struct sp_trace_id *trace_ids; /* ... and are among these; ascending, each once */
    size_t trace_id_count;               /* 0: any trace */
};

#define SP_SCAN_ALSO_MAX ((size_t)4)

struct sp_candidate {
    struct sp_trace_id trace_id;
    /* no span of this or of any later candidate that starts in range and satisfies the conditions starts after this */
    uint64_t bound_unix_ns;
};

/* What a scan has read; for "scanned" in answers. */
struct sp_scanned {
    uint64_t segments, rows, bytes, traces;
    /* Of sp_store_scan: what it would read to its end if nothing could be left out, and how much of that is behind it, read or left
     * out. */
    uint64_t segments_total, rows_total, rows_passed;
    uint64_t traces_waiting; /* found, and not visited yet; some perhaps twice */
};

enum sp_visit { SP_VISIT_CONTINUE, SP_VISIT_STOP };

/* Traces one scan may visit; it has to remember them. About 700 MB of memory at the limit. */
#define SP_SCAN_TRACES_MAX ((size_t)16 * 1024 * 1024)

/* Visits each candidate trace exactly once, bound_unix_ns never ascending (newest first), until the visitor stops it.
 * Traces of the same bound come in an order that is the same in every scan of the same content. The visitor may call
 * the store's read functions. What is appended during a scan is not visited.
 * stop  is asked before each block of spans, and every few thousand candidates; it may not use the store.
 * SP_OK (also when the visitor stopped it); SP_IO, SP_CORRUPT, SP_LIMIT (SP_SCAN_TRACES_MAX), SP_NO_MEMORY with reterr; what stop says.
 * *ret_scanned is written in any case, and all the time: visit and stop may look at it. */
SP_MUST_USE enum sp_status
sp_store_scan(struct sp_store *store, const struct sp_scan *scan, const struct sp_stop *stop,
              enum sp_visit (*visit)(void *cookie, const struct sp_candidate *candidate),
              void *cookie, struct sp_scanned *ret_scanned, struct sp_error *reterr);
