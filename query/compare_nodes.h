/* SPDX-License-Identifier: Apache-2.0
 *
 * query/compare_nodes.h: merged call trees as JSON: the nodes that /v1/compare/traces and /v1/compare answer with. */
#pragma once

#include "query/internal.h"

/* Writes an array of the tree's nodes, depth first; `parent` of each is the number of a node before it in the array. Of more than nodes_max,
 * those with the greatest difference of the time of a trace, and everything above these.
 * with_traces     each side says how many of its traces have the node
 * ret_written     how many there are in the array
 * SP_LIMIT        the call's memory is too small. */
SP_MUST_USE enum sp_status sp_compare_nodes_write(struct sp_query_call *call,
                                                  const struct sp_call_tree *tree,
                                                  uint32_t nodes_max, bool with_traces,
                                                  uint32_t *ret_written, struct sp_json_writer *w);
