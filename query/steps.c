/* SPDX-License-Identifier: Apache-2.0
 *
 * query/steps.c: see query/steps.h. */
#include "query/steps.h"

enum sp_status sp_query_steps_parse(const struct sp_query_call *call, struct sp_slice text,
                                    struct sp_time_range range, struct sp_query_steps *ret,
                                    struct sp_error *reterr)
{
    uint64_t step;
    if (!sp_parse_duration_ns(text, &step) || step == 0 || step % SP_ROLLUP_NS != 0)
        return sp_error_set_parameter(reterr, SP_INVALID_ARGUMENT, "step",
                                      "\"step\" must be whole minutes, as 5m or 1h");
    if (range.from_unix_ns == 0)
        return sp_error_set_parameter(reterr, SP_INVALID_ARGUMENT, "from",
                                      "with \"step\" the range needs a begin, as from=now-1h");
    if (range.to_unix_ns == UINT64_MAX)
        range.to_unix_ns = call->now_unix_ns + 1;
    if (range.to_unix_ns < range.from_unix_ns)
        range.to_unix_ns = range.from_unix_ns;
    uint64_t first = range.from_unix_ns / step;
    uint64_t end = range.to_unix_ns / step + (range.to_unix_ns % step != 0);
    if (end - first > SP_QUERY_STEPS_MAX || end >= UINT64_MAX / step)
        return sp_error_set_parameter(reterr, SP_INVALID_ARGUMENT, "step",
                                      "the range has more than %llu steps: take a longer \"step\"",
                                      (unsigned long long)SP_QUERY_STEPS_MAX);
    *ret = (struct sp_query_steps){
        .range = {first * step, end * step}, .step_ns = step, .count = (size_t)(end - first)};
    return SP_OK;
}

void sp_query_steps_write(const struct sp_query_steps *steps, struct sp_json_writer *w)
{
    sp_json_key(w, "steps");
    sp_json_array_begin(w);
    for (size_t i = 0; i < steps->count; i++)
        sp_json_u64_string(w, sp_query_step(steps, i).from_unix_ns);
    sp_json_array_end(w);
    sp_json_key(w, "stepNano");
    sp_json_u64_string(w, steps->step_ns);
}
