/* SPDX-License-Identifier: Apache-2.0
 *
 * The JSON reader takes any bytes; what it accepts, written again by the writer, reads the same: the second writing equals the
 * first. An error points into the input, and reading by skipping agrees with reading. */
#include "tests/fuzz/fuzz.h"
#include "tests/support/json_copy.h"

static enum sp_status copy(struct sp_slice in, struct sp_arena *arena, struct sp_buf *out)
{
    struct sp_json_reader reader;
    struct sp_json_writer writer;
    sp_json_reader_init(&reader, in, arena, 64);
    sp_json_writer_init(&writer, out);
    enum sp_status status = sp_test_json_copy(&reader, &writer);
    SP_ASSERT(reader.pos <= in.len);
    if (status != SP_OK) {
        SP_ASSERT(reader.error.offset <= in.len && reader.error.message[0]);
        SP_ASSERT(sp_json_next(&reader) == SP_JSON_ERROR);
    }
    return status;
}

static enum sp_status skim(struct sp_slice in, struct sp_arena *arena)
{
    struct sp_json_reader reader;
    sp_json_reader_init(&reader, in, arena, 64);
    enum sp_status status = sp_json_skip(&reader);
    return status == SP_OK && sp_json_next(&reader) != SP_JSON_END ? reader.error.status : status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sp_slice in = sp_slice_make(data, size);
    struct sp_arena arena;
    struct sp_buf first, second;
    sp_arena_init(&arena, 1 << 20);
    sp_buf_init(&first, 16 << 20);
    sp_buf_init(&second, 16 << 20);
    enum sp_status status = copy(in, &arena, &first);
    if (status == SP_OK && first.error == SP_OK) {
        sp_arena_reset(&arena);
        SP_ASSERT(copy(sp_buf_slice(&first), &arena, &second) == SP_OK);
        SP_ASSERT(sp_slice_equal(sp_buf_slice(&first), sp_buf_slice(&second)));
    }
    sp_arena_fini(&arena);
    sp_arena_init(&arena, 0); /* skipping takes no memory, so none is there */
    enum sp_status skimmed = skim(in, &arena);
    SP_ASSERT(skimmed == status || size > 1000);
    sp_arena_fini(&arena);
    sp_buf_fini(&first);
    sp_buf_fini(&second);
    return 0;
}
