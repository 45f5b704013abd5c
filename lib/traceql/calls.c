/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/traceql/calls.c: name( ... ) between stages: aggregates, by, select, coalesce, metrics and their second stage. */
#include "lib/traceql/parser.h"

struct sp_traceql_node *sp_parser_field(struct parser *p)
{
    struct sp_traceql_field field = p->token.field;
    uint32_t offset = p->token.offset;
    if (p->token.kind == SP_TOKEN_WORD)
        field = (struct sp_traceql_field){.intrinsic = sp_traceql_find_intrinsic(p->token.text)};
    if ((p->token.kind != SP_TOKEN_FIELD && p->token.kind != SP_TOKEN_WORD) ||
        (p->token.kind == SP_TOKEN_WORD && field.intrinsic == SP_TRACEQL_INTRINSIC_NONE)) {
        sp_parser_fail_expected(p, "a field (duration, span.name, resource.name, ...)");
        return NULL;
    }
    return sp_parser_next(p) ? sp_traceql_make_field(&p->build, offset, field) : NULL;
}

/* So many are compared with a new one: more fields than series can be grouped by. */
#define FIELDS_COMPARED 64

static bool is_repeated(const struct sp_traceql_node *const *items, uint32_t count)
{
    const struct sp_traceql_field *field = &items[count]->field;
    for (uint32_t i = 0; i < count && i < FIELDS_COMPARED; i++) {
        const struct sp_traceql_field *other = &items[i]->field;
        if (other->intrinsic == field->intrinsic && other->scope == field->scope &&
            other->of_parent == field->of_parent && sp_slice_equal(other->key, field->key))
            return true;
    }
    return false;
}

/* Behind "(": "field, field, ...)" as items of node. once: none may be repeated. */
static bool parse_field_list(struct parser *p, struct sp_traceql_node *node, bool once)
{
    const struct sp_traceql_node **items = NULL;
    uint32_t count = 0, cap = 0;
    for (;;) {
        if (count == cap) {
            uint32_t grown_cap = cap ? 2 * cap : 4;
            const struct sp_traceql_node **grown =
                sp_arena_grow(p->build.arena, items, cap * SP_TRACEQL_POINTER_BYTES,
                              grown_cap * SP_TRACEQL_POINTER_BYTES);
            if (!grown)
                return sp_traceql_fail_memory(&p->build) != NULL;
            items = grown;
            cap = grown_cap;
        }
        items[count] = sp_parser_field(p);
        if (!items[count])
            return false;
        if (once && is_repeated(items, count))
            return sp_traceql_fail(&p->build, items[count]->offset,
                                   "expected each field once: this one stands here already") !=
                   NULL;
        count++;
        if (p->token.kind == SP_TOKEN_PAREN_CLOSE)
            break;
        if (!sp_parser_take(p, SP_TOKEN_COMMA, ", or )"))
            return false;
    }
    return sp_parser_next(p) && sp_traceql_set_items(&p->build, node, items, count);
}

/* ", number, number" behind the first argument of a metric. */
static bool parse_numbers(struct parser *p, struct sp_traceql_node *node, bool integers)
{
    struct sp_traceql_value *numbers = NULL;
    uint32_t count = 0, cap = 0;
    while (p->token.kind == SP_TOKEN_COMMA) {
        if (!sp_parser_next(p))
            return false;
        const struct sp_traceql_value *value = &p->token.value;
        bool fits = p->token.kind == SP_TOKEN_LITERAL &&
                    (value->type == SP_TRACEQL_TYPE_INT ||
                     (!integers && value->type == SP_TRACEQL_TYPE_FLOAT));
        if (!fits)
            return sp_parser_fail_expected(p, integers ? "a whole number" : "a number");
        if (count == cap) {
            uint32_t grown_cap = cap ? 2 * cap : 4;
            struct sp_traceql_value *grown = sp_arena_grow(
                p->build.arena, numbers, cap * sizeof *grown, grown_cap * sizeof *grown);
            if (!grown)
                return sp_traceql_fail_memory(&p->build) != NULL;
            numbers = grown;
            cap = grown_cap;
        }
        numbers[count] = *value;
        if (!integers && value->type == SP_TRACEQL_TYPE_INT)
            numbers[count] = (struct sp_traceql_value){.type = SP_TRACEQL_TYPE_FLOAT,
                                                       .number = (double)value->integer};
        for (uint32_t i = 0; i < count && !integers; i++)
            if (numbers[i].number == numbers[count].number)
                return sp_parser_fail_expected(p, "each quantile once");
        count++;
        if (!sp_parser_next(p))
            return false;
    }
    node->numbers = numbers;
    node->number_count = count;
    return true;
}

static bool parse_quantiles(struct parser *p, struct sp_traceql_node *node)
{
    uint32_t offset = p->token.offset;
    if (p->token.kind != SP_TOKEN_COMMA)
        return sp_parser_fail_expected(p, ", and quantiles between 0 and 1");
    if (!parse_numbers(p, node, false))
        return false;
    for (uint32_t i = 0; i < node->number_count; i++)
        if (node->numbers[i].number > 1)
            return sp_traceql_fail(&p->build, offset, "expected quantiles between 0 and 1") != NULL;
    return true;
}

/* Behind the arguments of a metric: by (field, ...). */
static bool finish_metric(struct parser *p, struct sp_traceql_node *node)
{
    if (!sp_parser_take(p, SP_TOKEN_PAREN_CLOSE, ")"))
        return false;
    if (sp_parser_is_word(p, "by") && node->metric != SP_TRACEQL_METRIC_COMPARE &&
        (!sp_parser_next(p) || !sp_parser_take(p, SP_TOKEN_PAREN_OPEN, "( behind by") ||
         !parse_field_list(p, node, true)))
        return false;
    return sp_parser_push_operand(p, node, true);
}

static bool parse_metric(struct parser *p, enum sp_traceql_metric metric, uint32_t offset)
{
    if (metric == SP_TRACEQL_METRIC_COMPARE) {
        if (p->token.kind != SP_TOKEN_BRACE_OPEN)
            return sp_parser_fail_expected(p, "{ behind compare(");
        return sp_parser_push_frame(p, FRAME_COMPARE_FILTER, offset) && sp_parser_next(p);
    }
    bool has_field = metric != SP_TRACEQL_RATE && metric != SP_TRACEQL_COUNT_OVER_TIME;
    const struct sp_traceql_node *field = NULL;
    if (has_field) {
        field = sp_parser_field(p);
        if (!field)
            return false;
        if (!sp_traceql_is_number(field->type))
            return sp_traceql_fail(
                       &p->build, field->offset, "expected numbers or durations in %s, found %s",
                       sp_traceql_metric_call(metric), sp_traceql_type_name(field->type)) != NULL;
    }
    struct sp_traceql_node *node =
        sp_traceql_make(&p->build, SP_TRACEQL_METRIC, SP_TRACEQL_TYPE_SERIES, offset, field, NULL);
    if (!node)
        return false;
    node->metric = metric;
    node->reads_span = true;
    if (metric == SP_TRACEQL_QUANTILE_OVER_TIME && !parse_quantiles(p, node))
        return false;
    return finish_metric(p, node);
}

/* "}" of compare({ } , top, start, end) */
bool sp_parser_close_compare_filter(struct parser *p, struct sp_traceql_node *condition,
                                    uint32_t offset)
{
    struct sp_traceql_node *filter = sp_traceql_make_filter(&p->build, offset, condition);
    if (!filter)
        return false;
    struct sp_traceql_node *node =
        sp_traceql_make(&p->build, SP_TRACEQL_METRIC, SP_TRACEQL_TYPE_SERIES, offset, filter, NULL);
    if (!node)
        return false;
    node->metric = SP_TRACEQL_METRIC_COMPARE;
    if (!parse_numbers(p, node, true))
        return false;
    if (node->number_count == 2 || node->number_count > 3)
        return sp_parser_fail_expected(
            p, "compare({ }), compare({ }, n) or compare({ }, n, start, end)");
    return finish_metric(p, node);
}

static bool parse_topk(struct parser *p, bool top, uint32_t offset)
{
    if (p->token.kind != SP_TOKEN_LITERAL || p->token.value.type != SP_TRACEQL_TYPE_INT ||
        p->token.value.integer < 1)
        return sp_parser_fail_expected(p, "a whole number of at least 1");
    struct sp_traceql_node *node =
        sp_traceql_make(&p->build, top ? SP_TRACEQL_TOPK : SP_TRACEQL_BOTTOMK,
                        SP_TRACEQL_TYPE_SERIES, offset, NULL, NULL);
    if (!node)
        return false;
    node->limit = (uint64_t)p->token.value.integer;
    return sp_parser_next(p) && sp_parser_take(p, SP_TOKEN_PAREN_CLOSE, ")") &&
           sp_parser_push_operand(p, node, true);
}

static bool parse_aggregate(struct parser *p, enum sp_traceql_aggregate aggregate, uint32_t offset)
{
    if (aggregate == SP_TRACEQL_COUNT)
        return sp_parser_take(p, SP_TOKEN_PAREN_CLOSE, ") behind count(") &&
               sp_parser_push_operand(
                   p, sp_traceql_make_aggregate(&p->build, offset, aggregate, NULL), false);
    if (!sp_parser_push_frame(p, FRAME_AGGREGATE, offset))
        return false;
    sp_parser_top_frame(p)->aggregate = aggregate;
    return true;
}

/* by(, select(, rate( and the other words that begin a stage; behind the bracket. *ret_known: is it one of them? */
static bool parse_stage_call(struct parser *p, struct sp_slice word, uint32_t offset,
                             bool *ret_known)
{
    enum sp_traceql_metric metric;
    *ret_known = true;
    if (sp_traceql_find_metric(word, &metric))
        return parse_metric(p, metric, offset);
    if (sp_slice_equal_cstr(word, "by"))
        return sp_parser_push_frame(p, FRAME_GROUP, offset);
    if (sp_slice_equal_cstr(word, "topk") || sp_slice_equal_cstr(word, "bottomk"))
        return parse_topk(p, word.ptr[0] == 't', offset);
    bool coalesce = sp_slice_equal_cstr(word, "coalesce");
    if (!coalesce && !sp_slice_equal_cstr(word, "select")) {
        *ret_known = false;
        return false;
    }
    struct sp_traceql_node *node =
        sp_traceql_make(&p->build, coalesce ? SP_TRACEQL_COALESCE : SP_TRACEQL_SELECT,
                        SP_TRACEQL_TYPE_SPANSET, offset, NULL, NULL);
    if (!node)
        return false;
    bool good = coalesce ? sp_parser_take(p, SP_TOKEN_PAREN_CLOSE, ") behind coalesce(")
                         : parse_field_list(p, node, false);
    return good && sp_parser_push_operand(p, node, true);
}

/* name( between stages. */
bool sp_parser_call(struct parser *p)
{
    const struct sp_traceql_lexer lexer = p->lexer;
    const struct sp_traceql_token word = p->token;
    const struct frame *frame = sp_parser_top_frame(p);
    bool begins_stage =
        p->operands.count == frame->operand_base && p->operators.count == frame->operator_base;
    enum sp_traceql_aggregate aggregate;
    if (!sp_parser_next(p))
        return false;
    if (p->token.kind == SP_TOKEN_PAREN_OPEN) {
        if (!sp_parser_next(p))
            return false;
        if (sp_traceql_find_aggregate(word.text, &aggregate))
            return parse_aggregate(p, aggregate, word.offset);
        bool known = false;
        bool good = begins_stage && parse_stage_call(p, word.text, word.offset, &known);
        if (known)
            return good;
    } else if (sp_traceql_find_aggregate(word.text, &aggregate)) {
        return sp_parser_fail_expected(p, "( behind the name of an aggregate");
    }
    p->lexer = lexer; /* back to the word, which is what is wrong */
    p->token = word;
    if (!begins_stage)
        return sp_parser_fail_operand(p);
    return sp_parser_fail_expected(p, "{ }, ( ), an aggregate like count(), by(), select(), "
                                      "coalesce() or a metric like rate()");
}
