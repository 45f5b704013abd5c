// SPDX-License-Identifier: Apache-2.0
// Regular expressions as the query language has them (RE2's syntax, the whole text), by the browser's own engine. What is read otherwise there is
// written out, and what cannot be is refused by its name. No DOM.
import { ConditionProblem } from "./condition-value";

const BYTES_MAX = 4096;

/** A test of texts. Each text is matched once: spans are many, values are few. */
export function patternOf(pattern: string): (text: string) => boolean {
  if (new TextEncoder().encode(pattern).length > BYTES_MAX) throw new ConditionProblem(`the regular expression is longer than ${BYTES_MAX} bytes`);
  const [, flags = "", rest = pattern] = /^\(\?([ims]+)\)([\s\S]*)$/.exec(pattern) ?? [];
  let compiled: RegExp;
  try {
    compiled = new RegExp(`^(?:${translated(rest, flags.includes("s"))})$`, `u${flags}`);
  } catch (error) {
    if (error instanceof ConditionProblem) throw error;
    throw new ConditionProblem(`the regular expression cannot be read here: ${error instanceof Error ? error.message.replace(/^Invalid regular expression: /, "") : error}`);
  }
  // With m, ^ and $ would stand at lines, also those around the whole.
  if (flags.includes("m")) throw new ConditionProblem("(?m) is evaluated by the server only");
  const known = new Map<string, boolean>();
  return (text) => {
    let found = known.get(text);
    if (found === undefined) known.set(text, (found = compiled.test(text)));
    return found;
  };
}

const SPACE = "\\t\\n\\f\\r ";

function translated(pattern: string, dotAll: boolean): string {
  const refuse = (what: string): never => {
    throw new ConditionProblem(`${what} of a regular expression is evaluated by the server only, if at all`);
  };
  let out = "";
  let inClass = false;
  for (let i = 0; i < pattern.length; i++) {
    const two = pattern.slice(i, i + 2);
    const c = pattern[i];
    if (c === "\\") {
      i++;
      if (/\\[1-9k]/.test(two)) refuse(two);
      else if (two === "\\s") out += inClass ? SPACE : `[${SPACE}]`;
      else if (two === "\\S" && !inClass) out += `[^${SPACE}]`;
      else if (two === "\\A") out += "^";
      else if (two === "\\z") out += "$";
      else if (/\\[QECaSX]/.test(two)) refuse(two);
      else if (/\\[pP]/.test(two) && pattern[i + 1] !== "{") {
        out += `${two}{${pattern[i + 1] ?? ""}}`;
        i++;
      } else if (/\\[^\w\s^$\\.*+?()[\]{}|/-]/.test(two)) out += two[1];
      else if (two === "\\-") out += inClass ? two : "-";
      else if (two === "\\_") out += "_";
      else out += two;
    } else if (inClass) {
      if (two === "[:") refuse("[:class:]");
      if (c === "]") inClass = false;
      out += c === "[" ? "\\[" : c;
    } else if (c === "[") {
      inClass = true;
      out += c;
      // A ] that stands first is one of the characters.
      if (pattern[i + 1] === "^") out += pattern[++i];
      if (pattern[i + 1] === "]") out += `\\${pattern[++i]}`;
    } else if (c === "." && !dotAll) out += "[^\\n]";
    // A brace that is no count of repeats, and a bracket that closes nothing, stand for themselves.
    else if (c === "{" && /^\{\d+(,\d*)?\}/.test(pattern.slice(i))) {
      const end = pattern.indexOf("}", i);
      out += pattern.slice(i, end + 1);
      i = end;
    } else if (/[{}\]]/.test(c)) out += `\\${c}`;
    else if (pattern.startsWith("(?P<", i)) {
      out += "(?<";
      i += 3;
    } else if (two === "(?" && !/^\(\?(:|<[A-Za-z_])/.test(pattern.slice(i))) refuse(pattern.slice(i, i + 4));
    else out += c;
  }
  return out;
}
