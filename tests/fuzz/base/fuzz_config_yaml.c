/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as the configuration file. Either they are refused with a message that names the place, or every value set keeps
 * what its option promises. The file is one in memory, so the whole way from open(2) on is run. */
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/base/base.h"
#include "tests/fuzz/fuzz.h"

static const struct sp_option options[] = {
    {.name = "config", .type = SP_OPTION_TEXT, .help = "File."},
    {.name = "data-dir", .type = SP_OPTION_TEXT, .help = "Text."},
    {.name = "otlp-grpc", .type = SP_OPTION_ADDRESS, .help = "Address."},
    {.name = "a-b-c", .type = SP_OPTION_BOOL, .help = "Nested."},
    {.name = "n", .type = SP_OPTION_U64, .min = 3, .max = 300, .help = "Number."},
    {.name = "size", .type = SP_OPTION_BYTES, .help = "Size."},
    {.name = "time", .type = SP_OPTION_DURATION, .help = "Time."},
    {.name = "how", .type = SP_OPTION_CHOICE, .choices = "one|two", .help = "Choice."},
    {.name = "list", .type = SP_OPTION_LIST, .help = "List."},
};

static void check_value(const struct sp_option_value *value)
{
    if (!value->set) {
        return;
    }
    SP_ASSERT(strlen((const char *)value->text.ptr) == value->text.len);
    SP_ASSERT(value->item_count <= SP_OPTION_LIST_MAX);
    for (size_t i = 0; i < value->item_count; i++) {
        SP_ASSERT(strlen((const char *)value->items[i].ptr) == value->items[i].len);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int fd = memfd_create("config", MFD_CLOEXEC);
    SP_ASSERT(fd >= 0);
    ssize_t written = size ? write(fd, data, size) : 0;
    SP_ASSERT(written == (ssize_t)size);
    char flag[64], program[] = "spoor";
    snprintf(flag, sizeof(flag), "--config=/proc/self/fd/%d", fd);
    char *argv[] = {program, flag, NULL};

    struct sp_arena arena;
    struct sp_config config;
    struct sp_error error;
    sp_arena_init(&arena, 64 * 1024);
    enum sp_status status =
        sp_config_load(&arena, options, SP_ARRAY_LEN(options), 2, argv, NULL, &config, &error);
    if (status == SP_OK) {
        for (size_t i = 0; i < SP_ARRAY_LEN(options); i++) {
            check_value(&config.values[i]);
        }
        const struct sp_option_value *number = sp_config_get(&config, "n");
        SP_ASSERT(!number->set || (number->number >= 3 && number->number <= 300));
        SP_ASSERT(sp_config_get(&config, "how")->number < 2);
    } else {
        SP_ASSERT(error.status == status && strstr(error.message, "/proc/self/fd/") != NULL);
        SP_ASSERT(sp_utf8_valid(sp_slice_cstr(error.message)));
    }
    sp_arena_fini(&arena);
    close(fd);
    return 0;
}
