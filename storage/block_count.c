/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/block_count.c: operations and attribute keys of a block, counted by template where a template says it all. Knows neither
 * disks nor engines. */
#include "storage/block_counting.h"

/* ---- operations ---- */

/* rows: the tally's row for each template; NULL: none. */
static enum sp_status count_operations(struct sp_counting *counting,
                                       const struct sp_operation_filter *filter, bool with_latency,
                                       struct sp_tally_row **rows)
{
    const struct sp_block *block = counting->block;
    enum sp_status status = SP_OK;
    for (uint32_t t = 0; t < block->template_counts[SP_BLOCK_SPANS] && status == SP_OK; t++) {
        const struct sp_template *template = &block->templates[SP_BLOCK_SPANS][t];
        struct sp_slice name = block->names->texts[template->name];
        struct sp_slice service =
            sp_span_service(&(struct sp_span){.resource = &block->resources[template->resource]});
        if (counting->template_rows[t] == 0 ||
            !sp_operation_matches(filter, service, name, template->kind))
            continue;
        status = sp_tally_row(counting->tally, service, name, template->kind, &rows[t],
                              counting->reterr);
        if (status == SP_OK && with_latency)
            status = sp_tally_exemplars(counting->tally, rows[t], counting->reterr);
        if (status != SP_OK)
            break;
        rows[t]->count += counting->template_rows[t];
        if (template->status_code == SP_SPAN_STATUS_ERROR)
            rows[t]->errors += counting->template_rows[t];
    }
    return status;
}

/* Rows come in the order of their traces: *trace is that of one before. Ids are read when the first row needs them. */
static enum sp_status offer_row(struct sp_counting *counting, uint32_t row, uint32_t *trace,
                                uint64_t duration_ns, bool is_error,
                                struct sp_span_exemplars *exemplars)
{
    const struct sp_block *block = counting->block;
    enum sp_status status = sp_block_view_traces(counting->view, counting->reterr);
    if (status == SP_OK)
        status = sp_block_view_span_ids(counting->view, counting->reterr);
    if (status != SP_OK)
        return status;
    while (block->trace_rows[*trace + 1] <= row)
        ++*trace;
    const struct sp_span_exemplar span = {duration_ns, block->trace_ids[*trace],
                                          block->span_ids[row]};
    sp_span_exemplar_offer(&exemplars->slowest, &span);
    if (is_error)
        sp_span_exemplar_offer(&exemplars->failed, &span);
    return SP_OK;
}

static enum sp_status add_latency(struct sp_counting *counting, struct sp_tally_row **rows)
{
    const struct sp_block_rows *rows_of = &counting->block->tables[SP_BLOCK_SPANS];
    const uint64_t *durations;
    uint32_t trace = 0;
    enum sp_status status =
        sp_block_view_durations(counting->view, &counting->arena, &durations, counting->reterr);
    for (uint32_t row = 0; row < rows_of->count && status == SP_OK; row++) {
        struct sp_tally_row *into = rows[rows_of->templates[row]];
        if (into == NULL || (counting->rows != NULL && !sp_bitmap_has(counting->rows, row)))
            continue;
        if (sp_histogram_add(&into->latency, durations[row], 1) != SP_OK)
            status =
                sp_error_set(counting->reterr, SP_NO_MEMORY, "no memory for a latency histogram");
        bool is_error =
            counting->block->templates[SP_BLOCK_SPANS][rows_of->templates[row]].status_code ==
            SP_SPAN_STATUS_ERROR;
        if (status == SP_OK && sp_span_exemplars_want(into->exemplars, durations[row], is_error))
            status = offer_row(counting, row, &trace, durations[row], is_error, into->exemplars);
    }
    return status;
}

enum sp_status sp_block_count_operations(struct sp_block_view *view, struct sp_time_range range,
                                         const struct sp_operation_filter *filter,
                                         bool with_latency, struct sp_tally *tally,
                                         struct sp_error *reterr)
{
    struct sp_counting counting;
    enum sp_status status = sp_counting_init(&counting, view, range, tally, reterr);
    if (status == SP_OK && counting.in_range > 0) {
        struct sp_tally_row **rows = sp_counting_alloc(
            &counting, view->block->template_counts[SP_BLOCK_SPANS], sizeof(struct sp_tally_row *));
        if (rows == NULL)
            status = sp_counting_no_memory(&counting);
        if (status == SP_OK)
            status = count_operations(&counting, filter, with_latency, rows);
        if (status == SP_OK && with_latency)
            status = add_latency(&counting, rows);
    }
    sp_counting_fini(&counting);
    return status;
}

/* ---- attribute keys ---- */

struct keys {
    struct sp_counting *counting;
    uint32_t scopes;
    struct sp_slice prefix;
    uint64_t *next_mark;
    struct sp_tally_row **rows; /* of each column; NULL: not known yet */
};

static enum sp_status count_key(struct keys *keys, struct sp_slice key,
                                enum sp_attribute_scope scope, enum sp_value_kind kind,
                                uint64_t mark, uint64_t more)
{
    struct sp_tally_row *row;
    if (!sp_slice_starts_with(key, keys->prefix))
        return SP_OK;
    enum sp_status status = sp_tally_row(keys->counting->tally, key, SP_SLICE(""),
                                         sp_key_number(scope, kind), &row, keys->counting->reterr);
    if (status == SP_OK)
        sp_tally_count(row, mark, more);
    return status;
}

static enum sp_status count_key_list(struct keys *keys, const struct sp_attribute *items,
                                     uint32_t count, enum sp_attribute_scope scope, uint64_t mark,
                                     uint64_t more)
{
    enum sp_status status = SP_OK;
    for (uint32_t i = 0; i < count && status == SP_OK; i++)
        status = count_key(keys, items[i].key, scope, items[i].value.kind, mark, more);
    return status;
}

/* The key of a column: its row of the tally is looked up once. */
static enum sp_status count_column(struct keys *keys, uint32_t number, uint64_t mark, uint64_t more)
{
    const struct sp_column *column = &keys->counting->block->columns[number];
    if (keys->rows[number] == NULL) {
        enum sp_status status =
            sp_tally_row(keys->counting->tally, column->key, SP_SLICE(""),
                         sp_key_number(sp_counting_scope(column->table), column->kind),
                         &keys->rows[number], keys->counting->reterr);
        if (status != SP_OK)
            return status;
    }
    sp_tally_count(keys->rows[number], mark, more);
    return SP_OK;
}

static bool is_key_column(const struct keys *keys, const struct sp_column *column)
{
    return column->role == SP_ROLE_ATTRIBUTE &&
           (keys->scopes & sp_counting_scope(column->table)) != 0 &&
           sp_slice_starts_with(column->key, keys->prefix);
}

static bool has_more_attributes(const struct sp_block *block, const struct sp_template *template)
{
    for (uint32_t i = 0; i < template->column_count; i++) {
        if (block->columns[template->columns[i]].role == SP_ROLE_MORE_ATTRIBUTES)
            return true;
    }
    return false;
}

/* Spans whose lists are all in columns. */
static enum sp_status count_templates(struct keys *keys)
{
    const struct sp_block *block = keys->counting->block;
    enum sp_status status = SP_OK;
    for (uint32_t t = 0; t < block->template_counts[SP_BLOCK_SPANS] && status == SP_OK; t++) {
        const struct sp_template *template = &block->templates[SP_BLOCK_SPANS][t];
        uint32_t count = keys->counting->template_rows[t];
        if (count == 0 || has_more_attributes(block, template))
            continue;
        uint64_t mark = (*keys->next_mark)++;
        for (uint32_t i = 0; i < template->column_count && status == SP_OK; i++) {
            if (is_key_column(keys, &block->columns[template->columns[i]]))
                status = count_column(keys, template->columns[i], mark, count);
        }
    }
    return status;
}

static enum sp_status count_shared(struct keys *keys)
{
    struct sp_counting *counting = keys->counting;
    const struct sp_block *block = counting->block;
    uint32_t *resources = sp_counting_alloc(counting, block->resource_count, sizeof(*resources));
    uint32_t *scopes = sp_counting_alloc(counting, block->scope_count, sizeof(*scopes));
    enum sp_status status = SP_OK;
    if (resources == NULL || scopes == NULL)
        return sp_counting_no_memory(counting);
    for (uint32_t t = 0; t < block->template_counts[SP_BLOCK_SPANS]; t++) {
        const struct sp_template *template = &block->templates[SP_BLOCK_SPANS][t];
        resources[template->resource] += counting->template_rows[t];
        scopes[template->scope] += counting->template_rows[t];
    }
    for (uint32_t r = 0; r < block->resource_count && status == SP_OK; r++) {
        const struct sp_attributes *list = &block->resources[r].attributes;
        if (resources[r] > 0 && (keys->scopes & SP_SCOPE_RESOURCE) != 0)
            status = count_key_list(keys, list->items, list->count, SP_SCOPE_RESOURCE,
                                    (*keys->next_mark)++, resources[r]);
    }
    for (uint32_t s = 0; s < block->scope_count && status == SP_OK; s++) {
        const struct sp_attributes *list = &block->scopes[s].attributes;
        if (scopes[s] > 0 && (keys->scopes & SP_SCOPE_INSTRUMENTATION) != 0)
            status = count_key_list(keys, list->items, list->count, SP_SCOPE_INSTRUMENTATION,
                                    (*keys->next_mark)++, scopes[s]);
    }
    return status;
}

/* In a walk: spans with packed lists, and all events and links. */
static bool wants_key(void *cookie, const struct sp_template *template,
                      const struct sp_column *column)
{
    const struct keys *keys = cookie;
    if (column->role == SP_ROLE_MORE_ATTRIBUTES)
        return (keys->scopes & sp_counting_scope(column->table)) != 0;
    return is_key_column(keys, column) && (column->table != SP_BLOCK_SPANS ||
                                           has_more_attributes(keys->counting->block, template));
}

static enum sp_status visit_key(void *cookie, uint32_t number, uint32_t position, uint64_t mark)
{
    struct keys *keys = cookie;
    const struct sp_column *column = &keys->counting->block->columns[number];
    const struct sp_attribute *items;
    uint32_t count;
    if (column->role == SP_ROLE_ATTRIBUTE)
        return count_column(keys, number, mark, 1);
    enum sp_status status = sp_counting_unpack(
        keys->counting, column->dictionary->texts[column->codes[position]], &items, &count);
    if (status != SP_OK)
        return status;
    return count_key_list(keys, items, count, sp_counting_scope(column->table), mark, 1);
}

static bool needs_walk(const struct keys *keys)
{
    const struct sp_block *block = keys->counting->block;
    bool needs = false;
    for (uint32_t c = 0; c < block->column_count; c++) {
        const struct sp_column *column = &block->columns[c];
        bool asked = (keys->scopes & sp_counting_scope(column->table)) != 0;
        needs |= asked && column->role == SP_ROLE_MORE_ATTRIBUTES;
        needs |= is_key_column(keys, column) && column->table != SP_BLOCK_SPANS;
    }
    return needs;
}

enum sp_status sp_block_count_keys(struct sp_block_view *view, struct sp_time_range range,
                                   uint32_t scopes, struct sp_slice prefix, uint64_t *next_mark,
                                   struct sp_tally *tally, struct sp_error *reterr)
{
    struct sp_counting counting;
    enum sp_status status = sp_counting_init(&counting, view, range, tally, reterr);
    if (status == SP_OK && counting.in_range > 0) {
        struct keys keys = {
            .counting = &counting, .scopes = scopes, .prefix = prefix, .next_mark = next_mark};
        struct sp_counting_walk walk = {.counting = &counting,
                                        .wants = wants_key,
                                        .visit = visit_key,
                                        .cookie = &keys,
                                        .children =
                                            (scopes & (SP_SCOPE_EVENT | SP_SCOPE_LINK)) != 0};
        keys.rows =
            sp_counting_alloc(&counting, view->block->column_count, sizeof(struct sp_tally_row *));
        if (keys.rows == NULL)
            status = sp_counting_no_memory(&counting);
        if (status == SP_OK)
            status = count_templates(&keys);
        if (status == SP_OK)
            status = count_shared(&keys);
        if (status == SP_OK && needs_walk(&keys))
            status = sp_counting_walk(&walk, next_mark);
    }
    sp_counting_fini(&counting);
    return status;
}
