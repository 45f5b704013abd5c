// SPDX-License-Identifier: Apache-2.0
// How a text is best read (JSON: json-tree.ts): SQL by clause, an address by part. The text itself is always one click away. No DOM.

export interface ValueView {
  kind: "sql" | "url" | "stack";
  text: string;
}

/** Larger values are shown as they are: taking them apart would take longer than reading them. */
const PRETTY_MAX = 256 * 1024;
const SQL_WORDS = /\s+(FROM|WHERE|(?:LEFT |RIGHT |INNER |OUTER |CROSS )*JOIN|GROUP BY|ORDER BY|HAVING|LIMIT|OFFSET|UNION(?: ALL)?|VALUES|SET|RETURNING|ON CONFLICT|AND|OR)\b/gi;

export function viewOf(key: string, text: string): ValueView | null {
  if (text.length > PRETTY_MAX) return null;
  const trimmed = text.trim();
  if (/(^|\.)(stacktrace|stack_trace|stack)$/.test(key) && trimmed.includes("\n")) return { kind: "stack", text: trimmed };
  if (/^(SELECT|INSERT|UPDATE|DELETE|WITH|MERGE)\s/i.test(trimmed)) {
    const pretty = trimmed.replace(/\s+/g, " ").replace(SQL_WORDS, (_, word: string) => `\n${/^(AND|OR)$/i.test(word) ? "  " : ""}${word}`);
    return pretty.includes("\n") ? { kind: "sql", text: pretty } : null;
  }
  if (/^[a-z][a-z0-9+.-]*:\/\/[^\s]+\?[^\s]+$/i.test(trimmed)) return urlView(trimmed);
  return null;
}

function urlView(text: string): ValueView | null {
  const [before, query = ""] = text.split(/\?(.*)/s);
  const parts = query.split("&").map((part) => {
    try {
      return decodeURIComponent(part.replaceAll("+", " "));
    } catch {
      return part;
    }
  });
  return { kind: "url", text: [before, ...parts.map((p, i) => `${i === 0 ? "  ?" : "  &"} ${p}`)].join("\n") };
}

export const FOLDED_LINES = 3;
export const FOLDED_CHARS = 2048;
/** What one click shows more of a long text: a browser lays out a megabyte of it for seconds. */
export const MORE_CHARS = 64 * 1024;

/** The beginning that is shown of a folded text. */
export function foldedText(text: string): string {
  const lines = text.split("\n", FOLDED_LINES + 1);
  const head = lines.length > FOLDED_LINES ? lines.slice(0, FOLDED_LINES).join("\n") : text;
  return head.length > FOLDED_CHARS ? head.slice(0, FOLDED_CHARS) : head;
}

/** The part of a key that groups it: http of http.route. Keys without one stand by themselves. */
export const prefixOf = (key: string): string => /^([^.]+)\./.exec(key)?.[1] ?? "";
