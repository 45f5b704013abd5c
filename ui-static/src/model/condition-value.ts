// SPDX-License-Identifier: Apache-2.0
// What conditions on the spans of a file are made of. No DOM.
import type { AnyValue } from "../api/types";

/** Integers and durations are bigint and other numbers are number, which compare exactly; status and kind are symbols. */
export type Scalar = string | bigint | number | boolean | symbol;
/** Exists, and compares with nothing: bytes, lists, empty values. */
export const OPAQUE = { opaque: true };
/** One value, none (undefined), something opaque, items of an array, or one for each event or link. */
export type Operand = Scalar | undefined | { items: Scalar[] } | { each: Operand[] } | typeof OPAQUE;
export type Type = "any" | "text" | "boolean" | "number" | "status" | "kind" | "span";

/** A condition that is none, or that is evaluated by the server only. */
export class ConditionProblem extends Error {}

export const isScalar = (operand: Operand): operand is Scalar => operand !== undefined && typeof operand !== "object";

/** A stored value, as it compares. */
export function operandOf(value: AnyValue | undefined): Operand {
  if (!value) return OPAQUE;
  if (value.stringValue !== undefined) return value.stringValue;
  if (value.boolValue !== undefined) return value.boolValue;
  if (value.intValue !== undefined) return BigInt(value.intValue);
  if (value.doubleValue !== undefined) return Number(value.doubleValue);
  if (value.arrayValue === undefined) return OPAQUE;
  return { items: (value.arrayValue.values ?? []).map(operandOf).filter(isScalar) };
}
