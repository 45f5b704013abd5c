/* SPDX-License-Identifier: Apache-2.0
 *
 * query/answer.c: see answer.h. */
#include "query/answer.h"

enum sp_status sp_answer_bounds(const struct sp_query_call *call, struct sp_time_range *range,
                                struct sp_error *reterr)
{
    struct sp_store_stats stats;
    if (range->from_unix_ns != 0 && range->to_unix_ns != UINT64_MAX)
        return SP_OK;
    enum sp_status status = sp_store_stats(call->api->store, &stats, reterr);
    if (status != SP_OK)
        return status;
    bool empty = stats.span_count == 0;
    uint64_t end = stats.newest_unix_ns == UINT64_MAX ? UINT64_MAX : stats.newest_unix_ns + 1;
    if (range->from_unix_ns == 0)
        range->from_unix_ns = empty ? call->now_unix_ns : stats.oldest_unix_ns;
    if (range->to_unix_ns == UINT64_MAX)
        range->to_unix_ns = empty ? call->now_unix_ns : end;
    if (range->from_unix_ns > range->to_unix_ns)
        range->from_unix_ns = range->to_unix_ns;
    return SP_OK;
}

void sp_answer_label(const struct sp_label *label, struct sp_json_writer *w)
{
    sp_json_key(w, "value");
    if (label->type == SP_LABEL_NIL)
        sp_json_null(w);
    else
        sp_json_string(w, label->text);
    sp_json_key(w, "type");
    sp_json_cstr(w, sp_label_type_name(label->type));
}

uint64_t sp_answer_seed(const struct sp_query_call *call)
{
    return (call->id + 1) * 0x9e3779b97f4a7c15ULL ^ call->begin_ns ^ (uintptr_t)call;
}

void sp_answer_scanned(struct sp_query_call *call, const struct sp_scanned *scanned,
                       struct sp_json_writer *w)
{
    sp_json_key(w, "scanned");
    sp_json_object_begin(w);
    sp_json_key(w, "segments");
    sp_json_u64(w, scanned->segments);
    sp_json_key(w, "rows");
    sp_json_u64_string(w, scanned->rows);
    sp_json_key(w, "bytes");
    sp_json_u64_string(w, scanned->bytes);
    sp_json_key(w, "traces");
    sp_json_u64_string(w, scanned->traces);
    sp_json_object_end(w);
    sp_json_key(w, "tookMs");
    sp_json_u64(w, (sp_clock_monotonic_ns(call->api->clock) - call->begin_ns) / 1000000);
}
