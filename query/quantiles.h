/* SPDX-License-Identifier: Apache-2.0
 *
 * query/quantiles.h: a list of quantiles as a parameter, "0.5,0.99". */
#pragma once

#include "query/internal.h"

#define SP_QUERY_QUANTILES_MAX 32

struct sp_query_quantile {
    char text[24]; /* as asked for: the key in answers */
    double q;
};

/* text: the parameter's; when it is empty, preset.   SP_INVALID_ARGUMENT  not numbers between 0 and 1, one twice, or too many. */
SP_MUST_USE enum sp_status sp_query_quantiles_parse(const char *parameter, struct sp_slice text,
                                                    const char *preset,
                                                    struct sp_query_quantile *quantiles,
                                                    size_t *ret_count, struct sp_error *reterr);
