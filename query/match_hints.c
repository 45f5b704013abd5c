/* SPDX-License-Identifier: Apache-2.0
 *
 * query/match_hints.c: conditions for the store's scan out of a query. A hint may be weaker than the query, never
 * stronger: whatever matches must satisfy it. What cannot be said as a condition is left out. */
#include "query/match.h"

static bool field_condition(const struct sp_traceql_field *field, struct sp_condition *ret)
{
    static const struct {
        enum sp_traceql_intrinsic intrinsic;
        enum sp_field field;
    } intrinsics[] = {
        {SP_TRACEQL_SERVICE, SP_FIELD_SERVICE},
        {SP_TRACEQL_NAME, SP_FIELD_NAME},
        {SP_TRACEQL_STATUS, SP_FIELD_STATUS},
        {SP_TRACEQL_STATUS_MESSAGE, SP_FIELD_STATUS_MESSAGE},
        {SP_TRACEQL_KIND, SP_FIELD_KIND},
        {SP_TRACEQL_DURATION, SP_FIELD_DURATION},
    };
    static const uint32_t scopes[] = {
        [SP_TRACEQL_SCOPE_ANY] = SP_SCOPE_SPAN | SP_SCOPE_RESOURCE,
        [SP_TRACEQL_SCOPE_SPAN] = SP_SCOPE_SPAN,
        [SP_TRACEQL_SCOPE_RESOURCE] = SP_SCOPE_RESOURCE,
        [SP_TRACEQL_SCOPE_EVENT] = SP_SCOPE_EVENT,
        [SP_TRACEQL_SCOPE_LINK] = SP_SCOPE_LINK,
        [SP_TRACEQL_SCOPE_INSTRUMENTATION] = SP_SCOPE_INSTRUMENTATION,
    };
    if (field->of_parent)
        return false;
    if (field->intrinsic == SP_TRACEQL_INTRINSIC_NONE) {
        *ret = (struct sp_condition){.field = SP_FIELD_ATTRIBUTE,
                                     .scopes = scopes[field->scope],
                                     .key = field->key,
                                     .operation = SP_OP_EXISTS};
        return true;
    }
    for (size_t i = 0; i < SP_ARRAY_LEN(intrinsics); i++)
        if (intrinsics[i].intrinsic == field->intrinsic) {
            *ret = (struct sp_condition){.field = intrinsics[i].field, .operation = SP_OP_EXISTS};
            return true;
        }
    return false;
}

/* The condition's value. Numbers of kind and status that nobody knows count as unspecified and unset in the language,
 * but the store compares what was sent: so only the known numbers are asked for. */
static bool condition_value(const struct sp_traceql_value *literal, struct sp_value *ret)
{
    switch (literal->type) {
    case SP_TRACEQL_TYPE_STRING:
        *ret = (struct sp_value){.kind = SP_VALUE_STRING, .string = literal->string};
        return true;
    case SP_TRACEQL_TYPE_BOOL:
        *ret = (struct sp_value){.kind = SP_VALUE_BOOL, .boolean = literal->boolean};
        return true;
    case SP_TRACEQL_TYPE_INT:
    case SP_TRACEQL_TYPE_DURATION:
        *ret = (struct sp_value){.kind = SP_VALUE_INT, .integer = literal->integer};
        return true;
    case SP_TRACEQL_TYPE_FLOAT:
        *ret = (struct sp_value){.kind = SP_VALUE_DOUBLE, .number = literal->number};
        return true;
    case SP_TRACEQL_TYPE_STATUS:
    case SP_TRACEQL_TYPE_KIND:
        *ret = (struct sp_value){.kind = SP_VALUE_INT, .integer = literal->integer};
        return literal->integer != 0;
    case SP_TRACEQL_TYPE_ANY:
    case SP_TRACEQL_TYPE_SPAN:
    case SP_TRACEQL_TYPE_SPANSET:
    case SP_TRACEQL_TYPE_SERIES:
        return false;
    }
    return false;
}

static bool comparison_operator(enum sp_traceql_comparison comparison, bool mirrored,
                                enum sp_condition_operator *ret)
{
    switch (comparison) {
    case SP_TRACEQL_EQ:
        *ret = SP_OP_EQ;
        return true;
    case SP_TRACEQL_NE:
        *ret = SP_OP_NE;
        return true;
    case SP_TRACEQL_LT:
        *ret = mirrored ? SP_OP_GT : SP_OP_LT;
        return true;
    case SP_TRACEQL_LE:
        *ret = mirrored ? SP_OP_GE : SP_OP_LE;
        return true;
    case SP_TRACEQL_GT:
        *ret = mirrored ? SP_OP_LT : SP_OP_GT;
        return true;
    case SP_TRACEQL_GE:
        *ret = mirrored ? SP_OP_LE : SP_OP_GE;
        return true;
    case SP_TRACEQL_MATCH:
    case SP_TRACEQL_NOT_MATCH:
        return false;
    }
    return false;
}

/* A comparison says at least that its attribute exists; with a literal on the other side it says more. */
static bool compare_condition(const struct sp_traceql_node *node, struct sp_condition *ret)
{
    bool mirrored = node->left->kind != SP_TRACEQL_FIELD;
    const struct sp_traceql_node *field = mirrored ? node->right : node->left;
    const struct sp_traceql_node *other = mirrored ? node->left : node->right;
    if (field->kind != SP_TRACEQL_FIELD || !field_condition(&field->field, ret))
        return false;
    struct sp_value value;
    enum sp_condition_operator operation;
    bool by_number = ret->field == SP_FIELD_KIND || ret->field == SP_FIELD_STATUS;
    if (other->kind == SP_TRACEQL_LITERAL && condition_value(&other->value, &value) &&
        comparison_operator(node->comparison, mirrored, &operation) &&
        (!by_number || operation == SP_OP_EQ)) {
        ret->operation = operation;
        ret->value = value;
    }
    return ret->field == SP_FIELD_ATTRIBUTE || ret->operation != SP_OP_EXISTS;
}

static bool node_condition(const struct sp_traceql_node *node, struct sp_condition *ret)
{
    if (node->kind == SP_TRACEQL_COMPARE)
        return compare_condition(node, ret);
    if (node->kind == SP_TRACEQL_EXISTS && node->left->kind == SP_TRACEQL_FIELD)
        return field_condition(&node->left->field, ret) && ret->field == SP_FIELD_ATTRIBUTE;
    if (node->kind == SP_TRACEQL_FIELD) /* { .flag } */
        return field_condition(&node->field, ret) && ret->field == SP_FIELD_ATTRIBUTE;
    return false;
}

/* One condition that all of an item of || must satisfy; of && any of its items will do, an equality best. */
static bool item_condition(const struct sp_traceql_node *node, struct sp_condition *ret)
{
    if (node->kind != SP_TRACEQL_ALL)
        return node_condition(node, ret);
    bool found = false;
    for (uint32_t i = 0; i < node->item_count; i++) {
        struct sp_condition condition;
        if (!node_condition(node->items[i], &condition))
            continue;
        if (!found || (condition.operation == SP_OP_EQ && ret->operation != SP_OP_EQ))
            *ret = condition;
        found = true;
    }
    return found;
}

enum sp_status sp_match_hints(struct sp_arena *arena, const struct sp_traceql_query *query,
                              struct sp_scan *scan)
{
    const struct sp_traceql_node *node = query->root;
    while (node && (node->kind == SP_TRACEQL_PIPELINE || node->kind == SP_TRACEQL_FILTER))
        node = node->kind == SP_TRACEQL_PIPELINE ? node->items[0] : node->left;
    scan->conditions = NULL;
    scan->condition_count = 0;
    scan->match_any = node && node->kind == SP_TRACEQL_ANY;
    if (!node)
        return SP_OK;
    bool joins = node->kind == SP_TRACEQL_ALL || node->kind == SP_TRACEQL_ANY;
    uint32_t count = joins ? node->item_count : 1;
    struct sp_condition *conditions = sp_arena_calloc(arena, count, sizeof(*conditions));
    if (!conditions)
        return arena->error;
    for (uint32_t i = 0; i < count; i++) {
        const struct sp_traceql_node *item = joins ? node->items[i] : node;
        bool found = scan->match_any ? item_condition(item, &conditions[scan->condition_count])
                                     : node_condition(item, &conditions[scan->condition_count]);
        if (found) {
            scan->condition_count++;
        } else if (scan->match_any) {
            scan->condition_count = 0; /* this item alone would let every span in */
            break;
        }
    }
    scan->conditions = conditions;
    return SP_OK;
}
