/* SPDX-License-Identifier: Apache-2.0
 *
 * query/match.c: from syntax tree to program, and the machine that runs it. The program is in postfix order with jumps
 * for && and ||, so that running it needs neither recursion nor allocation. Fields are read in query/match_field.c,
 * operators applied in query/match_operand.c. */
#include "query/match.h"

#include "query/match_operand.h"

enum operation {
    PUSH_LITERAL,
    PUSH_FIELD,
    NOT,
    NEGATE,
    EXISTS,
    NOT_EXISTS,
    COMPARE,
    ARITHMETIC,
    TEST,          /* the top becomes a boolean */
    JUMP_IF_FALSE, /* a boolean on top: leave it and jump, or drop it and go on */
    JUMP_IF_TRUE,
};

struct instruction {
    enum operation operation;
    uint32_t target; /* of jumps */
    const struct sp_traceql_node *node;
    struct sp_regex *regex; /* COMPARE with =~ and !~ */
};

struct sp_match {
    struct instruction *program;
    uint32_t length, capacity;
    bool needs_tree;
};

/* Operands that can be on the stack at once: one for each level of the tree, and the one being pushed. */
#define STACK_MAX (SP_TRACEQL_DEPTH_MAX + 2)

/* ---- facts ---- */

static bool is_earlier_root(const struct sp_span *span, const struct sp_span *root)
{
    if (!root || span->start_unix_ns != root->start_unix_ns)
        return !root || span->start_unix_ns < root->start_unix_ns;
    return sp_span_id_compare(&span->span_id, &root->span_id) < 0;
}

void sp_trace_facts_make(const struct sp_batch *batch, struct sp_trace_facts *ret)
{
    struct sp_trace_facts facts = {.batch = batch, .start_unix_ns = UINT64_MAX};
    for (size_t i = 0; i < batch->span_count; i++) {
        const struct sp_span *span = &batch->spans[i];
        uint64_t end = span->start_unix_ns + sp_span_duration_ns(span);
        if (span->start_unix_ns < facts.start_unix_ns)
            facts.start_unix_ns = span->start_unix_ns;
        if (end > facts.end_unix_ns)
            facts.end_unix_ns = end;
        if (sp_span_id_is_zero(&span->parent_span_id) && is_earlier_root(span, facts.root))
            facts.root = span;
    }
    if (batch->span_count == 0)
        facts.start_unix_ns = 0;
    *ret = facts;
}

enum sp_status sp_trace_facts_assemble(struct sp_trace_facts *facts, struct sp_arena *arena,
                                       struct sp_trace *ret, struct sp_error *reterr)
{
    if (sp_trace_assemble(arena, facts->batch, ret) != SP_OK)
        return sp_arena_failed(arena, reterr, "a trace is larger than the query's memory");
    facts->tree = ret;
    return SP_OK;
}

/* ---- compiler ---- */

/* A node on the way down: how many of its children were compiled, and the jumps of && and || that wait for their
 * target, as a list through instruction.target. */
struct frame {
    const struct sp_traceql_node *node;
    uint32_t next_child;
    uint32_t pending_jump;
};
#define NO_JUMP UINT32_MAX

static struct instruction *emit(struct sp_match *match, enum operation operation,
                                const struct sp_traceql_node *node)
{
    SP_ASSERT(match->length < match->capacity);
    struct instruction *instruction = &match->program[match->length++];
    *instruction = (struct instruction){.operation = operation, .node = node};
    return instruction;
}

static const struct sp_traceql_node *child_of(const struct sp_traceql_node *node, uint32_t i)
{
    if (node->items)
        return i < node->item_count ? node->items[i] : NULL;
    return i == 0 ? node->left : i == 1 ? node->right : NULL;
}

bool sp_match_field_needs_tree(const struct sp_traceql_field *field)
{
    return field->of_parent || field->intrinsic == SP_TRACEQL_CHILD_COUNT ||
           field->intrinsic == SP_TRACEQL_NESTED_SET_LEFT ||
           field->intrinsic == SP_TRACEQL_NESTED_SET_RIGHT ||
           field->intrinsic == SP_TRACEQL_NESTED_SET_PARENT ||
           field->intrinsic == SP_TRACEQL_PARENT_SPAN;
}

static enum sp_status emit_compare(struct sp_match *match, const struct sp_traceql_node *node,
                                   struct sp_error *reterr)
{
    struct instruction *instruction = emit(match, COMPARE, node);
    if (node->comparison != SP_TRACEQL_MATCH && node->comparison != SP_TRACEQL_NOT_MATCH)
        return SP_OK;
    enum sp_status status =
        sp_regex_compile(node->right->value.string, &instruction->regex, reterr);
    if (status == SP_INVALID_ARGUMENT && reterr)
        reterr->offset = node->right->offset;
    return status;
}

/* The node's own instruction, behind those of its children. */
static enum sp_status emit_node(struct sp_match *match, const struct sp_traceql_node *node,
                                struct sp_error *reterr)
{
    switch (node->kind) {
    case SP_TRACEQL_LITERAL:
        emit(match, PUSH_LITERAL, node);
        return SP_OK;
    case SP_TRACEQL_FIELD:
        match->needs_tree |= sp_match_field_needs_tree(&node->field);
        emit(match, PUSH_FIELD, node);
        return SP_OK;
    case SP_TRACEQL_NOT:
        emit(match, NOT, node);
        return SP_OK;
    case SP_TRACEQL_NEGATE:
        emit(match, NEGATE, node);
        return SP_OK;
    case SP_TRACEQL_EXISTS:
        emit(match, EXISTS, node);
        return SP_OK;
    case SP_TRACEQL_NOT_EXISTS:
        emit(match, NOT_EXISTS, node);
        return SP_OK;
    case SP_TRACEQL_COMPARE:
        return emit_compare(match, node, reterr);
    case SP_TRACEQL_ARITHMETIC:
        emit(match, ARITHMETIC, node);
        return SP_OK;
    case SP_TRACEQL_ALL:
    case SP_TRACEQL_ANY:
        return SP_OK; /* their jumps do it all */
    case SP_TRACEQL_FILTER:
    case SP_TRACEQL_RELATION:
    case SP_TRACEQL_REPEATED:
    case SP_TRACEQL_PIPELINE:
    case SP_TRACEQL_GROUP:
    case SP_TRACEQL_COALESCE:
    case SP_TRACEQL_SELECT:
    case SP_TRACEQL_AGGREGATE:
    case SP_TRACEQL_METRIC:
    case SP_TRACEQL_TOPK:
    case SP_TRACEQL_BOTTOMK:
    case SP_TRACEQL_THRESHOLD:
        break;
    }
    return sp_error_set_at(reterr, SP_INTERNAL, node->offset, "%s inside an expression on a span",
                           sp_traceql_node_text(node));
}

/* Between the items of && and ||: leave as soon as the answer is known. */
static void emit_jump(struct sp_match *match, struct frame *frame)
{
    bool all = frame->node->kind == SP_TRACEQL_ALL;
    struct instruction *jump = emit(match, all ? JUMP_IF_FALSE : JUMP_IF_TRUE, frame->node);
    jump->target = frame->pending_jump;
    frame->pending_jump = match->length - 1;
}

static void land_jumps(struct sp_match *match, struct frame *frame)
{
    for (uint32_t at = frame->pending_jump; at != NO_JUMP;) {
        uint32_t next = match->program[at].target;
        match->program[at].target = match->length;
        at = next;
    }
}

/* Depth first with a stack of its own, which the parser's limit on depth bounds. */
static enum sp_status compile_expression(struct sp_match *match, const struct sp_traceql_node *root,
                                         struct sp_error *reterr)
{
    struct frame stack[SP_TRACEQL_DEPTH_MAX + 1];
    uint32_t depth = 0;
    stack[depth++] = (struct frame){root, 0, NO_JUMP};
    while (depth > 0) {
        struct frame *frame = &stack[depth - 1];
        bool joins = frame->node->kind == SP_TRACEQL_ALL || frame->node->kind == SP_TRACEQL_ANY;
        if (joins && frame->next_child > 0)
            emit(match, TEST, frame->node);
        const struct sp_traceql_node *child = child_of(frame->node, frame->next_child);
        if (child) {
            if (joins && frame->next_child > 0)
                emit_jump(match, frame);
            frame->next_child++;
            if (depth == SP_ARRAY_LEN(stack))
                return sp_error_set_at(reterr, SP_LIMIT, child->offset, "the query is too deep");
            stack[depth++] = (struct frame){child, 0, NO_JUMP};
            continue;
        }
        enum sp_status status = emit_node(match, frame->node, reterr);
        if (status != SP_OK)
            return status;
        land_jumps(match, frame);
        depth--;
    }
    return SP_OK;
}

/* Nodes of a tree stand in one row, the first leaf first and the root last. */
uint32_t sp_match_first_node(const struct sp_traceql_node *expression)
{
    const struct sp_traceql_node *leaf = expression;
    for (const struct sp_traceql_node *child = expression; child; child = child_of(child, 0))
        leaf = child;
    return leaf->index;
}

enum sp_status sp_match_compile(struct sp_arena *arena, const struct sp_traceql_query *query,
                                const struct sp_traceql_node *expression, struct sp_match **ret,
                                struct sp_error *reterr)
{
    struct sp_match *match = sp_arena_calloc(arena, 1, sizeof(*match));
    /* Each node emits at most itself, and a TEST and a jump for its parent. */
    uint32_t capacity =
        expression ? 3 * (expression->index - sp_match_first_node(expression) + 1) : 0;
    struct instruction *program = match ? sp_arena_calloc(arena, capacity, sizeof(*program)) : NULL;
    if (!program)
        return sp_arena_failed(arena, reterr, "the query is larger than its memory");
    SP_ASSERT(!expression || query->nodes[expression->index] == expression);
    match->program = program;
    match->capacity = capacity;
    enum sp_status status = expression ? compile_expression(match, expression, reterr) : SP_OK;
    if (status != SP_OK) {
        sp_match_free(match);
        return status;
    }
    *ret = match;
    return SP_OK;
}

void sp_match_free(struct sp_match *match)
{
    for (uint32_t i = 0; match && i < match->length; i++) {
        sp_regex_free(match->program[i].regex);
        match->program[i].regex = NULL;
    }
}

bool sp_match_needs_tree(const struct sp_match *match)
{
    return match->needs_tree;
}

bool sp_match_is_everything(const struct sp_match *match)
{
    return match->length == 0;
}

/* ---- machine ---- */

/* Leaves the result at the bottom of the stack, which has room for STACK_MAX. */
static enum sp_status run(struct sp_match *match, const struct sp_span_place place,
                          struct sp_operand *stack, struct sp_error *reterr)
{
    uint32_t top = 0; /* operands on the stack */
    for (uint32_t pc = 0; pc < match->length; pc++) {
        const struct instruction *instruction = &match->program[pc];
        const struct sp_traceql_node *node = instruction->node;
        enum sp_status status = SP_OK;
        bool is_true;
        switch (instruction->operation) {
        case PUSH_LITERAL:
            SP_ASSERT(top < STACK_MAX);
            sp_operand_literal(&node->value, &stack[top++]);
            break;
        case PUSH_FIELD:
            SP_ASSERT(top < STACK_MAX);
            sp_operand_field(&place, &node->field, &stack[top++]);
            break;
        case NOT:
            sp_operand_not(&place, &stack[top - 1]);
            break;
        case NEGATE:
            sp_operand_negate(&stack[top - 1]);
            break;
        case EXISTS:
        case NOT_EXISTS:
            is_true = sp_operand_exists(&place, &stack[top - 1]);
            sp_operand_bool(is_true == (instruction->operation == EXISTS), &stack[top - 1]);
            break;
        case COMPARE:
            top--;
            status = sp_operand_compare(&place, &stack[top - 1], node->comparison, &stack[top],
                                        instruction->regex, &is_true, reterr);
            sp_operand_bool(status == SP_OK && is_true, &stack[top - 1]);
            break;
        case ARITHMETIC:
            top--;
            sp_operand_arithmetic(&stack[top - 1], node->arithmetic, &stack[top]);
            break;
        case TEST:
            sp_operand_bool(sp_operand_is_true(&place, &stack[top - 1]), &stack[top - 1]);
            break;
        case JUMP_IF_FALSE:
        case JUMP_IF_TRUE:
            if (stack[top - 1].scalar.boolean == (instruction->operation == JUMP_IF_TRUE))
                pc = instruction->target - 1;
            else
                top--;
            break;
        }
        if (status == SP_LIMIT && reterr)
            reterr->offset = node->offset;
        if (status != SP_OK)
            return status;
    }
    SP_ASSERT(top == 1);
    return SP_OK;
}

enum sp_status sp_match_span(struct sp_match *match, const struct sp_trace_facts *facts,
                             uint32_t row, bool *ret_matched, struct sp_error *reterr)
{
    if (match->length == 0) {
        *ret_matched = true;
        return SP_OK;
    }
    struct sp_operand stack[STACK_MAX];
    struct sp_span_place place = {facts, row};
    enum sp_status status = run(match, place, stack, reterr);
    if (status == SP_OK)
        *ret_matched = sp_operand_is_true(&place, &stack[0]);
    return status;
}

enum sp_status sp_match_value(struct sp_match *match, const struct sp_trace_facts *facts,
                              uint32_t row, struct sp_operand *ret, struct sp_error *reterr)
{
    struct sp_operand stack[STACK_MAX];
    enum sp_status status = run(match, (struct sp_span_place){facts, row}, stack, reterr);
    if (status == SP_OK)
        sp_operand_move(&stack[0], ret);
    return status;
}
