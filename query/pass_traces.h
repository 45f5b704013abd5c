/* SPDX-License-Identifier: Apache-2.0
 *
 * query/pass_traces.h: the half of a pass that reads whole traces. Private to query/pass*.c. */
#pragma once

#include "query/pass.h"

/* As sp_pass_run, of whole traces. */
SP_MUST_USE enum sp_status sp_pass_run_traces(const struct sp_pass *pass,
                                              const struct sp_pass_visitor *visitors,
                                              uint32_t visitor_count, struct sp_scanned *scanned,
                                              struct sp_error *reterr);
