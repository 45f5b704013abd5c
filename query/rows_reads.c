/* SPDX-License-Identifier: Apache-2.0
 *
 * query/rows_reads.c: what expressions read of a span, and what of a filter the store can decide. */
#include "query/rows_reads.h"

/* ---- what expressions read ---- */

enum sp_rows_reads sp_field_reads(const struct sp_traceql_field *field)
{
    if (field->of_parent)
        return SP_READS_TRACES;
    switch (field->intrinsic) {
    case SP_TRACEQL_INTRINSIC_NONE:
        return field->scope == SP_TRACEQL_SCOPE_EVENT || field->scope == SP_TRACEQL_SCOPE_LINK
                   ? SP_READS_SPANS
                   : SP_READS_COLUMNS;
    case SP_TRACEQL_SERVICE:
    case SP_TRACEQL_NAME:
    case SP_TRACEQL_STATUS:
    case SP_TRACEQL_STATUS_MESSAGE:
    case SP_TRACEQL_KIND:
    case SP_TRACEQL_INSTRUMENTATION_NAME:
    case SP_TRACEQL_INSTRUMENTATION_VERSION:
        return SP_READS_COLUMNS;
    case SP_TRACEQL_DURATION:
        return SP_READS_DURATIONS;
    case SP_TRACEQL_SPAN_ID:
    case SP_TRACEQL_PARENT_ID:
    case SP_TRACEQL_TRACE_ID:
    case SP_TRACEQL_EVENT_NAME:
    case SP_TRACEQL_EVENT_TIME_SINCE_START:
    case SP_TRACEQL_LINK_TRACE_ID:
    case SP_TRACEQL_LINK_SPAN_ID:
        return SP_READS_SPANS;
    case SP_TRACEQL_CHILD_COUNT:
    case SP_TRACEQL_TRACE_DURATION:
    case SP_TRACEQL_ROOT_NAME:
    case SP_TRACEQL_ROOT_SERVICE:
    case SP_TRACEQL_NESTED_SET_LEFT:
    case SP_TRACEQL_NESTED_SET_RIGHT:
    case SP_TRACEQL_NESTED_SET_PARENT:
    case SP_TRACEQL_PARENT_SPAN:
    case SP_TRACEQL_INTRINSIC_COUNT:
        break;
    }
    return SP_READS_TRACES;
}

bool sp_field_is_each(const struct sp_traceql_field *field)
{
    switch (field->intrinsic) {
    case SP_TRACEQL_INTRINSIC_NONE:
        return field->scope == SP_TRACEQL_SCOPE_EVENT || field->scope == SP_TRACEQL_SCOPE_LINK;
    case SP_TRACEQL_EVENT_NAME:
    case SP_TRACEQL_EVENT_TIME_SINCE_START:
    case SP_TRACEQL_LINK_TRACE_ID:
    case SP_TRACEQL_LINK_SPAN_ID:
        return true;
    case SP_TRACEQL_SERVICE:
    case SP_TRACEQL_NAME:
    case SP_TRACEQL_STATUS:
    case SP_TRACEQL_STATUS_MESSAGE:
    case SP_TRACEQL_KIND:
    case SP_TRACEQL_DURATION:
    case SP_TRACEQL_SPAN_ID:
    case SP_TRACEQL_PARENT_ID:
    case SP_TRACEQL_CHILD_COUNT:
    case SP_TRACEQL_TRACE_DURATION:
    case SP_TRACEQL_ROOT_NAME:
    case SP_TRACEQL_ROOT_SERVICE:
    case SP_TRACEQL_TRACE_ID:
    case SP_TRACEQL_INSTRUMENTATION_NAME:
    case SP_TRACEQL_INSTRUMENTATION_VERSION:
    case SP_TRACEQL_NESTED_SET_LEFT:
    case SP_TRACEQL_NESTED_SET_RIGHT:
    case SP_TRACEQL_NESTED_SET_PARENT:
    case SP_TRACEQL_PARENT_SPAN:
    case SP_TRACEQL_INTRINSIC_COUNT:
        break;
    }
    return false;
}

bool sp_field_column(const struct sp_traceql_field *field, struct sp_sheet_field *ret)
{
    if (field->intrinsic == SP_TRACEQL_STATUS_MESSAGE)
        *ret = (struct sp_sheet_field){.field = SP_FIELD_STATUS_MESSAGE};
    else if (field->intrinsic == SP_TRACEQL_INTRINSIC_NONE &&
             (field->scope == SP_TRACEQL_SCOPE_ANY || field->scope == SP_TRACEQL_SCOPE_SPAN))
        *ret = (struct sp_sheet_field){
            .field = SP_FIELD_ATTRIBUTE, .scopes = SP_SCOPE_SPAN, .key = field->key};
    else
        return false;
    return true;
}

enum sp_rows_reads sp_fields_add(const struct sp_traceql_field *field,
                                 struct sp_sheet_field *fields, uint32_t *count)
{
    struct sp_sheet_field column;
    enum sp_rows_reads reads = sp_field_reads(field);
    if (reads > SP_READS_COLUMNS || !sp_field_column(field, &column))
        return reads;
    for (uint32_t i = 0; i < *count; i++)
        if (fields[i].field == column.field && sp_slice_equal(fields[i].key, column.key))
            return reads;
    if (*count == SP_ROWS_COLUMNS_MAX)
        return SP_READS_SPANS;
    fields[(*count)++] = column;
    return reads;
}

static const struct sp_traceql_node *child_of(const struct sp_traceql_node *node, uint32_t i)
{
    if (node->items)
        return i < node->item_count ? node->items[i] : NULL;
    return i == 0 ? node->left : i == 1 ? node->right : NULL;
}

/* With a stack of its own, which the parser's limit on depth bounds. */
enum sp_rows_reads sp_expression_reads(const struct sp_traceql_node *root,
                                       struct sp_sheet_field *fields, uint32_t *count)
{
    struct {
        const struct sp_traceql_node *node;
        uint32_t next;
    } stack[SP_TRACEQL_DEPTH_MAX + 1];
    struct sp_sheet_field room[SP_ROWS_COLUMNS_MAX] = {0};
    uint32_t depth = 0, room_count = 0;
    enum sp_rows_reads most = SP_READS_COLUMNS;
    if (!root)
        return most;
    stack[depth].node = root;
    stack[depth++].next = 0;
    while (depth > 0) {
        const struct sp_traceql_node *node = stack[depth - 1].node;
        const struct sp_traceql_node *child = child_of(node, stack[depth - 1].next++);
        if (child && depth < SP_ARRAY_LEN(stack)) {
            stack[depth].node = child;
            stack[depth++].next = 0;
            continue;
        }
        if (node->kind == SP_TRACEQL_FIELD) {
            enum sp_rows_reads reads =
                sp_fields_add(&node->field, fields ? fields : room, fields ? count : &room_count);
            most = reads > most ? reads : most;
        }
        depth--;
    }
    return most;
}

enum sp_rows_reads sp_rows_question_reads(const struct sp_rows_question *question)
{
    enum sp_rows_reads most = sp_expression_reads(question->condition, NULL, NULL);
    for (uint32_t i = 0; i < question->key_count; i++) {
        enum sp_rows_reads reads = sp_field_reads(&question->keys[i]->field);
        most = reads > most ? reads : most;
    }
    if (question->value) {
        enum sp_rows_reads reads = sp_field_reads(&question->value->field);
        most = reads > most ? reads : most;
    }
    return most;
}

/* ---- conditions for the store ---- */

/* Does the store decide exactly what the node says? Attributes are left to the program: one span may have several, or arrays; and so are
 * tests, which say yes where they do not know. */
static bool is_exact(const struct sp_traceql_node *node, const struct sp_condition *condition)
{
    if (node->kind != SP_TRACEQL_COMPARE || condition->operation == SP_OP_EXISTS ||
        condition->operation == SP_OP_TEST)
        return false;
    switch (condition->field) {
    case SP_FIELD_SERVICE:
    case SP_FIELD_NAME:
    case SP_FIELD_KIND:
    case SP_FIELD_STATUS:
        return true;
    case SP_FIELD_DURATION: /* the language knows none above INT64_MAX */
        return condition->value.kind == SP_VALUE_INT && condition->value.integer < INT64_MAX;
    case SP_FIELD_STATUS_MESSAGE:
    case SP_FIELD_ATTRIBUTE:
    case SP_FIELD_LINKS:
    case SP_FIELD_EVENT_NAME:
    case SP_FIELD_SCOPE_NAME:
        return false;
    }
    return false;
}

enum sp_status sp_rows_conditions(const struct sp_hint_maker *maker,
                                  const struct sp_traceql_node *condition, struct sp_scan *scan,
                                  bool *ret_all)
{
    scan->conditions = NULL;
    scan->condition_count = 0;
    scan->match_any = false;
    *ret_all = condition == NULL;
    if (!condition)
        return SP_OK;
    bool any = condition->kind == SP_TRACEQL_ANY;
    bool joins = any || condition->kind == SP_TRACEQL_ALL;
    uint32_t count = joins ? condition->item_count : 1;
    struct sp_condition *conditions = sp_arena_calloc(maker->arena, count, sizeof(*conditions));
    if (!conditions)
        return maker->arena->error;
    bool all = true, complete = true;
    for (uint32_t i = 0; i < count; i++) {
        const struct sp_traceql_node *item = joins ? condition->items[i] : condition;
        struct sp_condition *next = &conditions[scan->condition_count];
        bool known = sp_match_condition(maker, item, next);
        complete &= known;
        all &= known && is_exact(item, next);
        scan->condition_count += known;
    }
    /* Of || each must be one, or nothing is known. */
    if (any && !complete)
        scan->condition_count = 0;
    scan->conditions = conditions;
    scan->match_any = any && scan->condition_count > 0;
    *ret_all = all;
    return SP_OK;
}
