/* SPDX-License-Identifier: Apache-2.0
 *
 * query/facets.h: what /v1/facets may cost. Reasons and tests: docs/limits.md. */
#pragma once

#define SP_FACET_KEYS_MAX     64u /* that may be asked for, and that a sample judges */
#define SP_FACET_KEYS_CHOSEN  12u /* of a sample: what is shown when none is asked for */
#define SP_FACET_VALUES_SHOWN 1000u
#define SP_FACET_SAMPLE_SPANS 100000u
