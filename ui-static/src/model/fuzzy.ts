// SPDX-License-Identifier: Apache-2.0
// How well a text fits what somebody types: all letters in this order, with gaps. No DOM.

/** 0: it does not fit; otherwise the more the better. Beginnings of words and letters in a row count most, long texts little less than short ones. */
export function fit(text: string, wanted: string): number {
  const words = wanted.toLowerCase().split(/\s+/).filter((w) => w !== "");
  if (words.length === 0) return 1;
  let sum = 0;
  for (const word of words) {
    const score = fitWord(text, word);
    if (score === 0) return 0;
    sum += score;
  }
  return sum / words.length + 1 / (8 + text.length);
}

/** A letter begins a word: behind a sign, or a capital behind a small one. */
const begins = (text: string, i: number): boolean => i === 0 || /[^\p{L}\p{N}]/u.test(text[i - 1]) || (/\p{Lu}/u.test(text[i]) && /\p{Ll}/u.test(text[i - 1]));

function fitWord(text: string, word: string): number {
  const lower = text.toLowerCase();
  // As it stands: at the beginning of a word before anywhere else.
  let whole = 0;
  for (let at = lower.indexOf(word); at >= 0 && lower.length === text.length; at = lower.indexOf(word, at + 1)) {
    whole = Math.max(whole, at === 0 ? 4 : begins(text, at) ? 3.5 : 2.5);
    if (whole >= 3.5) break;
  }
  if (whole > 0) return whole;
  let [at, points, before] = [0, 0, -2];
  for (const letter of word) {
    // The next beginning of a word with this letter, if there is one; otherwise the next letter.
    let next = lower.indexOf(letter, at);
    if (next < 0) return 0;
    if (next !== before + 1) {
      for (let i = next; i >= 0; i = lower.indexOf(letter, i + 1)) {
        if (!begins(text, i)) continue;
        // Not at the price of the letters that follow.
        if (rest(lower, i + 1, word.slice(word.indexOf(letter) + 1))) next = i;
        break;
      }
    }
    points += begins(text, next) ? 1 : next === before + 1 ? 0.8 : 0.2;
    before = next;
    at = next + 1;
  }
  return (2 * points) / word.length;
}

function rest(text: string, from: number, letters: string): boolean {
  let at = from;
  for (const l of letters) {
    at = text.indexOf(l, at) + 1;
    if (at === 0) return false;
  }
  return true;
}

/** The best first, of equal ones in their order; what does not fit is left out. */
export function ranked<T>(items: T[], wanted: string, textOf: (item: T) => string): T[] {
  const scored = items.map((item, i) => ({ item, i, score: fit(textOf(item), wanted) })).filter((s) => s.score > 0);
  return scored.sort((a, b) => b.score - a.score || a.i - b.i).map((s) => s.item);
}
