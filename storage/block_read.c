/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/block_read.c: rows of a block become spans again, and blocks are shared. Knows neither disks nor engines. */
#include "storage/block.h"
#include "storage/pack.h"

#include <stdlib.h>

/* ---- positions ---- */

uint32_t sp_block_trace_at(const struct sp_block *block, const struct sp_trace_id *id,
                           uint32_t from, uint32_t to)
{
    while (from < to) {
        uint32_t middle = from + (to - from) / 2;
        if (sp_trace_id_compare(&block->trace_ids[middle], id) < 0)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

uint32_t sp_block_trace_of(const struct sp_block *block, uint32_t row)
{
    uint32_t from = 0, to = block->trace_count;
    while (to - from > 1) {
        uint32_t middle = from + (to - from) / 2;
        if (block->trace_rows[middle] <= row)
            from = middle;
        else
            to = middle;
    }
    return from;
}

uint32_t sp_block_find(const struct sp_block *block, const struct sp_trace_id *id,
                       uint32_t *ret_first)
{
    uint32_t from = sp_block_trace_at(block, id, 0, block->trace_count);
    if (from == block->trace_count || sp_trace_id_compare(&block->trace_ids[from], id) != 0)
        return 0;
    *ret_first = block->trace_rows[from];
    return block->trace_rows[from + 1] - block->trace_rows[from];
}

/* counts[c] for the rows [0, first) of a table. A histogram of templates first: rows are many, templates few. */
static bool values_before(const struct sp_block *block, enum sp_block_table table, uint32_t first,
                          uint32_t *counts)
{
    if (first == 0)
        return true;
    uint32_t template_count = block->template_counts[table];
    uint32_t *rows = calloc((size_t)template_count + 1, sizeof(*rows));
    if (rows == NULL)
        return false;
    for (uint32_t i = 0; i < first; i++)
        rows[block->tables[table].templates[i]]++;
    for (uint32_t t = 0; t < template_count; t++) {
        const struct sp_template *template = &block->templates[table][t];
        for (uint32_t i = 0; i < template->column_count && rows[t] > 0; i++)
            counts[template->columns[i]] += rows[t];
    }
    free(rows);
    return true;
}

/* Sum of the values [0, count) of the one column of a role. */
static uint32_t children_before(const struct sp_block *block, enum sp_column_role role,
                                const uint32_t *counts)
{
    uint32_t sum = 0;
    for (uint32_t c = 0; c < block->column_count; c++) {
        if (block->columns[c].role != role || block->columns[c].numbers == NULL)
            continue; /* not loaded: no row that is read has any */
        for (uint32_t i = 0; i < counts[c]; i++)
            sum += (uint32_t)block->columns[c].numbers[i];
    }
    return sum;
}

/* ---- spans ---- */

struct reading {
    const struct sp_block *block;
    bool copy;
    struct sp_arena *arena;
    uint32_t *positions; /* next value of each column */
    uint32_t next_event, next_link;
    const struct sp_resource **resources; /* copied ones, by number */
    const struct sp_scope **scopes;
};

static enum sp_status too_large(struct sp_error *reterr)
{
    return sp_error_set(reterr, SP_LIMIT, "the spans do not fit into this query's memory");
}

static bool read_text(const struct reading *reading, struct sp_slice text, struct sp_slice *ret)
{
    *ret = text;
    return !reading->copy || text.len == 0 || sp_arena_copy(reading->arena, text, ret);
}

static enum sp_status read_packed_failed(enum sp_status status, struct sp_error *reterr)
{
    if (status == SP_CORRUPT)
        return sp_error_set(reterr, SP_CORRUPT, "a packed value in a stored block is damaged");
    return too_large(reterr);
}

static enum sp_status read_value(const struct reading *reading, const struct sp_column *column,
                                 uint32_t position, struct sp_value *ret, struct sp_error *reterr)
{
    struct sp_slice text = {0};
    *ret = (struct sp_value){.kind = column->kind};
    if (column->codes != NULL &&
        !read_text(reading, column->dictionary->texts[column->codes[position]], &text))
        return too_large(reterr);
    switch (column->kind) {
    case SP_VALUE_EMPTY:
        break;
    case SP_VALUE_STRING:
    case SP_VALUE_BYTES:
        ret->string = text;
        break;
    case SP_VALUE_BOOL:
        ret->boolean = column->numbers[position] != 0;
        break;
    case SP_VALUE_INT:
    case SP_VALUE_DOUBLE:
        memcpy(&ret->integer, &column->numbers[position], sizeof(ret->integer));
        break;
    case SP_VALUE_ARRAY:
    case SP_VALUE_KVLIST: {
        enum sp_status status = sp_value_unpack(text, reading->arena, ret);
        if (status == SP_OK && ret->kind != column->kind)
            status = SP_CORRUPT;
        if (status != SP_OK)
            return read_packed_failed(status, reterr);
        break;
    }
    }
    return SP_OK;
}

/* The rare fields of a row, by role. */
struct role_values {
    struct sp_slice texts[SP_ROLE_COUNT];
    uint32_t counts[SP_ROLE_COUNT];
};

static enum sp_status read_roles(struct reading *reading, const struct sp_template *template,
                                 struct role_values *ret, uint32_t *ret_role_count,
                                 struct sp_error *reterr)
{
    uint32_t i = 0;
    for (; i < template->column_count; i++) {
        const struct sp_column *column = &reading->block->columns[template->columns[i]];
        if (column->role == SP_ROLE_ATTRIBUTE)
            break;
        uint32_t position = reading->positions[template->columns[i]]++;
        if (column->codes == NULL)
            ret->counts[column->role] = (uint32_t)column->numbers[position];
        else if (!read_text(reading, column->dictionary->texts[column->codes[position]],
                            &ret->texts[column->role]))
            return too_large(reterr);
    }
    *ret_role_count = i;
    return SP_OK;
}

static enum sp_status read_attributes(struct reading *reading, const struct sp_template *template,
                                      uint32_t role_count, struct sp_slice packed_more,
                                      struct sp_attributes *ret, struct sp_error *reterr)
{
    const struct sp_attribute *more = NULL;
    uint32_t more_count = 0;
    if (packed_more.len > 0) {
        enum sp_status status =
            sp_attributes_unpack(packed_more, reading->arena, &more, &more_count);
        if (status != SP_OK)
            return read_packed_failed(status, reterr);
    }
    uint32_t own_count = template->column_count - role_count;
    *ret = (struct sp_attributes){.count = own_count + more_count,
                                  .dropped = template->dropped_attributes};
    if (ret->count == 0)
        return SP_OK;
    struct sp_attribute *items = sp_arena_calloc(reading->arena, ret->count, sizeof(*items));
    if (items == NULL)
        return too_large(reterr);
    for (uint32_t i = 0; i < own_count; i++) {
        uint32_t number = template->columns[role_count + i];
        const struct sp_column *column = &reading->block->columns[number];
        if (!read_text(reading, column->key, &items[i].key))
            return too_large(reterr);
        enum sp_status status =
            read_value(reading, column, reading->positions[number]++, &items[i].value, reterr);
        if (status != SP_OK)
            return status;
    }
    if (more_count > 0)
        memcpy(items + own_count, more, more_count * sizeof(*items));
    ret->items = items;
    return SP_OK;
}

static enum sp_status read_event(struct reading *reading, struct sp_event *ret,
                                 struct sp_error *reterr)
{
    const struct sp_block *block = reading->block;
    uint32_t row = reading->next_event++;
    const struct sp_template *template =
        &block->templates[SP_BLOCK_EVENTS][block->tables[SP_BLOCK_EVENTS].templates[row]];
    struct role_values roles = {0};
    uint32_t role_count;
    enum sp_status status = read_roles(reading, template, &roles, &role_count, reterr);
    if (status != SP_OK)
        return status;
    *ret = (struct sp_event){.time_unix_ns = block->event_times[row],
                             .residue = roles.texts[SP_ROLE_RESIDUE]};
    if (!read_text(reading, block->names->texts[template->name], &ret->name))
        return too_large(reterr);
    return read_attributes(reading, template, role_count, roles.texts[SP_ROLE_MORE_ATTRIBUTES],
                           &ret->attributes, reterr);
}

static enum sp_status read_link(struct reading *reading, struct sp_link *ret,
                                struct sp_error *reterr)
{
    const struct sp_block *block = reading->block;
    uint32_t row = reading->next_link++;
    const struct sp_template *template =
        &block->templates[SP_BLOCK_LINKS][block->tables[SP_BLOCK_LINKS].templates[row]];
    struct role_values roles = {0};
    uint32_t role_count;
    enum sp_status status = read_roles(reading, template, &roles, &role_count, reterr);
    if (status != SP_OK)
        return status;
    *ret = (struct sp_link){.trace_id = block->link_trace_ids[row],
                            .span_id = block->link_span_ids[row],
                            .flags = template->flags,
                            .trace_state = roles.texts[SP_ROLE_TRACE_STATE],
                            .residue = roles.texts[SP_ROLE_RESIDUE]};
    return read_attributes(reading, template, role_count, roles.texts[SP_ROLE_MORE_ATTRIBUTES],
                           &ret->attributes, reterr);
}

static enum sp_status read_children(struct reading *reading, const struct role_values *roles,
                                    struct sp_span *span, struct sp_error *reterr)
{
    span->event_count = roles->counts[SP_ROLE_EVENT_COUNT];
    span->link_count = roles->counts[SP_ROLE_LINK_COUNT];
    struct sp_event *events =
        sp_arena_calloc(reading->arena, (size_t)span->event_count + 1, sizeof(*events));
    struct sp_link *links =
        sp_arena_calloc(reading->arena, (size_t)span->link_count + 1, sizeof(*links));
    if (events == NULL || links == NULL)
        return too_large(reterr);
    enum sp_status status = SP_OK;
    for (uint32_t i = 0; i < span->event_count && status == SP_OK; i++)
        status = read_event(reading, &events[i], reterr);
    for (uint32_t i = 0; i < span->link_count && status == SP_OK; i++)
        status = read_link(reading, &links[i], reterr);
    span->events = events;
    span->links = links;
    return status;
}

/* Resources and scopes are copied once for each call, not once for each span. */
static enum sp_status read_resource(const struct reading *reading, uint32_t number,
                                    const struct sp_resource **ret, struct sp_error *reterr)
{
    *ret = reading->copy ? reading->resources[number] : &reading->block->resources[number];
    if (*ret != NULL)
        return SP_OK;
    struct sp_slice text;
    struct sp_resource *resource = sp_arena_calloc(reading->arena, 1, sizeof(*resource));
    if (resource == NULL ||
        !sp_arena_copy(reading->arena, reading->block->resource_texts[number], &text))
        return too_large(reterr);
    enum sp_status status = sp_resource_unpack(text, reading->arena, resource);
    if (status != SP_OK)
        return read_packed_failed(status, reterr);
    *ret = reading->resources[number] = resource;
    return SP_OK;
}

static enum sp_status read_scope(const struct reading *reading, uint32_t number,
                                 const struct sp_scope **ret, struct sp_error *reterr)
{
    *ret = reading->copy ? reading->scopes[number] : &reading->block->scopes[number];
    if (*ret != NULL)
        return SP_OK;
    struct sp_slice text;
    struct sp_scope *scope = sp_arena_calloc(reading->arena, 1, sizeof(*scope));
    if (scope == NULL || !sp_arena_copy(reading->arena, reading->block->scope_texts[number], &text))
        return too_large(reterr);
    enum sp_status status = sp_scope_unpack(text, reading->arena, scope);
    if (status != SP_OK)
        return read_packed_failed(status, reterr);
    *ret = reading->scopes[number] = scope;
    return SP_OK;
}

static enum sp_status read_span(struct reading *reading, const struct sp_trace_id *trace_id,
                                uint32_t row, struct sp_span *ret, struct sp_error *reterr)
{
    const struct sp_block *block = reading->block;
    const struct sp_template *template =
        &block->templates[SP_BLOCK_SPANS][block->tables[SP_BLOCK_SPANS].templates[row]];
    struct role_values roles = {0};
    uint32_t role_count;
    enum sp_status status = read_roles(reading, template, &roles, &role_count, reterr);
    if (status != SP_OK)
        return status;
    struct sp_span span = {.trace_id = *trace_id,
                           .span_id = block->span_ids[row],
                           .parent_span_id = block->parent_ids[row],
                           .start_unix_ns = block->starts[row],
                           .end_unix_ns = block->ends[row],
                           .trace_state = roles.texts[SP_ROLE_TRACE_STATE],
                           .kind = template->kind,
                           .status_code = template->status_code,
                           .status_message = roles.texts[SP_ROLE_STATUS_MESSAGE],
                           .status_residue = roles.texts[SP_ROLE_STATUS_RESIDUE],
                           .status_present = template->bits & SP_TEMPLATE_STATUS_PRESENT,
                           .flags = template->flags,
                           .dropped_events = template->dropped_events,
                           .dropped_links = template->dropped_links,
                           .residue = roles.texts[SP_ROLE_RESIDUE]};
    if (!read_text(reading, block->names->texts[template->name], &span.name))
        return too_large(reterr);
    status = read_resource(reading, template->resource, &span.resource, reterr);
    if (status == SP_OK)
        status = read_scope(reading, template->scope, &span.scope, reterr);
    if (status == SP_OK)
        status = read_attributes(reading, template, role_count,
                                 roles.texts[SP_ROLE_MORE_ATTRIBUTES], &span.attributes, reterr);
    if (status == SP_OK && roles.counts[SP_ROLE_EVENT_COUNT] + roles.counts[SP_ROLE_LINK_COUNT] > 0)
        status = read_children(reading, &roles, &span, reterr);
    if (status == SP_OK)
        *ret = span;
    return status;
}

/* Positions of the first row's values and children. */
static bool reading_init(struct reading *reading, uint32_t first)
{
    const struct sp_block *block = reading->block;
    reading->positions = calloc((size_t)block->column_count + 1, sizeof(*reading->positions));
    if (reading->positions == NULL ||
        !values_before(block, SP_BLOCK_SPANS, first, reading->positions))
        return false;
    if (reading->copy) {
        reading->resources =
            calloc((size_t)block->resource_count + 1, sizeof(struct sp_resource *));
        reading->scopes = calloc((size_t)block->scope_count + 1, sizeof(struct sp_scope *));
        if (reading->resources == NULL || reading->scopes == NULL)
            return false;
    }
    reading->next_event = children_before(block, SP_ROLE_EVENT_COUNT, reading->positions);
    reading->next_link = children_before(block, SP_ROLE_LINK_COUNT, reading->positions);
    return values_before(block, SP_BLOCK_EVENTS, reading->next_event, reading->positions) &&
           values_before(block, SP_BLOCK_LINKS, reading->next_link, reading->positions);
}

enum sp_status sp_block_spans(const struct sp_block *block, uint32_t first, uint32_t count,
                              bool copy, struct sp_arena *arena, struct sp_span *spans,
                              struct sp_error *reterr)
{
    struct reading reading = {.block = block, .copy = copy, .arena = arena};
    enum sp_status status = SP_OK;
    if (!reading_init(&reading, first))
        status = sp_error_set(reterr, SP_NO_MEMORY, "no memory to read spans");
    uint32_t trace = 0;
    for (uint32_t i = 0; i < count && status == SP_OK; i++) {
        while (block->trace_rows[trace + 1] <= first + i)
            trace++;
        status = read_span(&reading, &block->trace_ids[trace], first + i, &spans[i], reterr);
    }
    free(reading.positions);
    free(reading.resources);
    free(reading.scopes);
    return status;
}
