/* SPDX-License-Identifier: Apache-2.0
 *
 * query/question.c: see query/question.h. */
#include "query/question.h"

#include <stdio.h>

enum sp_status sp_question_error(struct sp_query_call *call, const char *parameter,
                                 const char *title, enum sp_status status, struct sp_error *reterr)
{
    snprintf(reterr->parameter, sizeof(reterr->parameter), "%s", parameter);
    if (status == SP_UNIMPLEMENTED) {
        call->error_title = title;
        reterr->status = SP_INVALID_ARGUMENT;
        return SP_INVALID_ARGUMENT;
    }
    const char *expected = strstr(reterr->message, "expected ");
    if (expected)
        snprintf(call->error_expected, sizeof(call->error_expected), "%s",
                 expected + strlen("expected "));
    return status;
}

enum sp_status sp_question_check_hints(const struct sp_traceql_query *query,
                                       struct sp_error *reterr)
{
    for (uint32_t i = 0; i < query->hint_count; i++) {
        const struct sp_traceql_hint *hint = &query->hints[i];
        if (!sp_slice_equal_cstr(hint->name, "most_recent"))
            return sp_error_set_at(reterr, SP_INVALID_ARGUMENT, hint->offset,
                                   "a search looks at all spans in its order and takes no hint "
                                   "%.*s: expected most_recent",
                                   SP_SLICE_PRINTF(sp_slice_sub(hint->name, 0, 64)));
        if (hint->value.type != SP_TRACEQL_TYPE_BOOL)
            return sp_error_set_at(reterr, SP_INVALID_ARGUMENT, hint->offset,
                                   "expected most_recent = true or most_recent = false");
    }
    return SP_OK;
}

enum sp_status sp_question_make(struct sp_query_call *call, const char *parameter,
                                struct sp_slice text, struct sp_time_range range,
                                struct sp_question *ret, struct sp_error *reterr)
{
    struct sp_question question = {.scan.range = range};
    enum sp_status status = sp_traceql_parse(&call->arena, text, &question.query, reterr);
    if (status == SP_OK)
        status =
            sp_pipeline_compile(&call->arena, question.query, NULL, 0, &question.pipeline, reterr);
    if (status == SP_OK) /* after what makes series, which has other hints, was sent elsewhere */
        status = sp_question_check_hints(question.query, reterr);
    if (status != SP_OK) {
        sp_pipeline_free(question.pipeline);
        return sp_question_error(call, parameter, "Not a search", status, reterr);
    }
    const struct sp_hint_maker maker = {.arena = &call->arena, .stop = &call->stop};
    if (sp_match_hints(&maker, question.query, &question.scan) != SP_OK) {
        sp_pipeline_free(question.pipeline);
        return sp_arena_failed(&call->arena, reterr, "the query is larger than its memory");
    }
    *ret = question;
    return SP_OK;
}
