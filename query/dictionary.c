/* SPDX-License-Identifier: Apache-2.0
 *
 * query/dictionary.c: see query/dictionary.h. */
#include "query/dictionary.h"

#include <stdlib.h>

/* A text that was seen, perhaps not for the first time. */
struct candidate {
    struct sp_slice text;
    uint32_t index;
};

/* Rows repeat few texts: a small table remembers, for each hash, the candidate seen last. What it forgets only becomes a
 * candidate again, so names that collide on purpose cost a larger sort and no more. */
#define RECENT 4096

static uint32_t recent_slot(struct sp_slice text)
{
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < text.len && i < 64; i++)
        hash = (hash ^ text.ptr[i]) * 16777619u;
    return (hash ^ hash >> 16) % RECENT;
}

static int compare_candidates(const void *a, const void *b)
{
    return sp_slice_compare(((const struct candidate *)a)->text,
                            ((const struct candidate *)b)->text);
}

/* Sorts the candidates and gives each its place in the table; the codes of the rows are candidates before and places after. */
static bool place_candidates(struct sp_arena *arena, struct candidate *candidates,
                             uint32_t candidate_count, uint32_t row_count,
                             struct sp_dictionary *ret)
{
    uint32_t *code_of = sp_arena_calloc(arena, candidate_count, sizeof(*code_of));
    ret->texts = sp_arena_calloc(arena, candidate_count, sizeof(*ret->texts));
    if (!code_of || !ret->texts)
        return false;
    if (candidate_count > 0)
        qsort(candidates, candidate_count, sizeof(*candidates), compare_candidates);
    ret->count = 0;
    for (uint32_t i = 0; i < candidate_count; i++) {
        if (i == 0 || !sp_slice_equal(candidates[i - 1].text, candidates[i].text))
            ret->texts[ret->count++] = candidates[i].text;
        code_of[candidates[i].index] = (uint32_t)(ret->count - 1);
    }
    for (uint32_t row = 0; row < row_count; row++)
        ret->codes[row] = code_of[ret->codes[row]];
    return true;
}

bool sp_dictionary_make(struct sp_arena *arena, const struct sp_slice *texts, uint32_t count,
                        struct sp_dictionary *ret)
{
    uint32_t candidate_count = 0;
    struct candidate *candidates = sp_arena_calloc(arena, count, sizeof(*candidates));
    uint32_t *recent = sp_arena_calloc(arena, RECENT, sizeof(*recent)); /* index + 1 */
    ret->codes = sp_arena_calloc(arena, count, sizeof(*ret->codes));
    if (!candidates || !recent || !ret->codes)
        return false;
    for (uint32_t row = 0; row < count; row++) {
        uint32_t *slot = &recent[recent_slot(texts[row])];
        if (*slot == 0 || !sp_slice_equal(candidates[*slot - 1].text, texts[row])) {
            candidates[candidate_count] = (struct candidate){texts[row], candidate_count};
            *slot = ++candidate_count;
        }
        ret->codes[row] = *slot - 1;
    }
    return place_candidates(arena, candidates, candidate_count, count, ret);
}

void sp_dictionary_write(struct sp_json_writer *w, const char *key,
                         const struct sp_dictionary *dictionary)
{
    sp_json_key(w, key);
    sp_json_array_begin(w);
    for (size_t i = 0; i < dictionary->count; i++)
        sp_json_string(w, dictionary->texts[i]);
    sp_json_array_end(w);
}
