/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/traceql/parser.c: tokens to a tree. Operator precedence with explicit stacks, because the text comes from outside.
 * Two kinds of places: between stages, where { } and aggregates are operands, and inside a span's expression, where fields
 * and literals are. An operator means what its operands make of it; build.c decides and checks. */
#include "lib/traceql/parser.h"

/* ---- stacks and tokens ---- */

/* The tree belongs to its parser until it is returned; only then nobody may change it any more. */
struct sp_traceql_node *sp_parser_writable(const struct sp_traceql_node *node)
{
    struct sp_traceql_node *same;
    memcpy(&same, &node, SP_TRACEQL_POINTER_BYTES);
    return same;
}

void *sp_parser_push(struct parser *p, struct stack *stack, size_t size)
{
    if (stack->count == stack->cap) {
        uint32_t cap = stack->cap ? 2 * stack->cap : 16;
        void *grown = sp_arena_grow(p->build.arena, stack->items, stack->cap * size, cap * size);
        if (!grown) {
            sp_traceql_fail_memory(&p->build);
            return NULL;
        }
        stack->items = grown;
        stack->cap = cap;
    }
    void *item = (char *)stack->items + stack->count++ * size;
    memset(item, 0, size);
    return item;
}

bool sp_parser_next(struct parser *p)
{
    p->build.status = sp_traceql_next_token(&p->lexer, &p->token);
    return p->build.status == SP_OK;
}

bool sp_parser_fail_expected(struct parser *p, const char *expected)
{
    if (p->token.kind == SP_TOKEN_END)
        sp_traceql_fail(&p->build, p->token.offset, "expected %s, found the end of the query",
                        expected);
    else
        sp_traceql_fail(&p->build, p->token.offset, "expected %s, found %.*s", expected,
                        SP_SLICE_PRINTF(sp_traceql_clip(p->token.text)));
    return false;
}

bool sp_parser_take(struct parser *p, enum sp_traceql_token_kind kind, const char *expected)
{
    return p->token.kind == kind ? sp_parser_next(p) : sp_parser_fail_expected(p, expected);
}

bool sp_parser_is_word(const struct parser *p, const char *word)
{
    return p->token.kind == SP_TOKEN_WORD && sp_slice_equal_cstr(p->token.text, word);
}

bool sp_parser_push_operand(struct parser *p, struct sp_traceql_node *node, bool is_stage)
{
    if (!node)
        return false;
    struct sp_traceql_operand *operand = sp_parser_push(p, &p->operands, sizeof *operand);
    if (!operand)
        return false;
    operand->node = node;
    operand->offset = node->offset;
    operand->is_stage = is_stage;
    p->want_operand = false;
    return true;
}

bool sp_parser_push_frame(struct parser *p, enum frame_kind kind, uint32_t offset)
{
    if (p->frames.count >= SP_TRACEQL_DEPTH_MAX) {
        p->build.status = sp_error_set_at(p->build.reterr, SP_LIMIT, offset,
                                          "more than %u brackets are open", SP_TRACEQL_DEPTH_MAX);
        return false;
    }
    struct frame *frame = sp_parser_push(p, &p->frames, sizeof *frame);
    if (!frame)
        return false;
    *frame = (struct frame){.kind = kind,
                            .offset = offset,
                            .operator_base = p->operators.count,
                            .operand_base = p->operands.count,
                            .stage_base = p->stages.count};
    p->want_operand = true;
    return true;
}

bool sp_parser_join_min_int(struct parser *p)
{
    static const char digits[] = "9223372036854775808";
    struct sp_slice rest = sp_slice_sub(p->lexer.text, p->lexer.pos, SIZE_MAX);
    if (p->token.kind != SP_TOKEN_SUBTRACT || !sp_slice_starts_with(rest, sp_slice_cstr(digits)))
        return false;
    rest = sp_slice_sub(rest, sizeof digits - 1, SIZE_MAX);
    uint8_t next = rest.len > 0 ? rest.ptr[0] : ' ';
    bool goes_on = next == '.' || next == '_' || next >= 0x80 || (next >= '0' && next <= '9') ||
                   ((next | 0x20) >= 'a' && (next | 0x20) <= 'z');
    rest = sp_slice_trim(rest);
    if (goes_on || (rest.len > 0 && rest.ptr[0] == '^'))
        return false;
    p->lexer.pos += sizeof digits - 1;
    p->token.kind = SP_TOKEN_LITERAL;
    p->token.len = (uint32_t)(p->lexer.pos - p->token.offset);
    p->token.text = sp_slice_sub(p->lexer.text, p->token.offset, p->token.len);
    p->token.value = (struct sp_traceql_value){.type = SP_TRACEQL_TYPE_INT, .integer = INT64_MIN};
    return true;
}

static bool push_operator(struct parser *p, bool unary)
{
    struct pending *op = sp_parser_push(p, &p->operators, sizeof *op);
    if (!op)
        return false;
    /* Between stages a sign belongs to the number behind it; in an expression it takes the product behind it, as in
     * Tempo. */
    enum sp_traceql_precedence sign =
        sp_parser_between_stages(p) ? SP_PRECEDENCE_ATOM : SP_PRECEDENCE_UNARY;
    *op = (struct pending){
        .kind = p->token.kind,
        .precedence = unary ? sign : sp_traceql_precedence(p->token.kind),
        .offset = p->token.offset,
        .unary = unary,
    };
    p->want_operand = true;
    return sp_parser_next(p);
}

/* ---- reducing ---- */

static bool reduce_one(struct parser *p)
{
    struct pending op = *sp_parser_top_operator(p);
    p->operators.count--;
    if (op.unary)
        return sp_traceql_apply_unary(&p->build, op.kind, op.offset, sp_parser_top_operand(p));
    struct sp_traceql_operand right = *sp_parser_top_operand(p);
    p->operands.count--;
    return sp_parser_between_stages(p) ? sp_traceql_apply_in_stage(&p->build, op.kind, op.offset,
                                                                   sp_parser_top_operand(p), &right)
                                       : sp_traceql_apply_in_span(&p->build, op.kind, op.offset,
                                                                  sp_parser_top_operand(p), &right);
}

/* Applies what binds at least as tightly as an operator that comes now. */
bool sp_parser_reduce_for(struct parser *p, enum sp_traceql_precedence precedence)
{
    while (p->operators.count > sp_parser_top_frame(p)->operator_base) {
        enum sp_traceql_precedence waiting = sp_parser_top_operator(p)->precedence;
        bool right_first = precedence == SP_PRECEDENCE_POWER && waiting == SP_PRECEDENCE_POWER;
        if (waiting < precedence || right_first)
            break;
        if (!reduce_one(p))
            return false;
    }
    return true;
}

bool sp_parser_reduce_all(struct parser *p)
{
    while (p->operators.count > sp_parser_top_frame(p)->operator_base)
        if (!reduce_one(p))
            return false;
    return true;
}

/* The one operand of a span's expression that ends here, or NULL. */
static struct sp_traceql_node *finish_expression(struct parser *p)
{
    if (!sp_parser_reduce_all(p))
        return NULL;
    struct sp_traceql_operand *operand = sp_parser_top_operand(p);
    if (operand->is_nil)
        return sp_traceql_fail(&p->build, operand->offset,
                               "nil can only be compared: expected = or !=");
    p->operands.count = sp_parser_top_frame(p)->operand_base;
    return operand->node;
}

/* } or ) of a span's expression. */
static bool close_expression(struct parser *p)
{
    struct frame frame = *sp_parser_top_frame(p);
    struct sp_traceql_node *node = NULL;
    bool empty = p->operands.count == frame.operand_base;
    struct sp_traceql_operand inner = {0};
    if (!empty) {
        if (!sp_parser_reduce_all(p))
            return false;
        inner = *sp_parser_top_operand(p);
        node = finish_expression(p);
        if (!node)
            return false;
    }
    p->frames.count--;
    if (!sp_parser_next(p))
        return false;
    switch (frame.kind) {
    case FRAME_FILTER:
        return sp_parser_push_operand(p, sp_traceql_make_filter(&p->build, frame.offset, node),
                                      false);
    case FRAME_COMPARE_FILTER:
        return sp_parser_close_compare_filter(p, node, frame.offset);
    case FRAME_AGGREGATE:
        return sp_parser_push_operand(
            p, sp_traceql_make_aggregate(&p->build, frame.offset, frame.aggregate, node), false);
    case FRAME_GROUP:
        return sp_parser_push_operand(p, sp_traceql_make_group(&p->build, frame.offset, node),
                                      true);
    case FRAME_PAREN:
        if (!sp_parser_push_operand(p, node, false))
            return false;
        sp_parser_top_operand(p)->items = inner.items;
        return true;
    case FRAME_QUERY:
    case FRAME_PIPELINE:
        break;
    }
    return false;
}

/* ---- operands ---- */

/* Is the operator in front of a sign one that compares a metric? */
static bool compares_metric(const struct parser *p)
{
    const struct frame *frame = sp_parser_top_frame(p);
    const struct pending *operators = p->operators.items;
    enum sp_traceql_comparison comparison;
    uint32_t at = p->operators.count;
    while (at > frame->operator_base && operators[at - 1].unary)
        at--;
    return at > frame->operator_base && p->operands.count > frame->operand_base &&
           sp_traceql_as_comparison(operators[at - 1].kind, &comparison) &&
           sp_parser_top_operand(p)->node->type == SP_TRACEQL_TYPE_SERIES;
}

bool sp_parser_fail_operand(struct parser *p)
{
    return sp_parser_fail_expected(p, compares_metric(p)
                                          ? "a number or a duration to compare the metric with"
                                          : "{ }, ( ), a number or an aggregate like count()");
}

static bool parse_stage_operand(struct parser *p)
{
    uint32_t offset = p->token.offset;
    sp_parser_join_min_int(p);
    if (p->token.kind == SP_TOKEN_BRACE_OPEN)
        return sp_parser_push_frame(p, FRAME_FILTER, offset) && sp_parser_next(p);
    if (p->token.kind == SP_TOKEN_PAREN_OPEN)
        return sp_parser_push_frame(p, FRAME_PIPELINE, offset) && sp_parser_next(p);
    if (p->token.kind == SP_TOKEN_SUBTRACT)
        return push_operator(p, true);
    struct sp_traceql_value constant; /* minInt, maxInt */
    if (p->token.kind == SP_TOKEN_WORD && sp_traceql_find_constant(p->token.text, &constant) &&
        sp_traceql_is_number(constant.type))
        return sp_parser_push_operand(p, sp_traceql_make_literal(&p->build, offset, constant),
                                      false) &&
               sp_parser_next(p);
    if (p->token.kind == SP_TOKEN_WORD)
        return sp_parser_call(p);
    if (p->token.kind == SP_TOKEN_LITERAL && sp_traceql_is_number(p->token.value.type))
        return sp_parser_push_operand(p, sp_traceql_make_literal(&p->build, offset, p->token.value),
                                      false) &&
               sp_parser_next(p);
    return sp_parser_fail_operand(p);
}

static bool fail_word(struct parser *p, struct sp_slice word)
{
    word = sp_traceql_clip(word);
    sp_traceql_fail(&p->build, p->token.offset,
                    "%.*s is not known: expected .%.*s for an attribute, \"%.*s\" for text, or a "
                    "field like name, duration, status, kind, service",
                    SP_SLICE_PRINTF(word), SP_SLICE_PRINTF(word), SP_SLICE_PRINTF(word));
    return false;
}

/* The word, with the dot and what stands right behind it: "service.name", where an attribute was meant. */
static struct sp_slice dotted_word(const struct parser *p)
{
    struct sp_slice rest = sp_slice_sub(p->lexer.text, p->token.offset, SIZE_MAX);
    size_t length = p->token.text.len;
    if (length < rest.len && rest.ptr[length] == '.')
        while (length < rest.len && rest.ptr[length] != '"' &&
               sp_traceql_is_attribute_byte(rest.ptr[length]))
            length++;
    return sp_slice_sub(rest, 0, length);
}

static bool parse_span_word(struct parser *p)
{
    struct sp_traceql_value value;
    uint32_t offset = p->token.offset;
    struct sp_slice word = dotted_word(p);
    if (word.len > p->token.text.len)
        return fail_word(p, word);
    if (sp_parser_is_word(p, "nil")) {
        struct sp_traceql_operand *operand = sp_parser_push(p, &p->operands, sizeof *operand);
        if (!operand)
            return false;
        operand->is_nil = true;
        operand->offset = offset;
        p->want_operand = false;
        return sp_parser_next(p);
    }
    if (sp_traceql_find_constant(p->token.text, &value))
        return sp_parser_push_operand(p, sp_traceql_make_literal(&p->build, offset, value),
                                      false) &&
               sp_parser_next(p);
    if (sp_traceql_find_intrinsic(p->token.text) != SP_TRACEQL_INTRINSIC_NONE)
        return sp_parser_push_operand(p, sp_parser_field(p), false);
    return fail_word(p, word);
}

static bool parse_span_operand(struct parser *p)
{
    const struct frame *frame = sp_parser_top_frame(p);
    uint32_t offset = p->token.offset;
    bool empty =
        p->operands.count == frame->operand_base && p->operators.count == frame->operator_base;
    bool brace = frame->kind == FRAME_FILTER || frame->kind == FRAME_COMPARE_FILTER;
    sp_parser_join_min_int(p);
    if (p->token.kind == SP_TOKEN_LITERAL)
        return sp_parser_push_operand(p, sp_traceql_make_literal(&p->build, offset, p->token.value),
                                      false) &&
               sp_parser_next(p);
    if (p->token.kind == SP_TOKEN_FIELD)
        return sp_parser_push_operand(p, sp_parser_field(p), false);
    if (p->token.kind == SP_TOKEN_WORD)
        return parse_span_word(p);
    if (p->token.kind == SP_TOKEN_PAREN_OPEN)
        return sp_parser_push_frame(p, FRAME_PAREN, offset) && sp_parser_next(p);
    if (p->token.kind == SP_TOKEN_SUBTRACT || p->token.kind == SP_TOKEN_NOT)
        return push_operator(p, true);
    if (p->token.kind == SP_TOKEN_BRACE_CLOSE && brace && empty)
        return close_expression(p);
    return sp_parser_fail_expected(p, "a field or a value");
}

/* ---- operators and ends ---- */

static const char *closing_text(enum frame_kind kind)
{
    switch (kind) {
    case FRAME_FILTER:
    case FRAME_COMPARE_FILTER:
        return "an operator or }";
    case FRAME_QUERY:
        return "| and a stage, an operator, or the end of the query";
    case FRAME_PIPELINE:
        return "| and a stage, an operator, or )";
    case FRAME_AGGREGATE:
    case FRAME_GROUP:
    case FRAME_PAREN:
        return "an operator or )";
    }
    return "";
}

static bool parse_span_operator(struct parser *p)
{
    enum frame_kind kind = sp_parser_top_frame(p)->kind;
    bool brace = kind == FRAME_FILTER || kind == FRAME_COMPARE_FILTER;
    if (p->token.kind == (brace ? SP_TOKEN_BRACE_CLOSE : SP_TOKEN_PAREN_CLOSE))
        return close_expression(p);
    enum sp_traceql_precedence precedence = sp_traceql_precedence(p->token.kind);
    if (precedence == 0)
        return sp_parser_fail_expected(p, closing_text(kind));
    return sp_parser_reduce_for(p, precedence) && push_operator(p, false);
}

static bool parse_stage_operator(struct parser *p)
{
    enum frame_kind kind = sp_parser_top_frame(p)->kind;
    enum sp_traceql_comparison comparison;
    if (p->token.kind == SP_TOKEN_PIPE) {
        if (!sp_parser_finish_stage(p))
            return false;
        p->want_operand = true;
        return sp_parser_next(p);
    }
    if (kind == FRAME_PIPELINE && p->token.kind == SP_TOKEN_PAREN_CLOSE)
        return sp_parser_close_pipeline(p);
    if (kind == FRAME_QUERY && (p->token.kind == SP_TOKEN_END || sp_parser_is_word(p, "with")))
        return sp_parser_finish_query(p);
    if (sp_parser_is_word(p, "within"))
        return sp_parser_within(p);
    if (sp_parser_is_word(p, "repeated"))
        return sp_parser_repeated(p);
    if (sp_parser_is_word(p, "without"))
        p->token.kind = SP_TOKEN_WITHOUT;
    enum sp_traceql_precedence precedence = sp_traceql_precedence(p->token.kind);
    if (precedence == 0)
        return sp_parser_fail_expected(p, closing_text(kind));
    const struct sp_traceql_operand *left = sp_parser_top_operand(p);
    if (left->is_stage && !(left->node->type == SP_TRACEQL_TYPE_SERIES &&
                            sp_traceql_as_comparison(p->token.kind, &comparison)))
        return sp_parser_fail_expected(p,
                                       left->node->type == SP_TRACEQL_TYPE_SERIES
                                           ? "| , a comparison, ( ) around the metric, or the end"
                                           : "| and a stage, or the end");
    return sp_parser_reduce_for(p, precedence) && push_operator(p, false);
}

/* ---- the result ---- */

struct walk_step {
    struct sp_traceql_node *node;
    uint32_t next_child;
};

static const struct sp_traceql_node *child_at(const struct sp_traceql_node *node, uint32_t index)
{
    if (node->left && index-- == 0)
        return node->left;
    if (node->right && index-- == 0)
        return node->right;
    return index < node->item_count ? node->items[index] : NULL;
}

/* Children before parents; the path down is never longer than the depth of the tree. */
static bool list_nodes(struct parser *p, struct sp_traceql_node *root,
                       struct sp_traceql_query *query)
{
    struct walk_step path[SP_TRACEQL_DEPTH_MAX];
    struct stack nodes = {0};
    uint32_t depth = 1;
    path[0] = (struct walk_step){root, 0};
    while (depth > 0) {
        struct walk_step *step = &path[depth - 1];
        const struct sp_traceql_node *child = child_at(step->node, step->next_child++);
        if (child) {
            SP_ASSERT(depth < SP_TRACEQL_DEPTH_MAX);
            path[depth++] = (struct walk_step){sp_parser_writable(child), 0};
            continue;
        }
        const struct sp_traceql_node **slot = sp_parser_push(p, &nodes, SP_TRACEQL_POINTER_BYTES);
        if (!slot)
            return false;
        step->node->index = nodes.count - 1;
        *slot = step->node;
        depth--;
    }
    query->root = root;
    query->nodes = nodes.items;
    query->node_count = nodes.count;
    query->hints = p->hints.items;
    query->hint_count = p->hints.count;
    return true;
}

static bool parse_all(struct parser *p, struct sp_traceql_query *query)
{
    if (!sp_parser_next(p) || !sp_parser_push_frame(p, FRAME_QUERY, 0))
        return false;
    if (p->token.kind == SP_TOKEN_END) { /* nothing means everything */
        if (!sp_parser_push_operand(p, sp_traceql_make_filter(&p->build, 0, NULL), false))
            return false;
    }
    while (!p->done) {
        bool stage = sp_parser_between_stages(p);
        bool good = p->want_operand ? (stage ? parse_stage_operand(p) : parse_span_operand(p))
                                    : (stage ? parse_stage_operator(p) : parse_span_operator(p));
        if (!good)
            return false;
    }
    struct sp_traceql_node *root = sp_parser_make_pipeline(p);
    return root && list_nodes(p, root, query);
}

static enum sp_status parse_text(struct sp_arena *arena, struct sp_slice text, bool scalar,
                                 const struct sp_traceql_query **ret, struct sp_error *reterr)
{
    if (text.len > SP_TRACEQL_QUERY_BYTES_MAX)
        return sp_error_set_at(reterr, SP_LIMIT, SP_TRACEQL_QUERY_BYTES_MAX,
                               "the query is longer than %zu bytes", SP_TRACEQL_QUERY_BYTES_MAX);
    size_t valid = sp_utf8_valid_prefix(text);
    if (valid < text.len)
        return sp_error_set_at(reterr, SP_INVALID_ARGUMENT, valid, "the query is not UTF-8 here");
    struct sp_traceql_query *query = sp_arena_calloc(arena, 1, sizeof *query);
    if (!query)
        return sp_arena_failed(arena, reterr, "the query takes too much memory");
    struct parser parser = {
        .lexer = {.arena = arena, .text = text, .reterr = reterr},
        .build = {.arena = arena, .reterr = reterr, .status = SP_OK},
        .scalar = scalar,
    };
    if (!parse_all(&parser, query)) {
        SP_ASSERT(parser.build.status != SP_OK);
        return parser.build.status;
    }
    *ret = query;
    return SP_OK;
}

enum sp_status sp_traceql_parse(struct sp_arena *arena, struct sp_slice text,
                                const struct sp_traceql_query **ret, struct sp_error *reterr)
{
    return parse_text(arena, text, false, ret, reterr);
}

enum sp_status sp_traceql_parse_scalar(struct sp_arena *arena, struct sp_slice text,
                                       const struct sp_traceql_query **ret, struct sp_error *reterr)
{
    return parse_text(arena, text, true, ret, reterr);
}
