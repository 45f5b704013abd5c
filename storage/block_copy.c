/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/block_copy.c: rows of blocks become rows of another block, number by number: each template, text, resource and scope
 * of a source is looked up once for each block it goes to. Knows neither disks nor engines. */
#include "storage/block_builder.h"

/* Which number of ours a number of the source is; entries of another generation are not known yet. */
struct map {
    struct map_entry {
        uint32_t generation, number;
    } * items;
};

/* All that copying a value touches, in one place. */
struct column_source {
    uint32_t position, count; /* next value, of so many */
    const uint32_t *codes;    /* or */
    const uint64_t *numbers;  /* or neither */
    struct map_entry *map;    /* heap; of the texts */
    const struct sp_slice *texts;
};

/* The columns of a template that say how many children a row has; UINT32_MAX: none does. */
struct child_columns {
    uint32_t events, links;
};

struct sp_block_source {
    const struct sp_block *block;
    uint32_t generation; /* of the maps; 0: nothing mapped yet */
    uint64_t builder_generation;
    const struct sp_block_builder *builder;
    uint32_t next_row;
    uint32_t children[SP_BLOCK_TABLE_COUNT]; /* next event, next link */
    struct column_source *columns;
    struct child_columns *child_columns; /* of each template of spans */
    struct map names, resources, scopes, column_numbers, templates[SP_BLOCK_TABLE_COUNT];
};

/* ---- life ---- */

static bool map_new(struct map *map, uint32_t count)
{
    map->items = calloc((size_t)count + 1, sizeof(*map->items));
    return map->items != NULL;
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
        column->map = calloc((size_t)from->dictionary->count + 1, sizeof(*column->map));
        if (column->map == NULL)
            return false;
        column->texts = from->dictionary->texts;
    }
    return true;
}

static bool child_columns_init(struct sp_block_source *source)
{
    const struct sp_block *block = source->block;
    uint32_t count = block->template_counts[SP_BLOCK_SPANS];
    source->child_columns = calloc((size_t)count + 1, sizeof(*source->child_columns));
    for (uint32_t t = 0; t < count && source->child_columns != NULL; t++) {
        const struct sp_template *template = &block->templates[SP_BLOCK_SPANS][t];
        struct child_columns *children = &source->child_columns[t];
        *children = (struct child_columns){UINT32_MAX, UINT32_MAX};
        for (uint32_t i = 0; i < template->column_count; i++) {
            uint32_t number = template->columns[i];
            if (block->columns[number].role == SP_ROLE_EVENT_COUNT)
                children->events = number;
            if (block->columns[number].role == SP_ROLE_LINK_COUNT)
                children->links = number;
        }
    }
    return source->child_columns != NULL;
}

static bool source_init(struct sp_block_source *source)
{
    const struct sp_block *block = source->block;
    bool fits = columns_init(source) && child_columns_init(source) &&
                map_new(&source->names, block->names->count) &&
                map_new(&source->resources, block->resource_count) &&
                map_new(&source->scopes, block->scope_count) &&
                map_new(&source->column_numbers, block->column_count);
    for (int t = 0; t < SP_BLOCK_TABLE_COUNT && fits; t++)
        fits = map_new(&source->templates[t], block->template_counts[t]);
    return fits;
}

enum sp_status sp_block_source_new(const struct sp_block *block, struct sp_block_source **ret,
                                   struct sp_error *reterr)
{
    struct sp_block_source *source = calloc(1, sizeof(*source));
    if (source != NULL)
        source->block = block;
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
    for (uint32_t i = 0; i < source->block->column_count && source->columns != NULL; i++)
        free(source->columns[i].map);
    for (int t = 0; t < SP_BLOCK_TABLE_COUNT; t++)
        free(source->templates[t].items);
    free(source->names.items);
    free(source->resources.items);
    free(source->scopes.items);
    free(source->column_numbers.items);
    free(source->columns);
    free(source->child_columns);
    free(source);
}

/* ---- numbers ---- */

static uint32_t map_value(struct sp_block_builder *builder, uint32_t generation,
                          const struct column_source *column, struct column_build *build,
                          uint32_t code)
{
    struct map_entry *entry = &column->map[code];
    if (entry->generation != generation) {
        entry->number = sp_block_builder_value(builder, build, column->texts[code]);
        entry->generation = generation;
    }
    return entry->number;
}

static uint32_t map_name(struct sp_block_builder *builder, struct sp_block_source *source,
                         uint32_t code)
{
    struct map_entry *entry = &source->names.items[code];
    if (entry->generation != source->generation) {
        entry->number = sp_block_builder_name(builder, source->block->names->texts[code]);
        entry->generation = source->generation;
    }
    return entry->number;
}

static uint32_t map_resource(struct sp_block_builder *builder, struct sp_block_source *source,
                             uint32_t number)
{
    struct map_entry *entry = &source->resources.items[number];
    if (entry->generation != source->generation) {
        entry->number = sp_block_builder_resource(builder, source->block->resource_texts[number]);
        entry->generation = source->generation;
    }
    return entry->number;
}

static uint32_t map_scope(struct sp_block_builder *builder, struct sp_block_source *source,
                          uint32_t number)
{
    struct map_entry *entry = &source->scopes.items[number];
    if (entry->generation != source->generation) {
        entry->number = sp_block_builder_scope(builder, source->block->scope_texts[number]);
        entry->generation = source->generation;
    }
    return entry->number;
}

enum outcome { COPIED, NO_PLACE, NO_MEMORY };

static enum outcome map_column(struct sp_block_builder *builder, struct sp_block_source *source,
                               uint32_t number, uint32_t *ret)
{
    struct map_entry *entry = &source->column_numbers.items[number];
    if (entry->generation != source->generation) {
        const struct sp_column *column = &source->block->columns[number];
        uint32_t before = builder->columns.count;
        entry->number = sp_block_builder_column(builder, column->table, column->role, column->kind,
                                                column->key);
        if (entry->number == SP_INTERNER_NONE)
            return before >= SP_BLOCK_COLUMNS_MAX - ROLE_COLUMNS ? NO_PLACE : NO_MEMORY;
        entry->generation = source->generation;
    }
    *ret = entry->number;
    return COPIED;
}

/* The words of a template of the source in our numbers. NO_PLACE: it needs more columns than are left. */
static enum outcome map_words(struct sp_block_builder *builder, struct sp_block_source *source,
                              enum sp_block_table table, const struct sp_template *from,
                              uint32_t *words)
{
    bool is_span = table == SP_BLOCK_SPANS;
    words[WORD_RESOURCE] = is_span ? map_resource(builder, source, from->resource) : 0;
    words[WORD_SCOPE] = is_span ? map_scope(builder, source, from->scope) : 0;
    words[WORD_NAME] = table != SP_BLOCK_LINKS ? map_name(builder, source, from->name) : 0;
    words[WORD_KIND] = (uint32_t)from->kind;
    words[WORD_STATUS] = (uint32_t)from->status_code;
    words[WORD_BITS] = from->bits;
    words[WORD_FLAGS] = from->flags;
    words[WORD_DROPPED_ATTRIBUTES] = from->dropped_attributes;
    words[WORD_DROPPED_EVENTS] = from->dropped_events;
    words[WORD_DROPPED_LINKS] = from->dropped_links;
    if (words[WORD_RESOURCE] == SP_INTERNER_NONE || words[WORD_SCOPE] == SP_INTERNER_NONE ||
        words[WORD_NAME] == SP_INTERNER_NONE)
        return NO_MEMORY;
    enum outcome outcome = COPIED;
    for (uint32_t i = 0; i < from->column_count && outcome == COPIED; i++)
        outcome = map_column(builder, source, from->columns[i], &words[WORD_COUNT + i]);
    return outcome;
}

/* Maps the template of a row before any of its values is copied. */
static enum outcome map_template(struct sp_block_builder *builder, struct sp_block_source *source,
                                 enum sp_block_table table, uint32_t template)
{
    struct map_entry *entry = &source->templates[table].items[template];
    if (entry->generation == source->generation)
        return COPIED;
    const struct sp_template *from = &source->block->templates[table][template];
    uint32_t words[WORDS_MAX];
    enum outcome outcome = map_words(builder, source, table, from, words);
    if (outcome != COPIED)
        return outcome;
    if (!sp_block_builder_template(builder, table, words, WORD_COUNT + from->column_count,
                                   &entry->number))
        return NO_MEMORY;
    entry->generation = source->generation;
    return COPIED;
}

/* ---- rows ---- */

/* A source is left after each trace, and has more columns than the processor follows by itself. */
#define CODES_AHEAD   32
#define NUMBERS_AHEAD 16

/* Where the texts of the next values lie is known only from their codes: each is asked for in two steps, two and one ahead. */
SP_PREFETCHING void prefetch_values(const struct column_source *column, uint32_t position)
{
    sp_prefetch_item(column->codes, position + CODES_AHEAD);
    if (position + 2 < column->count) {
        uint32_t code = column->codes[position + 2];
        __builtin_prefetch(&column->map[code]);
        __builtin_prefetch(&column->texts[code]);
    }
    if (position + 1 < column->count)
        __builtin_prefetch(column->texts[column->codes[position + 1]].ptr);
}

static bool copy_values(struct sp_block_builder *builder, struct sp_block_source *source,
                        const struct sp_template *from, const struct sp_template *to)
{
    for (uint32_t i = 0; i < from->column_count; i++) {
        struct column_source *column = &source->columns[from->columns[i]];
        struct column_build *build = &builder->columns.items[to->columns[i]];
        uint32_t position = column->position++;
        build->column.count++;
        if (column->codes != NULL) {
            prefetch_values(column, position);
            uint32_t code =
                map_value(builder, source->generation, column, build, column->codes[position]);
            if (code == SP_INTERNER_NONE || !sp_vector_push(&build->codes, code))
                return false;
        } else if (column->numbers != NULL) {
            sp_prefetch_item(column->numbers, position + NUMBERS_AHEAD);
            if (!sp_vector_push(&build->numbers, column->numbers[position]))
                return false;
        }
    }
    return true;
}

static bool copy_row(struct sp_block_builder *builder, struct sp_block_source *source,
                     enum sp_block_table table, uint32_t row)
{
    struct table_build *build = &builder->tables[table];
    uint32_t template = source->block->tables[table].templates[row];
    uint32_t mapped = source->templates[table].items[template].number;
    return copy_values(builder, source, &source->block->templates[table][template],
                       &build->templates.items[mapped]) &&
           sp_vector_push(&build->rows, mapped);
}

/* How many events or links the next row has: the next value of that column. */
static uint32_t child_count(const struct sp_block_source *source, uint32_t column)
{
    if (column == UINT32_MAX)
        return 0;
    const struct column_source *counts = &source->columns[column];
    return (uint32_t)counts->numbers[counts->position];
}

/* All templates that a row and its children need, before any of it is copied. */
static enum outcome map_row(struct sp_block_builder *builder, struct sp_block_source *source,
                            uint32_t row, const uint32_t *child_counts)
{
    enum outcome outcome = map_template(builder, source, SP_BLOCK_SPANS,
                                        source->block->tables[SP_BLOCK_SPANS].templates[row]);
    for (int t = SP_BLOCK_EVENTS; t < SP_BLOCK_TABLE_COUNT; t++) {
        for (uint32_t i = 0; i < child_counts[t] && outcome == COPIED; i++)
            outcome = map_template(builder, source, (enum sp_block_table)t,
                                   source->block->tables[t].templates[source->children[t] + i]);
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

static enum outcome add_row(struct sp_block_builder *builder, struct sp_block_source *source,
                            const struct sp_trace_id *trace_id, uint32_t row)
{
    const struct sp_block *block = source->block;
    const struct child_columns *columns =
        &source->child_columns[block->tables[SP_BLOCK_SPANS].templates[row]];
    const uint32_t child_counts[SP_BLOCK_TABLE_COUNT] = {
        [SP_BLOCK_EVENTS] = child_count(source, columns->events),
        [SP_BLOCK_LINKS] = child_count(source, columns->links)};
    enum outcome outcome = map_row(builder, source, row, child_counts);
    if (outcome != COPIED)
        return outcome;
    prefetch_fixed(block, row + NUMBERS_AHEAD);
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
    return fits ? COPIED : NO_MEMORY;
}

enum sp_status sp_block_builder_add_rows(struct sp_block_builder *builder,
                                         struct sp_block_source *source,
                                         const struct sp_trace_id *trace_id, uint32_t count,
                                         uint32_t *ret_taken, struct sp_error *reterr)
{
    if (source->builder != builder || source->builder_generation != builder->generation) {
        source->builder = builder;
        source->builder_generation = builder->generation;
        source->generation++;
    }
    uint32_t taken = 0;
    for (; taken < count && !sp_block_builder_is_full(builder); taken++) {
        enum outcome outcome = add_row(builder, source, trace_id, source->next_row);
        if (outcome == NO_PLACE) {
            builder->closed = true;
            break;
        }
        if (outcome == NO_MEMORY)
            return sp_error_set(reterr, SP_NO_MEMORY, "no memory to copy a block");
    }
    *ret_taken = taken;
    return SP_OK;
}
