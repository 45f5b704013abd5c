/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/support/spanset_random.c: random queries, their text, and random traces for them. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/spanset_oracle.h"

/* ---- queries ---- */

static int new_node(struct spanset_query *query, struct spanset_node node)
{
    SP_ASSERT(query->count < SPANSET_NODES_MAX);
    node.next = -1;
    query->nodes[query->count] = node;
    return query->count++;
}

static bool is_full(const struct spanset_query *query)
{
    return query->count + 24 > SPANSET_NODES_MAX || query->filter_count + 2 > SPANSET_FILTERS_MAX;
}

static int random_pipeline(struct sp_gen *gen, struct spanset_query *query, int depth,
                           int stages_max);

/* Most filters select some of the spans of a trace, whatever it is: random conditions seldom do. */
static int random_filter(struct sp_gen *gen, struct spanset_query *query)
{
    if (query->filter_count == SPANSET_FILTERS_MAX) /* one that stands elsewhere, once more */
        return new_node(query, (struct spanset_node){
                                   .kind = SPANSET_FILTER,
                                   .filter = (unsigned)sp_gen_below(gen, SPANSET_FILTERS_MAX)});
    if (sp_gen_chance(gen, 70))
        oracle_make_common(gen, &query->filters[query->filter_count]);
    else
        oracle_make_depth(gen, &query->filters[query->filter_count], sp_gen_chance(gen, 25));
    return new_node(query,
                    (struct spanset_node){.kind = SPANSET_FILTER, .filter = query->filter_count++});
}

static int random_spans(struct sp_gen *gen, struct spanset_query *query, int depth)
{
    if (depth == 0 || is_full(query) || sp_gen_chance(gen, 25))
        return random_filter(gen, query);
    if (sp_gen_chance(gen, 12)) {
        int first = random_pipeline(gen, query, depth - 1, 3);
        return new_node(query, (struct spanset_node){.kind = SPANSET_PIPELINE, .left = first});
    }
    int left = random_spans(gen, query, depth - 1);
    if (sp_gen_chance(gen, 8))
        return new_node(query, (struct spanset_node){.kind = SPANSET_REPEATED,
                                                     .number = 2 + (int)sp_gen_below(gen, 2),
                                                     .left = left});
    int right = random_spans(gen, query, depth - 1);
    int within_ms = sp_gen_chance(gen, 30) ? -1 : (int)sp_gen_below(gen, 3600000);
    return new_node(
        query, (struct spanset_node){.kind = SPANSET_RELATION,
                                     .operation = (unsigned)sp_gen_below(gen, SPANSET_RELATIONS),
                                     .number = within_ms,
                                     .left = left,
                                     .right = right});
}

static int random_aggregate(struct sp_gen *gen, struct spanset_query *query)
{
    struct spanset_node node = {
        .kind = SPANSET_AGGREGATE,
        .operation = sp_gen_chance(gen, 40) ? 0 : (unsigned)sp_gen_below(gen, SPANSET_AGGREGATES)};
    do
        node.field = (unsigned)sp_gen_below(gen, oracle_field_count());
    while (!oracle_field_is_number(node.field));
    return new_node(query, node);
}

static int random_number(struct sp_gen *gen, struct spanset_query *query)
{
    static const int numbers[] = {0, 1, 1, 2, 2, 3, 5, 8, 100, 250, 500000000, -1};
    return new_node(
        query, (struct spanset_node){.kind = SPANSET_NUMBER,
                                     .number = numbers[sp_gen_below(gen, SP_ARRAY_LEN(numbers))]});
}

/* A number worked out from spans. */
static int random_scalar(struct sp_gen *gen, struct spanset_query *query, int depth)
{
    unsigned choice = (unsigned)sp_gen_below(gen, 10);
    if (depth == 0 || is_full(query) || choice < 6)
        return random_aggregate(gen, query);
    if (choice < 7)
        return new_node(query, (struct spanset_node){.kind = SPANSET_NEGATE,
                                                     .left = random_aggregate(gen, query)});
    if (choice < 9) {
        int left = random_scalar(gen, query, depth - 1);
        int right = sp_gen_chance(gen, 50) ? random_number(gen, query)
                                           : random_scalar(gen, query, depth - 1);
        /* No powers: the C library's pow() is the oracle's, too. */
        return new_node(query, (struct spanset_node){.kind = SPANSET_ARITHMETIC,
                                                     .operation = (unsigned)sp_gen_below(
                                                         gen, SPANSET_ARITHMETICS - 1),
                                                     .left = left,
                                                     .right = right});
    }
    int first = random_pipeline(gen, query, depth - 1, 2);
    int last = sp_gen_chance(gen, 75) ? random_aggregate(gen, query)
                                      : random_scalar(gen, query, depth - 1);
    return new_node(query,
                    (struct spanset_node){.kind = SPANSET_PIPELINE, .left = first, .right = last});
}

static int random_compare(struct sp_gen *gen, struct spanset_query *query, int depth)
{
    int left = random_scalar(gen, query, depth);
    int right =
        sp_gen_chance(gen, 70) ? random_number(gen, query) : random_scalar(gen, query, depth);
    return new_node(
        query, (struct spanset_node){.kind = SPANSET_COMPARE,
                                     .operation = (unsigned)sp_gen_below(gen, SPANSET_COMPARISONS),
                                     .left = left,
                                     .right = right});
}

static int random_stage(struct sp_gen *gen, struct spanset_query *query, int depth, bool first)
{
    unsigned choice = (unsigned)sp_gen_below(gen, 100);
    unsigned field = (unsigned)sp_gen_below(gen, oracle_field_count());
    if (first && choice < 90)
        return random_spans(gen, query, depth);
    if (choice < 25)
        return new_node(query, (struct spanset_node){.kind = SPANSET_GROUP, .field = field});
    if (choice < 32 && !first)
        return new_node(query, (struct spanset_node){.kind = SPANSET_COALESCE});
    if (choice < 40)
        return new_node(query, (struct spanset_node){.kind = SPANSET_SELECT, .field = field});
    if (choice < 70 || is_full(query))
        return random_compare(gen, query, is_full(query) ? 0 : 2);
    return random_spans(gen, query, depth > 1 ? 1 : depth);
}

static int random_pipeline(struct sp_gen *gen, struct spanset_query *query, int depth,
                           int stages_max)
{
    int first = random_stage(gen, query, depth, true), last = first;
    for (int i = 1; i < stages_max && sp_gen_chance(gen, 60); i++) {
        int stage = random_stage(gen, query, depth, false);
        query->nodes[last].next = stage;
        last = stage;
    }
    return first;
}

/* ---- text ---- */

static void print_stages(const struct spanset_query *query, int stage, FILE *out);

/* Operands in brackets, so that no precedence has to be known here. */
static void print_operand(const struct spanset_query *query, int at, FILE *out);

static void print_node(const struct spanset_query *query, int at, FILE *out)
{
    const struct spanset_node *node = &query->nodes[at];
    switch (node->kind) {
    case SPANSET_FILTER:
        fputs(query->filters[node->filter].text, out);
        return;
    case SPANSET_RELATION:
        print_operand(query, node->left, out);
        fprintf(out, " %s ", spanset_relations[node->operation]);
        print_operand(query, node->right, out);
        if (spanset_relations[node->operation][0] == 'w' && node->number >= 0)
            fprintf(out, " within %dms", node->number);
        return;
    case SPANSET_REPEATED:
        print_operand(query, node->left, out);
        fprintf(out, " repeated %d", node->number);
        return;
    case SPANSET_PIPELINE:
        fputs("(", out);
        print_stages(query, node->left, out);
        if (node->right > 0) {
            fputs(" | ", out);
            print_node(query, node->right, out);
        }
        fputs(")", out);
        return;
    case SPANSET_GROUP:
        fprintf(out, "by(%s)", oracle_field_text(node->field));
        return;
    case SPANSET_COALESCE:
        fputs("coalesce()", out);
        return;
    case SPANSET_SELECT:
        fprintf(out, "select(%s)", oracle_field_text(node->field));
        return;
    case SPANSET_COMPARE:
        print_operand(query, node->left, out);
        fprintf(out, " %s ", spanset_comparisons[node->operation]);
        print_operand(query, node->right, out);
        return;
    case SPANSET_AGGREGATE:
        fprintf(out, "%s(%s)", spanset_aggregates[node->operation],
                node->operation == 0 ? "" : oracle_field_text(node->field));
        return;
    case SPANSET_NUMBER:
        fprintf(out, "%d", node->number);
        return;
    case SPANSET_ARITHMETIC:
        print_operand(query, node->left, out);
        fprintf(out, " %s ", spanset_arithmetics[node->operation]);
        print_operand(query, node->right, out);
        return;
    case SPANSET_NEGATE:
        fputs("-", out);
        print_operand(query, node->left, out);
        return;
    }
}

static void print_operand(const struct spanset_query *query, int at, FILE *out)
{
    int kind = query->nodes[at].kind;
    bool brackets = kind == SPANSET_REPEATED || kind == SPANSET_RELATION ||
                    kind == SPANSET_ARITHMETIC || kind == SPANSET_NEGATE;
    fputs(brackets ? "(" : "", out);
    print_node(query, at, out);
    fputs(brackets ? ")" : "", out);
}

static void print_stages(const struct spanset_query *query, int stage, FILE *out)
{
    for (; stage >= 0; stage = query->nodes[stage].next) {
        print_node(query, stage, out);
        fputs(query->nodes[stage].next >= 0 ? " | " : "", out);
    }
}

void spanset_make(struct sp_gen *gen, struct spanset_query *query)
{
    query->count = 0;
    query->filter_count = 0;
    query->root = random_pipeline(gen, query, 3, 4);
    FILE *out = fmemopen(query->text, sizeof(query->text), "w");
    SP_ASSERT(out);
    print_stages(query, query->root, out);
    fclose(out);
}

/* ---- traces ---- */

static void set_id(struct sp_span_id *id, uint8_t number)
{
    *id = (struct sp_span_id){.bytes = {0xfe, [SP_SPAN_ID_BYTES - 1] = number}};
}

static void spoil(struct sp_gen *gen, struct sp_span *spans, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct sp_span *other = &spans[sp_gen_below(gen, count)];
        switch (sp_gen_below(gen, 24)) {
        case 0: /* a parent that nobody has, and that others may name, too */
            set_id(&spans[i].parent_span_id, (uint8_t)(1 + sp_gen_below(gen, 2)));
            break;
        case 1: /* any parent: cycles */
            spans[i].parent_span_id = other->span_id;
            break;
        case 2: /* a root */
            spans[i].parent_span_id = (struct sp_span_id){0};
            break;
        case 3: /* the same id: stored twice, or the halves of a call */
            spans[i].span_id = other->span_id;
            break;
        case 4: /* the two halves */
            if (i + 1 < count) {
                spans[i + 1].span_id = spans[i].span_id;
                spans[i].kind = SP_KIND_CLIENT;
                spans[i + 1].kind = SP_KIND_SERVER;
            }
            break;
        case 5: /* the same call again */
            spans[i].parent_span_id = other->parent_span_id;
            spans[i].name = other->name;
            spans[i].resource = other->resource;
            break;
        default: /* often a parent that was there before */
            if (i > 0 && sp_gen_chance(gen, 60))
                spans[i].parent_span_id = spans[sp_gen_below(gen, i)].span_id;
            break;
        }
    }
}

const struct sp_batch *spanset_trace(struct sp_gen *gen, struct sp_arena *arena, size_t span_count,
                                     unsigned odd_percent)
{
    struct sp_gen_options options = {.span_count = span_count,
                                     .trace_count = 1,
                                     .trace_seed = sp_gen_u64(gen),
                                     .service_count = 3,
                                     .odd_percent = odd_percent,
                                     .no_residue = true};
    const struct sp_batch *batch = sp_gen_batch(arena, sp_gen_u64(gen), &options);
    struct sp_span *spans = sp_arena_alloc(arena, span_count * sizeof(*spans));
    struct sp_batch *spoiled = sp_arena_alloc(arena, sizeof(*spoiled));
    SP_ASSERT(batch && spans && spoiled);
    memcpy(spans, batch->spans, span_count * sizeof(*spans));
    spoil(gen, spans, span_count);
    *spoiled = *batch;
    spoiled->spans = spans;
    return spoiled;
}

void spanset_print_trace(const struct oracle_trace *trace)
{
    for (size_t i = 0; i < trace->count; i++) {
        const struct sp_span *span = trace->spans[i];
        char id[SP_SPAN_ID_TEXT], parent[SP_SPAN_ID_TEXT];
        sp_span_id_format(&span->span_id, id);
        sp_span_id_format(&span->parent_span_id, parent);
        fprintf(stderr, "# %3zu %s below %s%s row %d start %llu name %.*s kind %d status %d\n", i,
                id, parent, trace->orphans[i] ? " (missing)" : "", trace->parents[i],
                (unsigned long long)span->start_unix_ns, SP_SLICE_PRINTF(span->name), span->kind,
                span->status_code);
    }
}
