/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/block_builder.h: the inside of a builder, for the files that add to it: block_builder.c (what rows share),
 * block_spans.c (rows from spans), block_copy.c and block_pool.c (rows from other blocks). Internal to these. */
#pragma once

#include "storage/block.h"
#include "storage/interner.h"
#include "storage/pack.h"

/* A function that only prefetches. Inlined, because gcc takes one for a function that does nothing. */
#define SP_PREFETCHING static inline __attribute__((always_inline))

/* Of an array; it may end before. */
#define sp_prefetch_item(items, number)                                                            \
    __builtin_prefetch((const void *)((uintptr_t)(items) + (size_t)(number) * sizeof(*(items))))

/* Events, or links, of a block that is not full. */
#define CHILDREN_MAX (8 * SP_BLOCK_ROWS_MAX)
/* Columns of roles other than ATTRIBUTE, in all tables together, at most. */
#define ROLE_COLUMNS (SP_BLOCK_TABLE_COUNT * SP_ROLE_COUNT)

enum template_word {
    WORD_RESOURCE,
    WORD_SCOPE,
    WORD_NAME,
    WORD_KIND,
    WORD_STATUS,
    WORD_BITS,
    WORD_FLAGS,
    WORD_DROPPED_ATTRIBUTES,
    WORD_DROPPED_EVENTS,
    WORD_DROPPED_LINKS,
    WORD_COUNT, /* the columns follow */
};

/* Words of any template. */
#define WORDS_MAX (WORD_COUNT + SP_ROLE_COUNT + SP_BLOCK_LIST_MAX)

struct column_build {
    struct sp_column column; /* without values */
    SP_VECTOR(uint32_t) codes;
    SP_VECTOR(uint64_t) numbers;
    struct sp_interner
        texts; /* of its values; their memory is the builder's text_arena, or a pool's */
    struct sp_dictionary dictionary; /* the same as a view has it */
    uint32_t follower; /* the column that stood behind it in a list the last time: a guess */
    /* Of its latest texts: how many were looked up, and how many of these were new. */
    uint32_t tried_count, new_count;
};

struct table_build {
    struct sp_interner words; /* of the templates */
    SP_VECTOR(struct sp_template) templates;
    SP_VECTOR(uint32_t) rows;
};

struct sp_block_builder {
    struct sp_interner names, column_keys, resource_texts, scope_texts;
    struct sp_arena text_arena; /* texts of values */
    uint64_t text_seed;
    struct table_build tables[SP_BLOCK_TABLE_COUNT];
    SP_VECTOR(struct column_build) columns; /* those beyond count keep their memory */
    /* Guesses: the column that stood first in a list the last time, and that of each role. */
    uint32_t first_columns[SP_BLOCK_TABLE_COUNT];
    uint32_t role_columns[SP_BLOCK_TABLE_COUNT][SP_ROLE_COUNT];
    SP_VECTOR(struct sp_trace_id) trace_ids;
    SP_VECTOR(uint32_t) trace_rows;
    SP_VECTOR(struct sp_span_id) span_ids;
    SP_VECTOR(struct sp_span_id) parent_ids;
    SP_VECTOR(uint64_t) starts;
    SP_VECTOR(uint64_t) ends;
    SP_VECTOR(uint64_t) event_times;
    SP_VECTOR(struct sp_trace_id) link_trace_ids;
    SP_VECTOR(struct sp_span_id) link_span_ids;
    SP_VECTOR(struct sp_resource) resources;
    SP_VECTOR(struct sp_scope) scopes;
    size_t bytes;        /* of texts, packed values, columns and templates */
    bool closed;         /* full for another reason than those that can be counted */
    uint64_t generation; /* of resets */
    struct sp_buf scratch;
    struct sp_arena arena;                 /* of resources and scopes */
    struct sp_dictionary names_dictionary; /* as a view has it */
    SP_VECTOR(struct sp_column) view_columns;
};

/* Numbers of what rows share, made when they are new. SP_INTERNER_NONE: no memory; and of a column that there is no place
 * for (an attribute, or a builder that can only be reset). */
uint32_t sp_block_builder_name(struct sp_block_builder *builder, struct sp_slice name);
/* The number of a text in the column that it is pushed to next: a text that was there may get a new one. */
uint32_t sp_block_builder_value(struct sp_block_builder *builder, struct column_build *build,
                                struct sp_slice text);
/* The same without looking for the text. */
uint32_t sp_block_builder_new_value(struct sp_block_builder *builder, struct column_build *build,
                                    struct sp_slice text);
/* And of one that stays where it is as long as the block. */
uint32_t sp_block_builder_kept_value(struct sp_block_builder *builder, struct column_build *build,
                                     struct sp_slice text);
uint32_t sp_block_builder_column(struct sp_block_builder *builder, enum sp_block_table table,
                                 enum sp_column_role role, enum sp_value_kind kind,
                                 struct sp_slice key);
uint32_t sp_block_builder_resource(struct sp_block_builder *builder, struct sp_slice text);
uint32_t sp_block_builder_scope(struct sp_block_builder *builder, struct sp_slice text);

/* The number of a template, made when it is new. False: no memory. */
SP_MUST_USE bool sp_block_builder_template(struct sp_block_builder *builder,
                                           enum sp_block_table table, const uint32_t *words,
                                           uint32_t word_count, uint32_t *ret);
/* The next row of SPANS is of this trace. False: no memory. */
SP_MUST_USE bool sp_block_builder_trace(struct sp_block_builder *builder,
                                        const struct sp_trace_id *id);
