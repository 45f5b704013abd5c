/* SPDX-License-Identifier: Apache-2.0
 *
 * query/quantiles.c: see query/quantiles.h. */
#include "query/quantiles.h"

enum sp_status sp_query_quantiles_parse(const char *parameter, struct sp_slice text,
                                        const char *preset, struct sp_query_quantile *quantiles,
                                        size_t *ret_count, struct sp_error *reterr)
{
    size_t count = 0;
    if (text.len == 0)
        text = sp_slice_cstr(preset);
    while (text.len > 0) {
        size_t end = sp_slice_find(text, ',');
        struct sp_slice item = sp_slice_trim(sp_slice_sub(text, 0, end));
        text = sp_slice_sub(text, end + 1, text.len);
        if (count == SP_QUERY_QUANTILES_MAX)
            return sp_error_set_parameter(reterr, SP_INVALID_ARGUMENT, parameter,
                                          "\"%s\" takes at most %d quantiles", parameter,
                                          SP_QUERY_QUANTILES_MAX);
        struct sp_query_quantile *quantile = &quantiles[count++];
        if (item.len >= sizeof(quantile->text) || !sp_parse_double(item, &quantile->q) ||
            quantile->q < 0 || quantile->q > 1)
            return sp_error_set_parameter(
                reterr, SP_INVALID_ARGUMENT, parameter,
                "\"%s\" must be numbers between 0 and 1 with commas between them, as 0.5,0.95",
                parameter);
        memcpy(quantile->text, item.ptr, item.len);
        quantile->text[item.len] = 0;
        for (size_t i = 0; i + 1 < count; i++)
            if (strcmp(quantiles[i].text, quantile->text) == 0)
                return sp_error_set_parameter(reterr, SP_INVALID_ARGUMENT, parameter,
                                              "\"%s\" names %s twice", parameter, quantile->text);
    }
    *ret_count = count;
    return SP_OK;
}
