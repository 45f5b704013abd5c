/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/check_meta.c: the family "default" of the database: totals, colour slots of services, pinned traces, links. Knows the
 * database through kv.h only. */
#include "storage/check.h"
#include "storage/short_link_list.h"

static void check_totals(struct sp_check *check, struct sp_slice value)
{
    const struct sp_check_place place = sp_check_part("totals");
    if (!sp_layout_totals_read(value, &check->totals))
        sp_check_found(check, SP_FINDING_UNREADABLE, &place, "they are not what was written");
}

/* They come by number: each is given once, to one service. */
static enum sp_status check_slot(struct sp_check *check, uint32_t slot, struct sp_slice service,
                                 struct sp_error *reterr)
{
    const struct sp_check_place place = sp_check_part("services");
    uint32_t next = check->services.texts.count;
    uint32_t number = sp_interner_add(&check->services, 0, service);
    if (number == SP_INTERNER_NONE)
        return sp_error_set(reterr, SP_NO_MEMORY, "no memory to check services");
    if (slot != next || number != next)
        sp_check_found(check, SP_FINDING_DISAGREEMENT, &place,
                       "slot %u holds \"%.*s\", which is the %u. service", slot,
                       SP_SLICE_PRINTF(service), number + 1);
    return SP_OK;
}

static void check_pin(struct sp_check *check, struct sp_slice value)
{
    const struct sp_check_place place = sp_check_part("pinned traces");
    uint64_t pinned_unix_ns;
    if (!sp_layout_pin_read(value, &pinned_unix_ns))
        sp_check_found(check, SP_FINDING_UNREADABLE, &place, "one is not what was written");
}

static void check_link(struct sp_check *check, uint64_t link, struct sp_slice value)
{
    const struct sp_check_place place = sp_check_part("links");
    struct sp_slice state;
    uint64_t unix_ns;
    if (!sp_layout_short_link_read(value, &unix_ns, &state))
        sp_check_found(check, SP_FINDING_UNREADABLE, &place, "one is not what was written");
    else if (!sp_short_link_is_of(link, state))
        sp_check_found(check, SP_FINDING_DISAGREEMENT, &place, "one has the name of another");
}

enum sp_status sp_check_meta(struct sp_check *check, struct sp_slice key, struct sp_slice value,
                             void *has_totals, struct sp_error *reterr)
{
    const struct sp_check_place others = sp_check_part("family \"default\"");
    struct sp_trace_id trace_id;
    uint64_t link;
    uint32_t slot;
    if (sp_slice_equal(key, SP_LAYOUT_TOTALS_KEY)) {
        *(bool *)has_totals = true;
        check_totals(check, value);
    } else if (sp_layout_slot_parse(key, &slot)) {
        return check_slot(check, slot, value, reterr);
    } else if (sp_layout_pin_parse(key, &trace_id)) {
        check_pin(check, value);
    } else if (sp_layout_short_link_parse(key, &link)) {
        check_link(check, link, value);
    } else {
        sp_check_found(check, SP_FINDING_LEFTOVER, &others, "a key \"%.*s\" that is not known",
                       SP_SLICE_PRINTF(key));
    }
    return SP_OK;
}
