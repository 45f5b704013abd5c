/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/traceql/pipeline.c: expressions between | become stages, stages become pipelines, and hints end a query. */
#include "lib/traceql/parser.h"

/* What the stages so far have made of the trace. */
const struct sp_traceql_node *sp_parser_last_stage(const struct parser *p)
{
    return p->stages.count > sp_parser_top_frame(p)->stage_base
               ? *sp_parser_stage_at(p, p->stages.count - 1)
               : NULL;
}

static bool check_stage(struct parser *p, const struct sp_traceql_node *node)
{
    const struct sp_traceql_node *before = sp_parser_last_stage(p);
    bool of_series = before && before->type == SP_TRACEQL_TYPE_SERIES;
    bool second = node->kind == SP_TRACEQL_TOPK || node->kind == SP_TRACEQL_BOTTOMK ||
                  node->kind == SP_TRACEQL_THRESHOLD;
    const char *text = sp_traceql_node_text(node);
    if (before && sp_traceql_is_scalar(before))
        sp_traceql_fail(&p->build, node->offset, "expected a comparison in front of this stage");
    else if (second && !of_series)
        sp_traceql_fail(&p->build, node->offset, "%s needs a metric in front of it: { } | rate()",
                        text);
    else if (second && sp_traceql_is_comparison_series(before))
        sp_traceql_fail(
            &p->build, node->offset,
            "%s cannot be applied to compare(): expected a metric of one number, as rate()", text);
    else if (!second && of_series)
        sp_traceql_fail(&p->build, node->offset,
                        "expected topk(), bottomk() or a comparison behind a metric, found %s",
                        text);
    else if (node->kind == SP_TRACEQL_METRIC && !before)
        sp_traceql_fail(&p->build, node->offset, "expected spans in front of %s: { } | %s", text,
                        text);
    else if (node->kind == SP_TRACEQL_COALESCE && !before)
        sp_traceql_fail(&p->build, node->offset, "expected a stage in front of coalesce()");
    else if (before && node->kind != SP_TRACEQL_METRIC && !second &&
             node->type == SP_TRACEQL_TYPE_SERIES)
        sp_traceql_fail(&p->build, node->offset,
                        "a metric in ( ) stands in front of all: expected a stage without ( )");
    else
        return true;
    return false;
}

static bool push_stage(struct parser *p, struct sp_traceql_node *node)
{
    if (!check_stage(p, node))
        return false;
    struct sp_traceql_node **slot = sp_parser_push(p, &p->stages, SP_TRACEQL_POINTER_BYTES);
    if (!slot)
        return false;
    *slot = node;
    return true;
}

bool sp_parser_within(struct parser *p)
{
    const struct frame *frame = sp_parser_top_frame(p);
    bool behind_without = p->operators.count > frame->operator_base &&
                          sp_parser_top_operator(p)->kind == SP_TOKEN_WITHOUT;
    if (!behind_without)
        return sp_traceql_fail(&p->build, p->token.offset,
                               "expected A without B in front of within") != NULL;
    if (!sp_parser_next(p))
        return false;
    bool is_time = p->token.kind == SP_TOKEN_LITERAL &&
                   p->token.value.type == SP_TRACEQL_TYPE_DURATION && p->token.value.integer >= 0;
    if (!is_time)
        return sp_parser_fail_expected(p, "a duration like 5s behind within");
    struct sp_traceql_value time = p->token.value;
    if (!sp_parser_reduce_for(p, SP_PRECEDENCE_COMPARE))
        return false;
    sp_parser_top_operand(p)->node->value = time;
    return sp_parser_next(p);
}

bool sp_parser_repeated(struct parser *p)
{
    struct sp_traceql_operand *operand = sp_parser_top_operand(p);
    uint32_t offset = p->token.offset;
    if (!sp_parser_next(p))
        return false;
    bool is_count = p->token.kind == SP_TOKEN_LITERAL &&
                    p->token.value.type == SP_TRACEQL_TYPE_INT && p->token.value.integer >= 2;
    if (!is_count)
        return sp_parser_fail_expected(p, "a whole number of at least 2 behind repeated");
    operand->node =
        sp_traceql_make_repeated(&p->build, offset, operand, (uint64_t)p->token.value.integer);
    return operand->node && sp_parser_next(p);
}

/* Thresholds hang in front of one another, the last outermost; they become stages in the order they were written. */
static bool push_with_thresholds(struct parser *p, struct sp_traceql_node *node)
{
    struct sp_traceql_node *chain[SP_TRACEQL_DEPTH_MAX];
    uint32_t count = 0;
    while (node->kind == SP_TRACEQL_THRESHOLD) {
        chain[count++] = node;
        node = sp_parser_writable(node->right);
    }
    if (!push_stage(p, node))
        return false;
    while (count-- > 0) {
        chain[count]->right = NULL;
        chain[count]->depth = 2;
        if (!push_stage(p, chain[count]))
            return false;
    }
    return true;
}

/* At | ) or the end. */
bool sp_parser_finish_stage(struct parser *p)
{
    if (!sp_parser_reduce_all(p))
        return false;
    struct sp_traceql_node *node = sp_parser_top_operand(p)->node;
    p->operands.count = sp_parser_top_frame(p)->operand_base;
    return push_with_thresholds(p, node);
}

/* The stages of the open pipeline become one node and leave the stack. */
struct sp_traceql_node *sp_parser_make_pipeline(struct parser *p)
{
    const struct frame *frame = sp_parser_top_frame(p);
    uint32_t count = p->stages.count - frame->stage_base;
    const struct sp_traceql_node **items =
        sp_arena_calloc(p->build.arena, count, SP_TRACEQL_POINTER_BYTES);
    if (!items)
        return sp_traceql_fail_memory(&p->build);
    for (uint32_t i = 0; i < count; i++)
        items[i] = *sp_parser_stage_at(p, frame->stage_base + i);
    struct sp_traceql_node *node = sp_traceql_make(
        &p->build, SP_TRACEQL_PIPELINE, items[count - 1]->type, frame->offset, NULL, NULL);
    if (!node || !sp_traceql_set_items(&p->build, node, items, count))
        return NULL;
    node->reads_span = true;
    p->stages.count = frame->stage_base;
    return node;
}

/* ")" between stages: brackets around one expression say nothing more; around a pipeline they make it an operand. */
bool sp_parser_close_pipeline(struct parser *p)
{
    struct frame frame = *sp_parser_top_frame(p);
    bool was_stage = sp_parser_top_operand(p)->is_stage;
    if (!sp_parser_finish_stage(p))
        return false;
    struct sp_traceql_node *node = *sp_parser_stage_at(p, frame.stage_base);
    bool alone = p->stages.count - frame.stage_base == 1;
    if (!alone || was_stage || node->kind == SP_TRACEQL_COMPARE)
        node = sp_parser_make_pipeline(p);
    p->stages.count = frame.stage_base;
    p->frames.count--;
    return sp_parser_push_operand(p, node, false) && sp_parser_next(p);
}

static bool parse_literal_value(struct parser *p, struct sp_traceql_value *ret)
{
    bool negative = !sp_parser_join_min_int(p) && p->token.kind == SP_TOKEN_SUBTRACT;
    uint32_t offset = p->token.offset;
    if (negative && !sp_parser_next(p))
        return false;
    if (p->token.kind == SP_TOKEN_LITERAL)
        *ret = p->token.value;
    else if (p->token.kind != SP_TOKEN_WORD || !sp_traceql_find_constant(p->token.text, ret))
        return sp_parser_fail_expected(p, "a value");
    if (negative) {
        struct sp_traceql_operand operand = {
            .node = sp_traceql_make_literal(&p->build, offset, *ret), .offset = offset};
        if (!operand.node ||
            !sp_traceql_apply_unary(&p->build, SP_TOKEN_SUBTRACT, offset, &operand))
            return false;
        *ret = operand.node->value;
    }
    return sp_parser_next(p);
}

/* with (name = value, ...) */
static bool parse_hints(struct parser *p)
{
    if (!sp_parser_next(p) || !sp_parser_take(p, SP_TOKEN_PAREN_OPEN, "( behind with"))
        return false;
    for (;;) {
        struct sp_traceql_hint *hint = sp_parser_push(p, &p->hints, sizeof *hint);
        if (!hint)
            return false;
        if (p->token.kind != SP_TOKEN_WORD)
            return sp_parser_fail_expected(p, "the name of a hint");
        hint->name = p->token.text;
        hint->offset = p->token.offset;
        if (!sp_parser_next(p) || !sp_parser_take(p, SP_TOKEN_EQ, "= behind the name of a hint") ||
            !parse_literal_value(p, &hint->value))
            return false;
        if (p->token.kind == SP_TOKEN_PAREN_CLOSE)
            return sp_parser_next(p);
        if (!sp_parser_take(p, SP_TOKEN_COMMA, ", or )"))
            return false;
    }
}

bool sp_parser_finish_query(struct parser *p)
{
    if (!sp_parser_finish_stage(p))
        return false;
    const struct sp_traceql_node *last = sp_parser_last_stage(p);
    if (p->scalar) {
        if (p->stages.count != 1 || !sp_traceql_is_scalar(last) || !last->reads_span)
            return sp_traceql_fail(&p->build, last->offset,
                                   "expected a number made of spans, like count() or "
                                   "max(duration)") != NULL;
    } else if (sp_traceql_is_scalar(last)) {
        sp_traceql_fail(&p->build, p->token.offset, "expected a comparison behind %s",
                        last->kind == SP_TRACEQL_LITERAL ? "the number"
                                                         : sp_traceql_node_text(last));
        return false;
    }
    while (sp_parser_is_word(p, "with"))
        if (!parse_hints(p))
            return false;
    if (p->token.kind != SP_TOKEN_END)
        return sp_parser_fail_expected(p, "the end of the query");
    p->done = true;
    return true;
}
