// A note's text: places in code points (what the API counts in), places in UTF-16 units (what a browser counts in), and tokens.

const TOKEN = /[\p{L}\p{M}\p{N}_]+|\S/gu;
const LONGEST_BLOCK = 2000;

// Characters that change the order or hide in a text: they are shown by name and kept from reaching past themselves.
const HIDDEN = new Map([
  ["\u200B", "ZWSP"], ["\u200E", "LRM"], ["\u200F", "RLM"], ["\u061C", "ALM"],
  ["\u202A", "LRE"], ["\u202B", "RLE"], ["\u202C", "PDF"], ["\u202D", "LRO"], ["\u202E", "RLO"],
  ["\u2066", "LRI"], ["\u2067", "RLI"], ["\u2068", "FSI"], ["\u2069", "PDI"], ["\uFEFF", "BOM"], ["\u0000", "NUL"],
]);

export function hiddenName(character) {
  return HIDDEN.get(character);
}

export class NoteText {
  constructor(text) {
    this.text = text;
    this.tokens = [];
    for (const found of text.matchAll(TOKEN)) {
      this.tokens.push({ start: found.index, end: found.index + found[0].length });
    }
    this.blocks = blocksOf(text);
    this._units = unitsOf(text);
  }

  // UTF-16 place of a code point.
  unit(point) {
    return this._units ? this._units[point] : point;
  }

  // Code point at a UTF-16 place.
  point(unit) {
    return this._units ? below(this._units, unit) : unit;
  }

  // Index of the token that holds a UTF-16 place, or of the nearest one before it; -1 in a text without tokens.
  tokenAt(unit) {
    let low = 0;
    let high = this.tokens.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.tokens[middle].start <= unit) low = middle + 1;
      else high = middle;
    }
    return Math.max(low - 1, this.tokens.length ? 0 : -1);
  }

  // The smallest span of whole tokens that holds [start, end); null in a text without tokens.
  snap(start, end) {
    if (!this.tokens.length) return null;
    const first = this.tokens[this.tokenAt(start)];
    const last = this.tokens[this.tokenAt(Math.max(end - 1, start))];
    const from = first.end <= start && last !== first ? this.tokens[this.tokenAt(start) + 1] : first;
    return { start: Math.min(from.start, last.start), end: last.end };
  }

  // Other places that hold the same words, whatever their case, as whole tokens.
  sameMentions(start, end) {
    const words = this.text.slice(start, end).trim();
    if (!words) return [];
    const pattern = words.replace(/[.*+?^${}()|[\]\\]/g, "\\$&").replace(/\s+/g, "\\s+");
    const inside = "[\\p{L}\\p{M}\\p{N}_]";
    const before = new RegExp(`^${inside}`, "u").test(words) ? `(?<!${inside})` : "";
    const after = new RegExp(`${inside}$`, "u").test(words) ? `(?!${inside})` : "";
    const found = [...this.text.matchAll(new RegExp(before + pattern + after, "giu"))];
    return found
      .map((match) => ({ start: match.index, end: match.index + match[0].length }))
      .filter((span) => span.start !== start);
  }

  blockAt(unit) {
    let low = 0;
    let high = this.blocks.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.blocks[middle].start <= unit) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}

// Lines; a very long one is cut, so that a change repaints little however long the note is.
function blocksOf(text) {
  const blocks = [];
  let start = 0;
  while (start < text.length) {
    const newline = text.indexOf("\n", start);
    let end = newline < 0 ? text.length : newline + 1;
    if (end - start > LONGEST_BLOCK) {
      const space = text.lastIndexOf(" ", start + LONGEST_BLOCK);
      end = space > start ? space + 1 : start + LONGEST_BLOCK;
      const code = text.charCodeAt(end - 1);
      if (code >= 0xd800 && code < 0xdc00) end += 1;
    }
    blocks.push({ start, end });
    start = end;
  }
  return blocks.length ? blocks : [{ start: 0, end: 0 }];
}

// UTF-16 place by code point, or null where both are the same.
function unitsOf(text) {
  if (!/[\uD800-\uDBFF]/.test(text)) return null;
  const units = [];
  for (let unit = 0; unit < text.length; unit += text.codePointAt(unit) > 0xffff ? 2 : 1) units.push(unit);
  units.push(text.length);
  return units;
}

function below(sorted, value) {
  let low = 0;
  let high = sorted.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
