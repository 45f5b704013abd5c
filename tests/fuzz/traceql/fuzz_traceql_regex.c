/* SPDX-License-Identifier: Apache-2.0
 *
 * Any pattern against any subject, cut at the first zero byte: compiles or is refused, and every match ends. */
#include "lib/traceql/traceql.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sp_slice all = sp_slice_make(data, size);
    size_t cut = sp_slice_find(all, 0);
    struct sp_slice pattern = sp_slice_sub(all, 0, cut);
    struct sp_slice subject = sp_slice_sub(all, cut + (cut < size), size);
    struct sp_error error = {0};
    struct sp_regex *regex;
    bool matched = false;
    if (sp_regex_compile(pattern, &regex, &error) != SP_OK) {
        SP_ASSERT(error.message[0] != '\0');
        SP_ASSERT(error.status == SP_LIMIT || error.offset <= pattern.len);
        return 0;
    }
    enum sp_status status = sp_regex_match(regex, subject, &matched);
    SP_ASSERT(status == SP_OK || status == SP_LIMIT);
    sp_regex_free(regex);
    return 0;
}
