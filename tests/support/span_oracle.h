/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/support/span_oracle.h: random { ... } queries and what they mean, by brute force: a small tree of its own that is
 * printed as TraceQL and evaluated by recursion. Shares nothing with lib/traceql or query/match*.c. */
#pragma once

#include "lib/model/model.h"
#include "tests/support/span_gen.h"

#define ORACLE_NODES_MAX 64

struct oracle_node {
    enum {
        ORACLE_COMPARE,
        ORACLE_EXISTS,
        ORACLE_NOT_EXISTS,
        ORACLE_AND,
        ORACLE_OR,
        ORACLE_NOT
    } kind;
    unsigned field, operation, literal; /* rows of the tables in oracle.c */
    int left, right;                    /* nodes */
};

struct oracle_query {
    struct oracle_node nodes[ORACLE_NODES_MAX];
    int count, root;
    char text[4096]; /* "{ ... }" */
};

/* The trace around a span. */
#define ORACLE_SPANS_MAX 512
struct oracle_trace {
    const struct sp_span *const *spans;
    size_t count;
    int parents[ORACLE_SPANS_MAX];  /* index, or -1 */
    bool orphans[ORACLE_SPANS_MAX]; /* names a parent that is not there */
};

/* Finds who hangs from whom by comparing every span with every other, as docs/decisions/0025-trace-assembly.md says. */
void oracle_trace_init(struct oracle_trace *trace, const struct sp_span *const *spans,
                       size_t count);

void oracle_make(struct sp_gen *gen, struct oracle_query *query);
void oracle_make_depth(struct sp_gen *gen, struct oracle_query *query, int depth);
/* One comparison that many spans of any trace satisfy. */
void oracle_make_common(struct sp_gen *gen, struct oracle_query *query);
bool oracle_matches(const struct oracle_query *query, const struct oracle_trace *trace,
                    size_t span);

/* ---- fields, for what reads them outside of { } ---- */

enum oracle_type {
    ORACLE_STRING,
    ORACLE_NUMBER,
    ORACLE_BOOLEAN,
    ORACLE_STATUS,
    ORACLE_KIND,
    ORACLE_OTHER
};

/* One value a field has on a span; long double holds every 64-bit integer and every double exactly. */
struct oracle_value {
    enum oracle_type type;
    bool is_double; /* NUMBER */
    struct sp_slice text;
    long double number;         /* NUMBER, BOOLEAN, STATUS, KIND */
    const struct sp_value *raw; /* OTHER */
};

struct oracle_values {
    struct oracle_value items[64];
    size_t count;
};

unsigned oracle_field_count(void);
const char *oracle_field_text(unsigned field);
bool oracle_field_is_number(unsigned field); /* may be: numbers, and attributes */
void oracle_field_values(unsigned field, const struct oracle_trace *trace, size_t span,
                         struct oracle_values *out);
