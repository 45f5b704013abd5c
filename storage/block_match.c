/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/block_match.c: a scan over one block: the conditions together, step by step, until nothing is left to decide.
 * Knows neither disks nor engines. */
#include "storage/block_asking.h"

#include <stdlib.h>

enum sp_status sp_block_match_init(struct sp_block_match *match, const struct sp_scan *scan,
                                   struct sp_error *reterr)
{
    *match = (struct sp_block_match){.scan = scan};
    match->sets = calloc(scan->condition_count + 1, sizeof(*match->sets));
    if (match->sets == NULL)
        return sp_error_set(reterr, SP_NO_MEMORY, "no memory to scan blocks");
    for (size_t i = 0; i < scan->condition_count; i++)
        sp_value_set_init(&match->sets[i], &scan->conditions[i]);
    sp_arena_init(&match->arena, SIZE_MAX);
    sp_arena_init(&match->unpacked, SIZE_MAX);
    return SP_OK;
}

void sp_block_match_fini(struct sp_block_match *match)
{
    if (match == NULL || match->sets == NULL)
        return;
    free(match->sets);
    sp_arena_fini(&match->arena);
    sp_arena_fini(&match->unpacked);
    *match = (struct sp_block_match){0};
}

/* ---- conditions together ---- */

/* What one condition says of some rows decides for all of them. */
static enum sp_share deciding(const struct sp_scan *scan)
{
    return scan->match_any ? SP_SHARE_ALL : SP_SHARE_NONE;
}

static enum sp_share together(const struct sp_scan *scan, enum sp_share a, enum sp_share b)
{
    return scan->match_any == (a > b) ? a : b;
}

/* What the dictionaries say, of tests or of the other conditions. */
static enum sp_status begin_texts(struct sp_asking *asking, bool of_tests, bool *possible)
{
    const struct sp_scan *scan = asking->match->scan;
    enum sp_status status = SP_OK;
    for (size_t i = 0; i < scan->condition_count && *possible && status == SP_OK; i++) {
        if (sp_asked_is_test(&asking->conditions[i]) != of_tests)
            continue;
        status = sp_asking_texts(asking, &asking->conditions[i]);
        if (!scan->match_any)
            *possible = sp_asked_is_possible(asking, &asking->conditions[i]);
    }
    return status;
}

/* Conditions as far as they can be decided without rows. *ret_share: of all rows; not SOME: it is decided. */
static enum sp_status begin(struct sp_asking *asking, enum sp_share *ret_share)
{
    const struct sp_scan *scan = asking->match->scan;
    enum sp_status status = SP_OK;
    bool possible = true;
    for (size_t i = 0; i < scan->condition_count && possible && status == SP_OK; i++) {
        asking->conditions[i] =
            (struct sp_asked){.condition = &scan->conditions[i], .set = &asking->match->sets[i]};
        status = sp_asking_begin(asking, &asking->conditions[i]);
        if (!scan->match_any)
            possible = sp_asked_is_possible(asking, &asking->conditions[i]);
    }
    if (status == SP_OK)
        status = begin_texts(asking, false, &possible);
    if (status == SP_OK)
        status = begin_texts(asking, true, &possible);
    enum sp_share share = scan->match_any ? SP_SHARE_NONE : SP_SHARE_ALL;
    if (!possible)
        share = SP_SHARE_NONE;
    for (size_t i = 0; i < scan->condition_count && possible && status == SP_OK; i++) {
        status = sp_asking_templates(asking, &asking->conditions[i]);
        share = together(scan, share, asking->conditions[i].tables[SP_BLOCK_SPANS].share);
        possible = share != deciding(scan);
    }
    *ret_share = share;
    return status;
}

/* All conditions for each template. */
static uint8_t *combine(struct sp_asking *asking, enum sp_share *ret_share)
{
    const struct sp_scan *scan = asking->match->scan;
    uint32_t count = asking->block->template_counts[SP_BLOCK_SPANS];
    uint8_t *combined = sp_asking_alloc(asking, count, 1);
    bool all = true;
    bool none = true;
    for (uint32_t t = 0; t < count && combined != NULL; t++) {
        enum sp_share share = asking->conditions[0].tables[SP_BLOCK_SPANS].templates[t];
        for (size_t i = 1; i < scan->condition_count; i++)
            share =
                together(scan, share, asking->conditions[i].tables[SP_BLOCK_SPANS].templates[t]);
        combined[t] = (uint8_t)share;
        all &= share == SP_SHARE_ALL;
        none &= share == SP_SHARE_NONE;
    }
    *ret_share = all ? SP_SHARE_ALL : none ? SP_SHARE_NONE : SP_SHARE_SOME;
    return combined;
}

static bool templates_have(const struct sp_asking *asking, const uint8_t *templates,
                           enum sp_share share)
{
    uint32_t count = asking->block->template_counts[SP_BLOCK_SPANS];
    return memchr(templates, (int)share, count) != NULL;
}

/* Is there a template that is open only because of this condition, or also because of it? */
static bool is_open(const struct sp_asking *asking, const struct sp_asked *asked,
                    const uint8_t *combined)
{
    const uint8_t *own = asked->tables[SP_BLOCK_SPANS].templates;
    for (uint32_t t = 0; t < asking->block->template_counts[SP_BLOCK_SPANS]; t++) {
        if (combined[t] == SP_SHARE_SOME && own[t] == SP_SHARE_SOME)
            return true;
    }
    return false;
}

/* The open conditions, the cheapest first; their number. They are few. */
static size_t order(const struct sp_asking *asking, const uint8_t *combined,
                    const struct sp_asked **ret)
{
    size_t count = 0;
    for (size_t i = 0; i < asking->match->scan->condition_count; i++) {
        const struct sp_asked *asked = &asking->conditions[i];
        if (!is_open(asking, asked, combined))
            continue;
        size_t at = count++;
        for (; at > 0 && sp_asked_cost(asking, asked) < sp_asked_cost(asking, ret[at - 1]); at--)
            ret[at] = ret[at - 1];
        ret[at] = asked;
    }
    return count;
}

/* Rows that the templates leave, and then less, or more, with each condition. */
static enum sp_status ask_rows(struct sp_asking *asking, const uint8_t *combined, uint64_t *rows)
{
    const struct sp_scan *scan = asking->match->scan;
    uint32_t count = asking->block->tables[SP_BLOCK_SPANS].count;
    size_t words = sp_bitmap_words(count);
    const struct sp_asked **open =
        sp_asking_alloc(asking, scan->condition_count, sizeof(struct sp_asked *));
    uint64_t *own = sp_asking_alloc(asking, words, sizeof(*own));
    enum sp_status status = SP_OK;
    if (open == NULL || own == NULL)
        return sp_asking_no_memory(asking);
    if (templates_have(asking, combined, deciding(scan)))
        status = sp_asking_template_rows(asking, SP_BLOCK_SPANS, combined, deciding(scan), rows);
    if (!scan->match_any) {
        sp_bitmap_fill(own, count);
        for (size_t w = 0; w < words; w++)
            rows[w] = own[w] & ~rows[w];
    }
    size_t open_count = order(asking, combined, open);
    for (size_t i = 0; i < open_count && status == SP_OK; i++) {
        if (!scan->match_any && !sp_bitmap_any(rows, 0, count))
            break;
        memset(own, 0, words * sizeof(*own));
        asking->left = scan->match_any ? NULL : rows;
        status = sp_asking_rows(asking, open[i], own);
        for (size_t w = 0; w < words; w++)
            rows[w] = scan->match_any ? rows[w] | own[w] : rows[w] & own[w];
    }
    return status;
}

static enum sp_status ask(struct sp_asking *asking, enum sp_share *ret_share, uint64_t *rows)
{
    size_t condition_count = asking->match->scan->condition_count;
    *ret_share = SP_SHARE_ALL;
    if (condition_count == 0)
        return SP_OK;
    asking->conditions = sp_asking_alloc(asking, condition_count, sizeof(*asking->conditions));
    asking->asked_of_column =
        sp_asking_alloc(asking, asking->block->column_count, sizeof(*asking->asked_of_column));
    if (asking->conditions == NULL || asking->asked_of_column == NULL)
        return sp_asking_no_memory(asking);
    enum sp_status status = begin(asking, ret_share);
    if (status != SP_OK || *ret_share != SP_SHARE_SOME)
        return status;
    const uint8_t *combined = combine(asking, ret_share);
    if (combined == NULL)
        return sp_asking_no_memory(asking);
    if (*ret_share != SP_SHARE_SOME)
        return SP_OK;
    return ask_rows(asking, combined, rows);
}

enum sp_status sp_block_match_run(struct sp_block_match *match, struct sp_block_view *view,
                                  struct sp_error *reterr)
{
    struct sp_asking asking = {
        .match = match, .view = view, .block = view->block, .reterr = reterr};
    uint32_t count = view->block->tables[SP_BLOCK_SPANS].count;
    enum sp_share in_range = sp_block_share_in_range(view->block, match->scan->range);
    match->share = SP_SHARE_NONE;
    if (in_range == SP_SHARE_NONE)
        return SP_OK;
    sp_arena_reset(&match->arena);
    uint64_t *rows = sp_asking_alloc(&asking, sp_bitmap_words(count), sizeof(*rows));
    enum sp_share share;
    enum sp_status status =
        rows != NULL ? ask(&asking, &share, rows) : sp_asking_no_memory(&asking);
    if (status != SP_OK || share == SP_SHARE_NONE)
        return status;
    if (share == SP_SHARE_ALL && in_range == SP_SHARE_ALL) {
        match->share = SP_SHARE_ALL;
        return SP_OK;
    }
    if (share == SP_SHARE_ALL)
        sp_bitmap_fill(rows, count);
    if (in_range == SP_SHARE_SOME && sp_bitmap_any(rows, 0, count))
        status = sp_block_view_keep_range(view, match->scan->range, rows, reterr);
    uint32_t found = sp_bitmap_count(rows, 0, count);
    match->rows = rows;
    if (status == SP_OK)
        match->share = found == 0 ? SP_SHARE_NONE : found == count ? SP_SHARE_ALL : SP_SHARE_SOME;
    return status;
}

/* ---- traces ---- */

enum sp_status sp_block_match_traces(const struct sp_block_match *match, struct sp_block_view *view,
                                     struct sp_match_trace *ret, uint32_t *ret_count,
                                     struct sp_error *reterr)
{
    const struct sp_block *block = view->block;
    uint32_t count = 0;
    *ret_count = 0;
    if (match->share == SP_SHARE_NONE)
        return SP_OK;
    enum sp_status status = sp_block_view_traces(view, reterr);
    if (status == SP_OK)
        status = sp_block_view_starts(view, reterr);
    for (uint32_t t = 0; t < block->trace_count && status == SP_OK; t++) {
        uint32_t first = block->trace_rows[t];
        uint32_t end = block->trace_rows[t + 1];
        if (match->share == SP_SHARE_SOME && !sp_bitmap_any(match->rows, first, end))
            continue;
        uint64_t newest = 0;
        for (uint32_t row = first; row < end; row++) {
            uint64_t start = block->starts[row];
            if (start > newest && (match->share == SP_SHARE_ALL || sp_bitmap_has(match->rows, row)))
                newest = start;
        }
        ret[count++] = (struct sp_match_trace){.trace = t, .newest_start_unix_ns = newest};
    }
    *ret_count = count;
    return status;
}
