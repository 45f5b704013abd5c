/* SPDX-License-Identifier: Apache-2.0
 *
 * The small messages that clients and health checks send: whatever comes, an answer and no crash. */
#include "lib/wire/wire.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sp_arena arena;
    struct sp_error error;
    struct sp_slice in = sp_slice_make(data, size), text;
    uint64_t rejected;
    int32_t code;
    sp_arena_init(&arena, (size_t)16 * 1024 * 1024);
    (void)!sp_export_response_decode(&arena, in, &rejected, &text, &error);
    (void)!sp_rpc_status_decode(&arena, in, &code, &text, &error);
    (void)!sp_health_request_decode(&arena, in, &text, &error);
    sp_arena_fini(&arena);
    return 0;
}
