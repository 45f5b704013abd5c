/* SPDX-License-Identifier: Apache-2.0
 *
 * query/trace_match.c: /v1/traces/{id}/match: which spans of one trace a query finds, as a bitmap over the rows of the columns
 * view, so that a page of a large trace can dim what was not looked for. */
#include "query/question.h"
#include "query/trace.h"

/* Ors the rows of all sets into bits; says how many rows that are. */
static uint32_t mark_rows(const struct sp_spanset_list *list, uint8_t *bits)
{
    uint32_t count = 0;
    for (uint32_t s = 0; s < list->count; s++)
        for (uint32_t i = 0; i < list->sets[s].count; i++) {
            uint32_t row = list->sets[s].rows[i];
            count += !(bits[row / 8] >> row % 8 & 1);
            bits[row / 8] |= (uint8_t)(1u << row % 8);
        }
    return count;
}

static enum sp_status match(struct sp_query_call *call, const struct sp_batch *batch,
                            const struct sp_trace *trace, struct sp_question *question,
                            struct sp_error *reterr)
{
    struct sp_trace_facts facts;
    struct sp_spanset_list list = {0};
    sp_trace_facts_make(batch, &facts);
    facts.tree = trace;
    facts.stop = &call->stop;
    enum sp_status status =
        sp_pipeline_run(question->pipeline, &facts, &call->arena, &list, reterr);
    if (status != SP_OK)
        return status;
    size_t bytes = ((size_t)trace->row_count + 7) / 8;
    uint8_t *bits = sp_arena_calloc(&call->arena, bytes, 1);
    if (!bits)
        return sp_query_trace_too_large(call, reterr);
    uint32_t count = mark_rows(&list, bits);
    struct sp_json_writer w;
    sp_query_reply_json(call, &w);
    sp_json_object_begin(&w);
    sp_json_key(&w, "spanCount");
    sp_json_u64(&w, trace->row_count);
    sp_json_key(&w, "matchCount");
    sp_json_u64(&w, count);
    sp_json_key(&w, "bitmap");
    sp_json_base64(&w, sp_slice_make(bits, bytes));
    sp_json_object_end(&w);
    return SP_OK;
}

enum sp_status sp_query_answer_match(struct sp_query_call *call, struct sp_error *reterr)
{
    struct sp_trace_id id;
    const struct sp_batch *batch;
    struct sp_trace trace;
    struct sp_trace_clocks clocks;
    struct sp_question question;
    struct sp_time_range range;
    enum sp_status status = sp_query_range(call, &range, reterr);
    if (status == SP_OK)
        status = sp_question_make(call, "q", call->values[2].text, range, &question, reterr);
    if (status != SP_OK)
        return status;
    status = sp_query_trace_read(call, &id, &batch, reterr);
    if (status == SP_OK)
        status = sp_query_trace_assemble(call, batch, call->values[3].number == 1, &trace, &clocks,
                                         reterr);
    if (status == SP_OK)
        status = match(call, batch, &trace, &question, reterr);
    sp_pipeline_free(question.pipeline);
    return status;
}
