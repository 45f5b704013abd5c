/* SPDX-License-Identifier: Apache-2.0
 *
 * query/spanset_compile.c: from stages to steps. The tree is walked with a stack of its own, which the parser's limit on
 * depth bounds. */
#include "query/spanset_program.h"

/* A node on the way down, and how many of its children were compiled. */
struct frame {
    const struct sp_traceql_node *node;
    uint32_t next_child;
    uint32_t begin; /* of a stage: its EACH */
};

struct compiler {
    struct sp_arena *arena;
    const struct sp_traceql_query *query;
    struct sp_pipeline *pipeline;
    struct sp_error *reterr;
    struct frame stack[SP_SPANSET_STACK_MAX];
    uint32_t depth;
};

static struct sp_step *emit(struct compiler *c, enum sp_step_kind kind,
                            const struct sp_traceql_node *node)
{
    struct sp_pipeline *pipeline = c->pipeline;
    SP_ASSERT(pipeline->length < pipeline->capacity);
    struct sp_step *step = &pipeline->steps[pipeline->length++];
    *step = (struct sp_step){.kind = kind, .node = node};
    return step;
}

static enum sp_status emit_reading(struct compiler *c, enum sp_step_kind kind,
                                   const struct sp_traceql_node *node,
                                   const struct sp_traceql_node *expression)
{
    struct sp_step *step = emit(c, kind, node);
    enum sp_status status =
        sp_match_compile(c->arena, c->query, expression, &step->match, c->reterr);
    if (status == SP_OK)
        c->pipeline->needs_tree |= sp_match_needs_tree(step->match);
    return status;
}

static bool is_scalar(const struct sp_traceql_node *node)
{
    return node->type != SP_TRACEQL_TYPE_SPANSET && node->type != SP_TRACEQL_TYPE_SERIES;
}

static bool needs_tree(enum sp_traceql_relation relation)
{
    return relation != SP_TRACEQL_AND && relation != SP_TRACEQL_OR;
}

/* Is the node walked into? What stands below the others is compiled by query/match.c. */
static const struct sp_traceql_node *child_of(const struct frame *frame)
{
    const struct sp_traceql_node *node = frame->node;
    switch (node->kind) {
    case SP_TRACEQL_PIPELINE:
        return frame->next_child < node->item_count ? node->items[frame->next_child] : NULL;
    case SP_TRACEQL_RELATION:
    case SP_TRACEQL_REPEATED:
    case SP_TRACEQL_COMPARE:
    case SP_TRACEQL_ARITHMETIC:
    case SP_TRACEQL_NEGATE:
        return frame->next_child == 0 ? node->left : frame->next_child == 1 ? node->right : NULL;
    case SP_TRACEQL_LITERAL:
    case SP_TRACEQL_FIELD:
    case SP_TRACEQL_NOT:
    case SP_TRACEQL_EXISTS:
    case SP_TRACEQL_NOT_EXISTS:
    case SP_TRACEQL_ALL:
    case SP_TRACEQL_ANY:
    case SP_TRACEQL_FILTER:
    case SP_TRACEQL_GROUP:
    case SP_TRACEQL_COALESCE:
    case SP_TRACEQL_SELECT:
    case SP_TRACEQL_AGGREGATE:
    case SP_TRACEQL_METRIC:
    case SP_TRACEQL_TOPK:
    case SP_TRACEQL_BOTTOMK:
    case SP_TRACEQL_THRESHOLD:
        return NULL;
    }
    return NULL;
}

/* Behind the steps of a stage that was made for each set. */
static void end_stage(struct compiler *c, enum sp_step_kind keep, const struct frame *frame)
{
    emit(c, keep, frame->node)->target = frame->begin;
    c->pipeline->steps[frame->begin].target = c->pipeline->length;
}

static bool same_field(const struct sp_traceql_field *a, const struct sp_traceql_field *b)
{
    return a->intrinsic == b->intrinsic && a->scope == b->scope && a->of_parent == b->of_parent &&
           sp_slice_equal(a->key, b->key);
}

static enum sp_status add_selected(struct compiler *c, const struct sp_traceql_node *select)
{
    struct sp_pipeline *pipeline = c->pipeline;
    size_t size = sizeof(struct sp_traceql_node *);
    const struct sp_traceql_node **grown =
        sp_arena_grow(c->arena, pipeline->selected, pipeline->selected_count * size,
                      (pipeline->selected_count + select->item_count) * size);
    if (!grown)
        return sp_arena_failed(c->arena, c->reterr, "the query is larger than its memory");
    pipeline->selected = grown;
    for (uint32_t i = 0; i < select->item_count; i++) {
        const struct sp_traceql_field *field = &select->items[i]->field;
        bool known = false;
        for (uint32_t j = 0; j < pipeline->selected_count && !known; j++)
            known = same_field(&pipeline->selected[j]->field, field);
        if (known)
            continue;
        pipeline->selected[pipeline->selected_count++] = select->items[i];
        pipeline->needs_tree |= sp_match_field_needs_tree(field);
    }
    return SP_OK;
}

/* Brackets that are a stage of their own let their sets flow on; as an operand they are one set, or a number. */
static void close_pipeline(struct compiler *c, const struct frame *frame, bool is_stage)
{
    if (is_scalar(frame->node))
        emit(c, SP_STEP_CLOSE_SCALAR, frame->node);
    else if (is_stage)
        end_stage(c, SP_STEP_CLOSE_SETS, frame);
    else
        emit(c, SP_STEP_CLOSE, frame->node);
}

/* The node's own steps, behind those of its children. is_stage: it stands between two |. */
static enum sp_status emit_node(struct compiler *c, const struct frame *frame, bool is_stage)
{
    const struct sp_traceql_node *node = frame->node;
    enum sp_status status = SP_OK;
    switch (node->kind) {
    case SP_TRACEQL_LITERAL:
        emit(c, SP_STEP_LITERAL, node);
        return SP_OK;
    case SP_TRACEQL_NEGATE:
        emit(c, SP_STEP_NEGATE, node);
        return SP_OK;
    case SP_TRACEQL_ARITHMETIC:
        emit(c, SP_STEP_ARITHMETIC, node);
        return SP_OK;
    case SP_TRACEQL_AGGREGATE:
        if (node->left)
            return emit_reading(c, SP_STEP_AGGREGATE, node, node->left);
        emit(c, SP_STEP_AGGREGATE, node);
        return SP_OK;
    case SP_TRACEQL_COMPARE:
        emit(c, SP_STEP_COMPARE, node);
        end_stage(c, SP_STEP_KEEP_IF, frame);
        return SP_OK;
    case SP_TRACEQL_FILTER:
        status = emit_reading(c, SP_STEP_FILTER, node, node->left);
        break;
    case SP_TRACEQL_RELATION:
        c->pipeline->needs_tree |= needs_tree(node->relation);
        emit(c, SP_STEP_RELATE, node);
        break;
    case SP_TRACEQL_REPEATED:
        c->pipeline->needs_tree = true;
        emit(c, SP_STEP_REPEATED, node);
        break;
    case SP_TRACEQL_PIPELINE:
        close_pipeline(c, frame, is_stage);
        return SP_OK;
    case SP_TRACEQL_GROUP:
        status = emit_reading(c, SP_STEP_GROUP, node, node->left);
        c->pipeline->steps[c->pipeline->length - 1].target = frame->begin;
        c->pipeline->steps[frame->begin].target = c->pipeline->length;
        return status;
    case SP_TRACEQL_COALESCE:
        emit(c, SP_STEP_COALESCE, node);
        return SP_OK;
    case SP_TRACEQL_SELECT:
        return add_selected(c, node);
    case SP_TRACEQL_METRIC:
    case SP_TRACEQL_TOPK:
    case SP_TRACEQL_BOTTOMK:
    case SP_TRACEQL_THRESHOLD:
        return sp_error_set_at(c->reterr, SP_UNIMPLEMENTED, node->offset,
                               "expected a query that finds spans, found %s, which makes series",
                               sp_traceql_node_text(node));
    case SP_TRACEQL_FIELD:
    case SP_TRACEQL_NOT:
    case SP_TRACEQL_EXISTS:
    case SP_TRACEQL_NOT_EXISTS:
    case SP_TRACEQL_ALL:
    case SP_TRACEQL_ANY:
        return sp_error_set_at(c->reterr, SP_INTERNAL, node->offset, "%s between stages",
                               sp_traceql_node_text(node));
    }
    if (status == SP_OK && is_stage)
        end_stage(c, SP_STEP_KEEP_ROWS, frame);
    return status;
}

/* Stages that are made for each set begin with EACH; a number at the end of brackets is made of all sets together. A
 * pipeline in brackets begins with OPEN. */
static void begin_node(struct compiler *c, struct frame *frame, bool is_stage)
{
    const struct sp_traceql_node *node = frame->node;
    if (is_stage && is_scalar(node)) {
        emit(c, SP_STEP_MERGE, node);
    } else if (is_stage && node->kind != SP_TRACEQL_COALESCE && node->kind != SP_TRACEQL_SELECT) {
        frame->begin = c->pipeline->length;
        emit(c, SP_STEP_EACH, node);
    }
    if (node->kind == SP_TRACEQL_PIPELINE)
        emit(c, SP_STEP_OPEN, node);
}

static enum sp_status push(struct compiler *c, const struct sp_traceql_node *node, bool is_stage)
{
    if (c->depth == SP_ARRAY_LEN(c->stack))
        return sp_error_set_at(c->reterr, SP_LIMIT, node->offset, "the query is too deep");
    struct frame *frame = &c->stack[c->depth++];
    *frame = (struct frame){.node = node};
    begin_node(c, frame, is_stage);
    return SP_OK;
}

static enum sp_status compile_stage(struct compiler *c, const struct sp_traceql_node *stage)
{
    enum sp_status status = push(c, stage, true);
    while (status == SP_OK && c->depth > 0) {
        struct frame *frame = &c->stack[c->depth - 1];
        const struct sp_traceql_node *child = child_of(frame);
        if (child) {
            frame->next_child++;
            status = push(c, child, frame->node->kind == SP_TRACEQL_PIPELINE);
            continue;
        }
        c->depth--;
        bool is_stage = c->depth == 0 || c->stack[c->depth - 1].node->kind == SP_TRACEQL_PIPELINE;
        status = emit_node(c, frame, is_stage);
    }
    return status;
}

enum sp_status sp_pipeline_compile(struct sp_arena *arena, const struct sp_traceql_query *query,
                                   const struct sp_traceql_node *const *stages,
                                   uint32_t stage_count, struct sp_pipeline **ret,
                                   struct sp_error *reterr)
{
    struct compiler *c = sp_arena_calloc(arena, 1, sizeof(*c));
    struct sp_pipeline *pipeline = sp_arena_calloc(arena, 1, sizeof(*pipeline));
    /* Each node makes at most three steps: itself, and EACH and KEEP around it. */
    uint32_t capacity = 3 * query->node_count;
    struct sp_step *steps = sp_arena_calloc(arena, capacity, sizeof(*steps));
    if (!c || !pipeline || !steps)
        return sp_arena_failed(arena, reterr, "the query is larger than its memory");
    pipeline->steps = steps;
    pipeline->capacity = capacity;
    *c = (struct compiler){.arena = arena, .query = query, .pipeline = pipeline, .reterr = reterr};
    if (!stages) {
        stages = query->root->items;
        stage_count = query->root->item_count;
    }
    enum sp_status status = SP_OK;
    for (uint32_t i = 0; i < stage_count && status == SP_OK; i++)
        status = compile_stage(c, stages[i]);
    if (status != SP_OK) {
        sp_pipeline_free(pipeline);
        return status;
    }
    *ret = pipeline;
    return SP_OK;
}

void sp_pipeline_free(struct sp_pipeline *pipeline)
{
    for (uint32_t i = 0; pipeline && i < pipeline->length; i++) {
        sp_match_free(pipeline->steps[i].match);
        pipeline->steps[i].match = NULL;
    }
}

bool sp_pipeline_needs_tree(const struct sp_pipeline *pipeline)
{
    return pipeline->needs_tree;
}

const struct sp_traceql_node *const *sp_pipeline_selected(const struct sp_pipeline *pipeline,
                                                          uint32_t *ret_count)
{
    *ret_count = pipeline->selected_count;
    return pipeline->selected;
}

void sp_pipeline_add_counts(struct sp_pipeline *into, struct sp_pipeline *from)
{
    SP_ASSERT(into->length == from->length);
    for (uint32_t i = 0; i < into->length; i++) {
        struct sp_step *a = &into->steps[i], *b = &from->steps[i];
        a->runs += b->runs;
        a->rows_in += b->rows_in;
        a->rows_out += b->rows_out;
        b->runs = b->rows_in = b->rows_out = 0;
    }
}

static bool is_explained(enum sp_step_kind kind)
{
    return kind == SP_STEP_FILTER || kind == SP_STEP_RELATE || kind == SP_STEP_REPEATED ||
           kind == SP_STEP_GROUP || kind == SP_STEP_KEEP_IF;
}

void sp_pipeline_explain(const struct sp_pipeline *pipeline, struct sp_json_writer *w)
{
    sp_json_key(w, "steps");
    sp_json_array_begin(w);
    for (uint32_t i = 0; i < pipeline->length; i++) {
        const struct sp_step *step = &pipeline->steps[i];
        struct sp_buf text;
        if (!is_explained(step->kind))
            continue;
        sp_buf_init(&text, 4 * SP_TRACEQL_QUERY_BYTES_MAX);
        if (step->kind == SP_STEP_RELATE)
            sp_buf_append_cstr(&text, sp_traceql_node_text(step->node));
        else
            sp_traceql_print_node(step->node, &text);
        sp_json_object_begin(w);
        sp_json_key(w, "step");
        if (text.error != SP_OK)
            w->out->error = text.error; /* not a step without a name */
        sp_json_string(w, sp_buf_slice(&text));
        sp_json_key(w, "offset");
        sp_json_u64(w, step->node->offset);
        sp_json_key(w, "runs");
        sp_json_u64_string(w, step->runs);
        sp_json_key(w, "spansIn");
        sp_json_u64_string(w, step->rows_in);
        sp_json_key(w, "spansOut");
        sp_json_u64_string(w, step->rows_out);
        sp_json_object_end(w);
        sp_buf_fini(&text);
    }
    sp_json_array_end(w);
}
