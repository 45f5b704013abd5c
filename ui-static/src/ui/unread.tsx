// SPDX-License-Identifier: Apache-2.0
// What the address says besides what is shown: it is left out, and that is said as long as it stands there.
import { unread } from "../model/address";
import { cutMiddle } from "../model/text";
import { patched, route } from "../route";

/** Characters of a value. */
const SHOWN = 40;

export function Unread() {
  const { page, params } = route.value;
  return (
    <>
      {unread(page, params).map(([name, value]) => (
        <p key={name} class="banner">
          The {name === "sel" ? "selection" : `“${name}”`} of this address cannot be read: {cutMiddle(value, SHOWN)}{" "}
          <a href={patched({ [name]: null })}>
            Remove<span class="offscreen"> {name}</span>
          </a>
        </p>
      ))}
    </>
  );
}
