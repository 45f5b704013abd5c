/* SPDX-License-Identifier: Apache-2.0
 *
 * query/match_hints.c: conditions for the store's scan out of a query. A hint may be weaker than the query, never
 * stronger: whatever matches must satisfy it. What cannot be said as a condition is left out. The store asks that one span
 * satisfies all of them, so conditions of two sides of an operator are never put together. */
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
        {SP_TRACEQL_LINK_TRACE_ID, SP_FIELD_LINKS},
        {SP_TRACEQL_LINK_SPAN_ID, SP_FIELD_LINKS},
        {SP_TRACEQL_EVENT_NAME, SP_FIELD_EVENT_NAME},
        {SP_TRACEQL_EVENT_TIME_SINCE_START, SP_FIELD_EVENT_NAME},
        {SP_TRACEQL_INSTRUMENTATION_NAME, SP_FIELD_SCOPE_NAME},
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

/* Of texts the store asks the expression itself. Without memory for that the condition stays as weak as it was. */
static void test_condition(const struct sp_hint_maker *maker, const struct sp_traceql_node *node,
                           struct sp_condition *ret)
{
    const struct sp_text_test *test = NULL;
    if (ret->field == SP_FIELD_ATTRIBUTE || ret->field == SP_FIELD_SERVICE ||
        ret->field == SP_FIELD_NAME || ret->field == SP_FIELD_STATUS_MESSAGE ||
        ret->field == SP_FIELD_EVENT_NAME || ret->field == SP_FIELD_SCOPE_NAME)
        test = sp_match_test(maker, node);
    if (!test)
        return;
    ret->operation = SP_OP_TEST;
    ret->test = test;
    ret->value = (struct sp_value){.kind = SP_VALUE_STRING, .string = node->right->value.string};
}

/* Does the condition say something although it only asks whether there is a value? Other fields are there in every span. */
static bool may_be_absent(const struct sp_condition *condition)
{
    return condition->field == SP_FIELD_ATTRIBUTE || condition->field == SP_FIELD_LINKS ||
           condition->field == SP_FIELD_EVENT_NAME;
}

/* That there is a link or an event to compare; of links also to which trace. Without memory for that it stays as weak as it was. */
static void link_condition(const struct sp_hint_maker *maker, const struct sp_traceql_node *node,
                           const struct sp_traceql_node *other, struct sp_condition *ret)
{
    struct sp_trace_id *id = sp_arena_alloc(maker->arena, sizeof(*id));
    if (!id || node->comparison != SP_TRACEQL_EQ || other->kind != SP_TRACEQL_LITERAL ||
        other->value.type != SP_TRACEQL_TYPE_STRING || !sp_trace_id_parse(other->value.string, id))
        return;
    ret->operation = SP_OP_EQ;
    ret->value = (struct sp_value){.kind = SP_VALUE_BYTES,
                                   .string = sp_slice_make(id->bytes, SP_TRACE_ID_BYTES)};
}

/* A comparison says at least that its attribute exists; with a literal on the other side it says more. */
static bool compare_condition(const struct sp_hint_maker *maker, const struct sp_traceql_node *node,
                              struct sp_condition *ret)
{
    bool mirrored = node->left->kind != SP_TRACEQL_FIELD;
    const struct sp_traceql_node *field = mirrored ? node->right : node->left;
    const struct sp_traceql_node *other = mirrored ? node->left : node->right;
    if (field->kind != SP_TRACEQL_FIELD || !field_condition(&field->field, ret))
        return false;
    if (field->field.intrinsic == SP_TRACEQL_LINK_TRACE_ID)
        link_condition(maker, node, other, ret);
    if (ret->field == SP_FIELD_LINKS || field->field.intrinsic == SP_TRACEQL_EVENT_TIME_SINCE_START)
        return true;
    struct sp_value value;
    enum sp_condition_operator operation;
    bool by_number = ret->field == SP_FIELD_KIND || ret->field == SP_FIELD_STATUS;
    if (other->kind == SP_TRACEQL_LITERAL && condition_value(&other->value, &value) &&
        comparison_operator(node->comparison, mirrored, &operation) &&
        (!by_number || operation == SP_OP_EQ)) {
        ret->operation = operation;
        ret->value = value;
    }
    if (node->comparison == SP_TRACEQL_MATCH || node->comparison == SP_TRACEQL_NOT_MATCH)
        test_condition(maker, node, ret);
    return may_be_absent(ret) || ret->operation != SP_OP_EXISTS;
}

static bool node_condition(const struct sp_hint_maker *maker, const struct sp_traceql_node *node,
                           struct sp_condition *ret)
{
    if (node->kind == SP_TRACEQL_COMPARE)
        return compare_condition(maker, node, ret);
    if (node->kind == SP_TRACEQL_EXISTS && node->left->kind == SP_TRACEQL_FIELD)
        return field_condition(&node->left->field, ret) && may_be_absent(ret);
    if (node->kind == SP_TRACEQL_FIELD) /* { .flag } */
        return field_condition(&node->field, ret) && ret->field == SP_FIELD_ATTRIBUTE;
    return false;
}

/* ---- hints: what a span of a set satisfies ---- */

/* All, or any, of some conditions; none: nothing is known of the span. */
struct hint {
    struct sp_condition *conditions;
    uint32_t count;
    bool any;
};

/* Traces that a query can name: more are not told to the store. */
#define TRACE_IDS_MAX ((uint32_t)64)

/* What is known of the trace in which a set is found: it has a span for each of some hints, whenever that starts, and is one of some
 * traces. */
struct trace_hint {
    const struct hint *spans[SP_SCAN_ALSO_MAX];
    uint32_t span_count;
    struct sp_trace_id *ids;
    uint32_t id_count; /* 0: it may be any */
};

/* How few spans a condition lets through, by experience: the greater, the fewer. */
static int weight_of(const struct sp_condition *condition)
{
    if (condition->operation == SP_OP_EXISTS || condition->operation == SP_OP_NE)
        return 1;
    if (condition->operation == SP_OP_TEST)
        return condition->field == SP_FIELD_SERVICE ? 2 : 3;
    bool equal = condition->operation == SP_OP_EQ;
    switch (condition->field) {
    case SP_FIELD_ATTRIBUTE:
        return equal ? 6 : 3;
    case SP_FIELD_LINKS: /* to one trace */
        return 6;
    case SP_FIELD_EVENT_NAME:
        return 4;
    case SP_FIELD_SCOPE_NAME:
        return 2;
    case SP_FIELD_NAME:
    case SP_FIELD_STATUS_MESSAGE:
        return equal ? 5 : 2;
    case SP_FIELD_DURATION:
    case SP_FIELD_STATUS:
        return 4;
    case SP_FIELD_SERVICE:
        return equal ? 3 : 2;
    case SP_FIELD_KIND:
        return 2;
    }
    return 1;
}

/* Of any: as good as its worst. Of all: as good as its best, the others help. */
static int weight_of_hint(const struct hint *hint)
{
    int weight = 0;
    for (uint32_t i = 0; i < hint->count; i++) {
        int of_condition = 16 * weight_of(&hint->conditions[i]);
        if (hint->any)
            weight = i == 0 || of_condition < weight ? of_condition : weight;
        else
            weight = of_condition > weight ? of_condition + 1 : weight + 1;
    }
    return weight;
}

static const struct hint *better(const struct hint *a, const struct hint *b)
{
    return weight_of_hint(b) > weight_of_hint(a) ? b : a;
}

static const struct sp_condition *best_condition(const struct sp_condition *conditions,
                                                 uint32_t count)
{
    const struct sp_condition *best = &conditions[0];
    for (uint32_t i = 1; i < count; i++)
        if (weight_of(&conditions[i]) > weight_of(best))
            best = &conditions[i];
    return best;
}

/* One condition that all of an item of || must satisfy; of && any of its items will do, the best is taken. */
static bool item_condition(const struct sp_hint_maker *maker, const struct sp_traceql_node *node,
                           struct sp_condition *ret)
{
    if (node->kind != SP_TRACEQL_ALL)
        return node_condition(maker, node, ret);
    bool found = false;
    for (uint32_t i = 0; i < node->item_count; i++) {
        struct sp_condition condition;
        if (!node_condition(maker, node->items[i], &condition))
            continue;
        if (!found || weight_of(&condition) > weight_of(ret))
            *ret = condition;
        found = true;
    }
    return found;
}

static enum sp_status filter_hint(const struct sp_hint_maker *maker,
                                  const struct sp_traceql_node *node, struct hint *ret)
{
    *ret = (struct hint){.any = node && node->kind == SP_TRACEQL_ANY};
    if (!node)
        return SP_OK;
    bool joins = node->kind == SP_TRACEQL_ALL || node->kind == SP_TRACEQL_ANY;
    uint32_t count = joins ? node->item_count : 1;
    ret->conditions = sp_arena_calloc(maker->arena, count, sizeof(*ret->conditions));
    if (!ret->conditions)
        return maker->arena->error;
    for (uint32_t i = 0; i < count; i++) {
        const struct sp_traceql_node *item = joins ? node->items[i] : node;
        bool found = ret->any ? item_condition(maker, item, &ret->conditions[ret->count])
                              : node_condition(maker, item, &ret->conditions[ret->count]);
        if (found) {
            ret->count++;
        } else if (ret->any) {
            ret->count = 0; /* this item alone would let every span in */
            break;
        }
    }
    return SP_OK;
}

/* A span of either set: of sets whose spans satisfy all of some conditions one of these is taken. */
static enum sp_status either(struct sp_arena *arena, const struct hint *a, const struct hint *b,
                             struct hint *ret)
{
    const struct hint *sides[] = {a, b};
    *ret = (struct hint){.any = true};
    if (a->count == 0 || b->count == 0)
        return SP_OK;
    ret->conditions = sp_arena_calloc(arena, (size_t)a->count + b->count, sizeof(*ret->conditions));
    if (!ret->conditions)
        return arena->error;
    for (size_t i = 0; i < SP_ARRAY_LEN(sides); i++) {
        uint32_t count = sides[i]->any ? sides[i]->count : 1;
        const struct sp_condition *from =
            sides[i]->any ? sides[i]->conditions
                          : best_condition(sides[i]->conditions, sides[i]->count);
        memcpy(ret->conditions + ret->count, from, count * sizeof(*from));
        ret->count += count;
    }
    return SP_OK;
}

/* ---- hints: what the trace of a set has ---- */

/* { trace:id = "..." } */
static bool names_trace(const struct sp_traceql_node *node, struct sp_trace_id *ret)
{
    if (node->kind != SP_TRACEQL_COMPARE || node->comparison != SP_TRACEQL_EQ)
        return false;
    bool mirrored = node->left->kind != SP_TRACEQL_FIELD;
    const struct sp_traceql_node *field = mirrored ? node->right : node->left;
    const struct sp_traceql_node *other = mirrored ? node->left : node->right;
    return field->kind == SP_TRACEQL_FIELD && field->field.intrinsic == SP_TRACEQL_TRACE_ID &&
           !field->field.of_parent && other->kind == SP_TRACEQL_LITERAL &&
           other->value.type == SP_TRACEQL_TYPE_STRING &&
           sp_trace_id_parse(other->value.string, ret);
}

/* Adds an id to ascending ones. False: there are too many. */
static bool add_id(struct trace_hint *hint, const struct sp_trace_id *id)
{
    uint32_t at = hint->id_count;
    while (at > 0 && sp_trace_id_compare(&hint->ids[at - 1], id) > 0)
        at--;
    if (at > 0 && sp_trace_id_compare(&hint->ids[at - 1], id) == 0)
        return true;
    if (hint->id_count == TRACE_IDS_MAX)
        return false;
    memmove(hint->ids + at + 1, hint->ids + at, (hint->id_count - at) * sizeof(*id));
    hint->ids[at] = *id;
    hint->id_count++;
    return true;
}

/* Of all of some conditions one is enough; of any each has to name a trace. */
static enum sp_status filter_ids(struct sp_arena *arena, const struct sp_traceql_node *node,
                                 struct trace_hint *ret)
{
    bool joins = node && (node->kind == SP_TRACEQL_ALL || node->kind == SP_TRACEQL_ANY);
    bool any = joins && node->kind == SP_TRACEQL_ANY;
    uint32_t count = joins ? node->item_count : node != NULL;
    struct sp_trace_id id;
    ret->ids = sp_arena_alloc(arena, TRACE_IDS_MAX * sizeof(*ret->ids));
    if (!ret->ids)
        return arena->error;
    for (uint32_t i = 0; i < count; i++) {
        bool named = names_trace(joins ? node->items[i] : node, &id);
        bool added = named && add_id(ret, &id);
        if (any ? !added : added)
            break;
        if (any && i + 1 == count)
            return SP_OK;
    }
    if (any)
        ret->id_count = 0;
    return SP_OK;
}

static void add_spans(struct trace_hint *hint, const struct hint *spans)
{
    bool known = spans->count == 0;
    for (uint32_t i = 0; i < hint->span_count; i++)
        known |= hint->spans[i]->conditions == spans->conditions;
    if (!known && hint->span_count < SP_SCAN_ALSO_MAX)
        hint->spans[hint->span_count++] = spans;
}

/* A trace that is both. */
static void both(struct trace_hint *into, const struct trace_hint *other)
{
    for (uint32_t i = 0; i < other->span_count; i++)
        add_spans(into, other->spans[i]);
    if (into->id_count == 0) {
        into->ids = other->ids;
        into->id_count = other->id_count;
    }
}

/* Which sides of a relation its trace has to have: sets are found only where there is a span of each. What is excluded need not be
 * there. */
static void relation_trace(const struct sp_traceql_node *node, const struct trace_hint *of,
                           struct trace_hint *ret)
{
    const struct trace_hint *left = &of[node->left->index], *right = &of[node->right->index];
    switch (node->relation) {
    case SP_TRACEQL_OR:
        return;
    case SP_TRACEQL_AND:
    case SP_TRACEQL_UNION_CHILD:
    case SP_TRACEQL_UNION_PARENT:
    case SP_TRACEQL_UNION_DESCENDANT:
    case SP_TRACEQL_UNION_ANCESTOR:
    case SP_TRACEQL_UNION_SIBLING:
    case SP_TRACEQL_CHILD:
    case SP_TRACEQL_PARENT:
    case SP_TRACEQL_DESCENDANT:
    case SP_TRACEQL_ANCESTOR:
    case SP_TRACEQL_SIBLING:
        both(ret, left);
        both(ret, right);
        return;
    case SP_TRACEQL_NOT_CHILD:
    case SP_TRACEQL_NOT_PARENT:
    case SP_TRACEQL_NOT_DESCENDANT:
    case SP_TRACEQL_NOT_ANCESTOR:
    case SP_TRACEQL_NOT_SIBLING:
        both(ret, right);
        return;
    case SP_TRACEQL_WITHOUT:
        both(ret, left);
        return;
    }
}

static enum sp_status node_trace(struct sp_arena *arena, const struct sp_traceql_node *node,
                                 const struct hint *hints, const struct trace_hint *of,
                                 struct trace_hint *ret)
{
    if (node->kind == SP_TRACEQL_FILTER) {
        add_spans(ret, &hints[node->index]);
        return filter_ids(arena, node->left, ret);
    }
    if (node->kind == SP_TRACEQL_RELATION)
        relation_trace(node, of, ret);
    else if (node->kind == SP_TRACEQL_REPEATED)
        both(ret, &of[node->left->index]);
    for (uint32_t i = 0; node->kind == SP_TRACEQL_PIPELINE && i < node->item_count; i++)
        both(ret, &of[node->items[i]->index]);
    return SP_OK;
}

/* ---- a whole query ---- */

/* What is known of the spans that a relation gives. Where every span is in range, it will do that the trace has a span of one
 * side; otherwise only a span of the result has to be in range. */
static enum sp_status relation_hint(struct sp_arena *arena, const struct sp_traceql_node *node,
                                    bool all_in_range, const struct hint *hints, struct hint *ret)
{
    const struct hint *left = &hints[node->left->index], *right = &hints[node->right->index];
    switch (node->relation) {
    case SP_TRACEQL_OR:
        return either(arena, left, right, ret);
    case SP_TRACEQL_AND:
    case SP_TRACEQL_UNION_CHILD:
    case SP_TRACEQL_UNION_PARENT:
    case SP_TRACEQL_UNION_DESCENDANT:
    case SP_TRACEQL_UNION_ANCESTOR:
    case SP_TRACEQL_UNION_SIBLING:
        if (!all_in_range)
            return either(arena, left, right, ret);
        *ret = *better(right, left);
        return SP_OK;
    case SP_TRACEQL_CHILD:
    case SP_TRACEQL_PARENT:
    case SP_TRACEQL_DESCENDANT:
    case SP_TRACEQL_ANCESTOR:
    case SP_TRACEQL_SIBLING:
        *ret = all_in_range ? *better(right, left) : *right;
        return SP_OK;
    case SP_TRACEQL_NOT_CHILD:
    case SP_TRACEQL_NOT_PARENT:
    case SP_TRACEQL_NOT_DESCENDANT:
    case SP_TRACEQL_NOT_ANCESTOR:
    case SP_TRACEQL_NOT_SIBLING:
        *ret = *right;
        return SP_OK;
    case SP_TRACEQL_WITHOUT:
        *ret = *left;
        return SP_OK;
    }
    return SP_OK;
}

/* Whatever comes out of a pipeline went through each of its stages. */
static void pipeline_hint(const struct sp_traceql_node *node, const struct hint *hints,
                          struct hint *ret)
{
    *ret = (struct hint){0};
    for (uint32_t i = 0; i < node->item_count; i++)
        *ret = *better(ret, &hints[node->items[i]->index]);
}

/* What the spans in range are asked for anyway is not asked again. */
static enum sp_status trace_scan(struct sp_arena *arena, const struct trace_hint *hint,
                                 struct sp_scan *scan)
{
    struct sp_scan *also = sp_arena_calloc(arena, SP_SCAN_ALSO_MAX, sizeof(*also));
    if (!also)
        return arena->error;
    scan->also = also;
    scan->also_count = 0;
    for (uint32_t i = 0; i < hint->span_count; i++) {
        const struct hint *spans = hint->spans[i];
        if (spans->conditions != scan->conditions)
            also[scan->also_count++] = (struct sp_scan){.range = SP_TIME_RANGE_ALL,
                                                        .conditions = spans->conditions,
                                                        .condition_count = spans->count,
                                                        .match_any = spans->any};
    }
    scan->trace_ids = hint->ids;
    scan->trace_id_count = hint->id_count;
    return SP_OK;
}

bool sp_match_condition(const struct sp_hint_maker *maker, const struct sp_traceql_node *node,
                        struct sp_condition *ret)
{
    return node_condition(maker, node, ret);
}

enum sp_status sp_match_hints(const struct sp_hint_maker *maker,
                              const struct sp_traceql_query *query, struct sp_scan *scan)
{
    return sp_match_hints_of(maker, query, query->root, scan);
}

enum sp_status sp_match_hints_of(const struct sp_hint_maker *maker,
                                 const struct sp_traceql_query *query,
                                 const struct sp_traceql_node *part, struct sp_scan *scan)
{
    struct sp_arena *arena = maker->arena;
    bool all_in_range = scan->range.from_unix_ns == 0 && scan->range.to_unix_ns == UINT64_MAX;
    struct hint *hints = sp_arena_calloc(arena, query->node_count, sizeof(*hints));
    struct trace_hint *traces = sp_arena_calloc(arena, query->node_count, sizeof(*traces));
    if (!hints || !traces)
        return arena->error;
    for (uint32_t i = 0; i < query->node_count; i++) {
        const struct sp_traceql_node *node = query->nodes[i];
        enum sp_status status = SP_OK;
        if (node->kind == SP_TRACEQL_FILTER)
            status = filter_hint(maker, node->left, &hints[i]);
        else if (node->kind == SP_TRACEQL_RELATION)
            status = relation_hint(arena, node, all_in_range, hints, &hints[i]);
        else if (node->kind == SP_TRACEQL_REPEATED)
            hints[i] = hints[node->left->index];
        else if (node->kind == SP_TRACEQL_PIPELINE)
            pipeline_hint(node, hints, &hints[i]);
        if (status == SP_OK)
            status = node_trace(arena, node, hints, traces, &traces[i]);
        if (status != SP_OK)
            return status;
    }
    const struct hint *hint = &hints[part->index];
    scan->conditions = hint->conditions;
    scan->condition_count = hint->count;
    scan->match_any = hint->any;
    return trace_scan(arena, &traces[part->index], scan);
}

enum sp_status sp_match_expression_hints(const struct sp_hint_maker *maker,
                                         const struct sp_traceql_node *expression,
                                         struct sp_scan *scan)
{
    struct hint hint;
    enum sp_status status = filter_hint(maker, expression, &hint);
    if (status != SP_OK)
        return status;
    scan->conditions = hint.conditions;
    scan->condition_count = hint.count;
    scan->match_any = hint.any;
    return SP_OK;
}
