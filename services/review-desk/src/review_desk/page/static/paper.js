// The note on the page. The browser's own selection is the cursor: it is painted at once, and screen readers know it.

import { reveal } from "./reveal.js";
import { statementSigns, statementWords } from "./statements.js";
import { hiddenName } from "./text.js";

export class Paper {
  constructor(element) {
    this.element = element;
    this._blocks = [];
    this._painted = [];
  }

  show(note) {
    this.note = note;
    this._blocks = note.blocks.map((_, index) => {
      const block = document.createElement("div");
      block.className = "line";
      block.dir = "auto";
      block.dataset.index = index;
      return block;
    });
    this._painted = note.blocks.map(() => null);
    this.element.replaceChildren(...this._blocks);
    this.element.scrollTop = 0;
  }

  // Paint what changed. `badges` has a number by entity id while a pair is made; `paired` are ids that are in a pair.
  paint(entities, paired, badges) {
    const byBlock = new Map();
    for (const entity of entities) {
      for (let index = this.note.blockAt(entity.start); index < this.note.blocks.length; index++) {
        if (this.note.blocks[index].start >= entity.end) break;
        if (!byBlock.has(index)) byBlock.set(index, []);
        byBlock.get(index).push(entity);
      }
    }
    for (let index = 0; index < this._blocks.length; index++) {
      const mine = byBlock.get(index) ?? [];
      const looks = mine
        .map((e) => [e.id, e.start, e.end, e.label, e.confidence, statementWords(e), paired.has(e.id), badges.get(e.id)].join(" "))
        .join("|");
      if (looks === this._painted[index]) continue;
      this._painted[index] = looks;
      this._blocks[index].replaceChildren(...this._pieces(this.note.blocks[index], mine, paired, badges));
    }
  }

  _pieces(block, entities, paired, badges) {
    const pieces = [];
    let at = block.start;
    for (const entity of entities) {
      const start = Math.max(entity.start, block.start);
      const end = Math.min(entity.end, block.end);
      pieces.push(...this._plain(at, start));
      const mark = document.createElement("mark");
      mark.className = `entity ${entity.label.toLowerCase()}`;
      mark.dataset.id = entity.id;
      mark.title = nameOf(entity);
      if (end === entity.end) mark.dataset.short = badges.get(entity.id) ?? `${entity.label[0]} ${statementSigns(entity)}`.trim();
      mark.classList.toggle("not-there", entity.assertion?.status === "NEGATED");
      if (entity.confidence !== null && entity.confidence < 0.7) mark.classList.add("unsure");
      mark.classList.toggle("paired", paired.has(entity.id));
      mark.classList.toggle("offered", badges.has(entity.id));
      mark.append(...this._plain(start, end));
      pieces.push(mark);
      at = end;
    }
    pieces.push(...this._plain(at, block.end));
    return pieces;
  }

  // Text nodes only: nothing of a note is ever read as markup.
  _plain(start, end) {
    const nodes = [];
    let from = start;
    for (let at = start; at < end; at++) {
      const name = hiddenName(this.note.text[at]);
      if (name === undefined) continue;
      if (at > from) nodes.push(document.createTextNode(this.note.text.slice(from, at)));
      const hidden = document.createElement("span");
      hidden.className = "hidden-character";
      hidden.dataset.name = name;
      hidden.textContent = this.note.text[at];
      nodes.push(hidden);
      from = at + 1;
    }
    if (end > from) nodes.push(document.createTextNode(this.note.text.slice(from, end)));
    return nodes;
  }

  select({ start, end }) {
    const selection = document.getSelection();
    const [anchor, anchorOffset] = this._dom(start);
    const [focus, focusOffset] = this._dom(end);
    selection.setBaseAndExtent(anchor, anchorOffset, focus, focusOffset);
    const range = selection.getRangeAt(0);
    reveal(range, this.element);
    cancelAnimationFrame(this._again); // lines that were out of sight get their true height only now
    this._again = requestAnimationFrame(() => range.startContainer.isConnected && reveal(range, this.element));
  }

  // What the browser has selected, in UTF-16 units; null when that is not in the note.
  selected() {
    const selection = document.getSelection();
    if (!selection.rangeCount) return null;
    const range = selection.getRangeAt(0);
    if (!this.element.contains(range.startContainer) || !this.element.contains(range.endContainer)) return null;
    return { start: this._unit(range.startContainer, range.startOffset), end: this._unit(range.endContainer, range.endOffset) };
  }

  entityIdOf(target) {
    const mark = target instanceof Element ? target.closest("mark.entity") : null;
    return mark ? Number(mark.dataset.id) : null;
  }

  _dom(unit) {
    const index = this.note.blockAt(unit === this.note.text.length ? Math.max(unit - 1, 0) : unit);
    let left = unit - this.note.blocks[index].start;
    const texts = document.createTreeWalker(this._blocks[index], NodeFilter.SHOW_TEXT);
    let node = null;
    while (texts.nextNode()) {
      node = texts.currentNode;
      if (left <= node.length) return [node, left];
      left -= node.length;
    }
    return node ? [node, node.length] : [this._blocks[index], 0];
  }

  _unit(container, offset) {
    if (container === this.element) {
      return offset < this._blocks.length ? this.note.blocks[offset].start : this.note.text.length;
    }
    const element = container instanceof Element ? container : container.parentElement;
    const block = element.closest(".line");
    const before = document.createRange();
    before.setStart(block, 0);
    before.setEnd(container, offset);
    return this.note.blocks[Number(block.dataset.index)].start + before.toString().length;
  }
}

export function nameOf(entity) {
  const label = entity.label === "DISEASE" ? "Disease" : "Treatment";
  const found = entity.confidence === null ? "marked by hand" : `model ${percent(entity.confidence)} sure`;
  return [label, ...statementWords(entity), found].join(", ");
}

export function percent(share) {
  return `${Math.round(100 * share)} %`;
}
