// SPDX-License-Identifier: Apache-2.0
// A call by name, with its service's colour. The slots of services come with the list of services, once a page.
import { computed } from "@preact/signals";
import { getServices } from "../api/client";
import type { Service } from "../api/types";
import { visibleName } from "../model/text";
import { Loader } from "../state/load";
import { Name, Swatch } from "../ui/controls";

const services = new Loader<{ services: Service[] }>();

/** Colours are a help and not a condition: without them everything reads the same. */
export function loadSlots(): void {
  if (!services.state.peek().value) void services.run((stop) => getServices({}, stop));
}

const slots = computed(() => new Map(services.state.value.value?.services.map((s) => [s.name, s.slot])));
export const slotOf = (service: string): number => slots.value.get(service) ?? 0;

export function ServiceLabel({ service, operation, kind }: { service: string; operation: string; kind: string }) {
  const shown = service || "(no service name)";
  return (
    <span class="service" title={`${shown} ${operation} (${kind})`}>
      {slots.value.has(service) ? <Swatch slot={slotOf(service)} /> : null}
      <Name name={`${shown} ${visibleName(operation)}`} dim={shown.length} />
    </span>
  );
}
