// SPDX-License-Identifier: Apache-2.0
// What a selection has that the rest has not: the API's answers as cards, one for each key. No DOM.
import type { Comparison, FacetsAnswer, PathsAnswer } from "../api/types";
import type { Selection } from "./heat";
import { durationCondition } from "./heat";
import { conditions, fieldText, isEverything, quote, valueCondition, withCondition } from "./traceql";

export interface CardValue {
  value: string | null;
  type: string;
  /** 0 to 1. */
  selected: number;
  rest: number;
}

export interface Card {
  /** A field of TraceQL. */
  key: string;
  values: CardValue[];
  /** The greatest difference of shares. */
  score: number;
  /** Other keys whose values divide the traces in exactly the same way. */
  alike: string[];
  /** Some spans have no value: excluding one must keep them. */
  lacking: boolean;
}

export const CARDS_MAX = 12;
const VALUES_MAX = 3;
const difference = (v: CardValue) => Math.abs(v.selected - v.rest);

/** All spans counted, from /v1/facets. Keys whose values hardly repeat tell nothing and come last, without a score. */
export function cardsOfFacets(answer: FacetsAnswer): Card[] {
  const selected = Number(answer.selected ?? 0);
  const rest = Number(answer.spans) - selected;
  return answer.facets
    .filter((f) => f.complete && f.key !== "service" && f.score > 0 && (f.distinct <= 2 || f.distinct * 2 <= Number(answer.spans)))
    .map((f) => {
      const values = f.values.map((v) => {
        const own = Number(v.selected ?? 0);
        return { value: v.value, type: v.type, selected: own / Math.max(1, selected), rest: (Number(v.count) - own) / Math.max(1, rest) };
      });
      return cardOf(f.key, values);
    })
    .sort(byScore)
    .slice(0, CARDS_MAX);
}

/** Samples of traces, from /v1/compare: only what is found beyond chance. */
export function cardsOfComparison(answer: Comparison): Card[] {
  const keys = new Map<string, CardValue[]>();
  for (const row of answer.attributes.rows) {
    if (!row.found) continue;
    const key = fieldText(row.scope, row.key);
    const value = { value: row.value, type: row.type === "double" ? "float" : row.type, selected: row.bShare, rest: row.aShare };
    keys.set(key, [...(keys.get(key) ?? []), value]);
  }
  const cards: Card[] = [];
  // Names that belong to one thing (its process, its host, its port) would fill the page with one finding.
  const seen = new Map<string, Card>();
  for (const card of [...keys].map(([key, values]) => cardOf(key, values)).sort(byScore)) {
    const shape = card.values.map((v) => `${v.selected.toFixed(6)} ${v.rest.toFixed(6)}`).join(",");
    const same = seen.get(shape);
    if (same) same.alike.push(`${card.key} = ${card.values[0].value}`);
    else {
      seen.set(shape, card);
      cards.push(card);
    }
  }
  return cards.slice(0, CARDS_MAX);
}

function cardOf(key: string, all: CardValue[]): Card {
  const values = [...all].sort((a, b) => difference(b) - difference(a) || b.selected - a.selected || ((a.value ?? "") < (b.value ?? "") ? -1 : 1)).slice(0, VALUES_MAX);
  return { key, values, score: values.length > 0 ? difference(values[0]) : 0, alike: [], lacking: all.some((v) => v.value === null) };
}

/** Of equal differences the ones that people filter by first: what the span says, then its resource; ids of processes last. */
const weight = (key: string) => (/process\.|\.pid$|telemetry\.|host\.id/.test(key) ? 3 : key === "name" ? 0 : key.startsWith("span.") ? 1 : 2);
const byScore = (a: Card, b: Card) => Math.round((b.score - a.score) * 1e6) || weight(a.key) - weight(b.key) || (a.key < b.key ? -1 : 1);

export interface Suspect {
  service: string;
  operation: string;
  /** Mean time that a trace's critical path spends in the call itself, nanoseconds: of the rest, and of the selection. */
  rest: number;
  selected: number;
}

/** The calls in which the critical paths of the selection spend more time themselves than those of the rest, the most first. */
export function suspectsOf(rest: PathsAnswer, selected: PathsAnswer, most: number): Suspect[] {
  const calls = new Map<string, Suspect>();
  const add = (answer: PathsAnswer, side: "rest" | "selected") => {
    const duration = Number(answer.bands[0]?.durationMeanNano ?? 0);
    for (const { node, shares } of answer.nodes) {
      const key = `${node.service}\0${node.operation}`;
      const before = calls.get(key) ?? { ...node, rest: 0, selected: 0 };
      calls.set(key, { ...before, [side]: (shares[0]?.selfShare ?? 0) * duration });
    }
  };
  add(rest, "rest");
  add(selected, "selected");
  const more = (s: Suspect) => s.selected - s.rest;
  return [...calls.values()]
    .filter((s) => more(s) > 0)
    .sort((a, b) => more(b) - more(a))
    .filter((s, i, all) => i === 0 || more(s) > more(all[0]) * SUSPECT_LEAST)
    .slice(0, most);
}

/** Calls with less than this part of what the first one has more are not worth a look. */
const SUSPECT_LEAST = 0.05;

export const suspectQuery = (s: Suspect): string => `{ resource.service.name = ${quote(s.service)} && name = ${quote(s.operation)} }`;

/**
 * The two populations of traces as queries for /v1/compare: b has a span in the box, a has a matching span and none in the box.
 * All spans of a trace speak for it, or with `only` those of one call.
 */
export function populations(query: string, s: Selection, only: string): { a: string; b: string } {
  const boxed = durationCondition(s).reduce(withCondition, query);
  const spans = isEverything(query) ? "" : `(${query}) && { } | `;
  const tail = only ? ` | ${only}` : "";
  return { a: `${spans}((${boxed}) | count()) = 0${tail}`, b: `(${boxed}) && { }${tail}` };
}

/**
 * A query with a finding as a condition, or without it. What was found at other spans than those that the query names is no condition on
 * these: then the trace has to have such a span, or none.
 */
export function withFinding(query: string, key: string, v: CardValue, not: boolean, at: { call: Suspect | null; spans: boolean; lacking: boolean }): string | null {
  const condition = valueCondition(key, v.value, v.type, not && at.spans, at.lacking);
  if (condition === null) return null;
  const ofCall = at.call ? conditions(suspectQuery(at.call)) : [];
  const same = at.call !== null && conditions(query).length > 0 && conditions(query).every((c) => ofCall.includes(c));
  if (at.spans) return withCondition(query, condition);
  if (same) {
    const own = valueCondition(key, v.value, v.type, not, at.lacking);
    return own === null ? null : withCondition(query, own);
  }
  const everything = isEverything(query);
  if (!not) return everything ? `{ ${condition} }` : `(${query}) && { ${condition} }`;
  return `${everything ? "" : `(${query}) && { } | `}({ ${condition} } | count()) = 0`;
}

/** How far from the median a usual call may be. */
const USUAL = 1.25;

/** Calls of a root that went well, and those of them that took about so long. Failed ones are left out of the median, too: they are often the quick ones. */
export function usualQuery(service: string, name: string): { all: string; about: (ns: number) => string } {
  const call = `resource.service.name = ${quote(service)} && name = ${quote(name)} && status != error && rootName = ${quote(name)}`;
  return {
    all: `{ ${call} }`,
    about: (ns) => `{ ${call} && duration >= ${Math.floor(ns / USUAL)}ns && duration <= ${Math.ceil(ns * USUAL)}ns }`,
  };
}
