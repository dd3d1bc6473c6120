// Where the person is in the note, in whole tokens: `anchor` stays when a selection is extended, `focus` moves.

export class Cursor {
  constructor(note) {
    this._note = note;
    this._anchor = this._focus = note.tokens.length ? 0 : -1;
    this._whole = false; // an entity is selected as a whole, however many tokens it has
  }

  get span() {
    if (this._anchor < 0) return { start: 0, end: 0 };
    const [first, last] = [Math.min(this._anchor, this._focus), Math.max(this._anchor, this._focus)];
    return { start: this._note.tokens[first].start, end: this._note.tokens[last].end };
  }

  // Whether more than one token was selected on purpose.
  get isExtended() {
    return this._anchor !== this._focus && !this._whole;
  }

  first() {
    return this._to(this._anchor < 0 ? -1 : 0);
  }

  move(by) {
    const { start, end } = this.span;
    const edge = by > 0 ? this._note.tokenAt(Math.max(end - 1, 0)) : this._note.tokenAt(start);
    return this._to(edge + by);
  }

  extend(by) {
    this._whole = false;
    this._focus = this._inside(this._focus + by);
    return this.span;
  }

  // To the next entity in the text, or the one before; round at the ends.
  entity(by, correction) {
    const { entities } = correction;
    if (!entities.length) return null;
    const { start } = this.span;
    const after = entities.find((entity) => entity.start > start) ?? entities[0];
    const before = entities.findLast((entity) => entity.start < start) ?? entities.at(-1);
    return this.onto(by > 0 ? after : before);
  }

  onto({ start, end }) {
    this._anchor = this._note.tokenAt(start);
    this._focus = this._note.tokenAt(end - 1);
    this._whole = true;
    return this.span;
  }

  // To the line above or below, as the browser has broken the lines.
  line(by, paper) {
    const selection = document.getSelection();
    if (by > 0) selection.collapseToEnd();
    else selection.collapseToStart();
    selection.modify("move", by > 0 ? "forward" : "backward", "line");
    const selected = paper.selected();
    return selected ? this._to(this._note.tokenAt(selected.start)) : this.span;
  }

  snap({ start, end }) {
    if (this._anchor < 0) return null;
    const span = this._note.snap(start, end);
    this._anchor = this._note.tokenAt(span.start);
    this._focus = this._note.tokenAt(span.end - 1);
    this._whole = false;
    return this.span;
  }

  collapse() {
    return this._to(this._focus);
  }

  // An entity with one end moved by a token; null when nothing would be left of it, or nothing is there.
  stretched({ start, end }, side, by) {
    const first = this._note.tokenAt(start);
    const last = this._note.tokenAt(end - 1);
    const [from, to] = side === "end" ? [first, last + by] : [first + by, last];
    if (from < 0 || to >= this._note.tokens.length || from > to) return null;
    return { start: this._note.tokens[from].start, end: this._note.tokens[to].end };
  }

  _to(token) {
    this._anchor = this._focus = this._inside(token);
    this._whole = false;
    return this._anchor < 0 ? null : this.span;
  }

  _inside(token) {
    return Math.min(Math.max(token, Math.min(0, this._note.tokens.length - 1)), this._note.tokens.length - 1);
  }
}
