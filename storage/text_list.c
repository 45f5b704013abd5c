/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/text_list.c: lists of texts as bytes, and back. Knows no spans. */
#include "storage/text_list.h"
#include "storage/block_codec.h"

void sp_text_list_init(struct sp_text_list *list)
{
    *list = (struct sp_text_list){0};
    sp_buf_init(&list->bytes, SP_BLOCK_TEXTS_BYTES_MAX);
}

void sp_text_list_fini(struct sp_text_list *list)
{
    sp_vector_fini(&list->lengths);
    sp_buf_fini(&list->bytes);
}

void sp_text_list_reset(struct sp_text_list *list)
{
    list->lengths.count = 0;
    sp_buf_reset(&list->bytes);
}

/* codes NULL: each text once. */
static void add(struct sp_text_list *list, const struct sp_slice *texts, const uint32_t *codes,
                uint32_t count)
{
    size_t bytes = 0;
    for (uint32_t i = 0; i < count; i++)
        bytes += texts[codes != NULL ? codes[i] : i].len;
    uint8_t *out = sp_buf_reserve(&list->bytes, bytes);
    if (!sp_vector_reserve(&list->lengths, count))
        list->bytes.error = SP_NO_MEMORY;
    if (list->bytes.error != SP_OK)
        return;
    uint32_t *lengths = list->lengths.items + list->lengths.count;
    for (uint32_t i = 0; i < count; i++) {
        struct sp_slice text = texts[codes != NULL ? codes[i] : i];
        lengths[i] = (uint32_t)text.len;
        if (text.len > 0)
            memcpy(out, text.ptr, text.len);
        out += text.len;
    }
    list->lengths.count += count;
    list->bytes.len += bytes;
}

void sp_text_list_add(struct sp_text_list *list, const struct sp_slice *texts, uint32_t count)
{
    add(list, texts, NULL, count);
}

void sp_text_list_add_codes(struct sp_text_list *list, const struct sp_slice *texts,
                            const uint32_t *codes, uint32_t count)
{
    add(list, texts, codes, count);
}

void sp_text_list_write(const struct sp_text_list *list, struct sp_numbers_writer *writer,
                        struct sp_buf *out)
{
    sp_numbers_write_32(writer, list->lengths.items, list->lengths.count, out);
    sp_bytes_write(writer, sp_buf_slice(&list->bytes), out);
    if (list->bytes.error != SP_OK)
        out->error = list->bytes.error;
}

enum sp_status sp_text_list_read(struct sp_numbers_reader *reader, struct sp_slice *in,
                                 uint32_t count, struct sp_arena *arena,
                                 const struct sp_slice **ret)
{
    struct sp_slice *texts = sp_arena_alloc(arena, count * sizeof(*texts));
    uint32_t *lengths = sp_arena_alloc(arena, count * sizeof(*lengths));
    if (texts == NULL || lengths == NULL)
        return SP_LIMIT;
    enum sp_status status = sp_numbers_read_32(reader, in, lengths, count);
    if (status != SP_OK)
        return status;
    size_t bytes = 0;
    for (uint32_t i = 0; i < count; i++)
        bytes += lengths[i];
    if (bytes > SP_BLOCK_TEXTS_BYTES_MAX || !sp_bytes_plausible(*in, bytes))
        return SP_CORRUPT;
    uint8_t *at = sp_arena_alloc(arena, bytes);
    if (at == NULL)
        return SP_LIMIT;
    status = sp_bytes_read(reader, in, at, bytes);
    for (uint32_t i = 0; i < count && status == SP_OK; i++) {
        texts[i] = sp_slice_make(at, lengths[i]);
        at += lengths[i];
    }
    *ret = texts;
    return status;
}
