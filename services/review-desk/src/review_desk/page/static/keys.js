import { TYPES } from "./statements.js";

// What each action does, by the names that keys and buttons share.
export const ACTIONS = {
  accept: (desk) => desk.decide("decision"),
  skip: (desk) => desk.decide("skip"),
  flag: (desk) => desk.flag(),
  back: (desk) => desk.back(),
  disease: (desk) => desk.label("DISEASE"),
  treatment: (desk) => desk.label("TREATMENT"),
  delete: (desk) => desk.remove(),
  all: (desk) => desk.applyToAll(),
  pair: (desk) => desk.pair(),
  status: (desk, name) => desk.state("status", name),
  time: (desk, name) => desk.state("time", name),
  experiencer: (desk, name) => desk.state("experiencer", name),
  relation: (desk, type) => desk.relate(type),
  prescription: (desk) => desk.prescribe(),
  undo: (desk) => desk.undo(),
  redo: (desk) => desk.redo(),
  leave: (desk) => (desk.pairing ? desk.endPairing() : desk.select(desk.cursor.collapse())),
  number: (desk, digit) => (desk.pairing ? desk.pairWith(digit - 1) : desk.takeOpinion(digit - 1)),
  move: (desk, by) => desk.select(desk.cursor.move(Number(by))),
  extend: (desk, by) => desk.select(desk.cursor.extend(Number(by))),
  line: (desk, by) => desk.select(desk.cursor.line(Number(by), desk.paper)),
  entity: (desk, by) => desk.select(desk.cursor.entity(Number(by), desk.now.correction)),
  guideline: (desk) => desk.guideline.toggle(),
  find: (desk) => desk.find(),
  lookup: (desk) => desk.lookUp(),
  comment: (desk) => desk.comment(),
  stretch: (desk, end, by) => desk.stretch(end, Number(by)),
};

// What ends the work on a note.
export const DECIDING = new Set(["accept", "skip"]);

// What needs no note.
export const ALWAYS = new Set(["back", "guideline", "find"]);

// What changes the note on the paper, or is about to. One press does it once: a key that is held repeats itself, unseen notes included.
const ONCE = new Set([...DECIDING, "flag", "back"]);

const KEYS = {
  Enter: "accept", ArrowLeft: "move -1", ArrowRight: "move 1", ArrowUp: "line -1", ArrowDown: "line 1",
  "shift ArrowLeft": "extend -1", "shift ArrowRight": "extend 1",
  d: "disease", t: "treatment", x: "delete", Delete: "delete", Backspace: "delete", a: "all", p: "pair",
  j: "entity 1", k: "entity -1", "]": "stretch end 1", "[": "stretch end -1", "}": "stretch start 1", "{": "stretch start -1",
  e: "status PRESENT", n: "status NEGATED", m: "status POSSIBLE", i: "status HYPOTHETICAL", g: "status ALLERGY", w: "status REFUSED",
  c: "time CURRENT", h: "time HISTORICAL", l: "time PLANNED",
  y: "experiencer PATIENT", v: "experiencer FAMILY", o: "experiencer OTHER", z: "prescription",
  u: "undo", "ctrl z": "undo", r: "redo", "ctrl y": "redo", "ctrl shift z": "redo",
  s: "skip", f: "flag", b: "back", Escape: "leave", "?": "help",
  ".": "guideline", "/": "find", q: "lookup", ",": "comment",
};

export function actionOf(event) {
  if (event.altKey) return undefined;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (/^[1-9]$/.test(key) && !event.ctrlKey) return `number ${key}`;
  const digit = /^Digit([1-8])$/.exec(event.code);
  if (digit && event.shiftKey && !event.ctrlKey && !event.metaKey) return `relation ${TYPES[digit[1] - 1]}`;
  const shifted = event.shiftKey && (event.key.length > 1 || event.ctrlKey) ? "shift " : "";
  return KEYS[`${event.ctrlKey || event.metaKey ? "ctrl " : ""}${shifted}${key}`];
}

// Whether a key that is held would do once more what is done once.
export function isHeld(event) {
  const action = ownKey(event) ? event.target.closest("button")?.dataset.do : actionOf(event);
  return event.repeat && ONCE.has(action);
}

// Enter and Space belong to the button that has the focus.
export function ownKey(event) {
  return event.key === "Enter" && event.target instanceof Element && event.target.closest("button, a, input, summary") !== null;
}
