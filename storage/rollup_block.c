/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/rollup_block.c: the rows of a block, counted. What a template says is looked up once a template, and added once for
 * each minute in which it occurs; only durations, and attributes of events and links, are looked at row by row. Knows no bytes. */
#include "storage/pack.h"
#include "storage/rollup.h"

#include <stdlib.h>

#define DENSE_MAX ((uint64_t)16 * 1024)

/* Rows of one template in one minute. */
struct pair {
    uint32_t minute, template, row;
    uint32_t slowest_row; /* as exemplars are chosen */
    uint64_t spans, slowest_ns;
    bool is_error;
};

struct pass {
    struct sp_rollup *rollup;
    const struct sp_block *block;
    uint32_t template_count;
    uint32_t *column_keys; /* of each column: key, or SP_INTERNER_NONE */
    uint32_t *series;      /* of each template */
    bool *by_row;          /* of each template: attributes are looked at in each row, too */
    SP_VECTOR(struct pair) pairs;
    /* numbers of pairs, plus 1: by minute and template if the block's minutes are few, else by minute << 32 | template */
    uint64_t *dense;
    uint64_t first_minute;
    struct sp_counts pair_numbers;
    /* minute << 32 | resource, or scope: spans */
    struct sp_counts resource_spans, scope_spans;
    SP_VECTOR(uint64_t) marks; /* of each key: the last thing that it was counted for */
    uint64_t mark;
    /* what comes next in the tables and columns that are read row by row */
    uint32_t next_count[SP_ROLE_COUNT];
    uint32_t next_more[SP_BLOCK_TABLE_COUNT], next_row[SP_BLOCK_TABLE_COUNT];
    const struct sp_column *role_columns[SP_BLOCK_TABLE_COUNT][SP_ROLE_COUNT];
    struct sp_arena arena; /* of one list of attributes */
};

static const enum sp_attribute_scope table_scopes[SP_BLOCK_TABLE_COUNT] = {
    [SP_BLOCK_SPANS] = SP_SCOPE_SPAN,
    [SP_BLOCK_EVENTS] = SP_SCOPE_EVENT,
    [SP_BLOCK_LINKS] = SP_SCOPE_LINK,
};

/* ---- templates ---- */

static bool look_up_columns(struct pass *pass)
{
    for (uint32_t c = 0; c < pass->block->column_count; c++) {
        const struct sp_column *column = &pass->block->columns[c];
        pass->column_keys[c] = SP_INTERNER_NONE;
        if (column->role != SP_ROLE_ATTRIBUTE) {
            pass->role_columns[column->table][column->role] = column;
            continue;
        }
        pass->column_keys[c] = sp_rollup_key_number(
            pass->rollup, column->key, sp_key_number(table_scopes[column->table], column->kind));
        if (pass->column_keys[c] == SP_INTERNER_NONE)
            return false;
    }
    return true;
}

static bool look_up_series(struct pass *pass)
{
    const struct sp_block *block = pass->block;
    for (uint32_t t = 0; t < block->template_counts[SP_BLOCK_SPANS]; t++) {
        const struct sp_template *template = &block->templates[SP_BLOCK_SPANS][t];
        struct sp_span span = {.resource = &block->resources[template->resource]};
        pass->series[t] =
            sp_rollup_series_number(pass->rollup, sp_span_service(&span),
                                    block->names->texts[template->name], template->kind);
        if (pass->series[t] == SP_INTERNER_NONE)
            return false;
        for (uint32_t i = 0; i < template->column_count; i++) {
            enum sp_column_role role = block->columns[template->columns[i]].role;
            pass->by_row[t] |= role == SP_ROLE_EVENT_COUNT || role == SP_ROLE_LINK_COUNT ||
                               role == SP_ROLE_MORE_ATTRIBUTES;
        }
    }
    return true;
}

/* ---- attribute keys ---- */

/* Adds spans to a key of a minute, unless that was done since the mark was set. */
static bool count_key(struct pass *pass, uint32_t minute, uint32_t key, uint64_t spans)
{
    if (key == SP_INTERNER_NONE)
        return false;
    while (pass->marks.count <= key)
        if (!sp_vector_push(&pass->marks, 0))
            return false;
    if (pass->marks.items[key] == pass->mark)
        return true;
    pass->marks.items[key] = pass->mark;
    return sp_counts_add(&pass->rollup->key_spans, (uint64_t)minute << 32 | key, spans);
}

static bool count_list(struct pass *pass, uint32_t minute, enum sp_attribute_scope scope,
                       const struct sp_attribute *items, uint32_t count, uint64_t spans)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t key = sp_rollup_key_number(pass->rollup, items[i].key,
                                            sp_key_number(scope, items[i].value.kind));
        if (!count_key(pass, minute, key, spans))
            return false;
    }
    return true;
}

static bool count_columns(struct pass *pass, uint32_t minute, const struct sp_template *template,
                          uint64_t spans)
{
    for (uint32_t i = 0; i < template->column_count; i++) {
        uint32_t key = pass->column_keys[template->columns[i]];
        if (key != SP_INTERNER_NONE && !count_key(pass, minute, key, spans))
            return false;
    }
    return true;
}

static bool template_has(const struct sp_block *block, const struct sp_template *template,
                         enum sp_column_role role)
{
    for (uint32_t i = 0; i < template->column_count; i++) {
        const struct sp_column *column = &block->columns[template->columns[i]];
        if (column->role == role)
            return true;
        if (column->role == SP_ROLE_ATTRIBUTE) /* roles come first */
            return false;
    }
    return false;
}

/* The attributes of the next row of a table that are no columns of their own, if it has such. */
static enum sp_status count_more(struct pass *pass, uint32_t minute, enum sp_block_table table,
                                 const struct sp_template *template, struct sp_error *reterr)
{
    if (!template_has(pass->block, template, SP_ROLE_MORE_ATTRIBUTES))
        return SP_OK;
    const struct sp_column *column = pass->role_columns[table][SP_ROLE_MORE_ATTRIBUTES];
    uint32_t code = column->codes[pass->next_more[table]++];
    const struct sp_attribute *items;
    uint32_t count;
    sp_arena_reset(&pass->arena);
    enum sp_status status =
        sp_attributes_unpack(column->dictionary->texts[code], &pass->arena, &items, &count);
    if (status == SP_CORRUPT)
        return sp_error_set(reterr, SP_CORRUPT, "attributes in a stored block are damaged");
    if (status != SP_OK) /* the arena has no limit */
        return sp_rollup_failed(reterr);
    return count_list(pass, minute, table_scopes[table], items, count, 1)
               ? SP_OK
               : sp_rollup_failed(reterr);
}

/* The attributes of the events, or links, of a row. */
static enum sp_status count_children(struct pass *pass, uint32_t minute, enum sp_block_table table,
                                     enum sp_column_role role, const struct sp_template *template,
                                     struct sp_error *reterr)
{
    if (!template_has(pass->block, template, role))
        return SP_OK;
    uint64_t count = pass->role_columns[SP_BLOCK_SPANS][role]->numbers[pass->next_count[role]++];
    for (uint64_t i = 0; i < count; i++) {
        uint32_t row = pass->next_row[table]++;
        const struct sp_template *child =
            &pass->block->templates[table][pass->block->tables[table].templates[row]];
        if (!count_columns(pass, minute, child, 1))
            return sp_rollup_failed(reterr);
        enum sp_status status = count_more(pass, minute, table, child, reterr);
        if (status != SP_OK)
            return status;
    }
    return SP_OK;
}

static enum sp_status count_row_keys(struct pass *pass, uint32_t minute,
                                     const struct sp_template *template, struct sp_error *reterr)
{
    pass->mark++;
    /* Columns are counted with the template: not again for the same key among the others. */
    for (uint32_t i = 0; i < template->column_count; i++) {
        uint32_t key = pass->column_keys[template->columns[i]];
        if (key != SP_INTERNER_NONE && !count_key(pass, minute, key, 0))
            return sp_rollup_failed(reterr);
    }
    enum sp_status status = count_more(pass, minute, SP_BLOCK_SPANS, template, reterr);
    if (status == SP_OK)
        status =
            count_children(pass, minute, SP_BLOCK_EVENTS, SP_ROLE_EVENT_COUNT, template, reterr);
    if (status == SP_OK)
        status = count_children(pass, minute, SP_BLOCK_LINKS, SP_ROLE_LINK_COUNT, template, reterr);
    return status;
}

/* ---- templates by minute ---- */

/* Without memory, or for minutes far apart, the other table does. */
static void make_dense(struct pass *pass)
{
    const uint64_t *starts = pass->block->starts;
    uint64_t min = UINT64_MAX, max = 0;
    for (uint32_t i = 0; i < pass->block->tables[SP_BLOCK_SPANS].count; i++) {
        min = starts[i] < min ? starts[i] : min;
        max = starts[i] > max ? starts[i] : max;
    }
    if (min > max)
        return;
    pass->first_minute = min / SP_ROLLUP_NS;
    uint64_t minutes = max / SP_ROLLUP_NS - pass->first_minute + 1;
    if (minutes <= DENSE_MAX && minutes * pass->template_count <= DENSE_MAX)
        pass->dense = calloc(minutes * pass->template_count + 1, sizeof(*pass->dense));
}

static struct pair *find_pair(struct pass *pass, uint32_t minute, uint32_t template)
{
    uint64_t *number =
        pass->dense != NULL
            ? &pass->dense[(minute - pass->first_minute) * pass->template_count + template]
            : sp_counts_at(&pass->pair_numbers, (uint64_t)minute << 32 | template);
    if (number == NULL)
        return NULL;
    if (*number == 0) {
        struct pair pair = {
            .minute = minute,
            .template = template,
            .is_error = pass->block->templates[SP_BLOCK_SPANS][template].status_code ==
                        SP_SPAN_STATUS_ERROR,
            .row = sp_rollup_row_number(pass->rollup, minute, pass->series[template])};
        if (pair.row == UINT32_MAX || !sp_vector_push(&pass->pairs, pair))
            return NULL;
        *number = pass->pairs.count;
    }
    return &pass->pairs.items[*number - 1];
}

/* ---- exemplars ---- */

/* Rows come in the order of their traces, so of equally slow ones only those of one trace are compared. */
static void take_slowest(struct pair *pair, const struct sp_block *block, uint32_t row,
                         uint64_t duration)
{
    bool is_better =
        pair->spans == 0 || duration > pair->slowest_ns ||
        (sp_span_id_compare(&block->span_ids[row], &block->span_ids[pair->slowest_row]) < 0 &&
         sp_block_trace_of(block, row) == sp_block_trace_of(block, pair->slowest_row));
    if (!is_better)
        return;
    pair->slowest_row = row;
    pair->slowest_ns = duration;
}

static void offer_slowest(const struct pair *pair, const struct sp_block *block,
                          struct sp_span_exemplars *exemplars)
{
    const struct sp_span_exemplar span = {
        pair->slowest_ns, block->trace_ids[sp_block_trace_of(block, pair->slowest_row)],
        block->span_ids[pair->slowest_row]};
    sp_span_exemplar_offer(&exemplars->slowest, &span);
    if (pair->is_error)
        sp_span_exemplar_offer(&exemplars->failed, &span);
}

/* Cells of histograms that were asked for and are not counted yet: nearly each row has another one, and waiting for its memory would
 * be most of the work. */
#define CELLS_AHEAD 8
struct cells_ahead {
    uint64_t keys[CELLS_AHEAD];
    uint32_t first, count;
};

static bool count_next_cell(struct pass *pass, struct cells_ahead *ahead)
{
    uint64_t key = ahead->keys[ahead->first];
    ahead->first = (ahead->first + 1) % CELLS_AHEAD;
    ahead->count--;
    return sp_counts_add(&pass->rollup->cells, key, 1);
}

static bool count_cell_later(struct pass *pass, struct cells_ahead *ahead, uint64_t key)
{
    if (ahead->count == CELLS_AHEAD && !count_next_cell(pass, ahead))
        return false;
    sp_counts_prefetch(&pass->rollup->cells, key);
    ahead->keys[(ahead->first + ahead->count++) % CELLS_AHEAD] = key;
    return true;
}

static enum sp_status count_rows(struct pass *pass, struct sp_error *reterr)
{
    const struct sp_block *block = pass->block;
    const uint32_t *templates = block->tables[SP_BLOCK_SPANS].templates;
    struct cells_ahead ahead = {0};
    for (uint32_t i = 0; i < block->tables[SP_BLOCK_SPANS].count; i++) {
        uint64_t start = block->starts[i];
        uint64_t duration = block->ends[i] > start ? block->ends[i] - start : 0;
        uint32_t minute = (uint32_t)(start / SP_ROLLUP_NS);
        struct pair *pair = find_pair(pass, minute, templates[i]);
        uint64_t cell = duration == 0 ? 0 : 1 + (uint64_t)sp_histogram_index(duration);
        if (pair == NULL ||
            !count_cell_later(pass, &ahead, (uint64_t)pair->row * SP_ROLLUP_CELLS + cell))
            return sp_rollup_failed(reterr);
        if (duration >= pair->slowest_ns)
            take_slowest(pair, block, i, duration);
        pair->spans++;
        sp_rollup_row_add(&pass->rollup->rows.items[pair->row], 1, 0, duration, duration, duration);
        if (!pass->by_row[templates[i]])
            continue;
        enum sp_status status =
            count_row_keys(pass, minute, &block->templates[SP_BLOCK_SPANS][templates[i]], reterr);
        if (status != SP_OK)
            return status;
    }
    while (ahead.count > 0)
        if (!count_next_cell(pass, &ahead))
            return sp_rollup_failed(reterr);
    return SP_OK;
}

/* What a template says of its spans. Those of resources and scopes, which many templates share, come later. */
static bool count_pair(struct pass *pass, const struct pair *pair)
{
    const struct sp_template *template = &pass->block->templates[SP_BLOCK_SPANS][pair->template];
    uint64_t minute = (uint64_t)pair->minute << 32;
    struct sp_rollup_row *row = &pass->rollup->rows.items[pair->row];
    offer_slowest(pair, pass->block, &row->exemplars);
    if (pair->is_error)
        row->errors += pair->spans;
    pass->mark++;
    return count_columns(pass, pair->minute, template, pair->spans) &&
           sp_counts_add(&pass->resource_spans, minute | template->resource, pair->spans) &&
           sp_counts_add(&pass->scope_spans, minute | template->scope, pair->spans);
}

static bool count_pairs(struct pass *pass)
{
    for (uint32_t i = 0; i < pass->pairs.count; i++)
        if (!count_pair(pass, &pass->pairs.items[i]))
            return false;
    for (size_t i = 0; i < pass->resource_spans.slot_count; i++) {
        const struct sp_count *spans = &pass->resource_spans.slots[i];
        if (spans->key == 0)
            continue;
        const struct sp_attributes *list =
            &pass->block->resources[(uint32_t)(spans->key - 1)].attributes;
        pass->mark++;
        if (!count_list(pass, (uint32_t)((spans->key - 1) >> 32), SP_SCOPE_RESOURCE, list->items,
                        list->count, spans->count))
            return false;
    }
    for (size_t i = 0; i < pass->scope_spans.slot_count; i++) {
        const struct sp_count *spans = &pass->scope_spans.slots[i];
        if (spans->key == 0)
            continue;
        const struct sp_attributes *list =
            &pass->block->scopes[(uint32_t)(spans->key - 1)].attributes;
        pass->mark++;
        if (!count_list(pass, (uint32_t)((spans->key - 1) >> 32), SP_SCOPE_INSTRUMENTATION,
                        list->items, list->count, spans->count))
            return false;
    }
    return true;
}

enum sp_status sp_rollup_add_block(struct sp_rollup *rollup, const struct sp_block *block,
                                   struct sp_error *reterr)
{
    uint32_t template_count = block->template_counts[SP_BLOCK_SPANS];
    struct pass pass = {.rollup = rollup,
                        .block = block,
                        .template_count = template_count,
                        .pair_numbers.seed = sp_hash_seed(),
                        .resource_spans.seed = sp_hash_seed(),
                        .scope_spans.seed = sp_hash_seed(),
                        .column_keys = calloc((size_t)block->column_count + 1, sizeof(uint32_t)),
                        .series = calloc((size_t)template_count + 1, sizeof(uint32_t)),
                        .by_row = calloc((size_t)template_count + 1, sizeof(bool))};
    sp_arena_init(&pass.arena, SIZE_MAX);
    make_dense(&pass);
    enum sp_status status = SP_OK;
    if (pass.column_keys == NULL || pass.series == NULL || pass.by_row == NULL ||
        !look_up_columns(&pass) || !look_up_series(&pass))
        status = sp_rollup_failed(reterr);
    if (status == SP_OK)
        status = count_rows(&pass, reterr);
    if (status == SP_OK && !count_pairs(&pass))
        status = sp_rollup_failed(reterr);
    free(pass.column_keys);
    free(pass.series);
    free(pass.by_row);
    free(pass.dense);
    sp_vector_fini(&pass.pairs);
    sp_vector_fini(&pass.marks);
    sp_counts_fini(&pass.pair_numbers);
    sp_counts_fini(&pass.resource_spans);
    sp_counts_fini(&pass.scope_spans);
    sp_arena_fini(&pass.arena);
    return status;
}
