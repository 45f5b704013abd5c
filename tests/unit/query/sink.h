/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/unit/query/sink.h: where the lines of an answer go instead of to a client. */
#pragma once

#include "tests/unit/query/world.h"

struct sink {
    struct sp_buf sent; /* before the end */
    size_t line_count;
    size_t room;    /* lines that fit before there is no more room */
    bool is_full;   /* begin says that there is no memory for replies */
    size_t refused; /* lines */
    size_t begun;
    char type[64];
    struct sp_query_stream stream;
};

void sink_init(struct sink *sink, size_t room);
void sink_fini(struct sink *sink);
size_t sink_count(const struct sink *sink, const char *what); /* how often it stands there */
