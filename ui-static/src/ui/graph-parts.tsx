// SPDX-License-Identifier: Apache-2.0
// What pages with graphs share beside the drawing itself.
import { shortName } from "../model/text";
import { Name, ServiceName } from "./controls";
import { Icon, type IconName } from "./icons";

/** A node of the service graph: only services have a colour of their own, the others have an icon. */
export function NodeName({ node }: { node: { service: string; type: IconName; slot: number } | undefined }) {
  if (!node) return null;
  if (node.type === "service") return <ServiceName name={node.service} slot={node.slot} />;
  return (
    <span class="service">
      <span class="dim">
        <Icon name={node.type} />
      </span>
      <Name name={shortName(node.service)} />
    </span>
  );
}

/** How many lines of a drawing have no label beside them, and where it is. */
export const Unlabelled = ({ count }: { count: number }) =>
  count > 0 ? <p class="unlabelled dim">Labels without room: {count}. They show at their lines; the table has all.</p> : null;
