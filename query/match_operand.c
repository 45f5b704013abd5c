/* SPDX-License-Identifier: Apache-2.0
 *
 * query/match_operand.c: operators on operands. The rules, which are Tempo's where it has any:
 *   - nothing compares with nil, and unlike kinds never compare, not even with != : the result is false;
 *   - integers, doubles and durations compare as numbers, exactly;
 *   - of an array one item is enough, but != and !~ ask that no item is equal or matches;
 *   - of events and links one is enough, whatever the operator;
 *   - ! of what is not a boolean is false. */
#include "query/match_operand.h"

#include <math.h>

void sp_operand_literal(const struct sp_traceql_value *value, struct sp_operand *ret)
{
    ret->kind = SP_OPERAND_SCALAR;
    ret->scalar = *value;
}

void sp_operand_bool(bool value, struct sp_operand *ret)
{
    ret->kind = SP_OPERAND_SCALAR;
    ret->scalar = (struct sp_traceql_value){.type = SP_TRACEQL_TYPE_BOOL, .boolean = value};
}

void sp_operand_move(const struct sp_operand *from, struct sp_operand *ret)
{
    *ret = *from;
    bool own = from->kind == SP_OPERAND_SCALAR && from->scalar.type == SP_TRACEQL_TYPE_STRING &&
               from->scalar.string.ptr == (const uint8_t *)from->text;
    if (own)
        ret->scalar.string.ptr = (const uint8_t *)ret->text;
}

static bool is_bool(const struct sp_operand *operand, bool value)
{
    return operand->kind == SP_OPERAND_SCALAR && operand->scalar.type == SP_TRACEQL_TYPE_BOOL &&
           operand->scalar.boolean == value;
}

/* Is the operand, or one of the events or links it stands for, this boolean? */
static bool any_is_bool(const struct sp_span_place *place, const struct sp_operand *operand,
                        bool value)
{
    if (operand->kind != SP_OPERAND_EACH)
        return is_bool(operand, value);
    uint32_t count = sp_operand_each_count(place, operand->each);
    for (uint32_t i = 0; i < count; i++) {
        struct sp_operand one;
        sp_operand_each(place, operand->each, i, &one);
        if (is_bool(&one, value))
            return true;
    }
    return false;
}

bool sp_operand_is_true(const struct sp_span_place *place, const struct sp_operand *operand)
{
    return any_is_bool(place, operand, true);
}

void sp_operand_not(const struct sp_span_place *place, struct sp_operand *operand)
{
    sp_operand_bool(any_is_bool(place, operand, false), operand);
}

bool sp_operand_exists(const struct sp_span_place *place, const struct sp_operand *operand)
{
    if (operand->kind != SP_OPERAND_EACH)
        return operand->kind != SP_OPERAND_NIL;
    uint32_t count = sp_operand_each_count(place, operand->each);
    for (uint32_t i = 0; i < count; i++) {
        struct sp_operand one;
        sp_operand_each(place, operand->each, i, &one);
        if (one.kind != SP_OPERAND_NIL)
            return true;
    }
    return false;
}

/* ---- arithmetic ---- */

static bool is_integer(const struct sp_traceql_value *value)
{
    return value->type == SP_TRACEQL_TYPE_INT || value->type == SP_TRACEQL_TYPE_DURATION;
}

static bool is_number(const struct sp_traceql_value *value)
{
    return is_integer(value) || value->type == SP_TRACEQL_TYPE_FLOAT;
}

static double as_double(const struct sp_traceql_value *value)
{
    return is_integer(value) ? (double)value->integer : value->number;
}

static void set_integer(int64_t value, struct sp_operand *ret)
{
    ret->kind = SP_OPERAND_SCALAR;
    ret->scalar = (struct sp_traceql_value){.type = SP_TRACEQL_TYPE_INT, .integer = value};
}

static void set_double(double value, struct sp_operand *ret)
{
    ret->kind = isnan(value) ? SP_OPERAND_NIL : SP_OPERAND_SCALAR;
    ret->scalar = (struct sp_traceql_value){.type = SP_TRACEQL_TYPE_FLOAT, .number = value};
}

void sp_operand_negate(struct sp_operand *operand)
{
    if (operand->kind != SP_OPERAND_SCALAR || !is_number(&operand->scalar))
        operand->kind = SP_OPERAND_NIL;
    else if (is_integer(&operand->scalar) && operand->scalar.integer != INT64_MIN)
        operand->scalar.integer = -operand->scalar.integer;
    else
        set_double(-as_double(&operand->scalar), operand);
}

/* True when the result is an integer that fits; otherwise doubles take over. */
static bool integer_arithmetic(int64_t a, enum sp_traceql_arithmetic operation, int64_t b,
                               int64_t *ret)
{
    switch (operation) {
    case SP_TRACEQL_ADD:
        return !__builtin_add_overflow(a, b, ret);
    case SP_TRACEQL_SUBTRACT:
        return !__builtin_sub_overflow(a, b, ret);
    case SP_TRACEQL_MULTIPLY:
        return !__builtin_mul_overflow(a, b, ret);
    case SP_TRACEQL_MODULO:
        if (b == 0 || b == -1)
            return false;
        *ret = a % b;
        return true;
    case SP_TRACEQL_DIVIDE:
    case SP_TRACEQL_POWER:
        return false;
    }
    return false;
}

static double double_arithmetic(double a, enum sp_traceql_arithmetic operation, double b)
{
    switch (operation) {
    case SP_TRACEQL_ADD:
        return a + b;
    case SP_TRACEQL_SUBTRACT:
        return a - b;
    case SP_TRACEQL_MULTIPLY:
        return a * b;
    case SP_TRACEQL_DIVIDE:
        return b == 0 ? NAN : a / b;
    case SP_TRACEQL_MODULO:
        return b == 0 ? NAN : fmod(a, b);
    case SP_TRACEQL_POWER:
        return pow(a, b);
    }
    return NAN;
}

void sp_operand_arithmetic(struct sp_operand *left, enum sp_traceql_arithmetic operation,
                           const struct sp_operand *right)
{
    if (left->kind != SP_OPERAND_SCALAR || right->kind != SP_OPERAND_SCALAR ||
        !is_number(&left->scalar) || !is_number(&right->scalar)) {
        left->kind = SP_OPERAND_NIL;
        return;
    }
    int64_t integer;
    if (is_integer(&left->scalar) && is_integer(&right->scalar) &&
        integer_arithmetic(left->scalar.integer, operation, right->scalar.integer, &integer))
        set_integer(integer, left);
    else
        set_double(
            double_arithmetic(as_double(&left->scalar), operation, as_double(&right->scalar)),
            left);
}

/* ---- comparison ---- */

/* Exact, where a conversion to double would make unequal numbers equal. number is not NaN. */
static int compare_integer_double(int64_t integer, double number)
{
    if (number >= 0x1p63)
        return -1;
    if (number < -0x1p63)
        return 1;
    int64_t whole = (int64_t)number;
    if (integer != whole)
        return integer < whole ? -1 : 1;
    double rest = number - (double)whole;
    return (rest < 0) - (rest > 0);
}

/* False when the two do not compare. */
static bool compare_scalars(const struct sp_traceql_value *a, const struct sp_traceql_value *b,
                            int *ret)
{
    if (is_number(a) && is_number(b)) {
        if ((!is_integer(a) && isnan(a->number)) || (!is_integer(b) && isnan(b->number)))
            return false;
        if (is_integer(a) && is_integer(b))
            *ret = (a->integer > b->integer) - (a->integer < b->integer);
        else if (is_integer(a))
            *ret = compare_integer_double(a->integer, b->number);
        else if (is_integer(b))
            *ret = -compare_integer_double(b->integer, a->number);
        else
            *ret = (a->number > b->number) - (a->number < b->number);
        return true;
    }
    if (a->type != b->type)
        return false;
    if (a->type == SP_TRACEQL_TYPE_STRING)
        *ret = sp_slice_compare(a->string, b->string);
    else if (a->type == SP_TRACEQL_TYPE_BOOL)
        *ret = (int)a->boolean - (int)b->boolean;
    else if (a->type == SP_TRACEQL_TYPE_STATUS || a->type == SP_TRACEQL_TYPE_KIND)
        *ret = (a->integer > b->integer) - (a->integer < b->integer);
    else
        return false;
    return true;
}

static bool order_fits(enum sp_traceql_comparison comparison, int order)
{
    switch (comparison) {
    case SP_TRACEQL_EQ:
    case SP_TRACEQL_MATCH:
        return order == 0;
    case SP_TRACEQL_NE:
    case SP_TRACEQL_NOT_MATCH:
        return order != 0;
    case SP_TRACEQL_LT:
        return order < 0;
    case SP_TRACEQL_LE:
        return order <= 0;
    case SP_TRACEQL_GT:
        return order > 0;
    case SP_TRACEQL_GE:
        return order >= 0;
    }
    return false;
}

enum outcome { DOES_NOT_COMPARE, FALSE, TRUE };

/* A regular expression, and whoever may end what it is for. */
struct matcher {
    struct sp_regex *regex;
    const struct sp_stop *stop;
    struct sp_error *reterr; /* of stop */
    bool stopped;
};

/* One match may take milliseconds, and an array, a trace or a block has many: so it is counted across all of them. */
static enum sp_status match_text(struct matcher *matcher, struct sp_slice text, bool *ret_matched)
{
    enum sp_status status = sp_regex_match(matcher->regex, text, ret_matched);
    if (status != SP_OK || sp_regex_match_count(matcher->regex) % SP_STOP_REGEX_PAIRS != 0)
        return status;
    status = sp_stop_ask(matcher->stop, matcher->reterr);
    matcher->stopped = status != SP_OK;
    return status;
}

/* Two scalars; the matcher is of the right one. NULL: none. */
static enum sp_status scalar_outcome(const struct sp_traceql_value *left,
                                     enum sp_traceql_comparison comparison,
                                     const struct sp_traceql_value *right, struct matcher *matcher,
                                     enum outcome *ret)
{
    *ret = DOES_NOT_COMPARE;
    int order;
    if (!matcher) {
        if (compare_scalars(left, right, &order))
            *ret = order_fits(comparison, order) ? TRUE : FALSE;
        return SP_OK;
    }
    if (left->type != SP_TRACEQL_TYPE_STRING)
        return SP_OK;
    bool matched = false;
    enum sp_status status = match_text(matcher, left->string, &matched);
    if (status == SP_OK)
        *ret = matched == (comparison == SP_TRACEQL_MATCH) ? TRUE : FALSE;
    return status;
}

/* An array on the left and a scalar on the right: one item is enough, or, for != and !~, one that compares and none
 * that is equal. */
static enum sp_status array_outcome(const struct sp_value *array,
                                    enum sp_traceql_comparison comparison,
                                    const struct sp_traceql_value *right, struct matcher *matcher,
                                    bool *ret)
{
    bool none = comparison == SP_TRACEQL_NE || comparison == SP_TRACEQL_NOT_MATCH;
    bool any_true = false, any_false = false;
    for (uint32_t i = 0; i < array->count; i++) {
        struct sp_operand item;
        sp_operand_value(&array->items[i], &item);
        if (item.kind != SP_OPERAND_SCALAR)
            continue;
        enum outcome outcome;
        enum sp_status status = scalar_outcome(&item.scalar, comparison, right, matcher, &outcome);
        if (status != SP_OK)
            return status;
        any_true |= outcome == TRUE;
        any_false |= outcome == FALSE;
    }
    *ret = any_true && !(none && any_false);
    return SP_OK;
}

static enum sp_traceql_comparison mirrored(enum sp_traceql_comparison comparison)
{
    switch (comparison) {
    case SP_TRACEQL_LT:
        return SP_TRACEQL_GT;
    case SP_TRACEQL_LE:
        return SP_TRACEQL_GE;
    case SP_TRACEQL_GT:
        return SP_TRACEQL_LT;
    case SP_TRACEQL_GE:
        return SP_TRACEQL_LE;
    case SP_TRACEQL_EQ:
    case SP_TRACEQL_NE:
    case SP_TRACEQL_MATCH:
    case SP_TRACEQL_NOT_MATCH:
        return comparison;
    }
    return comparison;
}

/* Neither side is EACH. Two arrays do not compare. */
static enum sp_status compare_one(const struct sp_operand *left,
                                  enum sp_traceql_comparison comparison,
                                  const struct sp_operand *right, struct matcher *matcher,
                                  bool *ret)
{
    *ret = false;
    if (left->kind == SP_OPERAND_ARRAY && right->kind == SP_OPERAND_SCALAR)
        return array_outcome(left->array, comparison, &right->scalar, matcher, ret);
    if (left->kind == SP_OPERAND_SCALAR && right->kind == SP_OPERAND_ARRAY && !matcher)
        return array_outcome(right->array, mirrored(comparison), &left->scalar, NULL, ret);
    if (left->kind != SP_OPERAND_SCALAR || right->kind != SP_OPERAND_SCALAR)
        return SP_OK;
    enum outcome outcome;
    enum sp_status status =
        scalar_outcome(&left->scalar, comparison, &right->scalar, matcher, &outcome);
    *ret = outcome == TRUE;
    return status;
}

static uint32_t each_count(const struct sp_span_place *place, const struct sp_operand *operand)
{
    return operand->kind == SP_OPERAND_EACH ? sp_operand_each_count(place, operand->each) : 1;
}

static const struct sp_operand *each_item(const struct sp_span_place *place,
                                          const struct sp_operand *operand, uint32_t index,
                                          struct sp_operand *room)
{
    if (operand->kind != SP_OPERAND_EACH)
        return operand;
    sp_operand_each(place, operand->each, index, room);
    return room;
}

enum sp_status sp_operand_compare(const struct sp_span_place *place, const struct sp_operand *left,
                                  enum sp_traceql_comparison comparison,
                                  const struct sp_operand *right, struct sp_regex *regex, bool *ret,
                                  struct sp_error *reterr)
{
    struct matcher matcher = {.regex = regex, .stop = place->facts->stop, .reterr = reterr};
    uint32_t pairs = 0;
    uint32_t left_count = each_count(place, left), right_count = each_count(place, right);
    *ret = false;
    for (uint32_t i = 0; i < left_count && !*ret; i++) {
        struct sp_operand left_room, right_room;
        const struct sp_operand *one = each_item(place, left, i, &left_room);
        for (uint32_t j = 0; j < right_count && !*ret; j++) {
            enum sp_status status =
                compare_one(one, comparison, each_item(place, right, j, &right_room),
                            regex ? &matcher : NULL, ret);
            if (matcher.stopped)
                return status;
            if (status == SP_LIMIT)
                return sp_error_set(reterr, status,
                                    "a regular expression took more than the limit of %u steps, or "
                                    "of %u KiB, on a value",
                                    SP_REGEX_MATCH_LIMIT, SP_REGEX_HEAP_KIB_MAX);
            if (status != SP_OK)
                return sp_error_set(reterr, status, "no memory to match a regular expression");
            if (++pairs % SP_STOP_PAIRS == 0)
                status = sp_stop_ask(place->facts->stop, reterr);
            if (status != SP_OK)
                return status;
        }
    }
    return SP_OK;
}
