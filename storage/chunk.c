/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/chunk.c: the frame around each chunk of a block. Knows no columns. */
#include "storage/chunk.h"
#include "storage/block_codec.h"

#include <endian.h>
#include <stdio.h>

#define HEADER_BYTES   2
#define CHECKSUM_BYTES 8

static const char *const names[SP_CHUNK_FIXED_COUNT] = {
    [SP_CHUNK_HEAD] = "head",
    [SP_CHUNK_TRACES] = "traces",
    [SP_CHUNK_SPAN_IDS] = "span ids",
    [SP_CHUNK_PARENT_IDS] = "parent ids",
    [SP_CHUNK_STARTS] = "starts",
    [SP_CHUNK_ENDS] = "ends",
    [SP_CHUNK_SPAN_TEMPLATES] = "templates of spans",
    [SP_CHUNK_EVENT_TEMPLATES] = "templates of events",
    [SP_CHUNK_LINK_TEMPLATES] = "templates of links",
    [SP_CHUNK_EVENT_TIMES] = "times of events",
    [SP_CHUNK_LINK_IDS] = "ids of links",
};

const char *sp_chunk_name(uint32_t chunk, char name[SP_CHUNK_NAME_BYTES])
{
    if (chunk < SP_CHUNK_FIXED_COUNT)
        snprintf(name, SP_CHUNK_NAME_BYTES, "%s", names[chunk]);
    else
        snprintf(name, SP_CHUNK_NAME_BYTES, "column %d", (int)(chunk - SP_CHUNK_FIRST_COLUMN));
    return name;
}

enum sp_status sp_chunk_corrupt(uint32_t chunk, const char *what, struct sp_error *reterr)
{
    char name[SP_CHUNK_NAME_BYTES];
    return sp_error_set(reterr, SP_CORRUPT, "the chunk \"%s\" of a stored block is damaged: %s",
                        sp_chunk_name(chunk, name), what);
}

void sp_chunk_begin(struct sp_buf *out, uint8_t encoding)
{
    const uint8_t header[HEADER_BYTES] = {SP_CHUNK_VERSION, encoding};
    sp_buf_append(out, header, sizeof(header));
}

void sp_chunk_end(struct sp_buf *out, uint64_t seed)
{
    uint64_t checksum = htole64(sp_checksum(sp_buf_slice(out), seed));
    sp_buf_append(out, &checksum, sizeof(checksum));
}

enum sp_status sp_chunk_open(struct sp_slice bytes, uint32_t chunk, uint64_t seed,
                             uint8_t *ret_encoding, struct sp_slice *ret_content,
                             struct sp_error *reterr)
{
    char name[SP_CHUNK_NAME_BYTES];
    if (bytes.len < HEADER_BYTES + CHECKSUM_BYTES)
        return sp_chunk_corrupt(chunk, "it is cut off", reterr);
    struct sp_slice content = sp_slice_make(bytes.ptr, bytes.len - CHECKSUM_BYTES);
    uint64_t checksum;
    memcpy(&checksum, content.ptr + content.len, sizeof(checksum));
    if (le64toh(checksum) != sp_checksum(content, seed))
        return sp_chunk_corrupt(chunk, "its checksum is wrong", reterr);
    if (content.ptr[0] != SP_CHUNK_VERSION) {
        return sp_error_set(reterr, SP_VERSION,
                            "the chunk \"%s\" of a stored block has version %d, this program "
                            "knows %d only",
                            sp_chunk_name(chunk, name), content.ptr[0], SP_CHUNK_VERSION);
    }
    *ret_encoding = content.ptr[1];
    *ret_content = sp_slice_make(content.ptr + HEADER_BYTES, content.len - HEADER_BYTES);
    return SP_OK;
}
