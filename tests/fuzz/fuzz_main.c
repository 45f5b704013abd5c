/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/fuzz/fuzz_main.c: the main() of a fuzz target in an ordinary build: runs the target once for each file given as
 * an argument or found in a directory given as one. Knows nothing of the targets. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/fuzz/fuzz.h"

#define INPUT_BYTES_MAX ((size_t)64 * 1024 * 1024) /* larger inputs belong into another test */

static void give_up(const char *path, const char *what)
{
    fprintf(stderr, "%s: %s\n", path, what);
    exit(EXIT_FAILURE);
}

static void run_file(const char *path, size_t size)
{
    FILE *file = fopen(path, "rb");
    /* Exactly size bytes, so that a sanitizer sees a read behind the input. */
    uint8_t *data = size && size <= INPUT_BYTES_MAX ? malloc(size) : NULL;
    if (!file) {
        give_up(path, strerror(errno));
    }
    if (size && !data) {
        give_up(path, "too large");
    }
    if (size && fread(data, 1, size, file) != size) {
        give_up(path, "could not be read");
    }
    fclose(file);
    /* Named before the run: a crash says which input it was. */
    fprintf(stderr, "run %s (%zu bytes)\n", path, size);
    LLVMFuzzerTestOneInput(data, size);
    free(data);
}

static size_t run_directory(const char *path)
{
    struct dirent **entries;
    int count = scandir(path, &entries, NULL, alphasort);
    if (count < 0) {
        give_up(path, strerror(errno));
    }
    size_t runs = 0;
    for (int i = 0; i < count; i++) {
        char *name = NULL;
        if (asprintf(&name, "%s/%s", path, entries[i]->d_name) < 0) {
            give_up(path, "out of memory");
        }
        struct stat info;
        if (stat(name, &info) == 0 && S_ISREG(info.st_mode)) {
            run_file(name, (size_t)info.st_size);
            runs++;
        }
        free(name);
        free(entries[i]);
    }
    free(entries);
    return runs;
}

int main(int argc, char **argv)
{
    size_t runs = 0;
    LLVMFuzzerTestOneInput(NULL, 0); /* libFuzzer begins so too */
    for (int i = 1; i < argc; i++) {
        struct stat info;
        if (stat(argv[i], &info) != 0) {
            give_up(argv[i], strerror(errno));
        }
        if (S_ISDIR(info.st_mode)) {
            runs += run_directory(argv[i]);
        } else {
            run_file(argv[i], (size_t)info.st_size);
            runs++;
        }
    }
    if (runs == 0) {
        fprintf(stderr, "no inputs: give files or directories\n");
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
