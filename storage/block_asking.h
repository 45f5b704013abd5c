/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/block_asking.h: one run of a scan over a block: the conditions, and what is known of each so far. Shared by
 * block_match.c (the order of things), block_asking.c (what is decided without rows) and block_asking_rows.c (row by
 * row). Internal to these. */
#pragma once

#include "storage/block_match.h"

/* A column that a condition looks into. */
struct sp_asked_column {
    uint32_t column;
    enum sp_share share; /* of its values, satisfies the condition */
    uint8_t *texts;      /* 1 for each text of its dictionary that does; NULL: not looked at */
};

struct sp_asked_table {
    uint8_t *templates;  /* enum sp_share of the rows of each template */
    enum sp_share share; /* of all rows */
};

/* One condition. */
struct sp_asked {
    const struct sp_condition *condition;
    const struct sp_value_set *set;
    struct sp_asked_column *columns;
    uint32_t column_count;
    bool *resources, *scopes; /* whose spans satisfy it by that alone; NULL: not asked */
    struct sp_asked_table tables[SP_BLOCK_TABLE_COUNT];
};

struct sp_asking {
    struct sp_block_match *match;
    struct sp_block_view *view;
    const struct sp_block *block;
    struct sp_asked *conditions;
    uint32_t
        *asked_of_column; /* by column, of the condition at hand: its number in columns, plus 1 */
    const uint64_t *left; /* rows that the condition at hand still decides; NULL: all */
    struct sp_error *reterr;
};

/* Zeroed memory for this run; NULL: there is none. */
void *sp_asking_alloc(struct sp_asking *asking, size_t count, size_t size);
enum sp_status sp_asking_no_memory(struct sp_asking *asking);

/* Collects what a condition looks into, with what is known without loading anything. */
SP_MUST_USE enum sp_status sp_asking_begin(struct sp_asking *asking, struct sp_asked *asked);
/* False: no row can satisfy it. */
bool sp_asked_is_possible(const struct sp_asking *asking, const struct sp_asked *asked);
/* Looks at the dictionaries of its columns. Of a test beside other conditions, only at small ones: the others may leave few rows. */
SP_MUST_USE enum sp_status sp_asking_texts(struct sp_asking *asking, struct sp_asked *asked);
/* Fills in the tables, from the columns. */
SP_MUST_USE enum sp_status sp_asking_templates(struct sp_asking *asking, struct sp_asked *asked);

/* Does a text of a column satisfy the condition? */
SP_MUST_USE enum sp_status sp_asking_text(struct sp_asking *asking, const struct sp_asked *asked,
                                          const struct sp_column *column, struct sp_slice text,
                                          uint8_t *ret);

static inline bool sp_asked_is_test(const struct sp_asked *asked)
{
    return asked->condition->operation == SP_OP_TEST;
}

/* How many values must be looked at to know the rows. */
uint64_t sp_asked_cost(const struct sp_asking *asking, const struct sp_asked *asked);
/* Adds the rows of SPANS that satisfy it. */
SP_MUST_USE enum sp_status sp_asking_rows(struct sp_asking *asking, const struct sp_asked *asked,
                                          uint64_t *rows);
/* Adds the rows of a table whose template's share is this. */
SP_MUST_USE enum sp_status sp_asking_template_rows(struct sp_asking *asking,
                                                   enum sp_block_table table,
                                                   const uint8_t *templates, enum sp_share share,
                                                   uint64_t *rows);
