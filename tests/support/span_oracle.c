/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/support/span_oracle.c: see span_oracle.h. */
#include "tests/support/span_oracle.h"

#include <math.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- who hangs from whom ---- */

static int compare_ids(const struct sp_span_id *a, const struct sp_span_id *b)
{
    return memcmp(a->bytes, b->bytes, SP_SPAN_ID_BYTES);
}

static bool is_zero(const struct sp_span_id *id)
{
    static const uint8_t zero[SP_SPAN_ID_BYTES];
    return memcmp(id->bytes, zero, sizeof(zero)) == 0;
}

static struct sp_slice service_name(const struct sp_span *span)
{
    for (uint32_t i = 0; i < span->resource->attributes.count; i++) {
        const struct sp_attribute *a = &span->resource->attributes.items[i];
        if (sp_slice_equal_cstr(a->key, "service.name"))
            return a->value.kind == SP_VALUE_STRING && a->value.string.len > 0
                       ? a->value.string
                       : SP_SLICE("unknown_service");
    }
    return SP_SLICE("unknown_service");
}

/* Does a stand before b in the order of a trace? */
static bool stands_before(const struct sp_span *a, const struct sp_span *b)
{
    if (a->start_unix_ns != b->start_unix_ns)
        return a->start_unix_ns < b->start_unix_ns;
    if (compare_ids(&a->span_id, &b->span_id) != 0)
        return compare_ids(&a->span_id, &b->span_id) < 0;
    if (a->end_unix_ns != b->end_unix_ns)
        return a->end_unix_ns < b->end_unix_ns;
    if (a->kind != b->kind)
        return a->kind < b->kind;
    if (a->status_code != b->status_code)
        return a->status_code < b->status_code;
    if (sp_slice_compare(a->name, b->name) != 0)
        return sp_slice_compare(a->name, b->name) < 0;
    if (sp_slice_compare(service_name(a), service_name(b)) != 0)
        return sp_slice_compare(service_name(a), service_name(b)) < 0;
    return a < b;
}

/* The span with this id that stands first; -1: there is none. */
static int first_with_id(const struct oracle_trace *trace, const struct sp_span_id *id)
{
    int first = -1;
    for (size_t i = 0; i < trace->count; i++)
        if (compare_ids(&trace->spans[i]->span_id, id) == 0 &&
            (first < 0 || stands_before(trace->spans[i], trace->spans[first])))
            first = (int)i;
    return first;
}

/* The other half of a span that client and server share: the first behind it with its id and the other kind. */
static int other_half(const struct oracle_trace *trace, int first)
{
    int other = -1;
    for (size_t i = 0; i < trace->count; i++) {
        const struct sp_span *a = trace->spans[first], *b = trace->spans[i];
        bool halves = (a->kind == SP_KIND_CLIENT && b->kind == SP_KIND_SERVER) ||
                      (a->kind == SP_KIND_SERVER && b->kind == SP_KIND_CLIENT);
        if ((int)i != first && halves && compare_ids(&a->span_id, &b->span_id) == 0 &&
            (other < 0 || stands_before(b, trace->spans[other])))
            other = (int)i;
    }
    return other;
}

static int find_parent(const struct oracle_trace *trace, int at)
{
    const struct sp_span *span = trace->spans[at];
    int first = first_with_id(trace, &span->span_id), other = other_half(trace, first);
    if (span->kind == SP_KIND_SERVER && other >= 0 && (at == first || at == other))
        return at == first ? other : first;
    if (is_zero(&span->parent_span_id))
        return -1;
    int parent = first_with_id(trace, &span->parent_span_id);
    if (parent >= 0 && trace->spans[parent]->kind == SP_KIND_CLIENT &&
        other_half(trace, parent) >= 0)
        parent = other_half(trace, parent);
    return parent;
}

/* Above the member of a cycle that stands first it is cut. */
static void cut_cycle(struct oracle_trace *trace, int at)
{
    int up = trace->parents[at], first = at;
    for (size_t steps = 0; up >= 0 && up != at && steps <= trace->count; steps++) {
        if (stands_before(trace->spans[up], trace->spans[first]))
            first = up;
        up = trace->parents[up];
    }
    if (up == at)
        trace->parents[first] = -1;
}

void oracle_trace_init(struct oracle_trace *trace, const struct sp_span *const *spans, size_t count)
{
    SP_ASSERT(count <= ORACLE_SPANS_MAX);
    trace->spans = spans;
    trace->count = count;
    for (size_t i = 0; i < count; i++)
        trace->parents[i] = find_parent(trace, (int)i);
    for (size_t i = 0; i < count; i++)
        trace->orphans[i] = trace->parents[i] < 0 && !is_zero(&trace->spans[i]->parent_span_id);
    for (size_t i = 0; i < count; i++)
        cut_cycle(trace, (int)i);
}

/* ---- fields ---- */

enum field_id {
    NAME,
    SERVICE,
    STATUS_FIELD,
    KIND_FIELD,
    MESSAGE,
    DURATION,
    ROOT_NAME,
    ROOT_SERVICE,
    TRACE_DURATION,
    SCOPE_NAME,
    EVENT_NAME,
    SPAN_KEY,
    RESOURCE_KEY,
    ANY_KEY,
    EVENT_KEY,
    LINK_KEY,
    PARENT_KEY,
    CHILD_COUNT,
};

static const struct {
    const char *text;
    enum field_id id;
    enum oracle_type type; /* ORACLE_OTHER: an attribute, any type */
    const char *key;
} fields[] = {
    {"name", NAME, ORACLE_STRING, NULL},
    {"service", SERVICE, ORACLE_STRING, NULL},
    {"status", STATUS_FIELD, ORACLE_STATUS, NULL},
    {"kind", KIND_FIELD, ORACLE_KIND, NULL},
    {"statusMessage", MESSAGE, ORACLE_STRING, NULL},
    {"duration", DURATION, ORACLE_NUMBER, NULL},
    {"rootName", ROOT_NAME, ORACLE_STRING, NULL},
    {"rootServiceName", ROOT_SERVICE, ORACLE_STRING, NULL},
    {"traceDuration", TRACE_DURATION, ORACLE_NUMBER, NULL},
    {"instrumentation:name", SCOPE_NAME, ORACLE_STRING, NULL},
    {"event:name", EVENT_NAME, ORACLE_STRING, NULL},
    {"span.http.route", SPAN_KEY, ORACLE_OTHER, "http.route"},
    {"span.retry.count", SPAN_KEY, ORACLE_OTHER, "retry.count"},
    {"resource.service.name", RESOURCE_KEY, ORACLE_OTHER, "service.name"},
    {"resource.peer.service", RESOURCE_KEY, ORACLE_OTHER, "peer.service"},
    {".server.address", ANY_KEY, ORACLE_OTHER, "server.address"},
    {".http.request.method", ANY_KEY, ORACLE_OTHER, "http.request.method"},
    {".db.system.name", ANY_KEY, ORACLE_OTHER, "db.system.name"},
    {"event.http.route", EVENT_KEY, ORACLE_OTHER, "http.route"},
    {"link.http.route", LINK_KEY, ORACLE_OTHER, "http.route"},
    {"parent.retry.count", PARENT_KEY, ORACLE_OTHER, "retry.count"},
    {"span:childCount", CHILD_COUNT, ORACLE_NUMBER, NULL},
};

static void push(struct oracle_values *out, struct oracle_value value)
{
    if (out->count < SP_ARRAY_LEN(out->items))
        out->items[out->count++] = value;
}

static struct oracle_value of_text(struct sp_slice text)
{
    return (struct oracle_value){.type = ORACLE_STRING, .text = text};
}

static struct oracle_value of_number(enum oracle_type type, long double number)
{
    return (struct oracle_value){.type = type, .number = number};
}

static struct oracle_value of_value(const struct sp_value *value)
{
    if (value->kind == SP_VALUE_STRING)
        return of_text(value->string);
    if (value->kind == SP_VALUE_INT)
        return of_number(ORACLE_NUMBER, value->integer);
    if (value->kind == SP_VALUE_DOUBLE)
        return (struct oracle_value){
            .type = ORACLE_NUMBER, .is_double = true, .number = value->number};
    if (value->kind == SP_VALUE_BOOL)
        return of_number(ORACLE_BOOLEAN, value->boolean);
    return (struct oracle_value){.type = ORACLE_OTHER, .raw = value};
}

static bool push_key(const struct sp_attributes *attributes, const char *key,
                     struct oracle_values *out)
{
    for (uint32_t i = 0; i < attributes->count; i++)
        if (sp_slice_equal_cstr(attributes->items[i].key, key)) {
            push(out, of_value(&attributes->items[i].value));
            return true;
        }
    return false;
}

static uint64_t duration_of(const struct sp_span *span)
{
    return span->end_unix_ns < span->start_unix_ns ? 0 : span->end_unix_ns - span->start_unix_ns;
}

static long double clamped(uint64_t ns)
{
    return ns > INT64_MAX ? (long double)INT64_MAX : (long double)ns;
}

static const struct sp_span *root_of(const struct oracle_trace *trace)
{
    static const uint8_t zero[SP_SPAN_ID_BYTES];
    const struct sp_span *root = NULL;
    for (size_t i = 0; i < trace->count; i++) {
        const struct sp_span *span = trace->spans[i];
        if (memcmp(span->parent_span_id.bytes, zero, sizeof(zero)) != 0)
            continue;
        if (!root || span->start_unix_ns < root->start_unix_ns ||
            (span->start_unix_ns == root->start_unix_ns &&
             memcmp(span->span_id.bytes, root->span_id.bytes, sizeof(zero)) < 0))
            root = span;
    }
    return root;
}

static uint64_t trace_duration(const struct oracle_trace *trace)
{
    uint64_t start = UINT64_MAX, end = 0;
    for (size_t i = 0; i < trace->count; i++) {
        const struct sp_span *span = trace->spans[i];
        uint64_t last = span->start_unix_ns + duration_of(span);
        start = span->start_unix_ns < start ? span->start_unix_ns : start;
        end = last > end ? last : end;
    }
    return end - start;
}

void oracle_field_values(unsigned field, const struct oracle_trace *trace, size_t at,
                         struct oracle_values *out)
{
    const struct sp_span *span = trace->spans[at];
    const char *key = fields[field].key;
    const struct sp_span *root = root_of(trace);
    out->count = 0;
    switch (fields[field].id) {
    case NAME:
        push(out, of_text(span->name));
        break;
    case SERVICE:
        push(out, of_text(service_name(span)));
        break;
    case STATUS_FIELD:
        push(out,
             of_number(ORACLE_STATUS,
                       span->status_code == 1 || span->status_code == 2 ? span->status_code : 0));
        break;
    case KIND_FIELD:
        push(out, of_number(ORACLE_KIND, span->kind >= 1 && span->kind <= 5 ? span->kind : 0));
        break;
    case MESSAGE:
        push(out, of_text(span->status_message));
        break;
    case DURATION:
        push(out, of_number(ORACLE_NUMBER, clamped(duration_of(span))));
        break;
    case ROOT_NAME:
        if (root)
            push(out, of_text(root->name));
        break;
    case ROOT_SERVICE:
        if (root)
            push(out, of_text(service_name(root)));
        break;
    case TRACE_DURATION:
        push(out, of_number(ORACLE_NUMBER, clamped(trace_duration(trace))));
        break;
    case SCOPE_NAME:
        push(out, of_text(span->scope->name));
        break;
    case EVENT_NAME:
        for (uint32_t i = 0; i < span->event_count; i++)
            push(out, of_text(span->events[i].name));
        break;
    case SPAN_KEY:
        push_key(&span->attributes, key, out);
        break;
    case RESOURCE_KEY:
        push_key(&span->resource->attributes, key, out);
        break;
    case ANY_KEY:
        if (!push_key(&span->attributes, key, out))
            push_key(&span->resource->attributes, key, out);
        break;
    case PARENT_KEY:
        if (trace->parents[at] >= 0) {
            span = trace->spans[trace->parents[at]];
            if (!push_key(&span->attributes, key, out))
                push_key(&span->resource->attributes, key, out);
        }
        break;
    case CHILD_COUNT: {
        int children = 0;
        for (size_t i = 0; i < trace->count; i++)
            children += trace->parents[i] == (int)at;
        push(out, of_number(ORACLE_NUMBER, children));
        break;
    }
    case EVENT_KEY:
        for (uint32_t i = 0; i < span->event_count; i++)
            push_key(&span->events[i].attributes, key, out);
        break;
    case LINK_KEY:
        for (uint32_t i = 0; i < span->link_count; i++)
            push_key(&span->links[i].attributes, key, out);
        break;
    }
}

unsigned oracle_field_count(void)
{
    return SP_ARRAY_LEN(fields);
}

const char *oracle_field_text(unsigned field)
{
    return fields[field].text;
}

bool oracle_field_is_number(unsigned field)
{
    return fields[field].type == ORACLE_NUMBER || fields[field].type == ORACLE_OTHER;
}

/* ---- literals and operators ---- */

static const char *const operators[] = {"=", "!=", "<", "<=", ">", ">=", "=~", "!~"};
#define REGEX 6 /* this operator and those behind it */

static const struct {
    const char *text;
    enum oracle_type type;
    const char *string;
    long double number;
    bool regex;
} literals[] = {
    {"\"service-1\"", ORACLE_STRING, "service-1", 0, false},
    {"\"operation-3\"", ORACLE_STRING, "operation-3", 0, false},
    {"\"value-7\"", ORACLE_STRING, "value-7", 0, false},
    {"\"\"", ORACLE_STRING, "", 0, false},
    {"\"value-[0-9]\"", ORACLE_STRING, "value-[0-9]", 0, true},
    {"\"(service|operation)-.\"", ORACLE_STRING, "(service|operation)-.", 0, true},
    {"\"v.*\"", ORACLE_STRING, "v.*", 0, true},
    {"0", ORACLE_NUMBER, NULL, 0, false},
    {"250", ORACLE_NUMBER, NULL, 250, false},
    {"9007199254740993", ORACLE_NUMBER, NULL, 9007199254740993.0L, false},
    {"62.5", ORACLE_NUMBER, NULL, 62.5L, false},
    {"-1", ORACLE_NUMBER, NULL, -1, false},
    {"500ms", ORACLE_NUMBER, NULL, 500000000, false},
    {"1.5s", ORACLE_NUMBER, NULL, 1500000000, false},
    {"true", ORACLE_BOOLEAN, NULL, 1, false},
    {"false", ORACLE_BOOLEAN, NULL, 0, false},
    {"error", ORACLE_STATUS, NULL, 2, false},
    {"unset", ORACLE_STATUS, NULL, 0, false},
    {"server", ORACLE_KIND, NULL, 2, false},
    {"unspecified", ORACLE_KIND, NULL, 0, false},
};

/* -1, 0, 1; 2: they do not compare. */
static int order_of(const struct oracle_value *a, unsigned literal)
{
    if (a->type != literals[literal].type)
        return 2;
    if (a->type == ORACLE_STRING)
        return sp_slice_compare(a->text, sp_slice_cstr(literals[literal].string)) < 0   ? -1
               : sp_slice_compare(a->text, sp_slice_cstr(literals[literal].string)) > 0 ? 1
                                                                                        : 0;
    if (isnan(a->number))
        return 2;
    return a->number < literals[literal].number ? -1 : a->number > literals[literal].number;
}

static bool regex_matches(const char *pattern, struct sp_slice text)
{
    char whole[128], *copy = calloc(text.len + 1, 1);
    regex_t regex;
    snprintf(whole, sizeof(whole), "^(%s)$", pattern);
    memcpy(copy, text.ptr ? text.ptr : (const uint8_t *)"", text.len);
    /* A dot does not match a line end, in RE2 and in PCRE2 by default, nor with REG_NEWLINE; but that moves ^ and $. */
    bool matched =
        !memchr(copy, '\n', text.len) && regcomp(&regex, whole, REG_EXTENDED | REG_NOSUB) == 0;
    if (matched) {
        matched = regexec(&regex, copy, 0, NULL, 0) == 0;
        regfree(&regex);
    }
    free(copy);
    return matched;
}

/* One scalar: 0 false, 1 true, 2 they do not compare. */
static int scalar_fits(const struct oracle_value *a, unsigned operation, unsigned literal)
{
    if (operation >= REGEX) {
        if (a->type != ORACLE_STRING)
            return 2;
        return regex_matches(literals[literal].string, a->text) == (operation == REGEX);
    }
    int order = order_of(a, literal);
    if (order == 2)
        return 2;
    const bool results[] = {order == 0, order != 0, order<0, order <= 0, order> 0, order >= 0};
    return results[operation];
}

static bool alternative_fits(const struct oracle_value *a, unsigned operation, unsigned literal)
{
    if (a->type == ORACLE_OTHER && a->raw->kind != SP_VALUE_ARRAY)
        return false;
    if (a->type != ORACLE_OTHER)
        return scalar_fits(a, operation, literal) == 1;
    bool negative = operation == 1 || operation == REGEX + 1, any = false;
    for (uint32_t i = 0; i < a->raw->count; i++) {
        struct oracle_value item = of_value(&a->raw->items[i]);
        if (item.type == ORACLE_OTHER)
            continue;
        int fits = scalar_fits(&item, operation, literal);
        if (negative && fits == 0)
            return false;
        any |= fits == 1;
    }
    return any;
}

/* ---- evaluation ---- */

static bool evaluate(const struct oracle_query *query, int at, const struct oracle_trace *trace,
                     size_t span)
{
    const struct oracle_node *node = &query->nodes[at];
    struct oracle_values values;
    switch (node->kind) {
    case ORACLE_AND:
        return evaluate(query, node->left, trace, span) &&
               evaluate(query, node->right, trace, span);
    case ORACLE_OR:
        return evaluate(query, node->left, trace, span) ||
               evaluate(query, node->right, trace, span);
    case ORACLE_NOT:
        return !evaluate(query, node->left, trace, span);
    case ORACLE_EXISTS:
        oracle_field_values(node->field, trace, span, &values);
        return values.count > 0;
    case ORACLE_NOT_EXISTS:
        oracle_field_values(node->field, trace, span, &values);
        return values.count == 0;
    case ORACLE_COMPARE:
        oracle_field_values(node->field, trace, span, &values);
        for (size_t i = 0; i < values.count; i++)
            if (alternative_fits(&values.items[i], node->operation, node->literal))
                return true;
        return false;
    }
    return false;
}

bool oracle_matches(const struct oracle_query *query, const struct oracle_trace *trace, size_t span)
{
    return evaluate(query, query->root, trace, span);
}

/* ---- random queries ---- */

/* Literal and operator that the language lets stand beside the field. */
static void choose_operation(struct sp_gen *gen, struct oracle_node *node)
{
    enum oracle_type type = fields[node->field].type;
    do
        node->literal = (unsigned)sp_gen_below(gen, SP_ARRAY_LEN(literals));
    while (type != ORACLE_OTHER ? literals[node->literal].type != type
                                : literals[node->literal].type == ORACLE_STATUS ||
                                      literals[node->literal].type == ORACLE_KIND);
    if (literals[node->literal].regex) {
        node->operation = REGEX + (unsigned)sp_gen_below(gen, 2);
    } else {
        enum oracle_type literal = literals[node->literal].type;
        bool ordered = literal == ORACLE_STRING || literal == ORACLE_NUMBER;
        node->operation = (unsigned)sp_gen_below(gen, ordered ? REGEX : 2);
    }
}

static int random_node(struct sp_gen *gen, struct oracle_query *query, int depth)
{
    int at = query->count++;
    struct oracle_node *node = &query->nodes[at];
    unsigned choice = (unsigned)sp_gen_below(gen, depth == 0 ? 5 : 10);
    node->field = (unsigned)sp_gen_below(gen, SP_ARRAY_LEN(fields));
    if (choice < 4) {
        node->kind = ORACLE_COMPARE;
        choose_operation(gen, node);
    } else if (choice == 4) {
        while (fields[node->field].type != ORACLE_OTHER)
            node->field = (unsigned)sp_gen_below(gen, SP_ARRAY_LEN(fields));
        node->kind = sp_gen_chance(gen, 50) ? ORACLE_EXISTS : ORACLE_NOT_EXISTS;
    } else if (choice == 9) {
        node->kind = ORACLE_NOT;
        node->left = random_node(gen, query, depth - 1);
    } else {
        node->kind = choice < 7 ? ORACLE_AND : ORACLE_OR;
        node->left = random_node(gen, query, depth - 1);
        node->right = random_node(gen, query, depth - 1);
    }
    return at;
}

static void print_node(const struct oracle_query *query, int at, FILE *out)
{
    const struct oracle_node *node = &query->nodes[at];
    switch (node->kind) {
    case ORACLE_COMPARE:
        fprintf(out, "%s %s %s", fields[node->field].text, operators[node->operation],
                literals[node->literal].text);
        return;
    case ORACLE_EXISTS:
    case ORACLE_NOT_EXISTS:
        fprintf(out, "%s %s nil", fields[node->field].text,
                node->kind == ORACLE_EXISTS ? "!=" : "=");
        return;
    case ORACLE_NOT:
        fputs("!(", out);
        print_node(query, node->left, out);
        fputs(")", out);
        return;
    case ORACLE_AND:
    case ORACLE_OR:
        fputs("(", out);
        print_node(query, node->left, out);
        fputs(node->kind == ORACLE_AND ? ") && (" : ") || (", out);
        print_node(query, node->right, out);
        fputs(")", out);
        return;
    }
}

void oracle_make(struct sp_gen *gen, struct oracle_query *query)
{
    oracle_make_depth(gen, query, 3);
}

static void print_query(struct oracle_query *query)
{
    FILE *out = fmemopen(query->text, sizeof(query->text), "w");
    fputs("{ ", out);
    print_node(query, query->root, out);
    fputs(" }", out);
    fclose(out);
}

void oracle_make_depth(struct sp_gen *gen, struct oracle_query *query, int depth)
{
    query->count = 0;
    query->root = random_node(gen, query, depth);
    print_query(query);
}

void oracle_make_common(struct sp_gen *gen, struct oracle_query *query)
{
    static const struct {
        const char *field, *operation, *literal;
    } common[] = {
        {"duration", ">=", "0"},           {"duration", ">", "500ms"},
        {"kind", "!=", "server"},          {"kind", "=", "server"},
        {"status", "=", "unset"},          {"status", "!=", "unset"},
        {"service", "=", "\"service-1\""}, {"service", "!=", "\"service-1\""},
        {"name", "<", "\"operation-3\""},  {"span:childCount", "=", "0"},
        {"span:childCount", ">", "0"},
    };
    size_t row = (size_t)sp_gen_below(gen, SP_ARRAY_LEN(common));
    struct oracle_node *node = &query->nodes[0];
    *node = (struct oracle_node){.kind = ORACLE_COMPARE};
    while (strcmp(fields[node->field].text, common[row].field) != 0)
        node->field++;
    while (strcmp(operators[node->operation], common[row].operation) != 0)
        node->operation++;
    while (strcmp(literals[node->literal].text, common[row].literal) != 0)
        node->literal++;
    query->count = 1;
    query->root = 0;
    print_query(query);
}
