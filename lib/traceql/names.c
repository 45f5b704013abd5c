/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/traceql/names.c: the tables: operators, intrinsics, constants, functions. One row for each; the rest is look-up. */
#include "lib/traceql/tokens.h"

/* ---- operators ---- */

struct operator_row {
    const char *text;
    enum sp_traceql_precedence precedence;
    int comparison, arithmetic, relation; /* what it means in each place, plus 1; 0: nothing */
};

#define OF(value) ((int)(value) + 1)

static const struct operator_row operators[] = {
    [SP_TOKEN_AND] = {"&&", SP_PRECEDENCE_LOGIC, 0, 0, OF(SP_TRACEQL_AND)},
    [SP_TOKEN_OR] = {"||", SP_PRECEDENCE_LOGIC, 0, 0, OF(SP_TRACEQL_OR)},
    [SP_TOKEN_EQ] = {"=", SP_PRECEDENCE_COMPARE, OF(SP_TRACEQL_EQ), 0, 0},
    [SP_TOKEN_NE] = {"!=", SP_PRECEDENCE_COMPARE, OF(SP_TRACEQL_NE), 0, 0},
    [SP_TOKEN_LT] = {"<", SP_PRECEDENCE_COMPARE, OF(SP_TRACEQL_LT), 0, OF(SP_TRACEQL_PARENT)},
    [SP_TOKEN_LE] = {"<=", SP_PRECEDENCE_COMPARE, OF(SP_TRACEQL_LE), 0, 0},
    [SP_TOKEN_GT] = {">", SP_PRECEDENCE_COMPARE, OF(SP_TRACEQL_GT), 0, OF(SP_TRACEQL_CHILD)},
    [SP_TOKEN_GE] = {">=", SP_PRECEDENCE_COMPARE, OF(SP_TRACEQL_GE), 0, 0},
    [SP_TOKEN_MATCH] = {"=~", SP_PRECEDENCE_COMPARE, OF(SP_TRACEQL_MATCH), 0, 0},
    [SP_TOKEN_NOT_MATCH] = {"!~", SP_PRECEDENCE_COMPARE, OF(SP_TRACEQL_NOT_MATCH), 0,
                            OF(SP_TRACEQL_NOT_SIBLING)},
    [SP_TOKEN_DESCENDANT] = {">>", SP_PRECEDENCE_COMPARE, 0, 0, OF(SP_TRACEQL_DESCENDANT)},
    [SP_TOKEN_ANCESTOR] = {"<<", SP_PRECEDENCE_COMPARE, 0, 0, OF(SP_TRACEQL_ANCESTOR)},
    [SP_TOKEN_SIBLING] = {"~", SP_PRECEDENCE_COMPARE, 0, 0, OF(SP_TRACEQL_SIBLING)},
    [SP_TOKEN_NOT_CHILD] = {"!>", SP_PRECEDENCE_COMPARE, 0, 0, OF(SP_TRACEQL_NOT_CHILD)},
    [SP_TOKEN_NOT_PARENT] = {"!<", SP_PRECEDENCE_COMPARE, 0, 0, OF(SP_TRACEQL_NOT_PARENT)},
    [SP_TOKEN_NOT_DESCENDANT] = {"!>>", SP_PRECEDENCE_COMPARE, 0, 0, OF(SP_TRACEQL_NOT_DESCENDANT)},
    [SP_TOKEN_NOT_ANCESTOR] = {"!<<", SP_PRECEDENCE_COMPARE, 0, 0, OF(SP_TRACEQL_NOT_ANCESTOR)},
    [SP_TOKEN_UNION_CHILD] = {"&>", SP_PRECEDENCE_COMPARE, 0, 0, OF(SP_TRACEQL_UNION_CHILD)},
    [SP_TOKEN_UNION_PARENT] = {"&<", SP_PRECEDENCE_COMPARE, 0, 0, OF(SP_TRACEQL_UNION_PARENT)},
    [SP_TOKEN_UNION_DESCENDANT] = {"&>>", SP_PRECEDENCE_COMPARE, 0, 0,
                                   OF(SP_TRACEQL_UNION_DESCENDANT)},
    [SP_TOKEN_UNION_ANCESTOR] = {"&<<", SP_PRECEDENCE_COMPARE, 0, 0, OF(SP_TRACEQL_UNION_ANCESTOR)},
    [SP_TOKEN_UNION_SIBLING] = {"&~", SP_PRECEDENCE_COMPARE, 0, 0, OF(SP_TRACEQL_UNION_SIBLING)},
    [SP_TOKEN_WITHOUT] = {"without", SP_PRECEDENCE_COMPARE, 0, 0, OF(SP_TRACEQL_WITHOUT)},
    [SP_TOKEN_ADD] = {"+", SP_PRECEDENCE_ADD, 0, OF(SP_TRACEQL_ADD), 0},
    [SP_TOKEN_SUBTRACT] = {"-", SP_PRECEDENCE_ADD, 0, OF(SP_TRACEQL_SUBTRACT), 0},
    [SP_TOKEN_MULTIPLY] = {"*", SP_PRECEDENCE_MULTIPLY, 0, OF(SP_TRACEQL_MULTIPLY), 0},
    [SP_TOKEN_DIVIDE] = {"/", SP_PRECEDENCE_MULTIPLY, 0, OF(SP_TRACEQL_DIVIDE), 0},
    [SP_TOKEN_MODULO] = {"%", SP_PRECEDENCE_MULTIPLY, 0, OF(SP_TRACEQL_MODULO), 0},
    [SP_TOKEN_POWER] = {"^", SP_PRECEDENCE_POWER, 0, OF(SP_TRACEQL_POWER), 0},
};

static const struct {
    const char *text;
    enum sp_traceql_token_kind kind;
} brackets[] = {
    {"{", SP_TOKEN_BRACE_OPEN},  {"}", SP_TOKEN_BRACE_CLOSE}, {"(", SP_TOKEN_PAREN_OPEN},
    {")", SP_TOKEN_PAREN_CLOSE}, {",", SP_TOKEN_COMMA},       {"|", SP_TOKEN_PIPE},
    {"!", SP_TOKEN_NOT},
};

enum sp_traceql_token_kind sp_traceql_find_operator(struct sp_slice s, uint32_t *ret_len)
{
    enum sp_traceql_token_kind found = SP_TOKEN_END;
    size_t longest = 0;
    for (size_t i = SP_TOKEN_AND; i < SP_ARRAY_LEN(operators); i++) {
        struct sp_slice text = sp_slice_cstr(operators[i].text);
        if (text.len > longest && sp_slice_starts_with(s, text)) {
            longest = text.len;
            found = (enum sp_traceql_token_kind)i;
        }
    }
    for (size_t i = 0; i < SP_ARRAY_LEN(brackets); i++) {
        if (longest == 0 && sp_slice_starts_with(s, sp_slice_cstr(brackets[i].text))) {
            longest = 1;
            found = brackets[i].kind;
        }
    }
    *ret_len = (uint32_t)longest;
    return found;
}

static const struct operator_row *operator_row(enum sp_traceql_token_kind kind)
{
    static const struct operator_row none;
    return kind < SP_ARRAY_LEN(operators) ? &operators[kind] : &none;
}

enum sp_traceql_precedence sp_traceql_precedence(enum sp_traceql_token_kind kind)
{
    return operator_row(kind)->precedence;
}

bool sp_traceql_as_comparison(enum sp_traceql_token_kind kind, enum sp_traceql_comparison *ret)
{
    int meaning = operator_row(kind)->comparison;
    if (meaning == 0)
        return false;
    *ret = (enum sp_traceql_comparison)(meaning - 1);
    return true;
}

bool sp_traceql_as_arithmetic(enum sp_traceql_token_kind kind, enum sp_traceql_arithmetic *ret)
{
    int meaning = operator_row(kind)->arithmetic;
    if (meaning == 0)
        return false;
    *ret = (enum sp_traceql_arithmetic)(meaning - 1);
    return true;
}

bool sp_traceql_as_relation(enum sp_traceql_token_kind kind, enum sp_traceql_relation *ret)
{
    int meaning = operator_row(kind)->relation;
    if (meaning == 0)
        return false;
    *ret = (enum sp_traceql_relation)(meaning - 1);
    return true;
}

const char *sp_traceql_comparison_text(enum sp_traceql_comparison comparison)
{
    for (size_t i = SP_TOKEN_AND; i < SP_ARRAY_LEN(operators); i++)
        if (operators[i].comparison == OF(comparison))
            return operators[i].text;
    return "";
}

const char *sp_traceql_arithmetic_text(enum sp_traceql_arithmetic arithmetic)
{
    for (size_t i = SP_TOKEN_AND; i < SP_ARRAY_LEN(operators); i++)
        if (operators[i].arithmetic == OF(arithmetic))
            return operators[i].text;
    return "";
}

const char *sp_traceql_relation_text(enum sp_traceql_relation relation)
{
    for (size_t i = SP_TOKEN_AND; i < SP_ARRAY_LEN(operators); i++)
        if (operators[i].relation == OF(relation))
            return operators[i].text;
    return "";
}

/* ---- intrinsics ---- */

static const struct {
    const char *name;      /* in the normal form */
    const char *others[2]; /* what else may be written */
    enum sp_traceql_type type;
    bool optional;
} intrinsics[SP_TRACEQL_INTRINSIC_COUNT] = {
    [SP_TRACEQL_INTRINSIC_NONE] = {"", {0}, SP_TRACEQL_TYPE_ANY, true},
    [SP_TRACEQL_SERVICE] = {"service", {0}, SP_TRACEQL_TYPE_STRING, false},
    [SP_TRACEQL_NAME] = {"name", {"span:name"}, SP_TRACEQL_TYPE_STRING, false},
    [SP_TRACEQL_STATUS] = {"status", {"span:status"}, SP_TRACEQL_TYPE_STATUS, false},
    [SP_TRACEQL_STATUS_MESSAGE] = {"statusMessage",
                                   {"span:statusMessage"},
                                   SP_TRACEQL_TYPE_STRING,
                                   false},
    [SP_TRACEQL_KIND] = {"kind", {"span:kind"}, SP_TRACEQL_TYPE_KIND, false},
    [SP_TRACEQL_DURATION] = {"duration", {"span:duration"}, SP_TRACEQL_TYPE_DURATION, false},
    [SP_TRACEQL_SPAN_ID] = {"span:id", {0}, SP_TRACEQL_TYPE_STRING, false},
    [SP_TRACEQL_PARENT_ID] = {"span:parentID", {0}, SP_TRACEQL_TYPE_STRING, true},
    [SP_TRACEQL_CHILD_COUNT] = {"span:childCount", {"childCount"}, SP_TRACEQL_TYPE_INT, false},
    [SP_TRACEQL_TRACE_DURATION] = {"trace:duration",
                                   {"traceDuration"},
                                   SP_TRACEQL_TYPE_DURATION,
                                   false},
    [SP_TRACEQL_ROOT_NAME] = {"trace:rootName", {"rootName"}, SP_TRACEQL_TYPE_STRING, true},
    [SP_TRACEQL_ROOT_SERVICE] = {"trace:rootService",
                                 {"rootServiceName"},
                                 SP_TRACEQL_TYPE_STRING,
                                 true},
    [SP_TRACEQL_TRACE_ID] = {"trace:id", {0}, SP_TRACEQL_TYPE_STRING, false},
    [SP_TRACEQL_EVENT_NAME] = {"event:name", {0}, SP_TRACEQL_TYPE_STRING, true},
    [SP_TRACEQL_EVENT_TIME_SINCE_START] = {"event:timeSinceStart",
                                           {0},
                                           SP_TRACEQL_TYPE_DURATION,
                                           true},
    [SP_TRACEQL_LINK_TRACE_ID] = {"link:traceID", {0}, SP_TRACEQL_TYPE_STRING, true},
    [SP_TRACEQL_LINK_SPAN_ID] = {"link:spanID", {0}, SP_TRACEQL_TYPE_STRING, true},
    [SP_TRACEQL_INSTRUMENTATION_NAME] = {"instrumentation:name",
                                         {0},
                                         SP_TRACEQL_TYPE_STRING,
                                         false},
    [SP_TRACEQL_INSTRUMENTATION_VERSION] = {"instrumentation:version",
                                            {0},
                                            SP_TRACEQL_TYPE_STRING,
                                            false},
    [SP_TRACEQL_NESTED_SET_LEFT] = {"nestedSetLeft", {0}, SP_TRACEQL_TYPE_INT, false},
    [SP_TRACEQL_NESTED_SET_RIGHT] = {"nestedSetRight", {0}, SP_TRACEQL_TYPE_INT, false},
    [SP_TRACEQL_NESTED_SET_PARENT] = {"nestedSetParent", {0}, SP_TRACEQL_TYPE_INT, false},
    [SP_TRACEQL_PARENT_SPAN] = {"parent", {0}, SP_TRACEQL_TYPE_SPAN, true},
};

const char *sp_traceql_intrinsic_name(enum sp_traceql_intrinsic intrinsic)
{
    return intrinsics[intrinsic].name;
}

enum sp_traceql_type sp_traceql_intrinsic_type(enum sp_traceql_intrinsic intrinsic)
{
    return intrinsics[intrinsic].type;
}

bool sp_traceql_intrinsic_optional(enum sp_traceql_intrinsic intrinsic)
{
    return intrinsics[intrinsic].optional;
}

enum sp_traceql_intrinsic sp_traceql_find_intrinsic(struct sp_slice text)
{
    for (size_t i = SP_TRACEQL_INTRINSIC_NONE + 1; i < SP_TRACEQL_INTRINSIC_COUNT; i++)
        if (sp_slice_equal_cstr(text, intrinsics[i].name) ||
            (intrinsics[i].others[0] && sp_slice_equal_cstr(text, intrinsics[i].others[0])))
            return (enum sp_traceql_intrinsic)i;
    return SP_TRACEQL_INTRINSIC_NONE;
}

/* ---- constants, functions, scopes, types ---- */

static const struct {
    const char *name;
    struct sp_traceql_value value;
} constants[] = {
    {"true", {.type = SP_TRACEQL_TYPE_BOOL, .boolean = true}},
    {"false", {.type = SP_TRACEQL_TYPE_BOOL, .boolean = false}},
    {"ok", {.type = SP_TRACEQL_TYPE_STATUS, .integer = SP_SPAN_STATUS_OK}},
    {"error", {.type = SP_TRACEQL_TYPE_STATUS, .integer = SP_SPAN_STATUS_ERROR}},
    {"unset", {.type = SP_TRACEQL_TYPE_STATUS, .integer = SP_SPAN_STATUS_UNSET}},
    {"unspecified", {.type = SP_TRACEQL_TYPE_KIND, .integer = SP_KIND_UNSPECIFIED}},
    {"internal", {.type = SP_TRACEQL_TYPE_KIND, .integer = SP_KIND_INTERNAL}},
    {"server", {.type = SP_TRACEQL_TYPE_KIND, .integer = SP_KIND_SERVER}},
    {"client", {.type = SP_TRACEQL_TYPE_KIND, .integer = SP_KIND_CLIENT}},
    {"producer", {.type = SP_TRACEQL_TYPE_KIND, .integer = SP_KIND_PRODUCER}},
    {"consumer", {.type = SP_TRACEQL_TYPE_KIND, .integer = SP_KIND_CONSUMER}},
    {"minInt", {.type = SP_TRACEQL_TYPE_INT, .integer = INT64_MIN}},
    {"maxInt", {.type = SP_TRACEQL_TYPE_INT, .integer = INT64_MAX}},
};

bool sp_traceql_find_constant(struct sp_slice word, struct sp_traceql_value *ret)
{
    for (size_t i = 0; i < SP_ARRAY_LEN(constants); i++) {
        if (!sp_slice_equal_cstr(word, constants[i].name))
            continue;
        *ret = constants[i].value;
        return true;
    }
    return false;
}

static const char *const aggregate_calls[] = {
    [SP_TRACEQL_COUNT] = "count()", [SP_TRACEQL_AVG] = "avg()", [SP_TRACEQL_MIN] = "min()",
    [SP_TRACEQL_MAX] = "max()",     [SP_TRACEQL_SUM] = "sum()",
};

static const char *const metric_calls[] = {
    [SP_TRACEQL_RATE] = "rate()",
    [SP_TRACEQL_COUNT_OVER_TIME] = "count_over_time()",
    [SP_TRACEQL_MIN_OVER_TIME] = "min_over_time()",
    [SP_TRACEQL_MAX_OVER_TIME] = "max_over_time()",
    [SP_TRACEQL_AVG_OVER_TIME] = "avg_over_time()",
    [SP_TRACEQL_SUM_OVER_TIME] = "sum_over_time()",
    [SP_TRACEQL_HISTOGRAM_OVER_TIME] = "histogram_over_time()",
    [SP_TRACEQL_QUANTILE_OVER_TIME] = "quantile_over_time()",
    [SP_TRACEQL_METRIC_COMPARE] = "compare()",
};

static const char *const scope_names[] = {
    [SP_TRACEQL_SCOPE_ANY] = "",
    [SP_TRACEQL_SCOPE_SPAN] = "span",
    [SP_TRACEQL_SCOPE_RESOURCE] = "resource",
    [SP_TRACEQL_SCOPE_EVENT] = "event",
    [SP_TRACEQL_SCOPE_LINK] = "link",
    [SP_TRACEQL_SCOPE_INSTRUMENTATION] = "instrumentation",
};

/* A name, or a call without its brackets. */
static bool find_name(struct sp_slice word, const char *const *names, size_t count, size_t *ret)
{
    for (size_t i = 0; i < count; i++) {
        struct sp_slice name = sp_slice_cstr(names[i]);
        name = sp_slice_sub(name, 0, sp_slice_find(name, '('));
        if (!sp_slice_equal(word, name))
            continue;
        *ret = i;
        return true;
    }
    return false;
}

bool sp_traceql_find_aggregate(struct sp_slice word, enum sp_traceql_aggregate *ret)
{
    size_t found;
    if (!find_name(word, aggregate_calls, SP_ARRAY_LEN(aggregate_calls), &found))
        return false;
    *ret = (enum sp_traceql_aggregate)found;
    return true;
}

bool sp_traceql_find_metric(struct sp_slice word, enum sp_traceql_metric *ret)
{
    size_t found;
    if (!find_name(word, metric_calls, SP_ARRAY_LEN(metric_calls), &found))
        return false;
    *ret = (enum sp_traceql_metric)found;
    return true;
}

bool sp_traceql_find_scope(struct sp_slice word, enum sp_traceql_scope *ret)
{
    size_t found;
    if (word.len == 0 || !find_name(word, scope_names, SP_ARRAY_LEN(scope_names), &found))
        return false;
    *ret = (enum sp_traceql_scope)found;
    return true;
}

const char *sp_traceql_aggregate_call(enum sp_traceql_aggregate aggregate)
{
    return aggregate_calls[aggregate];
}

const char *sp_traceql_metric_call(enum sp_traceql_metric metric)
{
    return metric_calls[metric];
}

const char *sp_traceql_node_text(const struct sp_traceql_node *node)
{
    switch (node->kind) {
    case SP_TRACEQL_LITERAL:
        return "a value";
    case SP_TRACEQL_FIELD:
        return node->field.intrinsic == SP_TRACEQL_INTRINSIC_NONE
                   ? "an attribute"
                   : sp_traceql_intrinsic_name(node->field.intrinsic);
    case SP_TRACEQL_NOT:
        return "!";
    case SP_TRACEQL_NEGATE:
        return "-";
    case SP_TRACEQL_EXISTS:
        return "!= nil";
    case SP_TRACEQL_NOT_EXISTS:
        return "= nil";
    case SP_TRACEQL_ALL:
        return "&&";
    case SP_TRACEQL_ANY:
        return "||";
    case SP_TRACEQL_COMPARE:
    case SP_TRACEQL_THRESHOLD:
        return sp_traceql_comparison_text(node->comparison);
    case SP_TRACEQL_ARITHMETIC:
        return sp_traceql_arithmetic_text(node->arithmetic);
    case SP_TRACEQL_FILTER:
        return "{ }";
    case SP_TRACEQL_RELATION:
        return sp_traceql_relation_text(node->relation);
    case SP_TRACEQL_REPEATED:
        return "repeated";
    case SP_TRACEQL_PIPELINE:
        return "( )";
    case SP_TRACEQL_GROUP:
        return "by()";
    case SP_TRACEQL_COALESCE:
        return "coalesce()";
    case SP_TRACEQL_SELECT:
        return "select()";
    case SP_TRACEQL_AGGREGATE:
        return aggregate_calls[node->aggregate];
    case SP_TRACEQL_METRIC:
        return metric_calls[node->metric];
    case SP_TRACEQL_TOPK:
        return "topk()";
    case SP_TRACEQL_BOTTOMK:
        return "bottomk()";
    }
    return "";
}

const char *sp_traceql_scope_name(enum sp_traceql_scope scope)
{
    return scope_names[scope];
}

const char *sp_traceql_type_name(enum sp_traceql_type type)
{
    static const char *const names[] = {
        [SP_TRACEQL_TYPE_ANY] = "attribute", [SP_TRACEQL_TYPE_STRING] = "string",
        [SP_TRACEQL_TYPE_BOOL] = "boolean",  [SP_TRACEQL_TYPE_INT] = "integer",
        [SP_TRACEQL_TYPE_FLOAT] = "number",  [SP_TRACEQL_TYPE_DURATION] = "duration",
        [SP_TRACEQL_TYPE_STATUS] = "status", [SP_TRACEQL_TYPE_KIND] = "kind",
        [SP_TRACEQL_TYPE_SPAN] = "span",     [SP_TRACEQL_TYPE_SPANSET] = "set of spans",
        [SP_TRACEQL_TYPE_SERIES] = "metric",
    };
    return names[type];
}

bool sp_traceql_is_attribute_byte(uint8_t byte)
{
    return byte > ' ' && byte != 0x7f && !strchr("{}()=~!<>&|^,", byte);
}
