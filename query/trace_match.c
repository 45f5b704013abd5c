/* SPDX-License-Identifier: Apache-2.0
 *
 * query/trace_match.c: /v1/traces/{id}/match: which spans of one trace a query finds, as a bitmap over the rows of the columns
 * view, so that a page of a large trace can dim what was not looked for. With text=, those of them that have the text somewhere in their
 * values: TraceQL asks for keys that it names, and who looks for a text often does not know under which key it stands. */
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

/* ---- text ---- */

static bool value_has(const struct sp_value *value, struct sp_slice text, struct sp_buf *buf)
{
    if (value->kind == SP_VALUE_STRING)
        return sp_slice_contains_nocase(value->string, text);
    sp_buf_reset(buf);
    sp_value_text(value, buf);
    return sp_slice_contains_nocase(sp_buf_slice(buf), text);
}

static bool attributes_have(const struct sp_attributes *list, struct sp_slice text,
                            struct sp_buf *buf)
{
    for (uint32_t i = 0; i < list->count; i++)
        if (value_has(&list->items[i].value, text, buf) || buf->error != SP_OK)
            return true;
    return false;
}

static bool span_has(const struct sp_span *span, struct sp_slice text, struct sp_buf *buf)
{
    if (sp_slice_contains_nocase(span->status_message, text) ||
        attributes_have(&span->attributes, text, buf) ||
        attributes_have(&span->resource->attributes, text, buf) ||
        attributes_have(&span->scope->attributes, text, buf))
        return true;
    for (uint32_t i = 0; i < span->event_count; i++)
        if (sp_slice_contains_nocase(span->events[i].name, text) ||
            attributes_have(&span->events[i].attributes, text, buf))
            return true;
    for (uint32_t i = 0; i < span->link_count; i++)
        if (attributes_have(&span->links[i].attributes, text, buf))
            return true;
    return false;
}

/* Takes the rows out of bits that do not have the text, and counts the others. */
static enum sp_status keep_text(struct sp_query_call *call, const struct sp_trace *trace,
                                struct sp_slice text, uint8_t *bits, uint32_t *ret_count,
                                struct sp_error *reterr)
{
    struct sp_buf buf;
    sp_buf_init(&buf, call->api->limits.memory_bytes_max);
    enum sp_status status = SP_OK;
    uint32_t count = 0;
    for (uint32_t row = 0; row < trace->row_count && status == SP_OK; row++) {
        uint8_t bit = (uint8_t)(1u << row % 8);
        if (!(bits[row / 8] & bit))
            continue;
        /* A value may be as long as a request. */
        status = sp_query_check(call, reterr);
        if (status != SP_OK)
            break;
        if (span_has(trace->rows[row].span, text, &buf))
            count++;
        else
            bits[row / 8] &= (uint8_t)~bit;
        if (buf.error != SP_OK)
            status = sp_error_set(reterr, buf.error, "no memory for a value of the trace");
    }
    sp_buf_fini(&buf);
    if (status == SP_OK)
        *ret_count = count;
    return status;
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
    if (call->values[4].set)
        status = keep_text(call, trace, call->values[4].text, bits, &count, reterr);
    if (status != SP_OK)
        return status;
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
    if (status == SP_OK && call->values[4].text.len > SP_MATCH_TEXT_BYTES_MAX)
        status =
            sp_error_set_parameter(reterr, SP_INVALID_ARGUMENT, "text",
                                   "\"text\" is longer than %d bytes", SP_MATCH_TEXT_BYTES_MAX);
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
