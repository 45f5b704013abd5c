/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/block_rows.c: of a block on disk the chunks that some of its rows need, and no others: the columns that their templates name, and
 * events and links only if they have some. Knows the database through kv.h only. */
#include "storage/segment.h"

/* The columns of the rows; *ret_roles: the roles among them, as bits. */
static void need_columns(const struct sp_block *block, uint32_t first, uint32_t count, bool *needed,
                         uint32_t *ret_roles)
{
    const uint32_t *templates = block->tables[SP_BLOCK_SPANS].templates;
    for (uint32_t row = first; row < first + count; row++) {
        const struct sp_template *template = &block->templates[SP_BLOCK_SPANS][templates[row]];
        for (uint32_t i = 0; i < template->column_count; i++) {
            needed[template->columns[i]] = true;
            *ret_roles |= 1u << block->columns[template->columns[i]].role;
        }
    }
}

static void need_table(const struct sp_block *block, enum sp_block_table table, bool *needed)
{
    for (uint32_t c = 0; c < block->column_count; c++)
        needed[c] |= block->columns[c].table == table;
}

/* Of events and links. */
static enum sp_status load_children(struct sp_block_reader *reader, uint32_t roles,
                                    struct sp_error *reterr)
{
    static const struct {
        enum sp_chunk chunk;
        enum sp_column_role role;
    } chunks[] = {{SP_CHUNK_EVENT_TEMPLATES, SP_ROLE_EVENT_COUNT},
                  {SP_CHUNK_LINK_TEMPLATES, SP_ROLE_LINK_COUNT},
                  {SP_CHUNK_EVENT_TIMES, SP_ROLE_EVENT_COUNT},
                  {SP_CHUNK_LINK_IDS, SP_ROLE_LINK_COUNT}};
    enum sp_status status = SP_OK;
    for (size_t i = 0; i < SP_ARRAY_LEN(chunks) && status == SP_OK; i++) {
        if (roles & 1u << chunks[i].role)
            status = sp_block_reader_fixed(reader, chunks[i].chunk, reterr);
    }
    return status;
}

enum sp_status sp_block_reader_rows(struct sp_block_reader *reader, uint32_t first, uint32_t count,
                                    struct sp_error *reterr)
{
    const struct sp_block *block = &reader->block;
    uint32_t roles = 0;
    bool *needed = sp_arena_calloc(&reader->arena, (size_t)block->column_count + 1, sizeof(bool));
    if (needed == NULL)
        return sp_error_set(reterr, SP_NO_MEMORY, "no memory to read a block");
    /* In the order of their numbers, which is that of their keys. */
    enum sp_status status = sp_block_reader_fixed(reader, SP_CHUNK_PARENT_IDS, reterr);
    if (status == SP_OK)
        status = sp_block_reader_fixed(reader, SP_CHUNK_ENDS, reterr);
    if (status == SP_OK)
        status = sp_block_reader_fixed(reader, SP_CHUNK_SPAN_TEMPLATES, reterr);
    if (status != SP_OK)
        return status;
    need_columns(block, first, count, needed, &roles);
    if (roles & 1u << SP_ROLE_EVENT_COUNT)
        need_table(block, SP_BLOCK_EVENTS, needed);
    if (roles & 1u << SP_ROLE_LINK_COUNT)
        need_table(block, SP_BLOCK_LINKS, needed);
    status = load_children(reader, roles, reterr);
    for (uint32_t c = 0; c < block->column_count && status == SP_OK; c++) {
        if (needed[c])
            status = sp_block_reader_column(reader, c, reterr);
    }
    return status;
}
