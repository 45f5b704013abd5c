/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/block_pool.c: numbers that several blocks have in common, and what they are in the block that is built of their rows. Knows
 * no rows, neither disks nor engines. */
#include "storage/block_pool.h"

/* ---- life ---- */

static void list_init(struct sp_block_pool *pool, struct sp_pool_list *list)
{
    *list = (struct sp_pool_list){0};
    sp_interner_init_shared(&list->texts, &pool->arena, pool->seed);
}

static void list_fini(struct sp_pool_list *list)
{
    sp_interner_fini(&list->texts);
    sp_vector_fini(&list->marks);
    *list = (struct sp_pool_list){0};
}

enum sp_status sp_block_pool_new(struct sp_block_pool **ret, struct sp_error *reterr)
{
    struct sp_block_pool *pool = calloc(1, sizeof(*pool));
    if (pool == NULL)
        return sp_error_set(reterr, SP_NO_MEMORY, "no memory to copy blocks");
    sp_arena_init(&pool->arena, SIZE_MAX);
    pool->seed = sp_hash_seed();
    list_init(pool, &pool->names);
    list_init(pool, &pool->resources);
    list_init(pool, &pool->scopes);
    for (int t = 0; t < SP_BLOCK_TABLE_COUNT; t++)
        sp_interner_init_shared(&pool->templates[t].words, &pool->arena, pool->seed);
    sp_interner_init_shared(&pool->column_keys, &pool->arena, pool->seed);
    *ret = pool;
    return SP_OK;
}

void sp_block_pool_free(struct sp_block_pool *pool)
{
    if (pool == NULL)
        return;
    list_fini(&pool->names);
    list_fini(&pool->resources);
    list_fini(&pool->scopes);
    for (int t = 0; t < SP_BLOCK_TABLE_COUNT; t++) {
        sp_interner_fini(&pool->templates[t].words);
        sp_vector_fini(&pool->templates[t].items);
    }
    sp_interner_fini(&pool->column_keys);
    for (uint32_t i = 0; i < pool->columns.count; i++)
        list_fini(&pool->columns.items[i]->values);
    sp_vector_fini(&pool->columns);
    sp_arena_fini(&pool->arena);
    free(pool);
}

/* ---- numbers of the pool ---- */

uint32_t sp_pool_add(struct sp_pool_list *list, struct sp_slice text)
{
    uint32_t number = sp_interner_add(&list->texts, 0, text);
    if (number == SP_INTERNER_NONE)
        return 0;
    if (number == list->marks.count &&
        !sp_vector_push(&list->marks, ((struct sp_pool_mark){.generation = 0})))
        return 0;
    return number + 1;
}

struct sp_pool_column *sp_pool_column(struct sp_block_pool *pool, const struct sp_column *like,
                                      uint32_t *ret_number)
{
    uint32_t salt = (uint32_t)like->table << 16 | (uint32_t)like->role << 8 | (uint32_t)like->kind;
    uint32_t number = sp_interner_add(&pool->column_keys, salt, like->key);
    if (number == SP_INTERNER_NONE)
        return NULL;
    if (number == pool->columns.count) {
        struct sp_pool_column *column = sp_arena_calloc(&pool->arena, 1, sizeof(*column));
        if (column == NULL || !sp_vector_push(&pool->columns, column))
            return NULL;
        column->table = like->table;
        column->role = like->role;
        column->kind = like->kind;
        column->key = pool->column_keys.texts.items[number];
        list_init(pool, &column->values);
    }
    *ret_number = number;
    return pool->columns.items[number];
}

uint32_t sp_pool_template(struct sp_block_pool *pool, enum sp_block_table table,
                          const uint32_t *words, uint32_t word_count)
{
    struct sp_pool_templates *templates = &pool->templates[table];
    uint32_t number =
        sp_interner_add(&templates->words, 0, sp_slice_make(words, word_count * sizeof(*words)));
    if (number == SP_INTERNER_NONE)
        return 0;
    if (number == templates->items.count) {
        const uint32_t *kept =
            (const uint32_t *)(const void *)templates->words.texts.items[number].ptr;
        struct sp_pool_template template = {.columns = kept + WORD_COUNT,
                                            .column_count = word_count - WORD_COUNT,
                                            .events = SP_INTERNER_NONE,
                                            .links = SP_INTERNER_NONE};
        for (uint32_t i = 0; i < template.column_count; i++) {
            enum sp_column_role role = pool->columns.items[template.columns[i]]->role;
            if (role == SP_ROLE_EVENT_COUNT)
                template.events = template.columns[i];
            if (role == SP_ROLE_LINK_COUNT)
                template.links = template.columns[i];
        }
        if (!sp_vector_push(&templates->items, template))
            return 0;
    }
    return number + 1;
}

/* ---- the block at hand ---- */

static void close_if_useless(struct sp_block_pool *pool, struct sp_pool_column *column)
{
    const struct sp_interner *texts = &column->values.texts;
    uint32_t most =
        pool->arena.used_bytes > SP_POOL_BYTES_MAX ? SP_POOL_COLUMN_FEW : SP_POOL_COLUMN_TEXTS_MAX;
    column->distinct = column->text_count * 8 > column->value_count * 7;
    if (texts->texts.count <= most && texts->bytes <= SP_POOL_COLUMN_BYTES_MAX && !column->distinct)
        return;
    column->closed = true;
    list_fini(&column->values);
}

static enum sp_pool_outcome place_column(struct sp_block_pool *pool,
                                         struct sp_block_builder *builder, uint32_t number,
                                         uint32_t *ret)
{
    struct sp_pool_column *column = pool->columns.items[number];
    if (column->mark.generation != pool->generation) {
        uint32_t before = builder->columns.count;
        column->mark.number = sp_block_builder_column(builder, column->table, column->role,
                                                      column->kind, column->key);
        if (column->mark.number == SP_INTERNER_NONE)
            return before >= SP_BLOCK_COLUMNS_MAX - ROLE_COLUMNS ? SP_POOL_NO_PLACE
                                                                 : SP_POOL_NO_MEMORY;
        column->mark.generation = pool->generation;
        close_if_useless(pool, column);
    }
    *ret = column->mark.number;
    return SP_POOL_DONE;
}

/* A number of the pool in the block at hand. SP_INTERNER_NONE: no memory. */
static uint32_t place(struct sp_block_pool *pool, struct sp_block_builder *builder,
                      struct sp_pool_list *list, uint32_t number,
                      uint32_t (*add)(struct sp_block_builder *builder, struct sp_slice text))
{
    struct sp_pool_mark *mark = &list->marks.items[number];
    if (mark->generation != pool->generation) {
        mark->number = add(builder, list->texts.texts.items[number]);
        mark->generation = pool->generation;
    }
    return mark->number;
}

/* The words of a template in numbers of the block. */
static enum sp_pool_outcome place_words(struct sp_block_pool *pool,
                                        struct sp_block_builder *builder, enum sp_block_table table,
                                        uint32_t *words, uint32_t count)
{
    if (table == SP_BLOCK_SPANS) {
        words[WORD_RESOURCE] =
            place(pool, builder, &pool->resources, words[WORD_RESOURCE], sp_block_builder_resource);
        words[WORD_SCOPE] =
            place(pool, builder, &pool->scopes, words[WORD_SCOPE], sp_block_builder_scope);
    }
    if (table != SP_BLOCK_LINKS)
        words[WORD_NAME] =
            place(pool, builder, &pool->names, words[WORD_NAME], sp_block_builder_name);
    if (words[WORD_RESOURCE] == SP_INTERNER_NONE || words[WORD_SCOPE] == SP_INTERNER_NONE ||
        words[WORD_NAME] == SP_INTERNER_NONE)
        return SP_POOL_NO_MEMORY;
    enum sp_pool_outcome outcome = SP_POOL_DONE;
    for (uint32_t i = WORD_COUNT; i < count && outcome == SP_POOL_DONE; i++)
        outcome = place_column(pool, builder, words[i], &words[i]);
    return outcome;
}

enum sp_pool_outcome sp_pool_place_template(struct sp_block_pool *pool,
                                            struct sp_block_builder *builder,
                                            enum sp_block_table table, uint32_t template)
{
    struct sp_pool_template *item = &pool->templates[table].items.items[template];
    struct sp_pool_mark *mark = &item->mark;
    if (mark->generation != pool->generation) {
        uint32_t count = WORD_COUNT + item->column_count;
        uint32_t words[WORDS_MAX];
        SP_ASSERT(count <= WORDS_MAX);
        memcpy(words, item->columns - WORD_COUNT, count * sizeof(*words));
        enum sp_pool_outcome outcome = place_words(pool, builder, table, words, count);
        if (outcome != SP_POOL_DONE)
            return outcome;
        if (!sp_block_builder_template(builder, table, words, count, &mark->number))
            return SP_POOL_NO_MEMORY;
        mark->generation = pool->generation;
    }
    return SP_POOL_DONE;
}
