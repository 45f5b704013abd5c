/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/condition.c: what a condition of a scan means for one span. A condition holds if any value of the field
 * satisfies it: with duplicate keys, or on several levels, one is enough, for a scan may visit too much but never too
 * little. Knows neither engines nor disks. */
#include "storage/catalogue.h"

#include <math.h>

/* Exact: converting the integer to double could make unequal numbers equal. number is not NaN. */
static int compare_int_double(int64_t integer, double number)
{
    if (number >= 9223372036854775808.0)
        return -1;
    if (number < -9223372036854775808.0)
        return 1;
    int64_t whole = (int64_t)number;
    if (integer != whole)
        return integer < whole ? -1 : 1;
    double fraction = number - (double)whole;
    return (fraction < 0) - (fraction > 0);
}

/* False when the two have no order: different kinds, NaN, arrays. */
static bool compare_values(const struct sp_value *a, const struct sp_value *b, int *ret)
{
    bool a_is_number = a->kind == SP_VALUE_INT || a->kind == SP_VALUE_DOUBLE;
    bool b_is_number = b->kind == SP_VALUE_INT || b->kind == SP_VALUE_DOUBLE;
    if (a_is_number && b_is_number) {
        if ((a->kind == SP_VALUE_DOUBLE && isnan(a->number)) ||
            (b->kind == SP_VALUE_DOUBLE && isnan(b->number)))
            return false;
        if (a->kind == SP_VALUE_INT && b->kind == SP_VALUE_INT)
            *ret = (a->integer > b->integer) - (a->integer < b->integer);
        else if (a->kind == SP_VALUE_INT)
            *ret = compare_int_double(a->integer, b->number);
        else if (b->kind == SP_VALUE_INT)
            *ret = -compare_int_double(b->integer, a->number);
        else
            *ret = (a->number > b->number) - (a->number < b->number);
        return true;
    }
    if (a->kind != b->kind)
        return false;
    if (a->kind == SP_VALUE_STRING || a->kind == SP_VALUE_BYTES) {
        *ret = sp_slice_compare(a->string, b->string);
        return true;
    }
    if (a->kind == SP_VALUE_BOOL) {
        *ret = (int)a->boolean - (int)b->boolean;
        return true;
    }
    return false;
}

static bool order_satisfies(enum sp_condition_operator operation, int order)
{
    switch (operation) {
    case SP_OP_EXISTS:
        return true;
    case SP_OP_EQ:
        return order == 0;
    case SP_OP_NE:
        return order != 0;
    case SP_OP_LT:
        return order < 0;
    case SP_OP_LE:
        return order <= 0;
    case SP_OP_GT:
        return order > 0;
    case SP_OP_GE:
        return order >= 0;
    case SP_OP_TEST: /* it is no text */
        return false;
    }
    return true;
}

bool sp_condition_holds_value(const struct sp_condition *condition, const struct sp_value *value)
{
    if (condition->operation == SP_OP_EXISTS)
        return true;
    /* In the query language one item of an array can be enough; which one decides the caller. */
    if (value->kind == SP_VALUE_ARRAY)
        return true;
    if (condition->operation == SP_OP_TEST)
        return value->kind == SP_VALUE_STRING &&
               condition->test->holds(condition->test->cookie, value->string);
    /* Most conditions are of this kind, and lengths are cheaper than an order. */
    if (condition->operation == SP_OP_EQ && condition->value.kind == SP_VALUE_STRING)
        return value->kind == SP_VALUE_STRING &&
               sp_slice_equal(value->string, condition->value.string);
    int order;
    if (compare_values(value, &condition->value, &order))
        return order_satisfies(condition->operation, order);
    /* What cannot be ordered is at least different. */
    return condition->operation == SP_OP_NE;
}

static bool text_satisfies(const struct sp_condition *condition, struct sp_slice text)
{
    return sp_condition_holds_value(condition,
                                    &(struct sp_value){.kind = SP_VALUE_STRING, .string = text});
}

static bool number_satisfies(const struct sp_condition *condition, int64_t number)
{
    return sp_condition_holds_value(condition,
                                    &(struct sp_value){.kind = SP_VALUE_INT, .integer = number});
}

bool sp_condition_holds_duration(const struct sp_condition *condition, uint64_t duration_ns)
{
    if (duration_ns <= INT64_MAX)
        return number_satisfies(condition, (int64_t)duration_ns);
    /* Longer than any value that could be asked for, 292 years. */
    return order_satisfies(condition->operation, 1);
}

static bool attribute_satisfies(const struct sp_condition *condition, const struct sp_span *span)
{
    size_t list_count = sp_attribute_list_count(span);
    for (size_t l = 0; l < list_count; l++) {
        enum sp_attribute_scope scope;
        const struct sp_attributes *list = sp_attribute_list(span, l, condition->scopes, &scope);
        for (size_t i = 0; list != NULL && i < list->count; i++) {
            if (sp_slice_equal(list->items[i].key, condition->key) &&
                sp_condition_holds_value(condition, &list->items[i].value))
                return true;
        }
    }
    return false;
}

bool sp_condition_names_trace(const struct sp_condition *condition)
{
    return condition->field == SP_FIELD_LINKS && condition->operation == SP_OP_EQ &&
           condition->value.kind == SP_VALUE_BYTES &&
           condition->value.string.len == SP_TRACE_ID_BYTES;
}

static bool links_satisfy(const struct sp_condition *condition, const struct sp_span *span)
{
    if (!sp_condition_names_trace(condition))
        return span->link_count > 0;
    for (uint32_t i = 0; i < span->link_count; i++) {
        if (sp_condition_holds_link(condition, &span->links[i].trace_id))
            return true;
    }
    return false;
}

static bool events_satisfy(const struct sp_condition *condition, const struct sp_span *span)
{
    for (uint32_t i = 0; i < span->event_count; i++) {
        if (text_satisfies(condition, span->events[i].name))
            return true;
    }
    return false;
}

static bool condition_holds(const struct sp_condition *condition, const struct sp_span *span)
{
    switch (condition->field) {
    case SP_FIELD_SERVICE:
        return text_satisfies(condition, sp_span_service(span));
    case SP_FIELD_NAME:
        return text_satisfies(condition, span->name);
    case SP_FIELD_KIND:
        return number_satisfies(condition, span->kind);
    case SP_FIELD_STATUS:
        return number_satisfies(condition, span->status_code);
    case SP_FIELD_STATUS_MESSAGE:
        return text_satisfies(condition, span->status_message);
    case SP_FIELD_DURATION:
        return sp_condition_holds_duration(condition, sp_span_duration_ns(span));
    case SP_FIELD_ATTRIBUTE:
        return attribute_satisfies(condition, span);
    case SP_FIELD_LINKS:
        return links_satisfy(condition, span);
    case SP_FIELD_EVENT_NAME:
        return events_satisfy(condition, span);
    case SP_FIELD_SCOPE_NAME:
        return text_satisfies(condition, span->scope != NULL ? span->scope->name : SP_SLICE(""));
    }
    return true;
}

bool sp_scan_matches(const struct sp_scan *scan, const struct sp_span *span)
{
    for (size_t i = 0; i < scan->condition_count; i++) {
        if (condition_holds(&scan->conditions[i], span) == scan->match_any)
            return scan->match_any;
    }
    return !scan->match_any || scan->condition_count == 0;
}
