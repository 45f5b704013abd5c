/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/block_trim.c: see block_trim.h. */
#include "storage/block_trim.h"

#include "storage/pack.h"

/* The columns that are wanted of the rows of a template, in its order: a role first, then attributes. */
struct sp_trimmed_row {
    const uint32_t *columns;
    uint32_t count;
    uint32_t attribute_count; /* of them */
};

void sp_block_trim_init(struct sp_block_trim *trim, const struct sp_span_want *want)
{
    *trim = (struct sp_block_trim){.want = want};
    sp_arena_init(&trim->arena, SIZE_MAX);
}

void sp_block_trim_fini(struct sp_block_trim *trim)
{
    sp_arena_fini(&trim->arena);
}

bool sp_block_trim_needs(const struct sp_block_trim *trim, const struct sp_column *column)
{
    const struct sp_span_want *want = trim->want;
    if (column->table != SP_BLOCK_SPANS)
        return false;
    if (column->role == SP_ROLE_STATUS_MESSAGE)
        return want->status_message;
    if (column->role == SP_ROLE_MORE_ATTRIBUTES)
        return want->key_count > 0;
    if (column->role == SP_ROLE_LINK_COUNT)
        return want->links;
    for (uint32_t i = 0; i < want->key_count && column->role == SP_ROLE_ATTRIBUTE; i++)
        if (sp_slice_equal(want->keys[i], column->key))
            return true;
    return false;
}

/* ---- opening ---- */

static enum sp_status no_memory(struct sp_error *reterr)
{
    return sp_error_set(reterr, SP_NO_MEMORY, "no memory to read a block");
}

static struct sp_span template_span(const struct sp_block *block,
                                    const struct sp_template *template)
{
    return (struct sp_span){.name = block->names->texts[template->name],
                            .kind = template->kind,
                            .status_code = template->status_code,
                            .status_present = template->bits & SP_TEMPLATE_STATUS_PRESENT,
                            .flags = template->flags,
                            .attributes.dropped = template->dropped_attributes,
                            .dropped_events = template->dropped_events,
                            .dropped_links = template->dropped_links,
                            .resource = &block->resources[template->resource],
                            .scope = &block->scopes[template->scope]};
}

/* needed: by column. */
static bool choose_columns(struct sp_block_trim *trim, const struct sp_template *template,
                           const bool *needed, struct sp_trimmed_row *ret)
{
    uint32_t count = 0;
    *ret = (struct sp_trimmed_row){0};
    for (uint32_t i = 0; i < template->column_count; i++)
        count += needed[template->columns[i]];
    if (count == 0)
        return true;
    uint32_t *columns = sp_arena_calloc(&trim->arena, count, sizeof(*columns));
    if (columns == NULL)
        return false;
    for (uint32_t i = 0; i < template->column_count; i++) {
        uint32_t number = template->columns[i];
        if (!needed[number])
            continue;
        columns[ret->count++] = number;
        ret->attribute_count += trim->block->columns[number].role == SP_ROLE_ATTRIBUTE;
    }
    ret->columns = columns;
    return true;
}

/* Where the links of each row that has some begin. */
static bool number_links(struct sp_block_trim *trim, const struct sp_column *counts)
{
    trim->first_links =
        sp_arena_calloc(&trim->arena, (size_t)counts->count + 1, sizeof(*trim->first_links));
    for (uint32_t i = 0; i < counts->count && trim->first_links != NULL; i++)
        trim->first_links[i + 1] = trim->first_links[i] + (uint32_t)counts->numbers[i];
    return trim->first_links != NULL;
}

enum sp_status sp_block_trim_open(struct sp_block_trim *trim, const struct sp_block *block,
                                  struct sp_error *reterr)
{
    uint32_t template_count = block->template_counts[SP_BLOCK_SPANS];
    sp_arena_reset(&trim->arena);
    trim->block = block;
    trim->next_row = 0;
    trim->walks = false;
    trim->first_links = NULL;
    trim->templates =
        sp_arena_calloc(&trim->arena, (size_t)template_count + 1, sizeof(*trim->templates));
    trim->wanted = sp_arena_calloc(&trim->arena, (size_t)template_count + 1, sizeof(*trim->wanted));
    trim->positions =
        sp_arena_calloc(&trim->arena, (size_t)block->column_count + 1, sizeof(*trim->positions));
    bool *needed = sp_arena_calloc(&trim->arena, (size_t)block->column_count + 1, sizeof(*needed));
    if (trim->templates == NULL || trim->wanted == NULL || trim->positions == NULL ||
        needed == NULL)
        return no_memory(reterr);
    for (uint32_t c = 0; c < block->column_count; c++) {
        needed[c] = sp_block_trim_needs(trim, &block->columns[c]);
        trim->walks |= needed[c];
        if (needed[c] && block->columns[c].role == SP_ROLE_LINK_COUNT &&
            !number_links(trim, &block->columns[c]))
            return no_memory(reterr);
    }
    for (uint32_t t = 0; t < template_count; t++) {
        const struct sp_template *template = &block->templates[SP_BLOCK_SPANS][t];
        trim->templates[t] = template_span(block, template);
        if (!choose_columns(trim, template, needed, &trim->wanted[t]))
            return no_memory(reterr);
    }
    return SP_OK;
}

/* ---- rows ---- */

static enum sp_status too_large(struct sp_error *reterr)
{
    return sp_error_set(reterr, SP_LIMIT, "the spans do not fit into this query's memory");
}

static enum sp_status unpack_failed(enum sp_status status, struct sp_error *reterr)
{
    if (status == SP_CORRUPT)
        return sp_error_set(reterr, SP_CORRUPT, "a packed value in a stored block is damaged");
    return too_large(reterr);
}

static enum sp_status read_value(const struct sp_column *column, uint32_t position,
                                 struct sp_arena *arena, struct sp_value *ret,
                                 struct sp_error *reterr)
{
    *ret = (struct sp_value){.kind = column->kind};
    if (column->kind == SP_VALUE_ARRAY || column->kind == SP_VALUE_KVLIST) {
        enum sp_status status =
            sp_value_unpack(column->dictionary->texts[column->codes[position]], arena, ret);
        if (status == SP_OK && ret->kind != column->kind)
            status = SP_CORRUPT;
        return status == SP_OK ? SP_OK : unpack_failed(status, reterr);
    }
    if (column->codes != NULL)
        ret->string = column->dictionary->texts[column->codes[position]];
    else if (column->kind == SP_VALUE_BOOL)
        ret->boolean = column->numbers[position] != 0;
    else if (column->numbers != NULL)
        memcpy(&ret->integer, &column->numbers[position], sizeof(ret->integer));
    return SP_OK;
}

/* The wanted attributes of one row: those in columns, and behind them all that are packed together. */
static enum sp_status read_attributes(struct sp_block_trim *trim,
                                      const struct sp_trimmed_row *wanted,
                                      const struct sp_attribute *more, uint32_t more_count,
                                      struct sp_arena *arena, struct sp_span *span,
                                      struct sp_error *reterr)
{
    uint32_t count = wanted->attribute_count + more_count;
    enum sp_status status = SP_OK;
    if (count == 0)
        return SP_OK;
    struct sp_attribute *items = sp_arena_alloc(arena, count * sizeof(*items));
    if (items == NULL)
        return too_large(reterr);
    const uint32_t *columns = wanted->columns + wanted->count - wanted->attribute_count;
    for (uint32_t i = 0; i < wanted->attribute_count && status == SP_OK; i++) {
        const struct sp_column *column = &trim->block->columns[columns[i]];
        items[i].key = column->key;
        status = read_value(column, trim->positions[columns[i]]++, arena, &items[i].value, reterr);
    }
    if (more_count > 0)
        memcpy(items + wanted->attribute_count, more, more_count * sizeof(*items));
    span->attributes.items = items;
    span->attributes.count = count;
    return status;
}

static enum sp_status read_links(const struct sp_block_trim *trim, uint32_t position,
                                 struct sp_arena *arena, struct sp_span *span,
                                 struct sp_error *reterr)
{
    uint32_t first = trim->first_links[position];
    uint32_t count = trim->first_links[position + 1] - first;
    struct sp_link *links = sp_arena_calloc(arena, count, sizeof(*links));
    if (links == NULL)
        return too_large(reterr);
    for (uint32_t i = 0; i < count; i++) {
        links[i].trace_id = trim->block->link_trace_ids[first + i];
        links[i].span_id = trim->block->link_span_ids[first + i];
    }
    span->links = links;
    span->link_count = count;
    return SP_OK;
}

/* A text: a message, or attributes that are packed together. */
static enum sp_status read_text(const struct sp_column *column, uint32_t position,
                                struct sp_arena *arena, struct sp_span *span,
                                const struct sp_attribute **ret_more, uint32_t *ret_more_count,
                                struct sp_error *reterr)
{
    struct sp_slice text = column->dictionary->texts[column->codes[position]];
    enum sp_status status = SP_OK;
    if (column->role == SP_ROLE_STATUS_MESSAGE)
        span->status_message = text;
    else
        status = sp_attributes_unpack(text, arena, ret_more, ret_more_count);
    return status == SP_OK ? SP_OK : unpack_failed(status, reterr);
}

static enum sp_status read_wanted(struct sp_block_trim *trim, const struct sp_trimmed_row *wanted,
                                  struct sp_arena *arena, struct sp_span *span,
                                  struct sp_error *reterr)
{
    const struct sp_attribute *more = NULL;
    uint32_t more_count = 0;
    for (uint32_t i = 0; i < wanted->count - wanted->attribute_count; i++) {
        const struct sp_column *column = &trim->block->columns[wanted->columns[i]];
        uint32_t position = trim->positions[wanted->columns[i]]++;
        enum sp_status status =
            column->role == SP_ROLE_LINK_COUNT
                ? read_links(trim, position, arena, span, reterr)
                : read_text(column, position, arena, span, &more, &more_count, reterr);
        if (status != SP_OK)
            return status;
    }
    return read_attributes(trim, wanted, more, more_count, arena, span, reterr);
}

/* Goes over rows that nobody asks for. */
static void pass_over(struct sp_block_trim *trim, uint32_t row)
{
    const uint32_t *templates = trim->block->tables[SP_BLOCK_SPANS].templates;
    SP_ASSERT(row >= trim->next_row);
    for (; trim->next_row < row && trim->walks; trim->next_row++) {
        const struct sp_trimmed_row *wanted = &trim->wanted[templates[trim->next_row]];
        for (uint32_t i = 0; i < wanted->count; i++)
            trim->positions[wanted->columns[i]]++;
    }
    trim->next_row = row;
}

enum sp_status sp_block_trim_spans(struct sp_block_trim *trim, const struct sp_trace_id *trace_id,
                                   uint32_t first, uint32_t count, struct sp_arena *arena,
                                   struct sp_span *spans, struct sp_error *reterr)
{
    const struct sp_block *block = trim->block;
    const uint32_t *templates = block->tables[SP_BLOCK_SPANS].templates;
    enum sp_status status = SP_OK;
    pass_over(trim, first);
    for (uint32_t i = 0; i < count && status == SP_OK; i++) {
        uint32_t row = first + i;
        struct sp_span *span = &spans[i];
        *span = trim->templates[templates[row]];
        span->trace_id = *trace_id;
        span->span_id = block->span_ids[row];
        span->parent_span_id = block->parent_ids[row];
        span->start_unix_ns = block->starts[row];
        span->end_unix_ns = block->ends[row];
        if (trim->walks)
            status = read_wanted(trim, &trim->wanted[templates[row]], arena, span, reterr);
    }
    trim->next_row = first + count;
    return status;
}
