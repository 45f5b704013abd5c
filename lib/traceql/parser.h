/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/traceql/parser.h: what the parts of the parser share: its stacks, and what moves them. Private to lib/traceql.
 *
 *   frames     what is open: the query, ( ), { }, max( ), by( ); each remembers how high the other stacks were
 *   operators  waiting for their right side
 *   operands   finished parts of the tree
 *   stages     finished stages of the pipelines that are open
 *
 * Functions that return bool return false after the error was written (build.h). */
#pragma once

#include "lib/traceql/build.h"

enum frame_kind {
    FRAME_QUERY,          /* the whole text */
    FRAME_PIPELINE,       /* ( ) between stages */
    FRAME_FILTER,         /* { } */
    FRAME_COMPARE_FILTER, /* { } inside compare( ) */
    FRAME_AGGREGATE,      /* max( ) */
    FRAME_GROUP,          /* by( ) */
    FRAME_PAREN,          /* ( ) inside a span's expression */
};

struct frame {
    enum frame_kind kind;
    uint32_t offset; /* of the word or bracket that opened it */
    uint32_t operator_base, operand_base, stage_base;
    enum sp_traceql_aggregate aggregate;
};

struct pending {
    enum sp_traceql_token_kind kind;
    enum sp_traceql_precedence precedence;
    uint32_t offset;
    bool unary;
};

/* A stack in the arena; grows by doubling. */
struct stack {
    void *items;
    uint32_t count, cap;
};

struct parser {
    struct sp_traceql_lexer lexer;
    struct sp_traceql_builder build;
    struct sp_traceql_token token; /* not yet consumed */
    struct stack frames, operators, operands, stages;
    struct stack hints;
    bool want_operand; /* or else an operator, or the end of something */
    bool done;
    bool scalar; /* the whole text has to be one number made of spans */
};

/* Tells what can stand here instead: an operand between stages. */
bool sp_parser_fail_operand(struct parser *p);

static inline struct frame *sp_parser_top_frame(const struct parser *p)
{
    return (struct frame *)p->frames.items + p->frames.count - 1;
}

static inline struct pending *sp_parser_top_operator(const struct parser *p)
{
    return (struct pending *)p->operators.items + p->operators.count - 1;
}

static inline struct sp_traceql_operand *sp_parser_top_operand(const struct parser *p)
{
    return (struct sp_traceql_operand *)p->operands.items + p->operands.count - 1;
}

static inline struct sp_traceql_node **sp_parser_stage_at(const struct parser *p, uint32_t index)
{
    return (struct sp_traceql_node **)p->stages.items + index;
}

static inline bool sp_parser_between_stages(const struct parser *p)
{
    return sp_parser_top_frame(p)->kind == FRAME_QUERY ||
           sp_parser_top_frame(p)->kind == FRAME_PIPELINE;
}

/* ---- parser.c ---- */

/* The tree belongs to its parser until it is returned; only then nobody may change it any more. */
struct sp_traceql_node *sp_parser_writable(const struct sp_traceql_node *node);
void *sp_parser_push(struct parser *p, struct stack *stack, size_t size);
bool sp_parser_next(struct parser *p);
bool sp_parser_fail_expected(struct parser *p, const char *expected);
bool sp_parser_take(struct parser *p, enum sp_traceql_token_kind kind, const char *expected);
bool sp_parser_is_word(const struct parser *p, const char *word);
bool sp_parser_push_operand(struct parser *p, struct sp_traceql_node *node, bool is_stage);
/* The smallest integer is no negated one: 9223372036854775808 alone is out of range. Makes one literal of a minus that stands
 * where a value may begin and those digits right behind it; not before ^, which binds tighter than the minus. */
bool sp_parser_join_min_int(struct parser *p);

bool sp_parser_push_frame(struct parser *p, enum frame_kind kind, uint32_t offset);
bool sp_parser_reduce_all(struct parser *p);
bool sp_parser_reduce_for(struct parser *p, enum sp_traceql_precedence precedence);

/* ---- pipeline.c ---- */

/* What the stages so far have made of the trace. */
const struct sp_traceql_node *sp_parser_last_stage(const struct parser *p);
/* "within" behind A without B, and "repeated" behind A: words where an operator may stand. */
bool sp_parser_within(struct parser *p);
bool sp_parser_repeated(struct parser *p);
/* At | ) or the end. */
bool sp_parser_finish_stage(struct parser *p);
/* The stages of the open pipeline become one node and leave the stack. */
struct sp_traceql_node *sp_parser_make_pipeline(struct parser *p);
/* ")" between stages: brackets around one expression say nothing more; around a pipeline they make it an operand. */
bool sp_parser_close_pipeline(struct parser *p);
bool sp_parser_finish_query(struct parser *p);

/* ---- calls.c ---- */

struct sp_traceql_node *sp_parser_field(struct parser *p);
/* "}" of compare({ } , top, start, end) */
bool sp_parser_close_compare_filter(struct parser *p, struct sp_traceql_node *condition,
                                    uint32_t offset);
/* name( between stages. */
bool sp_parser_call(struct parser *p);
