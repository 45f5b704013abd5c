// SPDX-License-Identifier: Apache-2.0
// What is to be compared: traces, and sets of them, gathered on any page. Kept as long as this tab, across searches.
//
// sessionStorage "spoor.basket" holds [{"ref","label"}], the oldest first. `ref` is what the Compare page takes as a and b: a trace id
// of 32 hex digits, or a set as q:EXPRESSION@FROM..TO (either end may be empty).
import { signal } from "@preact/signals";

export interface BasketItem {
  ref: string;
  /** For people: "checkout POST /pay · 1.28 s". */
  label: string;
}

const KEY = "spoor.basket";
/** More than two are compared pair by pair; more than these are a list and not a basket. The oldest goes. */
export const BASKET_MAX = 12;

const isItem = (x: unknown): x is BasketItem =>
  typeof x === "object" && x !== null && typeof (x as BasketItem).ref === "string" && typeof (x as BasketItem).label === "string";

function read(): BasketItem[] {
  try {
    const found: unknown = JSON.parse(window.sessionStorage.getItem(KEY) ?? "[]");
    return Array.isArray(found) ? found.filter(isItem).slice(-BASKET_MAX) : [];
  } catch {
    // Storage is forbidden, or holds what another version wrote: begin with nothing.
    return [];
  }
}

export const basket = signal<BasketItem[]>(read());

function write(items: BasketItem[]): void {
  basket.value = items;
  try {
    window.sessionStorage.setItem(KEY, JSON.stringify(items));
  } catch {
    // As above: the basket lasts as long as the page.
  }
}

export const inBasket = (ref: string): boolean => basket.value.some((item) => item.ref === ref);

/** Puts it in, or takes it out if it is in; says which: true for in. */
export function toggleBasket(item: BasketItem): boolean {
  const rest = basket.peek().filter((i) => i.ref !== item.ref);
  const added = rest.length === basket.peek().length;
  write(added ? [...rest, item].slice(-BASKET_MAX) : rest);
  return added;
}

export const removeFromBasket = (ref: string): void => write(basket.peek().filter((i) => i.ref !== ref));

export const clearBasket = (): void => write([]);

/** A set of traces, as the Compare page takes it. */
export const setRef = (query: string, from = "", to = ""): string => `q:${query}@${from}..${to}`;
