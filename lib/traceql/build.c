/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/traceql/build.c: nodes, and what may be combined with what. Every check is made when the node is made: its children
 * are complete then, so no second pass is needed. */
#include "lib/traceql/build.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

struct sp_traceql_node *sp_traceql_fail(struct sp_traceql_builder *b, uint32_t offset,
                                        const char *format, ...)
{
    char message[SP_ERROR_MESSAGE_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    b->status = sp_error_set_at(b->reterr, SP_INVALID_ARGUMENT, offset, "%s", message);
    return NULL;
}

struct sp_traceql_node *sp_traceql_fail_memory(struct sp_traceql_builder *b)
{
    b->status = sp_arena_failed(b->arena, b->reterr, "the query takes too much memory");
    return NULL;
}

bool sp_traceql_is_number(enum sp_traceql_type type)
{
    return type == SP_TRACEQL_TYPE_INT || type == SP_TRACEQL_TYPE_FLOAT ||
           type == SP_TRACEQL_TYPE_DURATION || type == SP_TRACEQL_TYPE_ANY;
}

bool sp_traceql_is_scalar(const struct sp_traceql_node *node)
{
    return node->type != SP_TRACEQL_TYPE_SPANSET && node->type != SP_TRACEQL_TYPE_SERIES;
}

static bool is_constant(const struct sp_traceql_node *node)
{
    return node->kind == SP_TRACEQL_LITERAL;
}

/* ---- plain making ---- */

static bool deepen(struct sp_traceql_builder *b, struct sp_traceql_node *node,
                   const struct sp_traceql_node *child)
{
    if (!child)
        return true;
    if (child->depth >= node->depth)
        node->depth = child->depth + 1;
    node->reads_span |= child->reads_span;
    if (node->depth <= SP_TRACEQL_DEPTH_MAX)
        return true;
    b->status =
        sp_error_set_at(b->reterr, SP_LIMIT, node->offset,
                        "the query is nested more than %u levels deep", SP_TRACEQL_DEPTH_MAX);
    return false;
}

struct sp_traceql_node *sp_traceql_make(struct sp_traceql_builder *b,
                                        enum sp_traceql_node_kind kind, enum sp_traceql_type type,
                                        uint32_t offset, const struct sp_traceql_node *left,
                                        const struct sp_traceql_node *right)
{
    struct sp_traceql_node *node = sp_arena_calloc(b->arena, 1, sizeof *node);
    if (!node)
        return sp_traceql_fail_memory(b);
    node->kind = kind;
    node->type = type;
    node->offset = offset;
    node->depth = 1;
    node->left = left;
    node->right = right;
    return deepen(b, node, left) && deepen(b, node, right) ? node : NULL;
}

struct sp_traceql_node *sp_traceql_make_literal(struct sp_traceql_builder *b, uint32_t offset,
                                                struct sp_traceql_value value)
{
    struct sp_traceql_node *node =
        sp_traceql_make(b, SP_TRACEQL_LITERAL, value.type, offset, NULL, NULL);
    if (node)
        node->value = value;
    return node;
}

struct sp_traceql_node *sp_traceql_make_field(struct sp_traceql_builder *b, uint32_t offset,
                                              struct sp_traceql_field field)
{
    struct sp_traceql_node *node = sp_traceql_make(
        b, SP_TRACEQL_FIELD, sp_traceql_intrinsic_type(field.intrinsic), offset, NULL, NULL);
    if (node) {
        node->field = field;
        node->reads_span = true;
    }
    return node;
}

bool sp_traceql_set_items(struct sp_traceql_builder *b, struct sp_traceql_node *node,
                          const struct sp_traceql_node *const *items, uint32_t item_count)
{
    node->items = items;
    node->item_count = item_count;
    for (uint32_t i = 0; i < item_count; i++)
        if (!deepen(b, node, items[i]))
            return false;
    return true;
}

struct sp_traceql_node *sp_traceql_make_filter(struct sp_traceql_builder *b, uint32_t offset,
                                               const struct sp_traceql_node *condition)
{
    if (condition && condition->type != SP_TRACEQL_TYPE_BOOL &&
        condition->type != SP_TRACEQL_TYPE_ANY)
        return sp_traceql_fail(b, condition->offset,
                               "expected a condition between { and }, found %s: compare it",
                               sp_traceql_type_name(condition->type));
    struct sp_traceql_node *node =
        sp_traceql_make(b, SP_TRACEQL_FILTER, SP_TRACEQL_TYPE_SPANSET, offset, condition, NULL);
    if (node)
        node->reads_span = true;
    return node;
}

struct sp_traceql_node *sp_traceql_make_aggregate(struct sp_traceql_builder *b, uint32_t offset,
                                                  enum sp_traceql_aggregate aggregate,
                                                  const struct sp_traceql_node *of)
{
    const char *name = sp_traceql_aggregate_call(aggregate);
    if (of && !sp_traceql_is_number(of->type))
        return sp_traceql_fail(b, of->offset, "expected numbers or durations in %s, found %s", name,
                               sp_traceql_type_name(of->type));
    if (of && !of->reads_span)
        return sp_traceql_fail(b, of->offset, "%s needs a field of the span, found a constant",
                               name);
    struct sp_traceql_node *node = sp_traceql_make(
        b, SP_TRACEQL_AGGREGATE, of ? of->type : SP_TRACEQL_TYPE_INT, offset, of, NULL);
    if (node) {
        node->aggregate = aggregate;
        node->reads_span = true;
    }
    return node;
}

struct sp_traceql_node *sp_traceql_make_group(struct sp_traceql_builder *b, uint32_t offset,
                                              const struct sp_traceql_node *of)
{
    if (!of->reads_span)
        return sp_traceql_fail(b, of->offset, "by() needs a field of the span, found a constant");
    if (of->type == SP_TRACEQL_TYPE_SPAN)
        return sp_traceql_fail(b, of->offset, "by() needs a value, found a span");
    return sp_traceql_make(b, SP_TRACEQL_GROUP, SP_TRACEQL_TYPE_SPANSET, offset, of, NULL);
}

struct sp_traceql_node *sp_traceql_make_repeated(struct sp_traceql_builder *b, uint32_t offset,
                                                 const struct sp_traceql_operand *of,
                                                 uint64_t limit)
{
    const struct sp_traceql_node *node = of->node;
    if (of->is_stage || node->type != SP_TRACEQL_TYPE_SPANSET || node->kind == SP_TRACEQL_COMPARE)
        return sp_traceql_fail(b, offset, "expected { } or a pipeline in ( ) in front of repeated");
    struct sp_traceql_node *repeated =
        sp_traceql_make(b, SP_TRACEQL_REPEATED, SP_TRACEQL_TYPE_SPANSET, offset, node, NULL);
    if (repeated)
        repeated->limit = limit;
    return repeated;
}

/* ---- unary operators ---- */

static bool negate_literal(struct sp_traceql_builder *b, struct sp_traceql_node *node,
                           uint32_t offset)
{
    if (node->value.type == SP_TRACEQL_TYPE_FLOAT)
        node->value.number = -node->value.number;
    else if (node->value.integer == INT64_MIN)
        return sp_traceql_fail(b, offset, "-minInt is out of range: expected a 64-bit integer") !=
               NULL;
    else
        node->value.integer = -node->value.integer;
    node->offset = offset;
    return true;
}

bool sp_traceql_apply_unary(struct sp_traceql_builder *b, enum sp_traceql_token_kind op,
                            uint32_t offset, struct sp_traceql_operand *operand)
{
    struct sp_traceql_node *node = operand->node;
    if (operand->is_nil)
        return sp_traceql_fail(b, operand->offset, "nil can only be compared: expected = or !=") !=
               NULL;
    bool negate = op == SP_TOKEN_SUBTRACT;
    if (negate ? !sp_traceql_is_number(node->type)
               : node->type != SP_TRACEQL_TYPE_BOOL && node->type != SP_TRACEQL_TYPE_ANY)
        return sp_traceql_fail(b, offset, "%s cannot be applied to %s: expected %s",
                               negate ? "-" : "!", sp_traceql_type_name(node->type),
                               negate ? "a number or a duration" : "a condition") != NULL;
    operand->offset = offset;
    if (negate && is_constant(node))
        return negate_literal(b, node, offset);
    operand->items = NULL;
    operand->node = sp_traceql_make(b, negate ? SP_TRACEQL_NEGATE : SP_TRACEQL_NOT,
                                    negate ? node->type : SP_TRACEQL_TYPE_BOOL, offset, node, NULL);
    return operand->node != NULL;
}

/* ---- binary operators ---- */

static bool fail_types(struct sp_traceql_builder *b, uint32_t offset, const char *op,
                       const struct sp_traceql_node *left, const struct sp_traceql_node *right,
                       const char *wanted)
{
    return sp_traceql_fail(b, offset, "%s cannot be applied to %s and %s: expected %s", op,
                           sp_traceql_type_name(left->type), sp_traceql_type_name(right->type),
                           wanted) != NULL;
}

#define WANTED_NUMBERS "numbers or durations on both sides"

/* What a comparison with a field of this type needs on its other side. */
static const char *wanted_beside(enum sp_traceql_type type)
{
    static const char *const wanted[] = {
        [SP_TRACEQL_TYPE_ANY] = "a value on each side",
        [SP_TRACEQL_TYPE_STRING] = "text in quotes",
        [SP_TRACEQL_TYPE_BOOL] = "true or false",
        [SP_TRACEQL_TYPE_INT] = "a number or a duration",
        [SP_TRACEQL_TYPE_FLOAT] = "a number or a duration",
        [SP_TRACEQL_TYPE_DURATION] = "a duration, as 10ms, or a number of nanoseconds",
        [SP_TRACEQL_TYPE_STATUS] = "ok, error or unset",
        [SP_TRACEQL_TYPE_KIND] = "server, client, producer, consumer, internal or unspecified",
        [SP_TRACEQL_TYPE_SPAN] = "nil",
        [SP_TRACEQL_TYPE_SPANSET] = "numbers made of spans, as count(), on both sides",
        [SP_TRACEQL_TYPE_SERIES] = "a number",
    };
    return wanted[type];
}

/* Two types that do not compare, or not with this operator: the field says what would fit, or else the left side. */
static bool fail_comparison(struct sp_traceql_builder *b, uint32_t offset, const char *op,
                            const struct sp_traceql_node *left, const struct sp_traceql_node *right)
{
    bool of_right = left->kind != SP_TRACEQL_FIELD && right->kind == SP_TRACEQL_FIELD;
    return fail_types(b, offset, op, left, right,
                      left->type == right->type && left->type != SP_TRACEQL_TYPE_SPANSET &&
                              left->type != SP_TRACEQL_TYPE_SPAN
                          ? "= or !="
                          : wanted_beside(of_right ? right->type : left->type));
}

static enum sp_traceql_type arithmetic_type(enum sp_traceql_type left, enum sp_traceql_type right)
{
    if (left == SP_TRACEQL_TYPE_ANY || right == SP_TRACEQL_TYPE_ANY)
        return SP_TRACEQL_TYPE_ANY;
    if (left == SP_TRACEQL_TYPE_DURATION || right == SP_TRACEQL_TYPE_DURATION)
        return SP_TRACEQL_TYPE_DURATION;
    return left == SP_TRACEQL_TYPE_INT && right == SP_TRACEQL_TYPE_INT ? SP_TRACEQL_TYPE_INT
                                                                       : SP_TRACEQL_TYPE_FLOAT;
}

static bool apply_arithmetic(struct sp_traceql_builder *b, enum sp_traceql_arithmetic arithmetic,
                             uint32_t offset, struct sp_traceql_operand *left,
                             const struct sp_traceql_operand *right)
{
    if (!sp_traceql_is_number(left->node->type) || !sp_traceql_is_number(right->node->type))
        return fail_types(b, offset, sp_traceql_arithmetic_text(arithmetic), left->node,
                          right->node, WANTED_NUMBERS);
    left->node = sp_traceql_make(b, SP_TRACEQL_ARITHMETIC,
                                 arithmetic_type(left->node->type, right->node->type), offset,
                                 left->node, right->node);
    if (left->node)
        left->node->arithmetic = arithmetic;
    return left->node != NULL;
}

static bool comparable(enum sp_traceql_type a, enum sp_traceql_type b)
{
    if (a == SP_TRACEQL_TYPE_SPAN || b == SP_TRACEQL_TYPE_SPAN)
        return false;
    if (a == SP_TRACEQL_TYPE_ANY || b == SP_TRACEQL_TYPE_ANY || a == b)
        return true;
    return sp_traceql_is_number(a) && sp_traceql_is_number(b);
}

static bool is_ordered(enum sp_traceql_type type)
{
    return sp_traceql_is_number(type) || type == SP_TRACEQL_TYPE_STRING;
}

static bool is_textual(enum sp_traceql_type type)
{
    return type == SP_TRACEQL_TYPE_STRING || type == SP_TRACEQL_TYPE_ANY;
}

/* The pattern must be there to be checked now: a query must not fail on the thousandth span. */
static bool check_pattern(struct sp_traceql_builder *b, const char *op, uint32_t offset,
                          const struct sp_traceql_node *left, const struct sp_traceql_node *right)
{
    if (!is_constant(right) || right->value.type != SP_TRACEQL_TYPE_STRING)
        return sp_traceql_fail(b, right->offset,
                               "expected a regular expression in quotes behind %s", op) != NULL;
    if (!is_textual(left->type))
        return fail_types(b, offset, op, left, right, "text or an attribute in front of it");
    struct sp_regex *regex;
    struct sp_error error;
    enum sp_status status = sp_regex_compile(right->value.string, &regex, &error);
    if (status == SP_OK) {
        sp_regex_free(regex);
        return true;
    }
    b->status = sp_error_set_at(b->reterr, status, right->offset,
                                "the regular expression is not valid: %s", error.message);
    return false;
}

static bool apply_comparison(struct sp_traceql_builder *b, enum sp_traceql_comparison comparison,
                             uint32_t offset, struct sp_traceql_operand *left,
                             const struct sp_traceql_operand *right)
{
    const struct sp_traceql_node *l = left->node, *r = right->node;
    const char *op = sp_traceql_comparison_text(comparison);
    switch (comparison) {
    case SP_TRACEQL_MATCH:
    case SP_TRACEQL_NOT_MATCH:
        if (!check_pattern(b, op, offset, l, r))
            return false;
        break;
    case SP_TRACEQL_LT:
    case SP_TRACEQL_LE:
    case SP_TRACEQL_GT:
    case SP_TRACEQL_GE:
        if (!is_ordered(l->type) || !is_ordered(r->type) || !comparable(l->type, r->type))
            return fail_comparison(b, offset, op, l, r);
        break;
    case SP_TRACEQL_EQ:
    case SP_TRACEQL_NE:
        if (!comparable(l->type, r->type))
            return fail_comparison(b, offset, op, l, r);
        if (!sp_traceql_complete_id(b, l, right->node) || !sp_traceql_complete_id(b, r, left->node))
            return false;
        break;
    }
    left->node = sp_traceql_make(b, SP_TRACEQL_COMPARE, SP_TRACEQL_TYPE_BOOL, offset, l, r);
    if (left->node)
        left->node->comparison = comparison;
    return left->node != NULL;
}

/* field = nil, field != nil, nil = field, ... */
static bool apply_nil(struct sp_traceql_builder *b, enum sp_traceql_comparison comparison,
                      uint32_t offset, struct sp_traceql_operand *left,
                      const struct sp_traceql_operand *right)
{
    struct sp_traceql_node *field = left->is_nil ? right->node : left->node;
    bool exists = comparison == SP_TRACEQL_NE;
    left->offset = left->is_nil ? left->offset : offset;
    if (left->is_nil && right->is_nil) { /* nil equals nothing and differs from nothing */
        struct sp_traceql_value value = {.type = SP_TRACEQL_TYPE_BOOL};
        *left = (struct sp_traceql_operand){.node = sp_traceql_make_literal(b, offset, value),
                                            .offset = left->offset};
        return left->node != NULL;
    }
    if (field->kind != SP_TRACEQL_FIELD)
        return sp_traceql_fail(b, field->offset,
                               "only a field can be nil: expected one, as .key = nil") != NULL;
    if (!exists && !sp_traceql_intrinsic_optional(field->field.intrinsic))
        return sp_traceql_fail(b, offset,
                               field->type == SP_TRACEQL_TYPE_STRING
                                   ? "%s is never nil: expected \"\" for what is empty"
                                   : "%s is never nil",
                               sp_traceql_intrinsic_name(field->field.intrinsic)) != NULL;
    *left = (struct sp_traceql_operand){
        .node = sp_traceql_make(b, exists ? SP_TRACEQL_EXISTS : SP_TRACEQL_NOT_EXISTS,
                                SP_TRACEQL_TYPE_BOOL, offset, field, NULL),
        .offset = left->offset};
    return left->node != NULL;
}

/* Room for one more item; lists have room for the next power of two of their length. */
static bool append_item(struct sp_traceql_builder *b, struct sp_traceql_operand *list,
                        const struct sp_traceql_node *item)
{
    uint32_t count = list->node->item_count;
    if (count >= 2 && (count & (count - 1)) == 0) {
        const struct sp_traceql_node **grown =
            sp_arena_grow(b->arena, list->items, count * SP_TRACEQL_POINTER_BYTES,
                          2 * count * SP_TRACEQL_POINTER_BYTES);
        if (!grown)
            return sp_traceql_fail_memory(b) != NULL;
        list->items = grown;
    }
    list->items[count] = item;
    list->node->items = list->items;
    list->node->item_count = count + 1;
    return deepen(b, list->node, item);
}

/* a && b && c is one list: a tree would be as deep as the query is long. */
static bool apply_logic(struct sp_traceql_builder *b, enum sp_traceql_node_kind kind,
                        uint32_t offset, struct sp_traceql_operand *left,
                        const struct sp_traceql_operand *right)
{
    const struct sp_traceql_node *l = left->node, *r = right->node;
    if ((l->type != SP_TRACEQL_TYPE_BOOL && l->type != SP_TRACEQL_TYPE_ANY) ||
        (r->type != SP_TRACEQL_TYPE_BOOL && r->type != SP_TRACEQL_TYPE_ANY))
        return fail_types(b, offset, kind == SP_TRACEQL_ALL ? "&&" : "||", l, r,
                          "conditions on both sides");
    if (l->kind != kind || !left->items) {
        left->node = sp_traceql_make(b, kind, SP_TRACEQL_TYPE_BOOL, offset, NULL, NULL);
        left->items = sp_arena_calloc(b->arena, 2, SP_TRACEQL_POINTER_BYTES);
        if (!left->node)
            return false;
        if (!left->items)
            return sp_traceql_fail_memory(b) != NULL;
        if (!append_item(b, left, l))
            return false;
    }
    if (r->kind != kind)
        return append_item(b, left, r);
    for (uint32_t i = 0; i < r->item_count; i++)
        if (!append_item(b, left, r->items[i]))
            return false;
    return true;
}

bool sp_traceql_apply_in_span(struct sp_traceql_builder *b, enum sp_traceql_token_kind op,
                              uint32_t offset, struct sp_traceql_operand *left,
                              const struct sp_traceql_operand *right)
{
    enum sp_traceql_comparison comparison = SP_TRACEQL_EQ;
    enum sp_traceql_arithmetic arithmetic;
    bool compares = sp_traceql_as_comparison(op, &comparison);
    if (left->is_nil || right->is_nil) {
        if (compares && (comparison == SP_TRACEQL_EQ || comparison == SP_TRACEQL_NE))
            return apply_nil(b, comparison, offset, left, right);
        return sp_traceql_fail(b, left->is_nil ? left->offset : right->offset,
                               "nil can only be compared: expected = or !=") != NULL;
    }
    if (op == SP_TOKEN_AND || op == SP_TOKEN_OR)
        return apply_logic(b, op == SP_TOKEN_AND ? SP_TRACEQL_ALL : SP_TRACEQL_ANY, offset, left,
                           right);
    left->items = NULL;
    if (compares)
        return apply_comparison(b, comparison, offset, left, right);
    if (sp_traceql_as_arithmetic(op, &arithmetic))
        return apply_arithmetic(b, arithmetic, offset, left, right);
    return sp_traceql_fail(b, offset,
                           "expected an operator on values, found one on sets of spans: "
                           "it stands between { } and { }") != NULL;
}

/* ---- between stages ---- */

static bool fold_integers(struct sp_traceql_builder *b, enum sp_traceql_arithmetic arithmetic,
                          uint32_t offset, int64_t left, int64_t right, int64_t *ret)
{
    bool bad = false;
    switch (arithmetic) {
    case SP_TRACEQL_ADD:
        bad = __builtin_add_overflow(left, right, ret);
        break;
    case SP_TRACEQL_SUBTRACT:
        bad = __builtin_sub_overflow(left, right, ret);
        break;
    case SP_TRACEQL_MULTIPLY:
        bad = __builtin_mul_overflow(left, right, ret);
        break;
    case SP_TRACEQL_DIVIDE:
    case SP_TRACEQL_MODULO:
        bad = right == 0 || (left == INT64_MIN && right == -1);
        if (!bad)
            *ret = arithmetic == SP_TRACEQL_DIVIDE ? left / right : left % right;
        break;
    case SP_TRACEQL_POWER: {
        double power = pow((double)left, (double)right);
        bad = !(fabs(power) < 9e15); /* beyond that doubles skip integers */
        if (!bad)
            *ret = (int64_t)power;
        break;
    }
    }
    if (bad)
        sp_traceql_fail(b, offset, "the result is out of range");
    return !bad;
}

static double fold_doubles(enum sp_traceql_arithmetic arithmetic, double left, double right)
{
    switch (arithmetic) {
    case SP_TRACEQL_ADD:
        return left + right;
    case SP_TRACEQL_SUBTRACT:
        return left - right;
    case SP_TRACEQL_MULTIPLY:
        return left * right;
    case SP_TRACEQL_DIVIDE:
        return left / right;
    case SP_TRACEQL_MODULO:
        return fmod(left, right);
    case SP_TRACEQL_POWER:
        return pow(left, right);
    }
    return 0;
}

static double as_double(const struct sp_traceql_value *value)
{
    return value->type == SP_TRACEQL_TYPE_FLOAT ? value->number : (double)value->integer;
}

/* Constants between stages become one: a threshold is a number, not a formula. */
static bool fold(struct sp_traceql_builder *b, enum sp_traceql_arithmetic arithmetic,
                 uint32_t offset, struct sp_traceql_operand *left,
                 const struct sp_traceql_operand *right)
{
    const struct sp_traceql_value *l = &left->node->value, *r = &right->node->value;
    struct sp_traceql_value result = {.type = arithmetic_type(l->type, r->type)};
    if (result.type == SP_TRACEQL_TYPE_DURATION)
        return sp_traceql_fail(b, offset, "durations cannot be combined here: write the result") !=
               NULL;
    if (result.type == SP_TRACEQL_TYPE_INT) {
        if (!fold_integers(b, arithmetic, offset, l->integer, r->integer, &result.integer))
            return false;
    } else {
        result.number = fold_doubles(arithmetic, as_double(l), as_double(r));
        if (!isfinite(result.number))
            return sp_traceql_fail(b, offset, "the result is out of range") != NULL;
    }
    left->node = sp_traceql_make_literal(b, left->node->offset, result);
    return left->node != NULL;
}

bool sp_traceql_is_comparison_series(const struct sp_traceql_node *node)
{
    if (node->kind == SP_TRACEQL_METRIC)
        return node->metric == SP_TRACEQL_METRIC_COMPARE;
    if (node->kind != SP_TRACEQL_PIPELINE)
        return false;
    for (uint32_t i = 0; i < node->item_count; i++)
        if (node->items[i]->kind == SP_TRACEQL_METRIC)
            return node->items[i]->metric == SP_TRACEQL_METRIC_COMPARE;
    return false;
}

static bool apply_series_arithmetic(struct sp_traceql_builder *b,
                                    enum sp_traceql_arithmetic arithmetic, uint32_t offset,
                                    struct sp_traceql_operand *left,
                                    const struct sp_traceql_operand *right)
{
    const char *op = sp_traceql_arithmetic_text(arithmetic);
    const struct sp_traceql_operand *sides[] = {left, right};
    if (arithmetic == SP_TRACEQL_MODULO || arithmetic == SP_TRACEQL_POWER)
        return sp_traceql_fail(b, offset, "expected + - * or / between metrics, found %s", op) !=
               NULL;
    for (int i = 0; i < 2; i++) {
        const struct sp_traceql_node *node = sides[i]->node;
        if (sides[i]->is_stage)
            return sp_traceql_fail(b, offset,
                                   "expected ( and ) around the whole metric on each side of %s",
                                   op) != NULL;
        if (sp_traceql_is_comparison_series(node))
            return sp_traceql_fail(b, offset,
                                   "%s cannot be applied to compare(): expected a metric of one "
                                   "number, as rate()",
                                   op) != NULL;
        bool fits = node->type == SP_TRACEQL_TYPE_SERIES ||
                    (is_constant(node) && node->type != SP_TRACEQL_TYPE_DURATION);
        if (!fits)
            return fail_types(b, offset, op, left->node, right->node,
                              "a metric in ( ) or a number on each side");
    }
    left->node = sp_traceql_make(b, SP_TRACEQL_ARITHMETIC, SP_TRACEQL_TYPE_SERIES, offset,
                                 left->node, right->node);
    if (left->node)
        left->node->arithmetic = arithmetic;
    return left->node != NULL;
}

/* The threshold hangs in front of what it filters until the stage is complete; then it becomes a stage of its own. */
static bool apply_threshold(struct sp_traceql_builder *b, enum sp_traceql_comparison comparison,
                            uint32_t offset, struct sp_traceql_operand *left,
                            const struct sp_traceql_operand *right)
{
    const char *op = sp_traceql_comparison_text(comparison);
    if (comparison == SP_TRACEQL_MATCH || comparison == SP_TRACEQL_NOT_MATCH ||
        !is_constant(right->node))
        return sp_traceql_fail(b, offset, "expected a metric compared with a number") != NULL;
    if (sp_traceql_is_comparison_series(left->node))
        return sp_traceql_fail(
                   b, offset,
                   "%s cannot be applied to compare(): expected a metric of one number, as rate()",
                   op) != NULL;
    left->node = sp_traceql_make(b, SP_TRACEQL_THRESHOLD, SP_TRACEQL_TYPE_SERIES, offset,
                                 right->node, left->node);
    if (!left->node)
        return false;
    left->node->comparison = comparison;
    return true;
}

static bool apply_relation(struct sp_traceql_builder *b, enum sp_traceql_relation relation,
                           uint32_t offset, struct sp_traceql_operand *left,
                           const struct sp_traceql_operand *right)
{
    const struct sp_traceql_operand *sides[] = {left, right};
    for (int i = 0; i < 2; i++)
        if (sides[i]->is_stage || sides[i]->node->kind == SP_TRACEQL_COMPARE)
            return sp_traceql_fail(b, offset,
                                   "expected { } or a pipeline in ( ) on each side of %s",
                                   sp_traceql_relation_text(relation)) != NULL;
    left->node = sp_traceql_make(b, SP_TRACEQL_RELATION, SP_TRACEQL_TYPE_SPANSET, offset,
                                 left->node, right->node);
    if (left->node)
        left->node->relation = relation;
    return left->node != NULL;
}

bool sp_traceql_apply_in_stage(struct sp_traceql_builder *b, enum sp_traceql_token_kind op,
                               uint32_t offset, struct sp_traceql_operand *left,
                               const struct sp_traceql_operand *right)
{
    const struct sp_traceql_node *l = left->node, *r = right->node;
    enum sp_traceql_comparison comparison;
    enum sp_traceql_arithmetic arithmetic;
    enum sp_traceql_relation relation;
    bool scalars = sp_traceql_is_scalar(l) && sp_traceql_is_scalar(r);
    bool sets = l->type == SP_TRACEQL_TYPE_SPANSET && r->type == SP_TRACEQL_TYPE_SPANSET;
    left->items = NULL;
    if (sets && sp_traceql_as_relation(op, &relation))
        return apply_relation(b, relation, offset, left, right);
    if (sp_traceql_as_arithmetic(op, &arithmetic)) {
        if (scalars && is_constant(l) && is_constant(r))
            return fold(b, arithmetic, offset, left, right);
        if (scalars)
            return apply_arithmetic(b, arithmetic, offset, left, right);
        if (l->type == SP_TRACEQL_TYPE_SERIES || r->type == SP_TRACEQL_TYPE_SERIES)
            return apply_series_arithmetic(b, arithmetic, offset, left, right);
        return fail_types(b, offset, sp_traceql_arithmetic_text(arithmetic), l, r, WANTED_NUMBERS);
    }
    if (sp_traceql_as_comparison(op, &comparison)) {
        if (l->type == SP_TRACEQL_TYPE_SERIES)
            return apply_threshold(b, comparison, offset, left, right);
        if (scalars && !l->reads_span && !r->reads_span)
            return sp_traceql_fail(b, offset,
                                   "expected count(), max() or another aggregate on one "
                                   "side, found constants only") != NULL;
        if (scalars && apply_comparison(b, comparison, offset, left, right)) {
            left->node->type = SP_TRACEQL_TYPE_SPANSET;
            return true;
        }
        return b->status == SP_OK
                   ? fail_comparison(b, offset, sp_traceql_comparison_text(comparison), l, r)
                   : false;
    }
    SP_ASSERT(sp_traceql_as_relation(op, &relation));
    return fail_types(b, offset, sp_traceql_relation_text(relation), l, r,
                      "{ } or a pipeline in ( ) on each side");
}
