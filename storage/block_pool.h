/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/block_pool.h: the inside of a pool, for block_pool.c and block_copy.c: what several blocks have in common that are copied
 * from, each thing with one number for all of them, and which number of the block at hand that is. Internal to these.
 *
 *   number of a source --map of the source--> number of the pool --marks--> number of the block that is built
 *
 * The first step hashes and compares a text, once a source; the second, once for each block that is built, does not. */
#pragma once

#include "storage/block_builder.h"

/* A column with more texts, or more bytes of texts, gets no numbers for them: its sources have little in common, and the pool would be as
 * large as they are. The same for one with more than a few once all columns together have too many bytes. */
#define SP_POOL_COLUMN_TEXTS_MAX ((uint32_t)64 * 1024)
#define SP_POOL_COLUMN_FEW       ((uint32_t)256)
#define SP_POOL_COLUMN_BYTES_MAX ((size_t)4 * 1024 * 1024)
#define SP_POOL_BYTES_MAX        ((size_t)16 * 1024 * 1024)

/* Which number something has in the block at hand, if generation is the present one. */
struct sp_pool_mark {
    uint32_t generation, number;
};

struct sp_pool_list {
    struct sp_interner texts;
    SP_VECTOR(struct sp_pool_mark) marks; /* of each text */
};

struct sp_pool_column {
    struct sp_pool_mark mark;
    /* Texts that are hardly ever twice in a source: looking them up costs more than it finds, and a block keeps them one for each row anyway. */
    bool distinct;
    bool closed; /* texts have no numbers of the pool; both change between two blocks only */
    struct sp_pool_list values;
    uint64_t value_count,
        text_count; /* of the columns of sources: with a text, and different ones, as far as they know */
    enum sp_block_table table;
    enum sp_column_role role;
    enum sp_value_kind kind;
    struct sp_slice key;
};

struct sp_pool_template {
    struct sp_pool_mark mark;
    const uint32_t *columns; /* of the pool */
    uint32_t column_count;
    uint32_t events,
        links; /* those that say how many children a row has; SP_INTERNER_NONE: none does */
};

struct sp_pool_templates {
    struct sp_interner words; /* in numbers of the pool */
    SP_VECTOR(struct sp_pool_template) items;
};

struct sp_block_pool {
    struct sp_arena arena; /* columns, and the texts of all */
    uint64_t seed;
    struct sp_pool_list names, resources, scopes;
    struct sp_pool_templates templates[SP_BLOCK_TABLE_COUNT];
    struct sp_interner column_keys;
    SP_VECTOR(struct sp_pool_column *) columns;
    /* The block at hand. */
    const struct sp_block_builder *builder;
    uint64_t builder_generation;
    uint32_t generation;
};

/* Rows are going to be added to this builder: are marks of its present block? */
static inline void sp_pool_begin(struct sp_block_pool *pool, const struct sp_block_builder *builder)
{
    if (pool->builder != builder || pool->builder_generation != builder->generation) {
        pool->builder = builder;
        pool->builder_generation = builder->generation;
        pool->generation++;
    }
}

/* The number of a text, plus 1; 0: no memory. */
uint32_t sp_pool_add(struct sp_pool_list *list, struct sp_slice text);
/* The column that a column of a source becomes part of. NULL: no memory. */
struct sp_pool_column *sp_pool_column(struct sp_block_pool *pool, const struct sp_column *like,
                                      uint32_t *ret_number);

/* The number of a template, plus 1; 0: no memory. */
uint32_t sp_pool_template(struct sp_block_pool *pool, enum sp_block_table table,
                          const uint32_t *words, uint32_t word_count);

enum sp_pool_outcome { SP_POOL_DONE, SP_POOL_NO_PLACE, SP_POOL_NO_MEMORY };

/* Sees to it that a template of the pool has its mark: a number in the builder's block. NO_PLACE: it needs more columns than are left. */
enum sp_pool_outcome sp_pool_place_template(struct sp_block_pool *pool,
                                            struct sp_block_builder *builder,
                                            enum sp_block_table table, uint32_t template);
