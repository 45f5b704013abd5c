/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/edge_block.c: what calls need to know of the rows of a block, found in one pass: services and kinds by template, where the
 * values of attributes that name the other end of a call stand, and the links. Knows no traces. */
#include "storage/edge_counter.h"

/* Attributes of one span that are looked at; the keys of names are fewer, but a span may have one more than once. */
#define NAMES_MAX 64

static bool calls_or_is_called(int32_t kind)
{
    return kind >= SP_KIND_SERVER && kind <= SP_KIND_CONSUMER;
}

static bool look_up_templates(struct sp_edge_counter *counter, const bool *is_name)
{
    const struct sp_block *block = counter->block;
    counter->templates.count = counter->name_columns.count = 0;
    for (uint32_t t = 0; t < block->template_counts[SP_BLOCK_SPANS]; t++) {
        const struct sp_template *from = &block->templates[SP_BLOCK_SPANS][t];
        struct sp_span span = {.resource = &block->resources[from->resource]};
        struct sp_edge_template made = {
            .service = sp_interner_add(&counter->rollup->texts, 0, sp_span_service(&span)),
            .kind = from->kind,
            .error = from->status_code == SP_SPAN_STATUS_ERROR,
            .first_name = counter->name_columns.count};
        if (made.service == SP_INTERNER_NONE)
            return false;
        for (uint32_t i = 0; i < from->column_count; i++)
            if (is_name[from->columns[i]] &&
                !sp_vector_push(&counter->name_columns, from->columns[i]))
                return false;
        made.name_count = counter->name_columns.count - made.first_name;
        if (!sp_vector_push(&counter->templates, made))
            return false;
    }
    return true;
}

static uint32_t name_column(const struct sp_edge_counter *counter,
                            const struct sp_edge_template *template, uint32_t i)
{
    return counter->name_columns.items[template->first_name + i];
}

/* Where the values of each row stand: rows have them in order, so counting is enough. */
static bool place_values(struct sp_edge_counter *counter)
{
    const struct sp_block *block = counter->block;
    const struct sp_block_rows *rows = &block->tables[SP_BLOCK_SPANS];
    counter->next_values.count = counter->first_places.count = counter->places.count = 0;
    if (!sp_vector_reserve(&counter->next_values, block->column_count) ||
        !sp_vector_reserve(&counter->first_places, rows->count))
        return false;
    uint32_t *next = counter->next_values.items;
    if (block->column_count > 0)
        memset(next, 0, block->column_count * sizeof(*next));
    for (uint32_t row = 0; row < rows->count; row++) {
        const struct sp_edge_template *template = &counter->templates.items[rows->templates[row]];
        counter->first_places.items[row] = counter->places.count;
        if (!calls_or_is_called(template->kind)) {
            for (uint32_t i = 0; i < template->name_count; i++)
                next[name_column(counter, template, i)]++;
            continue;
        }
        if (!sp_vector_reserve(&counter->places, template->name_count))
            return false;
        for (uint32_t i = 0; i < template->name_count; i++)
            counter->places.items[counter->places.count++] =
                next[name_column(counter, template, i)]++;
    }
    return true;
}

static bool place_links(struct sp_edge_counter *counter)
{
    const struct sp_block *block = counter->block;
    const struct sp_block_rows *rows = &block->tables[SP_BLOCK_SPANS];
    counter->first_links.count = 0;
    if (block->tables[SP_BLOCK_LINKS].count == 0)
        return true;
    uint32_t value = 0;
    uint32_t link = 0;
    for (uint32_t row = 0; row < rows->count; row++) {
        const struct sp_template *template =
            &block->templates[SP_BLOCK_SPANS][rows->templates[row]];
        if (!sp_vector_push(&counter->first_links, link))
            return false;
        for (uint32_t i = 0; i < template->column_count; i++) {
            const struct sp_column *column = &block->columns[template->columns[i]];
            if (column->role == SP_ROLE_ATTRIBUTE) /* roles come first */
                break;
            if (column->role == SP_ROLE_LINK_COUNT)
                link += (uint32_t)column->numbers[value++];
        }
    }
    return sp_vector_push(&counter->first_links, link);
}

uint32_t sp_edge_counter_half_edge(struct sp_edge_counter *counter, uint32_t row,
                                   bool *ret_is_client)
{
    const struct sp_block *block = counter->block;
    uint32_t number = block->tables[SP_BLOCK_SPANS].templates[row];
    const struct sp_edge_template *template = &counter->templates.items[number];
    uint32_t first_value = counter->first_places.items[row];
    struct sp_attribute items[NAMES_MAX];
    uint32_t count = 0;
    for (uint32_t i = 0; i < template->name_count && count < NAMES_MAX; i++) {
        const struct sp_column *column = &block->columns[name_column(counter, template, i)];
        bool is_known = false; /* the first one counts */
        for (uint32_t k = 0; k < count && !is_known; k++)
            is_known = sp_slice_equal(items[k].key, column->key);
        if (is_known)
            continue;
        items[count] = (struct sp_attribute){column->key, {.kind = column->kind}};
        if (column->kind == SP_VALUE_STRING)
            items[count].value.string =
                column->dictionary->texts[column->codes[counter->places.items[first_value + i]]];
        else if (column->kind == SP_VALUE_BOOL)
            items[count].value.boolean =
                column->numbers[counter->places.items[first_value + i]] != 0;
        count++;
    }
    struct sp_span span = {.kind = template->kind,
                           .resource =
                               &block->resources[block->templates[SP_BLOCK_SPANS][number].resource],
                           .attributes = {.items = items, .count = count}};
    struct sp_graph_name room;
    struct sp_graph_call call = sp_graph_half_call(&span, counter->names, &room);
    *ret_is_client = call.client_span != NULL;
    return sp_edge_rollup_edge(counter->rollup, call.client, call.client_type, call.server,
                               call.server_type, call.type);
}

static bool has_calls(const struct sp_edge_counter *counter, uint32_t trace)
{
    const struct sp_block *block = counter->block;
    const uint32_t *templates = block->tables[SP_BLOCK_SPANS].templates;
    for (uint32_t row = block->trace_rows[trace]; row < block->trace_rows[trace + 1]; row++)
        if (calls_or_is_called(counter->templates.items[templates[row]].kind))
            return true;
    return false;
}

enum sp_status sp_edge_counter_calls(struct sp_edge_counter *counter, const struct sp_block *block,
                                     uint32_t from, uint32_t to, struct sp_error *reterr)
{
    counter->block = block;
    bool *is_name = calloc((size_t)block->column_count + 1, sizeof(*is_name));
    bool fits = is_name != NULL;
    for (uint32_t c = 0; c < block->column_count && fits; c++)
        is_name[c] = block->columns[c].table == SP_BLOCK_SPANS &&
                     block->columns[c].role == SP_ROLE_ATTRIBUTE &&
                     sp_graph_is_name_key(block->columns[c].key);
    fits = fits && look_up_templates(counter, is_name) && place_values(counter) &&
           place_links(counter);
    for (uint32_t t = from; t < to && fits; t++)
        if (has_calls(counter, t))
            fits = sp_edge_counter_trace(counter, t);
    free(is_name);
    counter->block = NULL;
    return fits ? SP_OK : sp_edge_rollup_failed(reterr);
}
