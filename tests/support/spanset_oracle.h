/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/support/spanset_oracle.h: whole random queries and what they find in a trace, by brute force: every span is compared
 * with every other, and queries are evaluated by recursion, straight from docs/traceql.md. Shares nothing with lib/traceql or
 * query/. */
#pragma once

#include "tests/support/span_oracle.h"

#define SPANSET_NODES_MAX   96
#define SPANSET_FILTERS_MAX 12
#define SPANSET_SETS_MAX    ORACLE_SPANS_MAX

struct spanset_node {
    enum {
        SPANSET_FILTER,     /* filter */
        SPANSET_RELATION,   /* left relation right; number: of without, milliseconds, or -1 */
        SPANSET_REPEATED,   /* left repeated number */
        SPANSET_PIPELINE,   /* left: first stage */
        SPANSET_GROUP,      /* by(field) */
        SPANSET_COALESCE,   /* coalesce() */
        SPANSET_SELECT,     /* select(field) */
        SPANSET_COMPARE,    /* left comparison right: scalars */
        SPANSET_AGGREGATE,  /* operation(field) */
        SPANSET_NUMBER,     /* number */
        SPANSET_ARITHMETIC, /* left operation right */
        SPANSET_NEGATE,     /* -left */
    } kind;
    unsigned filter, operation, field; /* operation: a row of the tables in spanset_oracle.c */
    int number;
    int left, right; /* nodes */
    int next;        /* of a stage: the next one of its pipeline, or -1 */
};

struct spanset_query {
    struct spanset_node nodes[SPANSET_NODES_MAX];
    struct oracle_query filters[SPANSET_FILTERS_MAX];
    int count, root; /* root: the first stage */
    unsigned filter_count;
    char text[64 * 1024];
};

/* Names of the operations, and their number. */
extern const char *const spanset_relations[];
extern const char *const spanset_aggregates[];
extern const char *const spanset_arithmetics[];
extern const char *const spanset_comparisons[];
enum {
    SPANSET_RELATIONS = 21,
    SPANSET_AGGREGATES = 5,
    SPANSET_ARITHMETICS = 6,
    SPANSET_COMPARISONS = 6
};

struct spanset_scalar {
    bool nil, is_integer;
    long double number;
};

struct spanset_set {
    bool members[ORACLE_SPANS_MAX];
    struct spanset_scalar noted[16]; /* aggregates, the oldest first */
    int noted_count, group_count;    /* group_count: how often by() divided it */
};

struct spanset_found {
    struct spanset_set *sets; /* heap */
    size_t count;
};

/* A random query, weighted to operators between spans and to aggregates, and its text. */
void spanset_make(struct sp_gen *gen, struct spanset_query *query);

/* A random trace as no sender should make it: orphans that share a missing parent, several roots, cycles, spans that are stored
 * twice, ids shared by client and server. The spans are the arena's memory. */
const struct sp_batch *spanset_trace(struct sp_gen *gen, struct sp_arena *arena, size_t span_count,
                                     unsigned odd_percent);

/* What the query finds; free with spanset_found_fini. */
void spanset_evaluate(const struct spanset_query *query, const struct oracle_trace *trace,
                      struct spanset_found *ret);
void spanset_found_fini(struct spanset_found *found);

/* The trace, a line for each span, for whoever has to understand a difference. */
void spanset_print_trace(const struct oracle_trace *trace);
