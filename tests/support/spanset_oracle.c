/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/support/spanset_oracle.c: see spanset_oracle.h. Each function is a sentence of docs/traceql.md. */
#include "tests/support/spanset_oracle.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

const char *const spanset_relations[SPANSET_RELATIONS] = {
    "&&", "||", ">",  "<",   ">>",  "<<", "~",  "!>", "!<",      "!>>",    "!<<",
    "!~", "&>", "&<", "&>>", "&<<", "&~", ">>", "<<", "without", "without"};
const char *const spanset_aggregates[SPANSET_AGGREGATES] = {"count", "avg", "min", "max", "sum"};
const char *const spanset_arithmetics[SPANSET_ARITHMETICS] = {"+", "-", "*", "/", "%", "^"};
const char *const spanset_comparisons[SPANSET_COMPARISONS] = {"=", "!=", "<", "<=", ">", ">="};

/* Sums of 64-bit integers, exactly. */
__extension__ typedef __int128 wide;

/* ---- kinship ---- */

static bool same_id(const struct sp_span_id *a, const struct sp_span_id *b)
{
    return memcmp(a->bytes, b->bytes, SP_SPAN_ID_BYTES) == 0;
}

static bool is_below(const struct oracle_trace *trace, int span, int above)
{
    for (int up = trace->parents[span]; up >= 0; up = trace->parents[up])
        if (up == above)
            return true;
    return false;
}

/* Two different spans with one parent, stored or only named. */
static bool are_siblings(const struct oracle_trace *trace, int a, int b)
{
    const struct sp_span *x = trace->spans[a], *y = trace->spans[b];
    if (same_id(&x->span_id, &y->span_id))
        return false;
    if (trace->parents[a] >= 0)
        return trace->parents[a] == trace->parents[b];
    return trace->orphans[a] && trace->orphans[b] &&
           same_id(&x->parent_span_id, &y->parent_span_id);
}

/* Is b, on the right, related to a, on the left? kind: > < >> << ~ */
static bool is_related(const struct oracle_trace *trace, const char *kind, int a, int b)
{
    if (strcmp(kind, ">") == 0)
        return trace->parents[b] == a;
    if (strcmp(kind, "<") == 0)
        return trace->parents[a] == b;
    if (strcmp(kind, ">>") == 0)
        return is_below(trace, b, a);
    if (strcmp(kind, "<<") == 0)
        return is_below(trace, a, b);
    return are_siblings(trace, a, b);
}

static void relate(const struct oracle_trace *trace, const char *relation, const bool *left,
                   const bool *right, bool *out)
{
    bool any_left = false, any_right = false;
    for (size_t i = 0; i < trace->count; i++) {
        any_left |= left[i];
        any_right |= right[i];
        out[i] = false;
    }
    if (strcmp(relation, "&&") == 0 || strcmp(relation, "||") == 0) {
        bool both = relation[0] == '&';
        for (size_t i = 0; i < trace->count; i++)
            out[i] = (left[i] || right[i]) && (!both || (any_left && any_right));
        return;
    }
    bool negated = relation[0] == '!', united = relation[0] == '&';
    const char *kind = negated || united ? relation + 1 : relation;
    for (int b = 0; b < (int)trace->count; b++) {
        bool related = false;
        for (int a = 0; a < (int)trace->count && right[b]; a++) {
            if (!left[a] || !is_related(trace, kind, a, b))
                continue;
            related = true;
            if (united)
                out[a] = true;
        }
        if (right[b] && related != negated)
            out[b] = true;
    }
}

/* The left spans below which no right span starts within the time: milliseconds, or -1 for any. */
static void lack(const struct oracle_trace *trace, int within_ms, const bool *left,
                 const bool *right, bool *out)
{
    for (int a = 0; a < (int)trace->count; a++) {
        out[a] = left[a];
        for (int b = 0; b < (int)trace->count; b++) {
            wide late = (wide)trace->spans[b]->start_unix_ns - (wide)trace->spans[a]->start_unix_ns;
            if (right[b] && is_below(trace, b, a) &&
                (within_ms < 0 || late <= (wide)within_ms * 1000000))
                out[a] = false;
        }
    }
}

/* Spans with enough siblings of their service and name among the others; copies of a span count once. */
static void repeat(const struct oracle_trace *trace, int times, const bool *in, bool *out)
{
    for (int a = 0; a < (int)trace->count; a++) {
        int count = 1;
        for (int b = 0; b < (int)trace->count; b++) {
            bool counts =
                in[a] && in[b] && are_siblings(trace, a, b) &&
                sp_slice_equal(trace->spans[a]->name, trace->spans[b]->name) &&
                sp_slice_equal(sp_span_service(trace->spans[a]), sp_span_service(trace->spans[b]));
            for (int c = 0; c < b && counts; c++)
                counts = !(in[c] && are_siblings(trace, a, c) &&
                           same_id(&trace->spans[c]->span_id, &trace->spans[b]->span_id) &&
                           sp_slice_equal(trace->spans[a]->name, trace->spans[c]->name) &&
                           sp_slice_equal(sp_span_service(trace->spans[a]),
                                          sp_span_service(trace->spans[c])));
            count += counts;
        }
        out[a] = in[a] && count >= times;
    }
}

/* ---- scalars ---- */

static const struct spanset_scalar nil = {.nil = true};

static struct spanset_scalar of_integer(wide number)
{
    if (number < INT64_MIN || number > INT64_MAX)
        return (struct spanset_scalar){.number = (double)number};
    return (struct spanset_scalar){.is_integer = true, .number = (long double)number};
}

static struct spanset_scalar of_double(long double number)
{
    return isnan(number) ? nil : (struct spanset_scalar){.number = (double)number};
}

static struct spanset_scalar calculate(struct spanset_scalar a, char operation,
                                       struct spanset_scalar b)
{
    if (a.nil || b.nil)
        return nil;
    double x = (double)a.number, y = (double)b.number;
    bool integers = a.is_integer && b.is_integer;
    wide m = integers ? (wide)a.number : 0, n = integers ? (wide)b.number : 0;
    switch (operation) {
    case '+':
        return integers && of_integer(m + n).is_integer ? of_integer(m + n) : of_double(x + y);
    case '-':
        return integers && of_integer(m - n).is_integer ? of_integer(m - n) : of_double(x - y);
    case '*':
        return integers && of_integer(m * n).is_integer ? of_integer(m * n) : of_double(x * y);
    case '/':
        return y == 0 ? nil : of_double(x / y);
    case '%':
        if (integers && n != 0 && n != -1)
            return of_integer(m % n);
        return y == 0 ? nil : of_double(fmod(x, y));
    default:
        return of_double(pow(x, y));
    }
}

static bool compare(struct spanset_scalar a, const char *comparison, struct spanset_scalar b)
{
    if (a.nil || b.nil)
        return false;
    bool less = a.number < b.number, equal = a.number == b.number;
    if (comparison[0] == '=')
        return equal;
    if (comparison[0] == '!')
        return !equal;
    if (comparison[0] == '<')
        return less || (equal && comparison[1] == '=');
    return (!less && !equal) || (equal && comparison[1] == '=');
}

/* Numbers of the spans that have one: of arrays and text nothing, of events and links each. */
static struct spanset_scalar aggregate(const struct spanset_node *node,
                                       const struct oracle_trace *trace, const bool *members)
{
    const char *name = spanset_aggregates[node->operation];
    struct oracle_values values;
    struct spanset_scalar extreme = nil;
    wide integers = 0;
    long double doubles = 0;
    bool has_double = false;
    uint64_t count = 0, spans = 0;
    for (size_t i = 0; i < trace->count; i++) {
        spans += members[i];
        values.count = 0;
        if (members[i] && name[0] != 'c')
            oracle_field_values(node->field, trace, i, &values);
        for (size_t v = 0; v < values.count; v++) {
            const struct oracle_value *value = &values.items[v];
            if (value->type != ORACLE_NUMBER || isnan(value->number))
                continue;
            struct spanset_scalar scalar = {.is_integer = !value->is_double,
                                            .number = value->number};
            count++;
            if (extreme.nil || compare(scalar, strcmp(name, "min") == 0 ? "<" : ">", extreme))
                extreme = scalar;
            if (value->is_double)
                doubles += value->number;
            else
                integers += (wide)value->number;
            has_double |= value->is_double;
        }
    }
    if (name[0] == 'c')
        return of_integer(spans);
    if (name[0] == 'm' || count == 0)
        return extreme;
    long double sum = (long double)integers + doubles;
    if (name[0] == 'a')
        return of_double((long double)((double)sum / (double)count));
    return has_double ? of_double(sum) : of_integer(integers);
}

/* ---- queries ---- */

struct evaluation {
    const struct spanset_query *query;
    const struct oracle_trace *trace;
};

static void run_stages(const struct evaluation *e, int stage, struct spanset_found *sets);

static void add(struct spanset_found *found, const struct spanset_set *set)
{
    found->sets = realloc(found->sets, (found->count + 1) * sizeof(*found->sets));
    SP_ASSERT(found->sets);
    found->sets[found->count++] = *set;
}

static bool is_empty(const struct evaluation *e, const bool *members)
{
    for (size_t i = 0; i < e->trace->count; i++)
        if (members[i])
            return false;
    return true;
}

static void merge(const struct evaluation *e, const struct spanset_found *found, bool *members)
{
    memset(members, 0, e->trace->count * sizeof(*members));
    for (size_t s = 0; s < found->count; s++)
        for (size_t i = 0; i < e->trace->count; i++)
            members[i] |= found->sets[s].members[i];
}

/* The sets that the stages of a bracket make of one set. */
static struct spanset_found in_brackets(const struct evaluation *e, int stage,
                                        const struct spanset_set *input)
{
    struct spanset_found sets = {0};
    if (!is_empty(e, input->members))
        add(&sets, input);
    run_stages(e, stage, &sets);
    return sets;
}

/* Spans of one set that a filter, or operators between filters, select. */
static void select_spans(const struct evaluation *e, int at, const struct spanset_set *input,
                         bool *out)
{
    const struct spanset_node *node = &e->query->nodes[at];
    bool left[ORACLE_SPANS_MAX], right[ORACLE_SPANS_MAX];
    if (node->kind == SPANSET_FILTER) {
        for (size_t i = 0; i < e->trace->count; i++)
            out[i] =
                input->members[i] && oracle_matches(&e->query->filters[node->filter], e->trace, i);
    } else if (node->kind == SPANSET_RELATION) {
        select_spans(e, node->left, input, left);
        select_spans(e, node->right, input, right);
        if (spanset_relations[node->operation][0] == 'w')
            lack(e->trace, node->number, left, right, out);
        else
            relate(e->trace, spanset_relations[node->operation], left, right, out);
    } else if (node->kind == SPANSET_REPEATED) {
        select_spans(e, node->left, input, left);
        repeat(e->trace, node->number, left, out);
    } else {
        struct spanset_found sets = in_brackets(e, node->left, input);
        merge(e, &sets, out);
        spanset_found_fini(&sets);
    }
}

static struct spanset_scalar evaluate_scalar(const struct evaluation *e, int at,
                                             struct spanset_set *input, bool noting)
{
    const struct spanset_node *node = &e->query->nodes[at];
    struct spanset_scalar result = nil;
    switch (node->kind) {
    case SPANSET_NUMBER:
        return of_integer(node->number);
    case SPANSET_NEGATE:
        return calculate(of_integer(0), '-', evaluate_scalar(e, node->left, input, noting));
    case SPANSET_ARITHMETIC: {
        struct spanset_scalar left = evaluate_scalar(e, node->left, input, noting);
        struct spanset_scalar right = evaluate_scalar(e, node->right, input, noting);
        return calculate(left, spanset_arithmetics[node->operation][0], right);
    }
    case SPANSET_AGGREGATE:
        result = aggregate(node, e->trace, input->members);
        break;
    case SPANSET_PIPELINE: { /* the stages, and the number behind them: of all that is left together */
        struct spanset_found sets = in_brackets(e, node->left, input);
        struct spanset_set all = {0};
        merge(e, &sets, all.members);
        spanset_found_fini(&sets);
        result = evaluate_scalar(e, node->right, &all, false);
        break;
    }
    case SPANSET_FILTER:
    case SPANSET_RELATION:
    case SPANSET_REPEATED:
    case SPANSET_GROUP:
    case SPANSET_COALESCE:
    case SPANSET_SELECT:
    case SPANSET_COMPARE:
        SP_ASSERT(false);
    }
    if (noting && input->noted_count < (int)SP_ARRAY_LEN(input->noted))
        input->noted[input->noted_count++] = result;
    return result;
}

/* ---- by() ---- */

static bool same_text(const struct sp_value *a, const struct sp_value *b)
{
    struct sp_buf x, y;
    sp_buf_init(&x, 1 << 24);
    sp_buf_init(&y, 1 << 24);
    sp_value_text(a, &x);
    sp_value_text(b, &y);
    bool same = sp_slice_equal(sp_buf_slice(&x), sp_buf_slice(&y));
    sp_buf_fini(&x);
    sp_buf_fini(&y);
    return same;
}

/* The first value counts; no value is a value of its own. */
static bool same_key(const struct oracle_values *a, const struct oracle_values *b)
{
    if (a->count == 0 || b->count == 0)
        return a->count == b->count;
    const struct oracle_value *x = &a->items[0], *y = &b->items[0];
    if (x->type != y->type || x->is_double != y->is_double)
        return false;
    if (x->type == ORACLE_STRING)
        return sp_slice_equal(x->text, y->text);
    if (x->type == ORACLE_OTHER)
        return same_text(x->raw, y->raw);
    return x->number == y->number || (isnan(x->number) && isnan(y->number));
}

static void group(const struct evaluation *e, const struct spanset_node *node,
                  const struct spanset_set *input, struct spanset_found *out)
{
    bool done[ORACLE_SPANS_MAX] = {false};
    struct oracle_values mine, others;
    for (size_t i = 0; i < e->trace->count; i++) {
        if (!input->members[i] || done[i])
            continue;
        struct spanset_set set = *input;
        memset(set.members, 0, sizeof(set.members));
        set.group_count++;
        oracle_field_values(node->field, e->trace, i, &mine);
        for (size_t j = i; j < e->trace->count; j++) {
            if (!input->members[j])
                continue;
            oracle_field_values(node->field, e->trace, j, &others);
            if (same_key(&mine, &others))
                done[j] = set.members[j] = true;
        }
        add(out, &set);
    }
}

/* ---- stages ---- */

static void run_stage(const struct evaluation *e, int stage, struct spanset_set *input,
                      struct spanset_found *out)
{
    const struct spanset_node *node = &e->query->nodes[stage];
    struct spanset_set kept = *input;
    switch (node->kind) {
    case SPANSET_FILTER:
    case SPANSET_RELATION:
    case SPANSET_REPEATED:
        select_spans(e, stage, input, kept.members);
        if (!is_empty(e, kept.members))
            add(out, &kept);
        return;
    case SPANSET_PIPELINE: { /* brackets that are a stage let their sets flow on */
        struct spanset_found sets = in_brackets(e, node->left, input);
        for (size_t i = 0; i < sets.count; i++)
            add(out, &sets.sets[i]);
        spanset_found_fini(&sets);
        return;
    }
    case SPANSET_GROUP:
        group(e, node, input, out);
        return;
    case SPANSET_SELECT:
        add(out, input);
        return;
    case SPANSET_COMPARE: {
        struct spanset_scalar left = evaluate_scalar(e, node->left, input, true);
        struct spanset_scalar right = evaluate_scalar(e, node->right, input, true);
        if (compare(left, spanset_comparisons[node->operation], right))
            add(out, input);
        return;
    }
    case SPANSET_COALESCE:
    case SPANSET_AGGREGATE:
    case SPANSET_NUMBER:
    case SPANSET_ARITHMETIC:
    case SPANSET_NEGATE:
        SP_ASSERT(false);
    }
}

static void run_stages(const struct evaluation *e, int stage, struct spanset_found *sets)
{
    for (; stage >= 0; stage = e->query->nodes[stage].next) {
        struct spanset_found out = {0};
        if (e->query->nodes[stage].kind == SPANSET_COALESCE && sets->count > 0) {
            struct spanset_set all = {0};
            merge(e, sets, all.members);
            add(&out, &all);
        }
        for (size_t i = 0; i < sets->count && e->query->nodes[stage].kind != SPANSET_COALESCE; i++)
            run_stage(e, stage, &sets->sets[i], &out);
        spanset_found_fini(sets);
        *sets = out;
    }
}

void spanset_evaluate(const struct spanset_query *query, const struct oracle_trace *trace,
                      struct spanset_found *ret)
{
    struct evaluation e = {query, trace};
    struct spanset_set all = {0};
    for (size_t i = 0; i < trace->count; i++)
        all.members[i] = true;
    *ret = in_brackets(&e, query->root, &all);
}

void spanset_found_fini(struct spanset_found *found)
{
    free(found->sets);
    *found = (struct spanset_found){0};
}
