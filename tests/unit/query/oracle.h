/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/unit/query/oracle.h: random { ... } queries and what they mean, by brute force: a small tree of its own that is
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
struct oracle_trace {
    const struct sp_span *const *spans;
    size_t count;
};

void oracle_make(struct sp_gen *gen, struct oracle_query *query);
bool oracle_matches(const struct oracle_query *query, const struct oracle_trace *trace,
                    const struct sp_span *span);
