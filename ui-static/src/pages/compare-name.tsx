// SPDX-License-Identifier: Apache-2.0
// A call by name, with its service's colour. The slots of services come with the list of services, once a page.
import { computed } from "@preact/signals";
import { getServices } from "../api/client";
import type { Service } from "../api/types";
import { visibleName } from "../model/text";
import { Loader } from "../state/load";
import { Swatch } from "../ui/controls";

const services = new Loader<{ services: Service[] }>();

/** Colours are a help and not a condition: without them everything reads the same. */
export function loadSlots(): void {
  if (!services.state.peek().value) void services.run((stop) => getServices({}, stop));
}

const slots = computed(() => new Map(services.state.value.value?.services.map((s) => [s.name, s.slot])));
export const slotOf = (service: string): number => slots.value.get(service) ?? 0;

export function ServiceLabel({ service, operation, kind }: { service: string; operation: string; kind: string }) {
  return (
    <span class="cmp-call clip" title={`${service || "(no service name)"} ${operation} (${kind})`}>
      {slots.value.has(service) ? <Swatch slot={slotOf(service)} /> : null} <span class="dim">{service || "(no service name)"}</span> {visibleName(operation)}
    </span>
  );
}
