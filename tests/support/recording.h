/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/support/recording.h: recorded requests, out of the archives in tests/data and, if they are there, out of the larger
 * ones that are not in the repository (tests/data/README.md). */
#pragma once

#include "lib/wire/wire.h"

struct sp_recorded {
    struct sp_slice name;   /* of the file, or "" */
    struct sp_slice signal; /* "traces", "logs", "metrics" */
    struct sp_slice content_type;
    struct sp_slice body;
};

struct sp_recording {
    struct sp_recorded *requests; /* in the order they came */
    size_t count;
    struct sp_buf bytes; /* what the slices point into */
    struct sp_arena arena;
};

/* A .tar.gz with index.jsonl, a .grpcframes.zst, or a .jsonl.zst of OTLP JSON. SP_NOT_FOUND: no such file. Anything else
 * that is wrong with it aborts: then the test data is damaged. */
enum sp_status sp_recording_open(struct sp_recording *recording, const char *path);
void sp_recording_close(struct sp_recording *recording);

/* tests/data of this repository, from the environment variable SPOOR_TEST_DATA that meson sets. */
const char *sp_test_data_dir(void);

/* The folder of recordings by others: $SPOOR_SHARED_DATA, otherwise ../shared/data beside the repository. NULL: there is
 * none. */
const char *sp_shared_data_dir(void);
