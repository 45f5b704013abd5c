/* SPDX-License-Identifier: Apache-2.0
 *
 * query/shares.h: a list that a query goes through on several threads: its own, and a helper if the pool has one to spare. Shares are
 * neighbours, so that two threads seldom unpack the same block. Knows nothing of what is in the list. */
#pragma once

#include "query/internal.h"

/* Threads of one query. */
#define SP_SHARES_THREADS ((uint32_t)2)
/* A list that is worth a helper. */
#define SP_SHARES_MIN ((size_t)512)

struct sp_shares {
    struct sp_query_call *call;
    size_t count;
    /* Readies a helper's worker; on the caller's thread, before the helper looks. NULL: they are ready. */
    enum sp_status (*begin)(void *worker, struct sp_error *reterr);
    /* Looks at some of the list, with a worker that nobody else has. What is not SP_OK ends the others, too. */
    enum sp_status (*look)(void *worker, size_t from, size_t count, struct sp_error *reterr);
};

/* Looks at all of it once, in any order. The first worker is the caller's. Returns what ended it; out of time is the least of errors. */
SP_MUST_USE enum sp_status sp_shares_run(const struct sp_shares *shares, void *const *workers,
                                         uint32_t worker_count, struct sp_error *reterr);
