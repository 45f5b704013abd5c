/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/text_list.h: texts in an order, as few bytes: their lengths, then all of them behind one another. How many there
 * are stands elsewhere. Internal to the block codec. Knows no spans. */
#pragma once

#include "storage/numbers.h"
#include "storage/vector.h"

/* Texts that are collected, to be written. Zero-initialised is empty but for bytes, which needs a ceiling. */
struct sp_text_list {
    SP_VECTOR(uint32_t) lengths;
    struct sp_buf bytes;
};

void sp_text_list_init(struct sp_text_list *list);
void sp_text_list_fini(struct sp_text_list *list);
void sp_text_list_reset(struct sp_text_list *list);
/* Errors stick in bytes. */
void sp_text_list_add(struct sp_text_list *list, const struct sp_slice *texts, uint32_t count);
/* Texts by their numbers. */
void sp_text_list_add_codes(struct sp_text_list *list, const struct sp_slice *texts,
                            const uint32_t *codes, uint32_t count);
void sp_text_list_write(const struct sp_text_list *list, struct sp_numbers_writer *writer,
                        struct sp_buf *out);

/* Takes count texts off the front of in; *ret and what it points to are the arena's. SP_CORRUPT; SP_LIMIT: the arena is
 * full; SP_NO_MEMORY. */
SP_MUST_USE enum sp_status sp_text_list_read(struct sp_numbers_reader *reader, struct sp_slice *in,
                                             uint32_t count, struct sp_arena *arena,
                                             const struct sp_slice **ret);
