/* SPDX-License-Identifier: Apache-2.0
 *
 * query/spanset_program.h: the instructions of a pipeline, and the parts that the machine is made of. Private to
 * query/spanset*.c.
 *
 *   frames   pipelines in brackets that are open: the sets that flow through each, and how far its stage has come
 *   lists    finished operands of &&, >> and so on: ascending rows
 *   scalars  finished operands of comparisons between scalars
 *
 * { a } >> { b } | by(c) | count() > 2   becomes
 *
 *     EACH 5, FILTER a, FILTER b, RELATE >>, KEEP_ROWS 0, EACH 8, GROUP c, NEXT 5, EACH 13, AGGREGATE count(), NUMBER 2,
 *     COMPARE >, KEEP_IF 8 */
#pragma once

#include "query/match_operand.h"
#include "query/spanset.h"

enum sp_step_kind {
    SP_STEP_EACH,         /* begin of a stage: the next set becomes the input, or go to target */
    SP_STEP_FILTER,       /* push the rows of the input that match */
    SP_STEP_RELATE,       /* pop right and left, push what the relation makes of them */
    SP_STEP_REPEATED,     /* pop rows, push those of them that are repeated */
    SP_STEP_OPEN,         /* a frame whose one set is the input */
    SP_STEP_CLOSE,        /* pop the frame, push all its rows */
    SP_STEP_CLOSE_SETS,   /* pop the frame, all its sets go on; go to target */
    SP_STEP_MERGE,        /* all rows of the frame become the input, also none; stands alone */
    SP_STEP_CLOSE_SCALAR, /* pop the frame, whose scalar stays, and note it for the input */
    SP_STEP_KEEP_ROWS, /* pop rows: if there are any, the input goes on with them; go to target */
    SP_STEP_KEEP_IF,   /* pop a comparison: if true, the input goes on; go to target */
    SP_STEP_GROUP,     /* the input goes on as its groups; go to target */
    SP_STEP_COALESCE,  /* all sets become one; stands alone, without EACH */
    SP_STEP_LITERAL,   /* push a scalar */
    SP_STEP_AGGREGATE, /* push a scalar, and note it for the input */
    SP_STEP_NEGATE,
    SP_STEP_ARITHMETIC,
    SP_STEP_COMPARE,
};

struct sp_step {
    enum sp_step_kind kind;
    uint32_t target;                    /* EACH, KEEP_..., CLOSE_SETS, GROUP: a step */
    const struct sp_traceql_node *node; /* what it was made of */
    struct sp_match *match; /* FILTER; GROUP, AGGREGATE: what is read of a span, or NULL */
    uint64_t runs, rows_in, rows_out; /* in all traces so far, for explanations */
};

struct sp_pipeline {
    struct sp_step *steps;
    uint32_t length, capacity;
    bool needs_tree;
    const struct sp_traceql_node **selected;
    uint32_t selected_count;
};

/* Frames, and operands on each stack, that can be there at once: one for each level of the tree. */
#define SP_SPANSET_STACK_MAX (SP_TRACEQL_DEPTH_MAX + 2)

/* Rows looked at between two questions whether to stop. */
#define SP_SPANSET_STOP_ROWS 16384u

struct sp_rows {
    const uint32_t *rows;
    uint32_t count;
};

/* One run on one trace. */
struct sp_spanset_run {
    const struct sp_trace_facts *facts;
    struct sp_arena *arena;
    struct sp_error *reterr;
    uint32_t row_count;
    uint32_t *scratch; /* row_count */
    uint64_t *marks;   /* a bit for each row; all 0 between uses */
    uint32_t
        *families; /* relations between siblings: made when first needed, see spanset_relate.c */
    uint32_t *first_of;  /* by family; all 0 between uses */
    uint32_t until_stop; /* rows until the next question whether to stop */
};

SP_MUST_USE enum sp_status sp_spanset_no_memory(const struct sp_spanset_run *run);

/* Counts a row that was looked at. SP_OK, or what facts->stop says. */
static inline enum sp_status sp_spanset_look(struct sp_spanset_run *run)
{
    if (--run->until_stop > 0)
        return SP_OK;
    run->until_stop = SP_SPANSET_STOP_ROWS;
    return sp_stop_ask(run->facts->stop, run->reterr);
}

/* The first rows of run->scratch as a list of their own. */
SP_MUST_USE enum sp_status sp_rows_take(struct sp_spanset_run *run, uint32_t count,
                                        struct sp_rows *ret);

/* ---- rows (spanset_relate.c) ---- */

/* Rows of either list, in one. */
SP_MUST_USE enum sp_status sp_rows_union(struct sp_spanset_run *run, struct sp_rows a,
                                         struct sp_rows b, struct sp_rows *ret);
/* node: a RELATION. */
SP_MUST_USE enum sp_status sp_rows_relate(struct sp_spanset_run *run,
                                          const struct sp_traceql_node *node, struct sp_rows left,
                                          struct sp_rows right, struct sp_rows *ret);
/* Fills run->families, if that was not done yet: rows of one family are siblings. SP_ROW_NONE: it has none. */
SP_MUST_USE enum sp_status sp_rows_families(struct sp_spanset_run *run);

/* ---- what TraceQL has not (spanset_beyond.c) ---- */

/* Left rows below which no right row starts within the time behind their own start. */
SP_MUST_USE enum sp_status sp_rows_without(struct sp_spanset_run *run, int64_t time_ns,
                                           struct sp_rows left, struct sp_rows right,
                                           struct sp_rows *ret);
/* Rows that have, themselves included, count_min siblings among the rows with their service and name. */
SP_MUST_USE enum sp_status sp_rows_repeated(struct sp_spanset_run *run, uint64_t count_min,
                                            struct sp_rows rows, struct sp_rows *ret);

/* ---- values of sets (spanset_value.c) ---- */

/* Grows in the arena. */
struct sp_spanset_vector {
    struct sp_spanset *sets;
    uint32_t count, capacity;
};
SP_MUST_USE enum sp_status sp_spanset_push(struct sp_spanset_run *run,
                                           struct sp_spanset_vector *vector,
                                           const struct sp_spanset *set);
/* Appends the groups of a set. */
SP_MUST_USE enum sp_status sp_spanset_group(struct sp_spanset_run *run, const struct sp_step *step,
                                            const struct sp_spanset *set,
                                            struct sp_spanset_vector *out);

/* An aggregate over rows; NIL when no span has a number. */
SP_MUST_USE enum sp_status sp_spanset_aggregate(struct sp_spanset_run *run,
                                                enum sp_traceql_aggregate aggregate,
                                                struct sp_match *match, struct sp_rows rows,
                                                struct sp_operand *ret);

/* Notes a value for the set that it becomes the newest of. */
SP_MUST_USE enum sp_status sp_spanset_note(struct sp_spanset_run *run,
                                           const struct sp_traceql_node *node,
                                           const struct sp_operand *operand,
                                           const struct sp_spanset_value **values);
