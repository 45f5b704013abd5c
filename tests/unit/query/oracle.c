/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/unit/query/oracle.c: see oracle.h. */
#include "tests/unit/query/oracle.h"

#include <math.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>

enum type { STRING, NUMBER, BOOLEAN, STATUS, KIND, OTHER };

/* One value a field has on a span; long double holds every 64-bit integer and every double exactly. */
struct alternative {
    enum type type;
    struct sp_slice text;
    long double number; /* NUMBER, BOOLEAN, STATUS, KIND */
    const struct sp_value *array;
};

struct alternatives {
    struct alternative items[64];
    size_t count;
};

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
};

static const struct {
    const char *text;
    enum field_id id;
    enum type type; /* OTHER: an attribute, any type */
    const char *key;
} fields[] = {
    {"name", NAME, STRING, NULL},
    {"service", SERVICE, STRING, NULL},
    {"status", STATUS_FIELD, STATUS, NULL},
    {"kind", KIND_FIELD, KIND, NULL},
    {"statusMessage", MESSAGE, STRING, NULL},
    {"duration", DURATION, NUMBER, NULL},
    {"rootName", ROOT_NAME, STRING, NULL},
    {"rootServiceName", ROOT_SERVICE, STRING, NULL},
    {"traceDuration", TRACE_DURATION, NUMBER, NULL},
    {"instrumentation:name", SCOPE_NAME, STRING, NULL},
    {"event:name", EVENT_NAME, STRING, NULL},
    {"span.http.route", SPAN_KEY, OTHER, "http.route"},
    {"span.retry.count", SPAN_KEY, OTHER, "retry.count"},
    {"resource.service.name", RESOURCE_KEY, OTHER, "service.name"},
    {"resource.peer.service", RESOURCE_KEY, OTHER, "peer.service"},
    {".server.address", ANY_KEY, OTHER, "server.address"},
    {".http.request.method", ANY_KEY, OTHER, "http.request.method"},
    {".db.system.name", ANY_KEY, OTHER, "db.system.name"},
    {"event.http.route", EVENT_KEY, OTHER, "http.route"},
    {"link.http.route", LINK_KEY, OTHER, "http.route"},
};

static void push(struct alternatives *out, struct alternative value)
{
    if (out->count < SP_ARRAY_LEN(out->items))
        out->items[out->count++] = value;
}

static struct alternative of_text(struct sp_slice text)
{
    return (struct alternative){.type = STRING, .text = text};
}

static struct alternative of_number(enum type type, long double number)
{
    return (struct alternative){.type = type, .number = number};
}

static struct alternative of_value(const struct sp_value *value)
{
    if (value->kind == SP_VALUE_STRING)
        return of_text(value->string);
    if (value->kind == SP_VALUE_INT)
        return of_number(NUMBER, value->integer);
    if (value->kind == SP_VALUE_DOUBLE)
        return of_number(NUMBER, value->number);
    if (value->kind == SP_VALUE_BOOL)
        return of_number(BOOLEAN, value->boolean);
    return (struct alternative){.type = OTHER,
                                .array = value->kind == SP_VALUE_ARRAY ? value : NULL};
}

static bool push_key(const struct sp_attributes *attributes, const char *key,
                     struct alternatives *out)
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

static void field_values(unsigned field, const struct oracle_trace *trace,
                         const struct sp_span *span, struct alternatives *out)
{
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
             of_number(STATUS,
                       span->status_code == 1 || span->status_code == 2 ? span->status_code : 0));
        break;
    case KIND_FIELD:
        push(out, of_number(KIND, span->kind >= 1 && span->kind <= 5 ? span->kind : 0));
        break;
    case MESSAGE:
        push(out, of_text(span->status_message));
        break;
    case DURATION:
        push(out, of_number(NUMBER, clamped(duration_of(span))));
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
        push(out, of_number(NUMBER, clamped(trace_duration(trace))));
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

/* ---- literals and operators ---- */

static const char *const operators[] = {"=", "!=", "<", "<=", ">", ">=", "=~", "!~"};
#define REGEX 6 /* this operator and those behind it */

static const struct {
    const char *text;
    enum type type;
    const char *string;
    long double number;
    bool regex;
} literals[] = {
    {"\"service-1\"", STRING, "service-1", 0, false},
    {"\"operation-3\"", STRING, "operation-3", 0, false},
    {"\"value-7\"", STRING, "value-7", 0, false},
    {"\"\"", STRING, "", 0, false},
    {"\"value-[0-9]\"", STRING, "value-[0-9]", 0, true},
    {"\"(service|operation)-.\"", STRING, "(service|operation)-.", 0, true},
    {"\"v.*\"", STRING, "v.*", 0, true},
    {"0", NUMBER, NULL, 0, false},
    {"250", NUMBER, NULL, 250, false},
    {"9007199254740993", NUMBER, NULL, 9007199254740993.0L, false},
    {"62.5", NUMBER, NULL, 62.5L, false},
    {"-1", NUMBER, NULL, -1, false},
    {"500ms", NUMBER, NULL, 500000000, false},
    {"1.5s", NUMBER, NULL, 1500000000, false},
    {"true", BOOLEAN, NULL, 1, false},
    {"false", BOOLEAN, NULL, 0, false},
    {"error", STATUS, NULL, 2, false},
    {"unset", STATUS, NULL, 0, false},
    {"server", KIND, NULL, 2, false},
    {"unspecified", KIND, NULL, 0, false},
};

/* -1, 0, 1; 2: they do not compare. */
static int order_of(const struct alternative *a, unsigned literal)
{
    if (a->type != literals[literal].type)
        return 2;
    if (a->type == STRING)
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
static int scalar_fits(const struct alternative *a, unsigned operation, unsigned literal)
{
    if (operation >= REGEX) {
        if (a->type != STRING)
            return 2;
        return regex_matches(literals[literal].string, a->text) == (operation == REGEX);
    }
    int order = order_of(a, literal);
    if (order == 2)
        return 2;
    const bool results[] = {order == 0, order != 0, order<0, order <= 0, order> 0, order >= 0};
    return results[operation];
}

static bool alternative_fits(const struct alternative *a, unsigned operation, unsigned literal)
{
    if (!a->array)
        return scalar_fits(a, operation, literal) == 1;
    bool negative = operation == 1 || operation == REGEX + 1, any = false;
    for (uint32_t i = 0; i < a->array->count; i++) {
        struct alternative item = of_value(&a->array->items[i]);
        if (item.type == OTHER)
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
                     const struct sp_span *span)
{
    const struct oracle_node *node = &query->nodes[at];
    struct alternatives values;
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
        field_values(node->field, trace, span, &values);
        return values.count > 0;
    case ORACLE_NOT_EXISTS:
        field_values(node->field, trace, span, &values);
        return values.count == 0;
    case ORACLE_COMPARE:
        field_values(node->field, trace, span, &values);
        for (size_t i = 0; i < values.count; i++)
            if (alternative_fits(&values.items[i], node->operation, node->literal))
                return true;
        return false;
    }
    return false;
}

bool oracle_matches(const struct oracle_query *query, const struct oracle_trace *trace,
                    const struct sp_span *span)
{
    return evaluate(query, query->root, trace, span);
}

/* ---- random queries ---- */

/* Literal and operator that the language lets stand beside the field. */
static void choose_operation(struct sp_gen *gen, struct oracle_node *node)
{
    enum type type = fields[node->field].type;
    do
        node->literal = (unsigned)sp_gen_below(gen, SP_ARRAY_LEN(literals));
    while (type != OTHER
               ? literals[node->literal].type != type
               : literals[node->literal].type == STATUS || literals[node->literal].type == KIND);
    if (literals[node->literal].regex) {
        node->operation = REGEX + (unsigned)sp_gen_below(gen, 2);
    } else {
        enum type literal = literals[node->literal].type;
        bool ordered = literal == STRING || literal == NUMBER;
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
        while (fields[node->field].type != OTHER)
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
    query->count = 0;
    query->root = random_node(gen, query, 3);
    FILE *out = fmemopen(query->text, sizeof(query->text), "w");
    fputs("{ ", out);
    print_node(query, query->root, out);
    fputs(" }", out);
    fclose(out);
}
