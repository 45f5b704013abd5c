/* SPDX-License-Identifier: Apache-2.0
 *
 * The texts of HTTP: query strings, percent-encoding, Accept, Content-Type, grpc-timeout. What is decoded is text without
 * zero bytes; what is encoded reads back. */
#include "lib/net/grpc_call.h"
#include "lib/net/net.h"
#include "tests/fuzz/fuzz.h"

#define ARENA_BYTES 65536

static void check_params(struct sp_slice in)
{
    struct sp_arena arena;
    struct sp_params params;
    struct sp_error error = {.message = ""};
    sp_arena_init(&arena, ARENA_BYTES);
    if (sp_params_decode(&arena, in, &params, &error) == SP_OK) {
        SP_ASSERT(params.count <= SP_PARAMS_MAX);
        for (size_t i = 0; i < params.count; i++) {
            struct sp_slice value = params.items[i].value;
            SP_ASSERT(value.len <= in.len);
            SP_ASSERT(sp_utf8_valid(value) && sp_slice_find(value, 0) == value.len);
        }
    } else {
        SP_ASSERT(error.message[0] != '\0');
        SP_ASSERT(sp_utf8_valid(sp_slice_cstr(error.message)));
    }
    sp_arena_fini(&arena);
}

static void check_percent(struct sp_slice in)
{
    struct sp_buf encoded, decoded;
    sp_buf_init(&encoded, 3 * in.len + 1);
    sp_buf_init(&decoded, 3 * in.len + 1);
    sp_percent_encode(in, &encoded);
    SP_ASSERT(encoded.error == SP_OK);
    SP_ASSERT(sp_percent_decode(sp_buf_slice(&encoded), &decoded));
    SP_ASSERT(sp_slice_equal(sp_buf_slice(&decoded), in));
    sp_buf_reset(&decoded);
    (void)sp_percent_decode(in, &decoded);
    SP_ASSERT(decoded.len <= in.len);
    sp_buf_fini(&encoded);
    sp_buf_fini(&decoded);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const offers[] = {"application/json", "application/x-protobuf"};
    struct sp_slice in = sp_slice_make(data, size);
    uint64_t ns;
    check_params(in);
    check_percent(in);
    int choice = sp_accept_choose(in, offers, 2);
    SP_ASSERT(choice >= -1 && choice < 2);
    choice = sp_accept_encoding_choose(in, offers, 2);
    SP_ASSERT(choice >= -1 && choice < 2);
    (void)sp_media_type_is(in, offers[0]);
    (void)sp_grpc_timeout_parse(in, &ns);
    return 0;
}
