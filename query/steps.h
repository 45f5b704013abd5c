/* SPDX-License-Identifier: Apache-2.0
 *
 * query/steps.h: a time range cut into equal parts, for answers that are series. */
#pragma once

#include "query/internal.h"

#define SP_QUERY_STEPS_MAX ((uint64_t)500)

struct sp_query_steps {
    struct sp_time_range range; /* whole steps, counted from 1970 */
    uint64_t step_ns;           /* whole minutes: what the store adds up by */
    size_t count;
};

/* text: "5m". Without an end, the range ends now.
 * SP_INVALID_ARGUMENT  not whole minutes, no "from", or more than SP_QUERY_STEPS_MAX parts. */
SP_MUST_USE enum sp_status sp_query_steps_parse(const struct sp_query_call *call,
                                                struct sp_slice text, struct sp_time_range range,
                                                struct sp_query_steps *ret,
                                                struct sp_error *reterr);

static inline struct sp_time_range sp_query_step(const struct sp_query_steps *steps, size_t i)
{
    uint64_t from = steps->range.from_unix_ns + i * steps->step_ns;
    return (struct sp_time_range){from, from + steps->step_ns};
}

/* Members "steps" (the begin of each), "stepNano". */
void sp_query_steps_write(const struct sp_query_steps *steps, struct sp_json_writer *w);
