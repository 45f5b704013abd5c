/* SPDX-License-Identifier: Apache-2.0
 *
 * query/foreign_links.h: addresses of other tools, and where our pages are for them. Pure. */
#pragma once

#include "lib/base/base.h"

/* Where a path (and its query string) of Jaeger's or Zipkin's UI leads here:
 *   /trace/ID, /zipkin/traces/ID   the page of the trace, at the span, or with the words, that Jaeger finds (?uiFind=)
 *   /trace/ID...ID                 the comparison of two
 *   /search?service=...            Explore, with the query that means the same
 *
 * arena  for the texts on the way.    out  gets the address; what does not fit into it is no address.
 *
 * False: it is none of these, or cannot be understood. */
bool sp_foreign_link(struct sp_arena *arena, struct sp_slice path, struct sp_slice query,
                     struct sp_buf *out);
