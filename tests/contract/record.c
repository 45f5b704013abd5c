/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/contract/record.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

static struct record {
    bool running;
    size_t len;
    char text[64 * 1024];
} * record;

void record_init(void)
{
    record = mmap(NULL, sizeof(*record), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (record == MAP_FAILED)
        abort();
}

void record_begin(void)
{
    record->len = 0;
    record->running = true;
}

void record_note(const char *format, ...)
{
    va_list arguments;
    size_t room = sizeof(record->text) - record->len;
    va_start(arguments, format);
    int len = vsnprintf(record->text + record->len, room, format, arguments);
    va_end(arguments);
    if (len > 0)
        record->len += (size_t)len < room ? (size_t)len : room - 1;
}

void record_end(void)
{
    record->running = false;
}

void record_print(void)
{
    if (!record->running)
        return;
    printf("# the history that failed:\n");
    for (char *line = strtok(record->text, "\n"); line != NULL; line = strtok(NULL, "\n"))
        printf("#   %s\n", line);
    fflush(stdout);
    record->running = false;
}
