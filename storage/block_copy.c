/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/block_copy.c: rows of blocks become rows of another block, number by number (block_pool.h): each template, text, resource and
 * scope is looked up once a source. Knows neither disks nor engines. */
#include "storage/block_pool.h"

/* All that copying a value touches, in one place. */
struct column_source {
    uint32_t position, count; /* next value, of so many */
    const uint32_t *codes;    /* or */
    const uint64_t *numbers;  /* or neither */
    uint32_t *map;            /* heap; of the texts: number of the pool, plus 1 */
    const struct sp_slice *texts;
    uint32_t text_count;
    struct sp_pool_column *pooled; /* NULL: no template that has the column was met */
    struct sp_pool_mark *marks;    /* heap; of the texts, once the column is closed; else NULL */
};

struct sp_block_source {
    const struct sp_block *block;
    struct sp_block_pool *pool;
    uint32_t next_row;
    uint32_t children[SP_BLOCK_TABLE_COUNT]; /* next event, next link */
    struct column_source *columns;
    SP_VECTOR(uint32_t)
    by_pool; /* of each column of the pool: the column here, if a template of ours has it */
    /* Numbers of the pool, plus 1; 0: not asked for yet. */
    uint32_t *names, *resources, *scopes, *templates[SP_BLOCK_TABLE_COUNT];
};

/* ---- life ---- */

static bool map_new(uint32_t **map, uint32_t count)
{
    *map = calloc((size_t)count + 1, sizeof(**map));
    return *map != NULL;
}

static bool columns_init(struct sp_block_source *source)
{
    const struct sp_block *block = source->block;
    source->columns = calloc((size_t)block->column_count + 1, sizeof(*source->columns));
    if (source->columns == NULL)
        return false;
    for (uint32_t i = 0; i < block->column_count; i++) {
        const struct sp_column *from = &block->columns[i];
        struct column_source *column = &source->columns[i];
        column->count = from->count;
        column->codes = from->codes;
        column->numbers = from->numbers;
        if (from->dictionary == NULL)
            continue;
        if (!map_new(&column->map, from->dictionary->count))
            return false;
        column->texts = from->dictionary->texts;
        column->text_count = from->dictionary->count;
    }
    return true;
}

static bool source_init(struct sp_block_source *source)
{
    const struct sp_block *block = source->block;
    bool fits = columns_init(source) && map_new(&source->names, block->names->count) &&
                map_new(&source->resources, block->resource_count) &&
                map_new(&source->scopes, block->scope_count);
    for (int t = 0; t < SP_BLOCK_TABLE_COUNT && fits; t++)
        fits = map_new(&source->templates[t], block->template_counts[t]);
    return fits;
}

enum sp_status sp_block_source_new(struct sp_block_pool *pool, const struct sp_block *block,
                                   struct sp_block_source **ret, struct sp_error *reterr)
{
    struct sp_block_source *source = calloc(1, sizeof(*source));
    if (source != NULL)
        *source = (struct sp_block_source){.block = block, .pool = pool};
    if (source == NULL || !source_init(source)) {
        sp_block_source_free(source);
        return sp_error_set(reterr, SP_NO_MEMORY, "no memory to copy a block");
    }
    *ret = source;
    return SP_OK;
}

void sp_block_source_free(struct sp_block_source *source)
{
    if (source == NULL)
        return;
    for (uint32_t i = 0; i < source->block->column_count && source->columns != NULL; i++) {
        free(source->columns[i].map);
        free(source->columns[i].marks);
    }
    for (int t = 0; t < SP_BLOCK_TABLE_COUNT; t++)
        free(source->templates[t]);
    free(source->names);
    free(source->resources);
    free(source->scopes);
    free(source->columns);
    sp_vector_fini(&source->by_pool);
    free(source);
}

/* ---- numbers ---- */

/* The number of something of the source in the pool, plus 1; 0: no memory. */
static uint32_t pool_number(struct sp_pool_list *list, uint32_t *map, const struct sp_slice *texts,
                            uint32_t number)
{
    if (map[number] == 0)
        map[number] = sp_pool_add(list, texts[number]);
    return map[number];
}

static bool pool_column(struct sp_block_source *source, uint32_t number, uint32_t *ret)
{
    struct column_source *column = &source->columns[number];
    struct sp_pool_column *pooled =
        sp_pool_column(source->pool, &source->block->columns[number], ret);
    if (pooled == NULL)
        return false;
    while (source->by_pool.count <= *ret) {
        if (!sp_vector_push(&source->by_pool, 0))
            return false;
    }
    source->by_pool.items[*ret] = number;
    if (column->pooled == NULL && column->codes != NULL) {
        pooled->value_count += column->count;
        pooled->text_count += column->text_count;
    }
    column->pooled = pooled;
    return true;
}

/* A template of the source as the pool has it; 0: no memory. */
static uint32_t add_template(struct sp_block_source *source, enum sp_block_table table,
                             const struct sp_template *from)
{
    struct sp_block_pool *pool = source->pool;
    const struct sp_block *block = source->block;
    uint32_t words[WORDS_MAX] = {[WORD_KIND] = (uint32_t)from->kind,
                                 [WORD_STATUS] = (uint32_t)from->status_code,
                                 [WORD_BITS] = from->bits,
                                 [WORD_FLAGS] = from->flags,
                                 [WORD_DROPPED_ATTRIBUTES] = from->dropped_attributes,
                                 [WORD_DROPPED_EVENTS] = from->dropped_events,
                                 [WORD_DROPPED_LINKS] = from->dropped_links};
    uint32_t resource = 1, scope = 1, name = 1;
    if (table == SP_BLOCK_SPANS) {
        resource =
            pool_number(&pool->resources, source->resources, block->resource_texts, from->resource);
        scope = pool_number(&pool->scopes, source->scopes, block->scope_texts, from->scope);
    }
    if (table != SP_BLOCK_LINKS)
        name = pool_number(&pool->names, source->names, block->names->texts, from->name);
    if (resource == 0 || scope == 0 || name == 0)
        return 0;
    words[WORD_RESOURCE] = resource - 1;
    words[WORD_SCOPE] = scope - 1;
    words[WORD_NAME] = name - 1;
    for (uint32_t i = 0; i < from->column_count; i++) {
        if (!pool_column(source, from->columns[i], &words[WORD_COUNT + i]))
            return 0;
    }
    return sp_pool_template(pool, table, words, WORD_COUNT + from->column_count);
}

/* A template of the source in the pool. NULL: no memory. Stays where it is until the next one that is new. */
static struct sp_pool_template *map_template(struct sp_block_source *source,
                                             enum sp_block_table table, uint32_t row)
{
    uint32_t template = source->block->tables[table].templates[row];
    uint32_t *number = &source->templates[table][template];
    if (*number == 0)
        *number = add_template(source, table, &source->block->templates[table][template]);
    return *number > 0 ? &source->pool->templates[table].items.items[*number - 1] : NULL;
}

/* The same in the block at hand, too, before any of the row's values is copied. */
static enum sp_pool_outcome place_template(struct sp_block_builder *builder,
                                           struct sp_block_source *source,
                                           enum sp_block_table table, uint32_t row)
{
    const struct sp_pool_template *template = map_template(source, table, row);
    if (template == NULL)
        return SP_POOL_NO_MEMORY;
    if (template->mark.generation == source->pool->generation)
        return SP_POOL_DONE;
    return sp_pool_place_template(
        source->pool, builder, table,
        (uint32_t)(template - source->pool->templates[table].items.items));
}

/* A text of a column that the pool has no numbers for. */
static uint32_t map_closed_value(struct sp_block_builder *builder, uint32_t generation,
                                 struct column_source *column, struct column_build *build,
                                 uint32_t code)
{
    if (column->pooled->distinct)
        return sp_block_builder_new_value(builder, build, column->texts[code]);
    if (column->marks == NULL) {
        column->marks = calloc((size_t)column->text_count + 1, sizeof(*column->marks));
        if (column->marks == NULL)
            return SP_INTERNER_NONE;
    }
    struct sp_pool_mark *mark = &column->marks[code];
    if (mark->generation != generation) {
        mark->number = sp_block_builder_value(builder, build, column->texts[code]);
        mark->generation = generation;
    }
    return mark->number;
}

/* A text of a column in the block at hand. SP_INTERNER_NONE: no memory. */
static inline uint32_t map_value(struct sp_block_builder *builder, uint32_t generation,
                                 struct column_source *column, struct column_build *build,
                                 uint32_t code)
{
    if (column->pooled->closed)
        return map_closed_value(builder, generation, column, build, code);
    struct sp_pool_list *values = &column->pooled->values;
    uint32_t number = pool_number(values, column->map, column->texts, code);
    if (number == 0)
        return SP_INTERNER_NONE;
    struct sp_pool_mark *mark = &values->marks.items[number - 1];
    if (mark->generation != generation) {
        mark->number =
            sp_block_builder_kept_value(builder, build, values->texts.texts.items[number - 1]);
        mark->generation = generation;
    }
    return mark->number;
}

/* ---- rows ---- */

/* A source is left after each trace, and has more columns than the processor follows by itself. */
#define CODES_AHEAD     32
#define NUMBERS_AHEAD   16
#define TEMPLATES_AHEAD 8

/* What the next values need is known only step by step: from the code the number of the pool, from that its mark, or else the text. */
SP_PREFETCHING void prefetch_values(const struct column_source *column, uint32_t position)
{
    sp_prefetch_item(column->codes, position + CODES_AHEAD);
    if (position + 4 < column->count)
        __builtin_prefetch(&column->map[column->codes[position + 4]]);
    if (position + 2 >= column->count)
        return;
    uint32_t code = column->codes[position + 2];
    if (column->pooled->closed) {
        sp_prefetch_item(column->marks, code);
        __builtin_prefetch(&column->texts[code]);
        __builtin_prefetch(column->texts[column->codes[position + 1]].ptr);
    } else if (column->map[code] != 0) {
        sp_prefetch_item(column->pooled->values.marks.items, column->map[code] - 1);
    } else {
        __builtin_prefetch(column->texts[code].ptr);
    }
}

static bool copy_value(struct sp_block_builder *builder, uint32_t generation,
                       struct column_source *column)
{
    struct column_build *build = &builder->columns.items[column->pooled->mark.number];
    uint32_t position = column->position++;
    build->column.count++;
    if (column->codes != NULL) {
        prefetch_values(column, position);
        uint32_t code = map_value(builder, generation, column, build, column->codes[position]);
        return code != SP_INTERNER_NONE && sp_vector_push(&build->codes, code);
    }
    if (column->numbers == NULL)
        return true;
    sp_prefetch_item(column->numbers, position + NUMBERS_AHEAD);
    return sp_vector_push(&build->numbers, column->numbers[position]);
}

/* Its template was placed. */
static bool copy_row(struct sp_block_builder *builder, struct sp_block_source *source,
                     enum sp_block_table table, uint32_t row)
{
    const struct sp_pool_template *template = map_template(source, table, row);
    uint32_t generation = source->pool->generation;
    for (uint32_t i = 0; i < template->column_count; i++) {
        uint32_t number = source->by_pool.items[template->columns[i]];
        if (!copy_value(builder, generation, &source->columns[number]))
            return false;
    }
    return sp_vector_push(&builder->tables[table].rows, template->mark.number);
}

/* How many events or links the next row has: the next value of that column of the pool. */
static uint32_t child_count(const struct sp_block_source *source, uint32_t pooled)
{
    if (pooled == SP_INTERNER_NONE)
        return 0;
    const struct column_source *counts = &source->columns[source->by_pool.items[pooled]];
    return (uint32_t)counts->numbers[counts->position];
}

/* All templates that a row and its children need, before any of it is copied. */
static enum sp_pool_outcome place_templates(struct sp_block_builder *builder,
                                            struct sp_block_source *source, uint32_t row,
                                            uint32_t child_counts[SP_BLOCK_TABLE_COUNT])
{
    enum sp_pool_outcome outcome = place_template(builder, source, SP_BLOCK_SPANS, row);
    if (outcome != SP_POOL_DONE)
        return outcome;
    const struct sp_pool_template *template = map_template(source, SP_BLOCK_SPANS, row);
    child_counts[SP_BLOCK_EVENTS] = child_count(source, template->events);
    child_counts[SP_BLOCK_LINKS] = child_count(source, template->links);
    for (int t = SP_BLOCK_EVENTS; t < SP_BLOCK_TABLE_COUNT; t++) {
        for (uint32_t i = 0; i < child_counts[t] && outcome == SP_POOL_DONE; i++)
            outcome =
                place_template(builder, source, (enum sp_block_table)t, source->children[t] + i);
    }
    return outcome;
}

SP_PREFETCHING void prefetch_fixed(const struct sp_block *block, uint32_t row)
{
    sp_prefetch_item(block->span_ids, row);
    sp_prefetch_item(block->parent_ids, row);
    sp_prefetch_item(block->starts, row);
    sp_prefetch_item(block->ends, row);
    sp_prefetch_item(block->tables[SP_BLOCK_SPANS].templates, row);
}

static enum sp_pool_outcome add_row(struct sp_block_builder *builder,
                                    struct sp_block_source *source,
                                    const struct sp_trace_id *trace_id, uint32_t row)
{
    const struct sp_block *block = source->block;
    uint32_t child_counts[SP_BLOCK_TABLE_COUNT] = {0};
    enum sp_pool_outcome outcome = place_templates(builder, source, row, child_counts);
    if (outcome != SP_POOL_DONE)
        return outcome;
    prefetch_fixed(block, row + NUMBERS_AHEAD);
    if (row + TEMPLATES_AHEAD < block->tables[SP_BLOCK_SPANS].count)
        sp_prefetch_item(source->templates[SP_BLOCK_SPANS],
                         block->tables[SP_BLOCK_SPANS].templates[row + TEMPLATES_AHEAD]);
    bool fits = sp_block_builder_trace(builder, trace_id) &&
                copy_row(builder, source, SP_BLOCK_SPANS, row) &&
                sp_vector_push(&builder->span_ids, block->span_ids[row]) &&
                sp_vector_push(&builder->parent_ids, block->parent_ids[row]) &&
                sp_vector_push(&builder->starts, block->starts[row]) &&
                sp_vector_push(&builder->ends, block->ends[row]);
    for (uint32_t i = 0; i < child_counts[SP_BLOCK_EVENTS] && fits; i++) {
        uint32_t event = source->children[SP_BLOCK_EVENTS]++;
        fits = copy_row(builder, source, SP_BLOCK_EVENTS, event) &&
               sp_vector_push(&builder->event_times, block->event_times[event]);
    }
    for (uint32_t i = 0; i < child_counts[SP_BLOCK_LINKS] && fits; i++) {
        uint32_t link = source->children[SP_BLOCK_LINKS]++;
        fits = copy_row(builder, source, SP_BLOCK_LINKS, link) &&
               sp_vector_push(&builder->link_trace_ids, block->link_trace_ids[link]) &&
               sp_vector_push(&builder->link_span_ids, block->link_span_ids[link]);
    }
    source->next_row = row + 1;
    return fits ? SP_POOL_DONE : SP_POOL_NO_MEMORY;
}

enum sp_status sp_block_builder_add_rows(struct sp_block_builder *builder,
                                         struct sp_block_source *source,
                                         const struct sp_trace_id *trace_id, uint32_t count,
                                         uint32_t *ret_taken, struct sp_error *reterr)
{
    sp_pool_begin(source->pool, builder);
    uint32_t taken = 0;
    for (; taken < count && !sp_block_builder_is_full(builder); taken++) {
        enum sp_pool_outcome outcome = add_row(builder, source, trace_id, source->next_row);
        if (outcome == SP_POOL_NO_PLACE) {
            builder->closed = true;
            break;
        }
        if (outcome == SP_POOL_NO_MEMORY)
            return sp_error_set(reterr, SP_NO_MEMORY, "no memory to copy a block");
    }
    *ret_taken = taken;
    return SP_OK;
}
