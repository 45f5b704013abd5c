/* SPDX-License-Identifier: Apache-2.0
 *
 * query/compare_traces.c: GET /v1/compare/traces: the call trees of two traces merged by path. */
#include "query/compare_nodes.h"

enum { PARAMETER_A, PARAMETER_B };

/* What is said of one of the two as a whole. Names are the arena's memory. */
struct summary {
    struct sp_trace_id id;
    uint64_t start_unix_ns, duration_ns;
    uint32_t span_count, root_count, orphan_count, error_count;
    struct sp_slice root_service, root_operation; /* of the first span at the top */
};

static enum sp_status too_large(const struct sp_query_call *call, const struct sp_arena *arena,
                                struct sp_error *reterr)
{
    return sp_arena_failed(arena, reterr,
                           "the traces are larger than the %zu bytes of memory a query may take",
                           call->api->limits.memory_bytes_max);
}

static enum sp_status parse_id(const struct sp_query_call *call, int parameter, const char *name,
                               struct sp_trace_id *ret, struct sp_error *reterr)
{
    if (sp_trace_id_parse(call->values[parameter].text, ret))
        return SP_OK;
    return sp_error_set_parameter(reterr, SP_INVALID_ARGUMENT, name,
                                  "\"%s\" must be a trace id: 32 hex digits (or 16, of older "
                                  "systems), not all zero",
                                  name);
}

/* Reads a trace into scratch and adds it to its side. */
static enum sp_status add_trace(struct sp_query_call *call, struct sp_call_tree *tree, int side,
                                struct sp_arena *scratch, struct summary *summary,
                                struct sp_error *reterr)
{
    const struct sp_batch *batch;
    struct sp_trace trace;
    enum sp_status status =
        sp_store_trace_read(call->api->store, &summary->id, scratch, &batch, reterr);
    if (status == SP_NOT_FOUND) {
        char text[SP_TRACE_ID_TEXT];
        sp_trace_id_format(&summary->id, text);
        return sp_error_set_parameter(reterr, SP_NOT_FOUND, side == 0 ? "a" : "b",
                                      "no span of trace %s is stored", text);
    }
    if (status == SP_LIMIT)
        return too_large(call, scratch, reterr);
    if (status == SP_OK)
        status = sp_query_check(call, reterr);
    if (status != SP_OK)
        return status;
    if (sp_trace_assemble(scratch, batch, &trace) != SP_OK)
        return too_large(call, scratch, reterr);
    summary->start_unix_ns = trace.start_unix_ns;
    summary->duration_ns = trace.end_unix_ns - trace.start_unix_ns;
    summary->span_count = trace.row_count;
    summary->root_count = trace.root_count;
    summary->orphan_count = trace.orphan_count;
    summary->error_count = trace.error_count;
    if (!sp_arena_copy(&call->arena, sp_span_service(trace.rows[0].span), &summary->root_service) ||
        !sp_arena_copy(&call->arena, trace.rows[0].span->name, &summary->root_operation))
        return too_large(call, &call->arena, reterr);
    status = sp_call_tree_add(tree, side, &trace, scratch);
    if (status != SP_OK)
        return too_large(call, scratch->error != SP_OK ? scratch : &tree->arena, reterr);
    return SP_OK;
}

/* ---- the answer ---- */

static void write_summary(const char *key, const struct summary *summary, struct sp_json_writer *w)
{
    const struct {
        const char *name;
        uint32_t value;
    } counts[] = {
        {"spanCount", summary->span_count},
        {"rootCount", summary->root_count},
        {"orphanCount", summary->orphan_count},
        {"errorCount", summary->error_count},
    };
    sp_json_key(w, key);
    sp_json_object_begin(w);
    sp_json_key(w, "traceId");
    sp_json_hex(w, sp_slice_make(summary->id.bytes, SP_TRACE_ID_BYTES));
    sp_json_key(w, "service");
    sp_json_string(w, summary->root_service);
    sp_json_key(w, "operation");
    sp_json_string(w, summary->root_operation);
    sp_json_key(w, "startTimeUnixNano");
    sp_json_u64_string(w, summary->start_unix_ns);
    sp_json_key(w, "durationNano");
    sp_json_u64_string(w, summary->duration_ns);
    for (size_t i = 0; i < SP_ARRAY_LEN(counts); i++) {
        sp_json_key(w, counts[i].name);
        sp_json_u64(w, counts[i].value);
    }
    sp_json_object_end(w);
}

static enum sp_status write_answer(struct sp_query_call *call, const struct sp_call_tree *tree,
                                   const struct summary summaries[2], struct sp_error *reterr)
{
    struct sp_json_writer w;
    uint32_t written;
    sp_query_reply_json(call, &w);
    sp_json_object_begin(&w);
    write_summary("a", &summaries[0], &w);
    write_summary("b", &summaries[1], &w);
    sp_json_key(&w, "sameRoot");
    sp_json_bool(&w, sp_slice_equal(summaries[0].root_service, summaries[1].root_service) &&
                         sp_slice_equal(summaries[0].root_operation, summaries[1].root_operation));
    sp_json_key(&w, "duplicates");
    sp_json_u64(&w, tree->duplicate_count);
    sp_json_key(&w, "nodes");
    if (sp_compare_nodes_write(call, tree, UINT32_MAX, false, &written, &w) != SP_OK)
        return too_large(call, &call->arena, reterr);
    sp_json_object_end(&w);
    return SP_OK;
}

enum sp_status sp_query_answer_compare_traces(struct sp_query_call *call, struct sp_error *reterr)
{
    struct summary summaries[2] = {0};
    struct sp_call_tree tree;
    struct sp_arena scratch;
    enum sp_status status = parse_id(call, PARAMETER_A, "a", &summaries[0].id, reterr);
    if (status == SP_OK)
        status = parse_id(call, PARAMETER_B, "b", &summaries[1].id, reterr);
    if (status != SP_OK)
        return status;
    sp_arena_init(&scratch, call->api->limits.memory_bytes_max);
    if (sp_call_tree_init(&tree, false, call->api->limits.memory_bytes_max) != SP_OK)
        status = too_large(call, &tree.arena, reterr);
    for (int side = 0; side < 2 && status == SP_OK; side++) {
        sp_arena_reset(&scratch);
        status = add_trace(call, &tree, side, &scratch, &summaries[side], reterr);
    }
    if (status == SP_OK)
        status = write_answer(call, &tree, summaries, reterr);
    sp_call_tree_fini(&tree);
    sp_arena_fini(&scratch);
    return status;
}
