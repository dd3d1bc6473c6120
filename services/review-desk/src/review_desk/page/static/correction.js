// What a person makes of a note: entities and pairs, each change one step that can be undone. Knows no page and no network.

import { fitting, USUAL } from "./statements.js";

export const DISEASE = "DISEASE";
export const TREATMENT = "TREATMENT";

const MOST_STEPS = 500;

export class Correction {
  constructor(note, task) {
    this.note = note;
    this._next = 1;
    this._said = new Map();
    this._now = this._read(task);
    for (const entity of this._now.entities) this._said.set(placeOf(entity), entity);
    this._undo = [];
    this._redo = [];
    this.changed = false;
    if (task.draft) this.replaceBy(task.draft);
  }

  get entities() {
    return this._now.entities;
  }

  get pairs() {
    return this._now.pairs;
  }

  at(unit) {
    return this.entities.find((entity) => entity.start <= unit && unit < entity.end);
  }

  touching({ start, end }) {
    return this.entities.filter((entity) => entity.start < end && start < entity.end);
  }

  byId(id) {
    return this.entities.find((entity) => entity.id === id);
  }

  // Label spans; whatever they touch gives way. An entity that is only moved keeps its pairs and what is said of it; one that is
  // drawn is there, now, and the patient's, until something else is said.
  mark(spans, label) {
    let entities = this.entities;
    for (const span of spans) {
      const touched = entities.filter((entity) => entity.start < span.end && span.start < entity.end);
      const before = touched.length === 1 ? touched[0] : null;
      const said = this._said.get(placeOf({ ...span, label }));
      entities = entities.filter((entity) => !touched.includes(entity));
      entities = [...entities, {
        id: before?.id ?? this._next++,
        start: span.start,
        end: span.end,
        label,
        confidence: said?.confidence ?? null,
        assertion: fitting(label, before ? before.assertion : said?.assertion ?? USUAL),
        prescription: label === TREATMENT ? before?.prescription ?? said?.prescription ?? null : null,
      }];
    }
    this._step(entities, this.pairs);
  }

  // Say something else of entities: one of status, time and experiencer.
  state(entities, change) {
    const stated = (entity) => ({ ...entity, assertion: { ...USUAL, ...entity.assertion, ...change } });
    this._step(this.entities.map((entity) => (entities.includes(entity) ? stated(entity) : entity)), this.pairs);
  }

  prescribe(one, prescription) {
    this._step(this.entities.map((entity) => (entity === one ? { ...entity, prescription } : entity)), this.pairs);
  }

  pairsOf(entity) {
    return this.pairs.filter((pair) => pair.treatment === entity.id || pair.disease === entity.id);
  }

  relate(one, type) {
    this._step(this.entities, this.pairs.map((pair) => (pair === one ? { ...pair, type } : pair)));
  }

  remove(entities) {
    this._step(this.entities.filter((entity) => !entities.includes(entity)), this.pairs);
  }

  togglePair(one, other) {
    const treatment = one.label === TREATMENT ? one : other;
    const disease = one.label === TREATMENT ? other : one;
    const same = (pair) => pair.treatment === treatment.id && pair.disease === disease.id;
    const without = this.pairs.filter((pair) => !same(pair));
    const pairs = without.length < this.pairs.length
      ? without
      : [...this.pairs, { treatment: treatment.id, disease: disease.id, type: "TREATS" }];
    this._step(this.entities, pairs);
  }

  // Take over what somebody said, offsets in code points: a draft, or an opinion.
  replaceBy(said) {
    const read = this._read({ entities: said.entities, pairs: said.pairs ?? [] });
    this._step(read.entities, read.pairs);
  }

  undo() {
    return this._back(this._undo, this._redo);
  }

  redo() {
    return this._back(this._redo, this._undo);
  }

  // For the API, offsets in code points.
  body() {
    const span = (entity) => ({ start: this.note.point(entity.start), end: this.note.point(entity.end) });
    return {
      entities: this.entities.map((entity) => ({
        ...span(entity),
        label: entity.label,
        assertion: entity.assertion,
        prescription: entity.prescription,
      })),
      pairs: this.pairs.map((pair) => ({
        treatment: span(this.byId(pair.treatment)),
        disease: span(this.byId(pair.disease)),
        type: pair.type,
      })),
    };
  }

  _read({ entities, pairs }) {
    const read = entities.map((entity) => {
      const start = this.note.unit(entity.start);
      const end = this.note.unit(entity.end);
      const said = this._said.get(placeOf({ start, end, label: entity.label }));
      const { assertion = said?.assertion ?? null, prescription = said?.prescription ?? null } = entity;
      const confidence = entity.confidence ?? said?.confidence ?? null;
      return { id: this._next++, start, end, label: entity.label, confidence, assertion, prescription };
    });
    const find = (span, label) =>
      read.find((entity) => entity.label === label && entity.start === this.note.unit(span.start));
    const joined = pairs
      .map((pair) => [find(pair.treatment, TREATMENT), find(pair.disease, DISEASE), pair.type ?? "TREATS"])
      .filter(([treatment, disease]) => treatment && disease)
      .map(([treatment, disease, type]) => ({ treatment: treatment.id, disease: disease.id, type }));
    return settled(read, joined);
  }

  _step(entities, pairs) {
    this._undo.push(this._now);
    if (this._undo.length > MOST_STEPS) this._undo.shift();
    this._redo = [];
    this._now = settled(entities, pairs);
    this.changed = true;
  }

  _back(from, to) {
    if (!from.length) return false;
    to.push(this._now);
    this._now = from.pop();
    this.changed = true;
    return true;
  }
}

// In text order; a pair whose ends are gone or have another label is gone.
function settled(entities, pairs) {
  const sorted = [...entities].sort((a, b) => a.start - b.start);
  const label = new Map(sorted.map((entity) => [entity.id, entity.label]));
  const kept = pairs.filter(
    (pair) => label.get(pair.treatment) === TREATMENT && label.get(pair.disease) === DISEASE,
  );
  return { entities: sorted, pairs: kept };
}

function placeOf({ start, end, label }) {
  return `${start} ${end} ${label}`;
}
