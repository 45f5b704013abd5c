/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/slots.h: which services get a colour slot of their own. Slots are kept for ever, in memory and on disk, whatever retention
 * removes: so there is an end to them, and to what one takes. Internal to storage/. */
#pragma once

#include "lib/base/base.h"

/* Slots, and the slot that all services have which came later. */
#define SP_SLOTS_MAX ((uint32_t)65536)
/* Services with a longer name have none of their own either. */
#define SP_SLOT_NAME_BYTES_MAX ((size_t)1024)

static inline bool sp_slot_fits(struct sp_slice service)
{
    return service.len <= SP_SLOT_NAME_BYTES_MAX;
}
