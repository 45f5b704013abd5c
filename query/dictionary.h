/* SPDX-License-Identifier: Apache-2.0
 *
 * query/dictionary.h: texts of many rows as numbers in a sorted table that has each text once, as the columns of a trace hold
 * them. Pure. */
#pragma once

#include "lib/base/base.h"

struct sp_dictionary {
    struct sp_slice *texts; /* sorted, each once */
    size_t count;
    uint32_t *codes; /* one for each text that was given: its place in texts */
};

/* arena owns the result, which keeps slices of texts. False: the arena is full. */
bool sp_dictionary_make(struct sp_arena *arena, const struct sp_slice *texts, uint32_t count,
                        struct sp_dictionary *ret);

/* Its texts as an array under a key. */
void sp_dictionary_write(struct sp_json_writer *w, const char *key,
                         const struct sp_dictionary *dictionary);
