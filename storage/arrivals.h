/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/arrivals.h: which traces came in lately, by the order of their acks: a ring of trace ids that is there while somebody reads it.
 * What becomes of the spans, rows, columns, segments, does not touch it. Internal to storage/. Knows no engine.
 *
 *   ... | 7 7 2 | 9 | 4 1 2 |          | of an append: its traces, those with many spans once as a rule
 *         cursor ^          ^ end      who reads goes from the end back to his cursor, and tells each trace once */
#pragma once

#include "storage/storage.h"

#include <pthread.h>

/* Places of ids in the ring, by some of their bits: what the append at hand has put there already. */
#define SP_ARRIVALS_RECENT ((size_t)1024)

struct sp_arrivals_log {
    pthread_mutex_t lock; /* of all below */
    _Atomic uint32_t readers;
    struct sp_trace_id *ids; /* heap: the ring, of SP_ARRIVALS_MAX; NULL: nobody reads */
    uint64_t end;            /* ids that were put there since the store was opened */
    uint64_t moved;          /* of them: that another log has taken over */
    uint64_t unseen_appends; /* that were not put there */
    uint64_t recent[SP_ARRIVALS_RECENT]; /* place, plus 1 */
};

void sp_arrivals_log_init(struct sp_arrivals_log *log);
void sp_arrivals_log_fini(struct sp_arrivals_log *log);

/* As sp_store_arrivals_begin and its likes. */
SP_MUST_USE enum sp_status sp_arrivals_log_begin(struct sp_arrivals_log *log,
                                                 struct sp_arrivals_cursor *ret,
                                                 struct sp_error *reterr);
void sp_arrivals_log_end(struct sp_arrivals_log *log);
SP_MUST_USE enum sp_status sp_arrivals_log_read(struct sp_arrivals_log *log,
                                                struct sp_arrivals_cursor *cursor,
                                                struct sp_arena *arena, struct sp_arrivals *ret,
                                                struct sp_error *reterr);

static inline bool sp_arrivals_log_is_read(const struct sp_arrivals_log *log)
{
    return atomic_load(&log->readers) > 0;
}

/* The traces of one append. It is visible already, so that who is told of a trace finds its spans. */
void sp_arrivals_log_add(struct sp_arrivals_log *log, const struct sp_batch *batch);
/* So many appends came that nobody has looked at one by one. */
void sp_arrivals_log_add_unseen(struct sp_arrivals_log *log, uint64_t appends);

/* What came into a log of the caller's since the last move, or was forgotten then, comes into another one. */
void sp_arrivals_log_move(struct sp_arrivals_log *into, struct sp_arrivals_log *from);
void sp_arrivals_log_forget(struct sp_arrivals_log *log);

/* Of count ids, the last of which came last: each once, that one first. In place; returns how many. SP_NO_MEMORY. */
SP_MUST_USE enum sp_status sp_arrivals_newest_first(struct sp_trace_id *ids, size_t count,
                                                    size_t *ret_count, struct sp_error *reterr);
