/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/block_builder.c: spans, or rows of other blocks, become a block: texts become numbers, what spans share becomes
 * templates, values go to their columns. Knows neither disks nor engines.
 *
 * Each column has its own dictionary, whose texts stand in the order in which they first occur. A template is an interned sequence of words: the fields of its
 * header, then the numbers of its columns. */
#include "storage/block_builder.h"

/* Slots of all columns of a block that the next one finds: of some columns with many texts, or of many with few. */
#define SLOTS_KEPT ((size_t)256 * 1024)

/* ---- life ---- */

enum sp_status sp_block_builder_new(struct sp_block_builder **ret, struct sp_error *reterr)
{
    struct sp_block_builder *builder = calloc(1, sizeof(*builder));
    if (builder == NULL)
        return sp_error_set(reterr, SP_NO_MEMORY, "no memory to build a block");
    sp_interner_init(&builder->names);
    sp_interner_init(&builder->column_keys);
    sp_interner_init(&builder->resource_texts);
    sp_interner_init(&builder->scope_texts);
    for (int t = 0; t < SP_BLOCK_TABLE_COUNT; t++)
        sp_interner_init(&builder->tables[t].words);
    sp_buf_init(&builder->scratch, SIZE_MAX / 2);
    sp_arena_init(&builder->arena, SIZE_MAX);
    sp_arena_init(&builder->text_arena, SIZE_MAX);
    builder->text_seed = sp_hash_seed();
    sp_block_builder_reset(builder);
    *ret = builder;
    return SP_OK;
}

void sp_block_builder_free(struct sp_block_builder *builder)
{
    if (builder == NULL)
        return;
    sp_interner_fini(&builder->names);
    sp_interner_fini(&builder->column_keys);
    sp_interner_fini(&builder->resource_texts);
    sp_interner_fini(&builder->scope_texts);
    for (int t = 0; t < SP_BLOCK_TABLE_COUNT; t++) {
        sp_interner_fini(&builder->tables[t].words);
        sp_vector_fini(&builder->tables[t].rows);
        sp_vector_fini(&builder->tables[t].templates);
    }
    for (uint32_t i = 0; i < builder->columns.cap; i++) {
        sp_vector_fini(&builder->columns.items[i].codes);
        sp_vector_fini(&builder->columns.items[i].numbers);
        sp_interner_fini(&builder->columns.items[i].texts);
    }
    sp_vector_fini(&builder->columns);
    sp_vector_fini(&builder->trace_ids);
    sp_vector_fini(&builder->trace_rows);
    sp_vector_fini(&builder->span_ids);
    sp_vector_fini(&builder->parent_ids);
    sp_vector_fini(&builder->starts);
    sp_vector_fini(&builder->ends);
    sp_vector_fini(&builder->event_times);
    sp_vector_fini(&builder->link_trace_ids);
    sp_vector_fini(&builder->link_span_ids);
    sp_vector_fini(&builder->resources);
    sp_vector_fini(&builder->scopes);
    sp_vector_fini(&builder->view_columns);
    sp_buf_fini(&builder->scratch);
    sp_arena_fini(&builder->arena);
    sp_arena_fini(&builder->text_arena);
    free(builder);
}

/* Gives back what dictionaries of columns, also of those that are no more, keep for the next block. */
static void forget_texts(struct sp_block_builder *builder)
{
    for (uint32_t i = 0; i < builder->columns.cap; i++) {
        sp_interner_fini(&builder->columns.items[i].texts);
        builder->columns.items[i].texts = (struct sp_interner){0};
    }
}

void sp_block_builder_reset(struct sp_block_builder *builder)
{
    size_t slot_count = 0;
    sp_interner_reset(&builder->names);
    sp_interner_reset(&builder->column_keys);
    sp_interner_reset(&builder->resource_texts);
    sp_interner_reset(&builder->scope_texts);
    for (int t = 0; t < SP_BLOCK_TABLE_COUNT; t++) {
        sp_interner_reset(&builder->tables[t].words);
        builder->tables[t].rows.count = builder->tables[t].templates.count = 0;
    }
    for (uint32_t i = 0; i < builder->columns.count; i++) {
        struct column_build *build = &builder->columns.items[i];
        build->codes.count = build->numbers.count = 0;
        slot_count += build->texts.slot_count;
        sp_interner_reset(&build->texts);
        build->tried_count = build->new_count = 0;
    }
    if (slot_count > SLOTS_KEPT)
        forget_texts(builder);
    builder->columns.count = 0;
    builder->trace_ids.count = builder->trace_rows.count = 0;
    builder->span_ids.count = builder->parent_ids.count = 0;
    builder->starts.count = builder->ends.count = 0;
    builder->event_times.count = 0;
    builder->link_trace_ids.count = builder->link_span_ids.count = 0;
    builder->resources.count = builder->scopes.count = 0;
    builder->bytes = 0;
    builder->closed = false;
    builder->generation++;
    sp_buf_reset(&builder->scratch);
    sp_arena_reset(&builder->arena);
    sp_arena_reset(&builder->text_arena);
}

uint32_t sp_block_builder_rows(const struct sp_block_builder *builder)
{
    return builder->span_ids.count;
}

bool sp_block_builder_is_full(const struct sp_block_builder *builder)
{
    return builder->closed || builder->span_ids.count >= SP_BLOCK_ROWS_MAX ||
           builder->bytes >= SP_BLOCK_BYTES_MAX || builder->event_times.count >= CHILDREN_MAX ||
           builder->link_span_ids.count >= CHILDREN_MAX;
}

/* ---- what rows share ---- */

uint32_t sp_block_builder_name(struct sp_block_builder *builder, struct sp_slice name)
{
    size_t before = builder->names.bytes;
    uint32_t number = sp_interner_add(&builder->names, 0, name);
    builder->bytes += builder->names.bytes - before;
    return number;
}

/* Looking up texts that are nearly all new, like ids and addresses, costs more than it saves. So in a column where of the latest
 * texts fewer than a sixteenth were known, only one of eight is looked up, to notice when that changes. */
#define NEW_TRIED_MIN 64
#define NEW_TRIED_MAX 256
#define NEW_SAMPLED   8

static bool is_to_be_looked_up(const struct column_build *build)
{
    return build->tried_count < NEW_TRIED_MIN || build->new_count * 16 < build->tried_count * 15 ||
           build->codes.count % NEW_SAMPLED == 0;
}

uint32_t sp_block_builder_new_value(struct sp_block_builder *builder, struct column_build *build,
                                    struct sp_slice text)
{
    builder->bytes += text.len;
    return sp_interner_append(&build->texts, text);
}

uint32_t sp_block_builder_value(struct sp_block_builder *builder, struct column_build *build,
                                struct sp_slice text)
{
    uint32_t count = build->texts.texts.count;
    if (!is_to_be_looked_up(build))
        return sp_block_builder_new_value(builder, build, text);
    uint32_t number = sp_interner_add(&build->texts, 0, text);
    build->tried_count++;
    if (number == count) {
        build->new_count++;
        builder->bytes += text.len;
    }
    if (build->tried_count >= NEW_TRIED_MAX) {
        build->tried_count /= 2;
        build->new_count /= 2;
    }
    return number;
}

uint32_t sp_block_builder_kept_value(struct sp_block_builder *builder, struct column_build *build,
                                     struct sp_slice text)
{
    if (!sp_vector_push(&build->texts.texts, text))
        return SP_INTERNER_NONE;
    builder->bytes += text.len;
    return build->texts.texts.count - 1;
}

uint32_t sp_block_builder_column(struct sp_block_builder *builder, enum sp_block_table table,
                                 enum sp_column_role role, enum sp_value_kind kind,
                                 struct sp_slice key)
{
    uint32_t salt = (uint32_t)table << 16 | (uint32_t)role << 8 | (uint32_t)kind;
    /* Keys of attributes leave room for the roles of all tables. */
    uint32_t limit =
        role == SP_ROLE_ATTRIBUTE ? SP_BLOCK_COLUMNS_MAX - ROLE_COLUMNS : SP_BLOCK_COLUMNS_MAX;
    if (builder->columns.count >= limit)
        return sp_interner_find(&builder->column_keys, salt, key);
    uint32_t number = sp_interner_add(&builder->column_keys, salt, key);
    if (number == SP_INTERNER_NONE || number < builder->columns.count)
        return number;
    uint32_t old_cap = builder->columns.cap;
    if (!sp_vector_reserve(&builder->columns, 1)) {
        builder->columns.count = number; /* nothing uses it: the builder can only be reset */
        return SP_INTERNER_NONE;
    }
    if (builder->columns.cap > old_cap)
        memset(builder->columns.items + old_cap, 0,
               (builder->columns.cap - old_cap) * sizeof(*builder->columns.items));
    struct column_build *column = &builder->columns.items[builder->columns.count++];
    column->column = (struct sp_column){.table = table,
                                        .role = role,
                                        .kind = kind,
                                        .key = builder->column_keys.texts.items[number]};
    if (column->texts.shared_arena == NULL)
        sp_interner_init_shared(&column->texts, &builder->text_arena, builder->text_seed);
    builder->bytes += sizeof(*column) + key.len;
    return number;
}

uint32_t sp_block_builder_resource(struct sp_block_builder *builder, struct sp_slice text)
{
    uint32_t number = sp_interner_add(&builder->resource_texts, 0, text);
    if (number == SP_INTERNER_NONE || number < builder->resources.count)
        return number;
    struct sp_resource resource;
    builder->bytes += text.len;
    if (sp_resource_unpack(builder->resource_texts.texts.items[number], &builder->arena,
                           &resource) != SP_OK ||
        !sp_vector_push(&builder->resources, resource))
        return SP_INTERNER_NONE;
    return number;
}

uint32_t sp_block_builder_scope(struct sp_block_builder *builder, struct sp_slice text)
{
    uint32_t number = sp_interner_add(&builder->scope_texts, 0, text);
    if (number == SP_INTERNER_NONE || number < builder->scopes.count)
        return number;
    struct sp_scope scope;
    builder->bytes += text.len;
    if (sp_scope_unpack(builder->scope_texts.texts.items[number], &builder->arena, &scope) !=
            SP_OK ||
        !sp_vector_push(&builder->scopes, scope))
        return SP_INTERNER_NONE;
    return number;
}

static void template_from_words(const uint32_t *words, uint32_t word_count, struct sp_template *ret)
{
    *ret = (struct sp_template){.resource = words[WORD_RESOURCE],
                                .scope = words[WORD_SCOPE],
                                .name = words[WORD_NAME],
                                .kind = (int32_t)words[WORD_KIND],
                                .status_code = (int32_t)words[WORD_STATUS],
                                .bits = words[WORD_BITS],
                                .flags = words[WORD_FLAGS],
                                .dropped_attributes = words[WORD_DROPPED_ATTRIBUTES],
                                .dropped_events = words[WORD_DROPPED_EVENTS],
                                .dropped_links = words[WORD_DROPPED_LINKS],
                                .column_count = word_count - WORD_COUNT,
                                .columns = words + WORD_COUNT};
}

bool sp_block_builder_template(struct sp_block_builder *builder, enum sp_block_table table,
                               const uint32_t *words, uint32_t word_count, uint32_t *ret)
{
    struct table_build *build = &builder->tables[table];
    struct sp_slice text = sp_slice_make(words, word_count * sizeof(*words));
    uint32_t number = sp_interner_add(&build->words, 0, text);
    if (number == SP_INTERNER_NONE)
        return false;
    if (number == build->templates.count) {
        if (!sp_vector_reserve(&build->templates, 1))
            return false;
        template_from_words((const uint32_t *)(const void *)build->words.texts.items[number].ptr,
                            word_count, &build->templates.items[build->templates.count++]);
        builder->bytes += text.len;
    }
    *ret = number;
    return true;
}

bool sp_block_builder_trace(struct sp_block_builder *builder, const struct sp_trace_id *id)
{
    uint32_t count = builder->trace_ids.count;
    if (count > 0 && memcmp(&builder->trace_ids.items[count - 1], id, sizeof(*id)) == 0)
        return true;
    SP_ASSERT(count == 0 || sp_trace_id_compare(&builder->trace_ids.items[count - 1], id) < 0);
    return sp_vector_push(&builder->trace_ids, *id) &&
           sp_vector_push(&builder->trace_rows, builder->span_ids.count);
}

/* ---- the block ---- */

static void view_columns(struct sp_block_builder *builder)
{
    builder->names_dictionary = (struct sp_dictionary){.texts = builder->names.texts.items,
                                                       .count = builder->names.texts.count};
    for (uint32_t i = 0; i < builder->columns.count; i++) {
        struct column_build *from = &builder->columns.items[i];
        struct sp_column column = from->column;
        if (from->codes.count > 0) {
            column.codes = from->codes.items;
            from->dictionary = (struct sp_dictionary){.texts = from->texts.texts.items,
                                                      .count = from->texts.texts.count};
            column.dictionary = &from->dictionary;
        } else if (from->numbers.count > 0) {
            column.numbers = from->numbers.items;
        }
        builder->view_columns.items[i] = column;
    }
    builder->view_columns.count = builder->columns.count;
}

enum sp_status sp_block_builder_view(struct sp_block_builder *builder, struct sp_block *ret,
                                     struct sp_error *reterr)
{
    if (!sp_vector_reserve(&builder->trace_rows, 1) ||
        !sp_vector_reserve(&builder->view_columns, builder->columns.count))
        return sp_error_set(reterr, SP_NO_MEMORY, "no memory to build a block");
    builder->trace_rows.items[builder->trace_rows.count] = builder->span_ids.count;
    builder->view_columns.count = 0;
    view_columns(builder);
    struct sp_block block = {.trace_count = builder->trace_ids.count,
                             .trace_ids = builder->trace_ids.items,
                             .trace_rows = builder->trace_rows.items,
                             .span_ids = builder->span_ids.items,
                             .parent_ids = builder->parent_ids.items,
                             .starts = builder->starts.items,
                             .ends = builder->ends.items,
                             .event_times = builder->event_times.items,
                             .link_trace_ids = builder->link_trace_ids.items,
                             .link_span_ids = builder->link_span_ids.items,
                             .names = &builder->names_dictionary,
                             .resources = builder->resources.items,
                             .resource_texts = builder->resource_texts.texts.items,
                             .resource_count = builder->resources.count,
                             .scopes = builder->scopes.items,
                             .scope_texts = builder->scope_texts.texts.items,
                             .scope_count = builder->scopes.count,
                             .columns = builder->view_columns.items,
                             .column_count = builder->columns.count};
    for (int t = 0; t < SP_BLOCK_TABLE_COUNT; t++) {
        const struct table_build *build = &builder->tables[t];
        block.tables[t] =
            (struct sp_block_rows){.count = build->rows.count, .templates = build->rows.items};
        block.templates[t] = build->templates.items;
        block.template_counts[t] = build->templates.count;
    }
    block.start_min_unix_ns = UINT64_MAX;
    for (uint32_t i = 0; i < builder->starts.count; i++) {
        uint64_t start = builder->starts.items[i];
        block.start_min_unix_ns = start < block.start_min_unix_ns ? start : block.start_min_unix_ns;
        block.start_max_unix_ns = start > block.start_max_unix_ns ? start : block.start_max_unix_ns;
    }
    *ret = block;
    return SP_OK;
}
