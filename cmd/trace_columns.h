/* SPDX-License-Identifier: Apache-2.0
 *
 * cmd/trace_columns.h: the answer of /v1/traces/{id}?view=columns, read back. */
#pragma once

#include "lib/base/base.h"

struct sp_columns {
    uint64_t start_unix_ns, duration_ns;
    size_t row_count;
    uint64_t error_count, orphan_count, duplicate_count, cycle_count, depth_max;
    struct sp_slice *services, *operations; /* tables that the columns point into */
    size_t service_count, operation_count;
    /* One entry for each row, in depth-first order; parent: row + 1, 0 for none. */
    uint64_t *start, *duration, *depth, *subtree_size, *parent, *service, *operation, *flags;
    uint64_t skewed_span_count, skew_ns; /* spans whose clock differs, and by how much at most */
    bool skew_is_adjusted;
    struct sp_slice path_note; /* why there is no critical path; "" when there is one */
};

#define SP_COLUMNS_FLAG_ERROR    1u
#define SP_COLUMNS_FLAG_ORPHAN   16u
#define SP_COLUMNS_FLAG_CRITICAL 64u

/* body is borrowed; arena owns the rest. SP_MALFORMED, SP_LIMIT. */
SP_MUST_USE enum sp_status sp_columns_read(struct sp_slice body, struct sp_arena *arena,
                                           struct sp_columns *ret, struct sp_error *reterr);
