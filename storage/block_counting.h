/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/block_counting.h: one count over a block: its rows in range, and a walk over the values of every row for what cannot
 * be counted by template or by column. Internal to block_count*.c. */
#pragma once

#include "storage/block_count.h"

struct sp_counting {
    struct sp_block_view *view;
    const struct sp_block *block;
    struct sp_tally *tally;
    struct sp_arena arena;    /* of this count */
    struct sp_arena unpacked; /* of one packed value */
    const uint64_t *rows;     /* in range; NULL: all */
    uint32_t *template_rows;  /* rows in range of each template of spans */
    uint32_t in_range;        /* 0: there is nothing to count */
    struct sp_error *reterr;
};

/* Fills it in; to be finished in any case. */
SP_MUST_USE enum sp_status sp_counting_init(struct sp_counting *counting,
                                            struct sp_block_view *view, struct sp_time_range range,
                                            struct sp_tally *tally, struct sp_error *reterr);
void sp_counting_fini(struct sp_counting *counting);

/* Zeroed memory for this count; NULL: there is none. */
void *sp_counting_alloc(struct sp_counting *counting, size_t count, size_t size);
enum sp_status sp_counting_no_memory(struct sp_counting *counting);

/* The attributes that a value of a MORE_ATTRIBUTES column is; valid until the next call. */
SP_MUST_USE enum sp_status sp_counting_unpack(struct sp_counting *counting, struct sp_slice packed,
                                              const struct sp_attribute **ret, uint32_t *ret_count);

/* The bit of the attributes of a table. */
enum sp_attribute_scope sp_counting_scope(enum sp_block_table table);

/* ---- a walk ---- */

struct sp_counting_walk {
    struct sp_counting *counting;
    /* Is the value of a column, in a row of this template, one to visit? Where visit reads values, every template's answer has to
     * be the same, so that positions are right. */
    bool (*wants)(void *cookie, const struct sp_template *template, const struct sp_column *column);
    /* A row in range, before its values. */
    void (*begin)(void *cookie, const struct sp_template *template, uint64_t mark);
    /* One value of it, or of one of its events or links. */
    enum sp_status (*visit)(void *cookie, uint32_t column, uint32_t position, uint64_t mark);
    void *cookie;
    bool children; /* events and links too */
};

/* Every row in range gets a mark of its own. Values of roles are loaded, those of attributes are not. */
SP_MUST_USE enum sp_status sp_counting_walk(const struct sp_counting_walk *walk,
                                            uint64_t *next_mark);
