/* SPDX-License-Identifier: Apache-2.0
 *
 * query/spanset_run.c: the machine that runs a pipeline on one trace. What relations make of rows: spanset_relate.c; groups
 * and aggregates: spanset_value.c. */
#include "query/spanset_program.h"

/* A pipeline that is open. */
struct frame {
    struct sp_spanset_vector sets; /* what flows into the stage */
    uint32_t next;                 /* of them: the one that is the input next */
    struct sp_spanset_vector out;  /* what the stage let through so far */
    struct sp_spanset input;
};

struct machine {
    struct sp_spanset_run run;
    struct frame frames[SP_SPANSET_STACK_MAX];
    struct sp_rows lists[SP_SPANSET_STACK_MAX];
    struct sp_operand scalars[SP_SPANSET_STACK_MAX];
    uint32_t frame_count, list_count, scalar_count;
};

enum sp_status sp_spanset_no_memory(const struct sp_spanset_run *run)
{
    return sp_arena_failed(run->arena, run->reterr, "a trace is larger than the query's memory");
}

static struct frame *top_frame(struct machine *m)
{
    return &m->frames[m->frame_count - 1];
}

/* ---- rows ---- */

static void push_rows(struct machine *m, struct sp_rows rows)
{
    SP_ASSERT(m->list_count < SP_SPANSET_STACK_MAX);
    m->lists[m->list_count++] = rows;
}

enum sp_status sp_rows_take(struct sp_spanset_run *run, uint32_t count, struct sp_rows *ret)
{
    uint32_t *rows = sp_arena_alloc(run->arena, count * sizeof(*rows));
    if (!rows)
        return sp_spanset_no_memory(run);
    memcpy(rows, run->scratch, count * sizeof(*rows));
    *ret = (struct sp_rows){rows, count};
    return SP_OK;
}

static void count_step(struct sp_step *step, uint64_t rows_in, uint64_t rows_out)
{
    step->runs++;
    step->rows_in += rows_in;
    step->rows_out += rows_out;
}

static enum sp_status run_filter(struct machine *m, struct sp_step *step)
{
    struct sp_spanset_run *run = &m->run;
    const struct sp_spanset *input = &top_frame(m)->input;
    struct sp_rows rows = {input->rows, input->count};
    uint32_t count = 0;
    enum sp_status status = SP_OK;
    for (uint32_t i = 0; i < rows.count && !sp_match_is_everything(step->match); i++) {
        bool matched;
        status = sp_match_span(step->match, run->facts, rows.rows[i], &matched, run->reterr);
        if (status == SP_OK && matched)
            run->scratch[count++] = rows.rows[i];
        if (status == SP_OK)
            status = sp_spanset_look(run);
        if (status != SP_OK)
            return status;
    }
    if (!sp_match_is_everything(step->match) && count < rows.count)
        status = sp_rows_take(run, count, &rows);
    count_step(step, input->count, rows.count);
    push_rows(m, rows);
    return status;
}

/* Rows of all sets, which have none in common: each stage gives a set some of its rows, or divides them. */
static enum sp_status merge_sets(struct machine *m, const struct sp_spanset_vector *sets,
                                 struct sp_rows *ret)
{
    struct sp_spanset_run *run = &m->run;
    if (sets->count == 1) {
        *ret = (struct sp_rows){sets->sets[0].rows, sets->sets[0].count};
        return SP_OK;
    }
    uint32_t count = 0;
    for (uint32_t i = 0; i < sets->count; i++)
        for (uint32_t j = 0; j < sets->sets[i].count; j++) {
            uint32_t row = sets->sets[i].rows[j];
            run->marks[row / 64] |= UINT64_C(1) << row % 64;
        }
    for (uint32_t word = 0; word <= run->row_count / 64 && sets->count > 0; word++) {
        for (uint64_t bits = run->marks[word]; bits != 0; bits &= bits - 1)
            run->scratch[count++] = 64 * word + (uint32_t)__builtin_ctzll(bits);
        run->marks[word] = 0;
    }
    return sp_rows_take(run, count, ret);
}

/* ---- frames ---- */

static enum sp_status open_frame(struct machine *m, struct sp_spanset set)
{
    SP_ASSERT(m->frame_count < SP_SPANSET_STACK_MAX);
    struct frame *frame = &m->frames[m->frame_count++];
    *frame = (struct frame){.input = set};
    return set.count > 0 ? sp_spanset_push(&m->run, &frame->sets, &set) : SP_OK;
}

/* The next set becomes the input; when there is none, what was let through is what flows into the next stage. */
static uint32_t run_each(struct machine *m, const struct sp_step *step, uint32_t pc)
{
    struct frame *frame = top_frame(m);
    if (frame->next < frame->sets.count) {
        frame->input = frame->sets.sets[frame->next++];
        return pc + 1;
    }
    frame->sets = frame->out;
    frame->out = (struct sp_spanset_vector){0};
    frame->next = 0;
    return step->target;
}

static enum sp_status close_frame(struct machine *m)
{
    struct sp_rows rows;
    enum sp_status status = merge_sets(m, &top_frame(m)->sets, &rows);
    m->frame_count--;
    push_rows(m, rows);
    return status;
}

static enum sp_status close_sets(struct machine *m)
{
    struct sp_spanset_vector sets = top_frame(m)->sets;
    enum sp_status status = SP_OK;
    m->frame_count--;
    for (uint32_t i = 0; i < sets.count && status == SP_OK; i++)
        status = sp_spanset_push(&m->run, &top_frame(m)->out, &sets.sets[i]);
    return status;
}

static enum sp_status run_merge(struct machine *m)
{
    struct frame *frame = top_frame(m);
    struct sp_rows rows;
    enum sp_status status = merge_sets(m, &frame->sets, &rows);
    if (status == SP_OK)
        frame->input = (struct sp_spanset){rows.rows, rows.count, NULL};
    return status;
}

static enum sp_status run_coalesce(struct machine *m)
{
    struct frame *frame = top_frame(m);
    struct sp_rows rows;
    if (frame->sets.count == 0)
        return SP_OK;
    enum sp_status status = merge_sets(m, &frame->sets, &rows);
    struct sp_spanset set = {rows.rows, rows.count, NULL};
    frame->sets = (struct sp_spanset_vector){0};
    return status == SP_OK ? sp_spanset_push(&m->run, &frame->sets, &set) : status;
}

static enum sp_status keep_rows(struct machine *m)
{
    struct frame *frame = top_frame(m);
    struct sp_rows rows = m->lists[--m->list_count];
    struct sp_spanset set = {rows.rows, rows.count, frame->input.values};
    return rows.count > 0 ? sp_spanset_push(&m->run, &frame->out, &set) : SP_OK;
}

static enum sp_status keep_if(struct machine *m, struct sp_step *step)
{
    struct frame *frame = top_frame(m);
    const struct sp_operand *result = &m->scalars[--m->scalar_count];
    count_step(step, frame->input.count, result->scalar.boolean ? frame->input.count : 0);
    return result->scalar.boolean ? sp_spanset_push(&m->run, &frame->out, &frame->input) : SP_OK;
}

/* ---- scalars ---- */

static struct sp_operand *push_scalar(struct machine *m)
{
    SP_ASSERT(m->scalar_count < SP_SPANSET_STACK_MAX);
    return &m->scalars[m->scalar_count++];
}

static enum sp_status run_aggregate(struct machine *m, const struct sp_step *step)
{
    struct frame *frame = top_frame(m);
    struct sp_rows rows = {frame->input.rows, frame->input.count};
    struct sp_operand *scalar = push_scalar(m);
    enum sp_status status =
        sp_spanset_aggregate(&m->run, step->node->aggregate, step->match, rows, scalar);
    return status == SP_OK ? sp_spanset_note(&m->run, step->node, scalar, &frame->input.values)
                           : status;
}

static enum sp_status close_scalar(struct machine *m, const struct sp_step *step)
{
    m->frame_count--;
    return sp_spanset_note(&m->run, step->node, &m->scalars[m->scalar_count - 1],
                           &top_frame(m)->input.values);
}

static enum sp_status run_compare(struct machine *m, const struct sp_step *step)
{
    struct sp_span_place place = {m->run.facts, 0}; /* scalars are of no span */
    struct sp_operand *left = &m->scalars[m->scalar_count - 2];
    bool result = false;
    enum sp_status status = sp_operand_compare(&place, left, step->node->comparison, left + 1, NULL,
                                               &result, m->run.reterr);
    m->scalar_count--;
    sp_operand_bool(result, left);
    return status;
}

/* ---- steps ---- */

static enum sp_status run_relate(struct machine *m, struct sp_step *step)
{
    struct sp_rows right = m->lists[--m->list_count];
    struct sp_rows *left = &m->lists[m->list_count - 1];
    uint64_t rows_in = (uint64_t)left->count + right.count;
    enum sp_status status = sp_rows_relate(&m->run, step->node, *left, right, left);
    count_step(step, rows_in, left->count);
    return status;
}

static enum sp_status run_repeated(struct machine *m, struct sp_step *step)
{
    struct sp_rows *rows = &m->lists[m->list_count - 1];
    uint64_t rows_in = rows->count;
    enum sp_status status = sp_rows_repeated(&m->run, step->node->limit, *rows, rows);
    count_step(step, rows_in, rows->count);
    return status;
}

static enum sp_status run_step(struct machine *m, struct sp_step *step)
{
    switch (step->kind) {
    case SP_STEP_FILTER:
        return run_filter(m, step);
    case SP_STEP_RELATE:
        return run_relate(m, step);
    case SP_STEP_REPEATED:
        return run_repeated(m, step);
    case SP_STEP_OPEN:
        return open_frame(m, top_frame(m)->input);
    case SP_STEP_CLOSE:
        return close_frame(m);
    case SP_STEP_CLOSE_SETS:
        return close_sets(m);
    case SP_STEP_MERGE:
        return run_merge(m);
    case SP_STEP_CLOSE_SCALAR:
        return close_scalar(m, step);
    case SP_STEP_KEEP_ROWS:
        return keep_rows(m);
    case SP_STEP_KEEP_IF:
        return keep_if(m, step);
    case SP_STEP_GROUP:
        count_step(step, top_frame(m)->input.count, top_frame(m)->input.count);
        return sp_spanset_group(&m->run, step, &top_frame(m)->input, &top_frame(m)->out);
    case SP_STEP_COALESCE:
        return run_coalesce(m);
    case SP_STEP_LITERAL:
        sp_operand_literal(&step->node->value, push_scalar(m));
        return SP_OK;
    case SP_STEP_AGGREGATE:
        return run_aggregate(m, step);
    case SP_STEP_NEGATE:
        sp_operand_negate(&m->scalars[m->scalar_count - 1]);
        return SP_OK;
    case SP_STEP_ARITHMETIC:
        m->scalar_count--;
        sp_operand_arithmetic(&m->scalars[m->scalar_count - 1], step->node->arithmetic,
                              &m->scalars[m->scalar_count]);
        return SP_OK;
    case SP_STEP_COMPARE:
        return run_compare(m, step);
    case SP_STEP_EACH:
        break; /* moves pc: see below */
    }
    return SP_OK;
}

static bool goes_back(enum sp_step_kind kind)
{
    return kind == SP_STEP_KEEP_ROWS || kind == SP_STEP_KEEP_IF || kind == SP_STEP_GROUP ||
           kind == SP_STEP_CLOSE_SETS;
}

static enum sp_status run_all(struct machine *m, const struct sp_pipeline *pipeline)
{
    for (uint32_t pc = 0; pc < pipeline->length;) {
        struct sp_step *step = &pipeline->steps[pc];
        if (step->kind == SP_STEP_EACH) {
            pc = run_each(m, step, pc);
            continue;
        }
        enum sp_status status = run_step(m, step);
        if (status != SP_OK)
            return status;
        pc = goes_back(step->kind) ? step->target : pc + 1;
    }
    return SP_OK;
}

static enum sp_status machine_new(const struct sp_trace_facts *facts, struct sp_arena *arena,
                                  struct machine **ret, struct sp_error *reterr)
{
    uint32_t count = (uint32_t)facts->batch->span_count;
    struct machine *m = sp_arena_alloc(arena, sizeof(*m));
    uint32_t *scratch = sp_arena_alloc(arena, count * sizeof(*scratch));
    uint64_t *marks = sp_arena_calloc(arena, count / 64 + 1, sizeof(*marks));
    if (!m || !scratch || !marks)
        return sp_arena_failed(arena, reterr, "a trace is larger than the query's memory");
    m->run = (struct sp_spanset_run){.facts = facts,
                                     .arena = arena,
                                     .reterr = reterr,
                                     .row_count = count,
                                     .scratch = scratch,
                                     .marks = marks,
                                     .until_stop = SP_SPANSET_STOP_ROWS};
    m->frame_count = m->list_count = m->scalar_count = 0;
    *ret = m;
    return SP_OK;
}

enum sp_status sp_pipeline_run(struct sp_pipeline *pipeline, const struct sp_trace_facts *facts,
                               struct sp_arena *arena, struct sp_spanset_list *ret,
                               struct sp_error *reterr)
{
    SP_ASSERT(facts->tree || !pipeline->needs_tree);
    struct machine *m;
    enum sp_status status = machine_new(facts, arena, &m, reterr);
    if (status != SP_OK)
        return status;
    uint32_t count = m->run.row_count, *all = sp_arena_alloc(arena, count * sizeof(*all));
    if (!all)
        return sp_spanset_no_memory(&m->run);
    for (uint32_t i = 0; i < count; i++)
        all[i] = i;
    status = open_frame(m, (struct sp_spanset){all, count, NULL});
    if (status == SP_OK)
        status = run_all(m, pipeline);
    if (status != SP_OK)
        return status;
    SP_ASSERT(m->frame_count == 1 && m->list_count == 0 && m->scalar_count == 0);
    *ret = (struct sp_spanset_list){top_frame(m)->sets.sets, top_frame(m)->sets.count};
    return SP_OK;
}

static enum sp_status keep_extreme(struct machine *m, bool greatest, struct sp_operand *ret)
{
    struct sp_span_place place = {m->run.facts, 0};
    const struct sp_operand *value = &m->scalars[0];
    bool better = ret->kind == SP_OPERAND_NIL;
    enum sp_status status = SP_OK;
    if (!better)
        status = sp_operand_compare(&place, value, greatest ? SP_TRACEQL_GT : SP_TRACEQL_LT, ret,
                                    NULL, &better, m->run.reterr);
    if (better)
        sp_operand_move(value, ret);
    return status;
}

enum sp_status sp_pipeline_extreme(struct sp_pipeline *pipeline, const struct sp_trace_facts *facts,
                                   struct sp_arena *arena, const struct sp_spanset *sets,
                                   uint32_t set_count, bool greatest, struct sp_operand *ret,
                                   struct sp_error *reterr)
{
    SP_ASSERT(facts->tree || !pipeline->needs_tree);
    struct machine *m;
    enum sp_status status = machine_new(facts, arena, &m, reterr);
    ret->kind = SP_OPERAND_NIL;
    for (uint32_t i = 0; i < set_count && status == SP_OK; i++) {
        m->frame_count = m->scalar_count = 0;
        status = open_frame(m, sets[i]);
        if (status == SP_OK)
            status = run_all(m, pipeline);
        if (status == SP_OK)
            status = keep_extreme(m, greatest, ret);
    }
    return status;
}
