/* SPDX-License-Identifier: Apache-2.0
 *
 * query/search_order.c: what search results can be ordered by, and the number that makes the order. */
#include <stdio.h>

#include "query/match_operand.h"
#include "query/question.h"
#include "query/search.h"

static const struct {
    const char *name;
    enum sp_search_by by;
} names[] = {
    {"start", SP_SEARCH_BY_START},
    {"duration", SP_SEARCH_BY_DURATION},
    {"spans", SP_SEARCH_BY_SPANS},
    {"errors", SP_SEARCH_BY_ERRORS},
};

static enum sp_status parse_scalar(struct sp_query_call *call, struct sp_slice text,
                                   struct sp_search_order *ret, struct sp_error *reterr)
{
    struct sp_error why = {0};
    enum sp_status status = sp_traceql_parse_scalar(&call->arena, text, &ret->query, &why);
    if (status == SP_OK)
        status = sp_pipeline_compile(&call->arena, ret->query, NULL, 0, &ret->scalar, &why);
    if (status == SP_OK)
        return SP_OK;
    return sp_error_set_parameter(reterr, status, "order",
                                  "\"order\" must be start, duration, spans, errors or a number "
                                  "made of spans, largest first with a minus, like -duration or "
                                  "-count(): %s",
                                  why.message);
}

enum sp_status sp_search_order_parse(struct sp_query_call *call, struct sp_slice text,
                                     struct sp_search_order *ret, struct sp_error *reterr)
{
    struct sp_search_order order = {.text = text.len > 0 ? text : SP_SLICE("-start")};
    struct sp_slice rest = sp_slice_trim(order.text);
    order.descending = sp_slice_starts_with(rest, SP_SLICE("-"));
    rest = sp_slice_trim(sp_slice_sub(rest, order.descending, rest.len));
    bool known = false;
    for (size_t i = 0; i < SP_ARRAY_LEN(names) && !known; i++) {
        known = sp_slice_equal_cstr(rest, names[i].name);
        order.by = names[i].by;
    }
    enum sp_status status = SP_OK;
    if (!known) {
        order.by = SP_SEARCH_BY_SCALAR;
        status = parse_scalar(call, rest, &order, reterr);
    }
    if (status == SP_OK)
        *ret = order;
    return status;
}

/* Doubles as integers of the same order. */
static uint64_t ordered_bits(double number)
{
    uint64_t bits;
    memcpy(&bits, &number, sizeof(bits));
    return bits >> 63 ? ~bits : bits | UINT64_C(1) << 63;
}

/* Traces without a number are the last in either direction. */
static enum sp_status scalar_rank(const struct sp_search_order *order,
                                  struct sp_search_result *result, struct sp_arena *arena,
                                  uint64_t *ret, struct sp_error *reterr)
{
    struct sp_operand *value = sp_arena_alloc(arena, sizeof(*value));
    if (!value)
        return sp_arena_failed(arena, reterr, "a trace is larger than the query's memory");
    enum sp_status status =
        sp_pipeline_extreme(order->scalar, &result->facts, arena, result->sets, result->set_count,
                            order->descending, value, reterr);
    if (status != SP_OK)
        return status;
    result->order_value = value;
    if (value->kind == SP_OPERAND_NIL) {
        *ret = UINT64_MAX;
        return SP_OK;
    }
    bool is_float = value->scalar.type == SP_TRACEQL_TYPE_FLOAT;
    uint64_t bits = ordered_bits(is_float ? value->scalar.number : (double)value->scalar.integer);
    *ret = order->descending ? ~bits : bits;
    return SP_OK;
}

enum sp_status sp_search_rank(const struct sp_search_order *order, struct sp_search_result *result,
                              struct sp_arena *arena, uint64_t *ret, struct sp_error *reterr)
{
    const struct sp_trace_facts *facts = &result->facts;
    uint64_t value = 0;
    switch (order->by) {
    case SP_SEARCH_BY_START:
        value = facts->start_unix_ns;
        break;
    case SP_SEARCH_BY_DURATION:
        value = facts->end_unix_ns - facts->start_unix_ns;
        break;
    case SP_SEARCH_BY_SPANS:
        value = facts->batch->span_count;
        break;
    case SP_SEARCH_BY_ERRORS:
        value = result->error_count;
        break;
    case SP_SEARCH_BY_SCALAR:
        return scalar_rank(order, result, arena, ret, reterr);
    }
    *ret = order->descending ? ~value : value;
    return SP_OK;
}
