/* SPDX-License-Identifier: Apache-2.0
 *
 * query/want.h: what of each span a query looks at, for sp_store_traces_read: the attributes that its text names, wherever. What reads
 * events or links wants everything. Pure. */
#pragma once

#include "lib/traceql/traceql.h"
#include "storage/storage.h"

struct sp_query_want {
    struct sp_span_want want;
    bool everything;
};

/* Adds what a query looks at; may be called for several, first with a zero *want. Keys are the queries' memory. SP_LIMIT: the arena is
 * full.   SP_NO_MEMORY. */
SP_MUST_USE enum sp_status sp_query_want_add(struct sp_arena *arena,
                                             const struct sp_traceql_query *query,
                                             struct sp_query_want *want);

/* The same of fields that are not in its text. */
SP_MUST_USE enum sp_status sp_query_want_fields(struct sp_arena *arena,
                                                const struct sp_traceql_node *const *fields,
                                                uint32_t count, struct sp_query_want *want);

/* For struct sp_traces_reader. */
static inline const struct sp_span_want *sp_query_want_of(const struct sp_query_want *want)
{
    return want->everything ? NULL : &want->want;
}
