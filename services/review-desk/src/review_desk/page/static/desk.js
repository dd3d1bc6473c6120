// The desk: what a key or a button does to the note on the paper.

import { Codes } from "./codes.js";
import { Correction } from "./correction.js";
import { Cursor } from "./cursor.js";
import { CommentBox } from "./comment.js";
import { showFeedback, showWaits } from "./feedback.js";
import { Finding } from "./finding.js";
import { Guideline } from "./guideline.js";
import { ACTIONS, actionOf, ALWAYS, DECIDING, isHeld, ownKey } from "./keys.js";
import { lookUp } from "./lookup.js";
import { Outbox } from "./outbox.js";
import { nameOf, Paper, percent } from "./paper.js";
import { Refusals, showRefusals } from "./refusals.js";
import { PrescriptionForm } from "./prescription.js";
import { roving } from "./roving.js";
import { keyOf, LoginNeeded, pathOf, Refusal, Server } from "./server.js";
import { OF_TREATMENTS } from "./statements.js";
import { showEntities, showFigures, showOpinions, showPairs } from "./side.js";
import { Stopwatch } from "./stopwatch.js";
import { Tasks } from "./tasks.js";
import { NoteText } from "./text.js";
import { showProgress, Training } from "./training.js";
import { whyNothing } from "./waiting.js";

const AUTOSAVE_MS = 400;
const FIGURES_MS = 10_000;
const SLOW_FIGURES_MS = 60_000;
const LOOK_AT_LEASES_MS = 1_000;
const MOST_PREVIOUS = 20;
const MOST_EARLY = 50;
const EARLY_MS = 3_000;

const find = (selector) => document.querySelector(selector);
const meta = (name) => find(`meta[name="${name}"]`).content;

class Desk {
  constructor() {
    this.base = meta("base");
    this.server = new Server(meta("csrf"), this.base);
    this.owner = meta("annotator");
    this.paper = new Paper(find("#paper"));
    this.prescription = new PrescriptionForm(find("#prescription"));
    this.refusals = new Refusals(this.owner, () => this.showRefused());
    this.outbox = new Outbox(this.server, this.owner, {
      onChange: () => this.showState(),
      onSent: (item, answer) => this.sent(item, answer),
      onRefusal: (item, error) => this.refused(item, error.message),
      onLogin: () => this.askLogin(),
    });
    this.guideline = new Guideline(find("#guideline"), this.server);
    this.training = new Training(find("#training"), this.server);
    this.codes = new Codes(this.server, find("#code"), () => this.now && this.paint());
    this.commentBox = new CommentBox(find("#comment"), find("[data-do='comment']"));
    this.finding = new Finding(find("#find"), find("#selection"), this.server, {
      onSelection: () => this.selectionChanged(),
      onOpen: (note) => this.open(note),
    });
    this.tasks = new Tasks(this.server, {
      asked: () => this.finding.selection,
      others: () => [...(this.now ? [keyOf(this.now.task)] : []), ...this.outbox.keys()],
      onArrival: () => this.now || this.goingBack || this.next(),
      onNothing: () => this.now || this.goingBack || this.showNothing(),
      onFailure: (error) => (error instanceof LoginNeeded ? this.askLogin() : this.setAway(true)),
    });
    this.now = null;
    this.previous = [];
    this.pairing = null;
    this.offer = null;
    this.draftState = "saved";
    this.flagged = false;
    this.coming = true; // the next note is on its way; what is pressed meanwhile waits for it
    this.goingBack = false;
    this.early = [];
    this.keptAt = performance.now();
    this.toldWhyAt = -FIGURES_MS;
  }

  start() {
    document.addEventListener("keydown", (event) => this.key(event));
    for (const bar of ["#tools", "#decide", "#top"]) find(bar).addEventListener("click", (event) => this.button(event));
    for (const bar of ["#tools", "#top"]) roving(find(bar));
    // After a touch the browser selects between these two; after a mouse was dragged there may be no click.
    for (const sign of ["pointerup", "click"]) this.paper.element.addEventListener(sign, (event) => this.pointer(event));
    find("#login").addEventListener("submit", (event) => this.login(event));
    find("#logout").addEventListener("click", () => this.logout());
    find("#show-refused").addEventListener("click", () => find("#refused").showModal());
    for (const sign of ["keydown", "pointerdown", "pointermove", "wheel"]) {
      document.addEventListener(sign, () => this.now?.watch.touch(), { passive: true });
    }
    document.addEventListener("visibilitychange", () => this.keepLeases());
    find("#show-help").addEventListener("click", () => find("#help").showModal());
    window.addEventListener("beforeunload", () => this.now && this.saveDraft());
    setInterval(() => this.showFigures(), FIGURES_MS);
    setInterval(() => this.showSlowFigures(), SLOW_FIGURES_MS);
    setInterval(() => this.lookAtLeases(), LOOK_AT_LEASES_MS);
    this.showState();
    this.showRefused();
    this.outbox.send();
    this.tasks.fill();
    this.showFigures();
    this.showSlowFigures();
  }

  // The note

  next() {
    this.show(this.tasks.take());
    this.tasks.fill();
  }

  show(task, correction, seconds = 0, comment = "") {
    this.pairing = this.offer = null;
    this.flagged = false;
    find("#task").hidden = find("#marked").hidden = task === null;
    find("#empty").hidden = task !== null;
    this.coming = task === null;
    if (task === null) {
      this.now = null;
      find("#empty").dataset.state = "coming";
      return;
    }
    const note = correction?.note ?? new NoteText(task.text);
    const kept = correction ? null : this.keptDraft(task);
    this.now = {
      task,
      note,
      correction: correction ?? new Correction(note, kept ? { ...task, draft: kept } : task),
      watch: new Stopwatch(kept?.seconds ?? seconds),
      comment,
    };
    this.commentBox.show(comment);
    this.cursor = new Cursor(note);
    this.paper.show(note);
    this.showWhy(task);
    showOpinions(find("#opinions"), note, task.opinions, (index) => this.takeOpinion(index));
    this.paint();
    find("#paper").focus({ preventScroll: true });
    this.select(this.cursor.first());
    this.replayEarly();
  }

  // The desk was asked and has nothing: what was pressed meanwhile was meant for no note.
  showNothing() {
    this.coming = false;
    this.early = [];
    find("#empty").dataset.state = "nothing";
    this.showWhyNothing();
  }

  showWhy(task) {
    const facts = [`${task.segment.city || "unknown city"}, ${task.segment.specialty || "unknown specialty"}`, `model v${task.model_version}`];
    if (task.note_confidence !== null) facts.push(`${percent(task.note_confidence)} sure of the whole note`);
    if (task.sequence > 1) facts.push("you change your earlier decision");
    find("#why").textContent = task.why;
    find("#why").dataset.sample = task.opinions.length ? "LEAD" : task.sample;
    find("#facts").textContent = facts.join(" · ");
    find("#blind").hidden = task.show_predictions || task.opinions.length > 0;
  }

  paint() {
    const { correction } = this.now;
    const paired = new Set(correction.pairs.flatMap((pair) => [pair.treatment, pair.disease]));
    const badges = new Map((this.pairing?.others ?? []).map((entity, index) => [entity.id, String(index + 1)]));
    this.paper.paint(correction.entities, paired, badges);
    if (this.cursor) this.paper.select(this.cursor.span);
    const mentionOf = ({ start, end, label }) => ({ text: correction.note.text.slice(start, end), label });
    showEntities(
      find("#entities"),
      correction,
      (entity) => this.select(this.cursor.onto(entity)),
      (entity) => this.codes.under(mentionOf(entity)),
    );
    this.codes.load(correction.entities.map(mentionOf));
    showPairs(
      find("#pairs"),
      correction,
      (one, other) => this.change(() => correction.togglePair(one, other)),
      (pair, type) => this.change(() => correction.relate(pair, type)),
    );
    find("#no-entities").hidden = correction.entities.length > 0;
    find("#no-pairs").hidden = correction.pairs.length > 0;
    this.showHint();
  }

  select(span) {
    if (!span) return;
    this.paper.select(span);
    this.announce();
  }

  announce() {
    const entity = this.now.correction.at(this.cursor.span.start);
    find("#spoken").textContent = this.words(this.cursor.span) + (entity ? `, ${nameOf(entity)}` : "");
  }

  words({ start, end }) {
    return this.now.note.text.slice(start, end);
  }

  // A change of the correction, then everything that follows from it.
  change(step) {
    step();
    this.paint();
    this.announce();
    this.autosave();
  }

  // What a key acts on: the entity under a single token, else exactly what is selected.
  scope() {
    const { correction } = this.now;
    const entity = this.cursor.isExtended ? undefined : correction.at(this.cursor.span.start);
    return entity ? { start: entity.start, end: entity.end } : this.cursor.span;
  }

  // What a key does

  label(label) {
    const span = this.scope();
    if (!span) return;
    const same = this.sameAs(span, label);
    this.offer = same.length ? { label, spans: same, words: this.words(span) } : null;
    this.change(() => this.now.correction.mark([span], label));
  }

  remove() {
    const span = this.scope();
    if (!span) return;
    const gone = this.now.correction.touching(span);
    if (!gone.length) return this.hint("no entity here");
    const same = this.sameAs(gone[0], null);
    this.offer = same.length ? { label: null, spans: same, words: this.words(gone[0]) } : null;
    this.change(() => this.now.correction.remove(gone));
  }

  // Other mentions of the same words that do not look so yet; `label` null asks for those that are entities.
  sameAs(span, label) {
    const { correction, note } = this.now;
    return note.sameMentions(span.start, span.end).filter((other) => {
      const there = correction.touching(other);
      if (label === null) return there.length > 0;
      return !(there.length === 1 && there[0].label === label && there[0].start === other.start && there[0].end === other.end);
    });
  }

  applyToAll() {
    const { offer } = this;
    if (!offer) return this.hint("label or delete a mention first, then press A for the same mentions");
    this.offer = null;
    const { correction } = this.now;
    this.change(() => {
      if (offer.label === null) correction.remove(offer.spans.flatMap((span) => correction.touching(span)));
      else correction.mark(offer.spans, offer.label);
    });
  }

  // Move one end of the entity under the cursor by a token.
  stretch(end, by) {
    const { correction } = this.now;
    const entity = correction.at(this.cursor.span.start);
    if (!entity) return this.hint("put the cursor on an entity first");
    const span = this.cursor.stretched(entity, end, by);
    if (!span) return;
    this.cursor.onto(span);
    this.change(() => correction.mark([span], entity.label));
  }

  // Say of the entities under the cursor what they are: one of status, time and experiencer.
  state(axis, name) {
    const { correction } = this.now;
    const there = correction.touching(this.scope() ?? { start: 0, end: 0 });
    const fits = OF_TREATMENTS.has(name) ? there.filter((entity) => entity.label === "TREATMENT") : there;
    if (!fits.length) return this.hint(there.length ? "only a treatment can be an allergy or refused" : "put the cursor on an entity first");
    this.change(() => correction.state(fits, { [axis]: name }));
  }

  // Give the pair of the entity under the cursor another type: of several the one made last.
  relate(type) {
    const { correction } = this.now;
    const entity = correction.at(this.cursor.span.start);
    const pair = entity && correction.pairsOf(entity).at(-1);
    if (!pair) return this.hint("put the cursor on an entity that is in a pair, or press P first");
    this.change(() => correction.relate(pair, type));
  }

  prescribe() {
    const { correction } = this.now;
    const entity = correction.at(this.cursor.span.start);
    if (entity?.label !== "TREATMENT") return this.hint("put the cursor on a treatment first");
    const { now } = this;
    this.prescription.open(this.words(entity), entity.prescription, (found) => {
      if (this.now === now) this.change(() => correction.prescribe(entity, found));
    });
  }

  pair() {
    const { correction } = this.now;
    if (this.pairing) return this.endPairing();
    const entity = correction.at(this.cursor.span.start);
    if (!entity) return this.hint("put the cursor on a treatment or a disease first");
    const distance = (other) => Math.abs(other.start - entity.start);
    const others = correction.entities.filter((other) => other.label !== entity.label).sort((a, b) => distance(a) - distance(b));
    if (!others.length) return this.hint(`there is no ${entity.label === "DISEASE" ? "treatment" : "disease"} to pair with`);
    if (others.length === 1) return this.change(() => correction.togglePair(entity, others[0]));
    this.pairing = { entity, others: others.slice(0, 9) };
    this.paint();
  }

  pairWith(index) {
    const other = this.pairing?.others[index];
    if (!other) return;
    const { entity } = this.pairing;
    this.pairing = null;
    this.change(() => this.now.correction.togglePair(entity, other));
  }

  endPairing() {
    this.pairing = null;
    this.paint();
  }

  takeOpinion(index) {
    const opinion = this.now.task.opinions[index];
    if (opinion) this.change(() => this.now.correction.replaceBy(opinion));
  }

  undo() {
    if (!this.now.correction.undo()) return this.hint("nothing to undo");
    this.change(() => {});
  }

  redo() {
    if (!this.now.correction.redo()) return this.hint("nothing to redo");
    this.change(() => {});
  }

  flag() {
    if (this.flagged) return this.decide("unreadable");
    this.flagged = true;
    this.showHint();
  }

  decide(action) {
    const { task, correction } = this.now;
    const body = this.bodyOf(action);
    clearTimeout(this.autosaveTimer);
    localStorage.removeItem(this.draftKey(task));
    this.draftState = "saved";
    this.previous.push({ task, correction, seconds: body.seconds_spent, comment: this.now.comment });
    if (this.previous.length > MOST_PREVIOUS) this.previous.shift();
    this.now = null;
    this.outbox.add({ source: task.source, note_id: task.note_id, revision: task.revision, action, body });
    this.next();
  }

  // The note decided last, to be looked at again.
  async back() {
    const last = this.previous.pop();
    if (!last) return this.hint("there is no earlier note in this tab");
    const unsent = this.outbox.takeBack(keyOf(last.task));
    if (unsent) this.keepDraft(last.task, last.correction, last.seconds);
    else {
      this.goingBack = true;
      try {
        Object.assign(last.task, await this.server.post(pathOf(last.task, "again"), {}));
      } catch (error) {
        if (!(error instanceof Refusal)) this.previous.push(last);
        this.early = [];
        if (!this.now) this.next();
        return this.notice(`The earlier note cannot be changed now: ${error.message}.`);
      } finally {
        this.goingBack = false;
      }
    }
    this.putAside();
    this.show(last.task, last.correction, unsent ? last.seconds : 0, last.comment); // what was sent with its time gets the rest added
  }

  // The note on the paper comes again after another one.
  putAside() {
    if (!this.now) return;
    this.keepDraft(this.now.task, this.now.correction, this.now.watch.seconds);
    this.tasks.putBack(this.now.task);
  }

  // A note that was found.
  async open(note) {
    if (this.now && keyOf(this.now.task) === keyOf(note)) return;
    const ahead = this.tasks.drop([keyOf(note)])[0];
    try {
      const task = ahead ?? (await this.server.post(pathOf(note, "take"), {}));
      this.putAside();
      this.show(task);
    } catch (error) {
      if (error instanceof LoginNeeded) return this.askLogin();
      this.notice(`This note was not opened: ${error.message}.`);
    }
  }

  async selectionChanged() {
    try {
      await this.tasks.clear();
    } catch {
      this.setAway(true); // their leases run out
    }
    this.toldWhyAt = -FIGURES_MS;
    this.tasks.fill();
    if (!this.now) this.showWhyNothing();
  }

  // What is sent of the note on the paper.
  bodyOf(action) {
    const { task, correction, watch, comment } = this.now;
    const said = action === "decision" ? correction.body() : {};
    const seconds = Math.round(watch.seconds * 1000) / 1000;
    const about = { ...(comment && { comment }), ...(this.guideline.version && { guideline_version: this.guideline.version }) };
    return { lease: task.lease, sequence: task.sequence, seconds_spent: seconds, ...about, ...said };
  }

  // Keeping it

  draftKey(task) {
    return `rxtract-draft ${this.owner} ${task.revision} ${keyOf(task)}`;
  }

  keptDraft(task) {
    return JSON.parse(localStorage.getItem(this.draftKey(task)));
  }

  keepDraft(task, correction, seconds) {
    localStorage.setItem(this.draftKey(task), JSON.stringify({ ...correction.body(), seconds }));
  }

  autosave() {
    const { task, correction, watch } = this.now;
    this.keepDraft(task, correction, watch.seconds);
    this.draftState = "saving";
    this.showState();
    clearTimeout(this.autosaveTimer);
    this.autosaveTimer = setTimeout(() => this.saveDraft(), AUTOSAVE_MS);
  }

  async saveDraft() {
    const now = this.now;
    if (!now) return;
    const { task, correction } = now;
    try {
      await this.server.put(pathOf(task, "draft"), { lease: task.lease, ...correction.body() });
      if (this.now === now) this.draftState = "saved";
      this.setAway(false);
    } catch (error) {
      if (this.now !== now) return; // decided meanwhile: the outbox has what counts
      if (error instanceof Refusal) this.lost(error);
      else if (error instanceof LoginNeeded) this.askLogin();
      else this.retryDraft();
    }
    this.showState();
  }

  retryDraft() {
    this.setAway(true);
    this.draftState = "kept";
    clearTimeout(this.autosaveTimer);
    this.autosaveTimer = setTimeout(() => this.saveDraft(), 4 * AUTOSAVE_MS);
  }

  // The note went to somebody else or has a newer revision. What was done on it is kept.
  lost({ message }) {
    const { task, correction } = this.now;
    if (correction.changed) this.setAside(task, this.bodyOf("decision"), message);
    localStorage.removeItem(this.draftKey(task));
    this.draftState = "saved";
    this.notice(`The note before this one was taken off the desk: ${message}.`);
    this.tasks.release(keyOf(task));
    this.now = null;
    this.next();
  }

  setAside(task, body, reason) {
    const { source, note_id, revision } = task;
    this.refusals.add({ source, note_id, revision, action: "decision", unfinished: true, body }, reason);
  }

  lookAtLeases() {
    const shortest = Math.min(...this.held().map((task) => task.lease_s));
    if (performance.now() - this.keptAt > 1000 * shortest / 3) this.keepLeases();
  }

  held() {
    return [...(this.now ? [this.now.task] : []), ...this.tasks.ready];
  }

  // Notes that were fetched ahead are as much this person's as the one on the paper.
  async keepLeases() {
    const notes = this.held().map(({ source, note_id, revision, lease }) => ({ source, note_id, revision, lease }));
    if (!notes.length || document.visibilityState !== "visible") return;
    this.keptAt = performance.now();
    try {
      const { lost } = await this.server.post("/api/keep", { notes });
      this.tasks.drop(lost).forEach((task) => this.dropped(task));
      if (this.now && lost.includes(keyOf(this.now.task))) this.saveDraft(); // which tells why
    } catch (error) {
      if (error instanceof LoginNeeded) this.askLogin();
      else this.setAway(true);
    }
  }

  // A note fetched ahead went to somebody else; work is on it only when the person had gone back from it.
  dropped(task) {
    const kept = this.keptDraft(task);
    if (!kept) return;
    const { seconds, ...said } = kept;
    const body = { lease: task.lease, sequence: task.sequence, seconds_spent: seconds, ...said };
    this.setAside(task, body, "it went to another person, or has a newer revision");
    localStorage.removeItem(this.draftKey(task));
  }

  sent(item, answer) {
    this.tasks.release(keyOf(item));
    if (answer?.feedback) this.training.judged(answer.feedback);
    this.showFigures();
  }

  refused(item, reason) {
    this.tasks.release(keyOf(item));
    this.refusals.add(item, reason);
    this.notice(`One decision was not taken: ${reason}. It is kept: open “Not taken” at the top.`);
  }

  // Send a refused decision once more: over one's own earlier word if there is one, else as it was.
  async applyAgain(item) {
    const { refusal, reason, ...same } = item;
    let body = item.body;
    try {
      body = { ...body, ...(await this.server.post(pathOf(item, "again"), {})) };
    } catch (error) {
      if (error instanceof LoginNeeded) this.askLogin();
      if (!(error instanceof Refusal)) return this.setAway(!(error instanceof LoginNeeded));
    }
    this.outbox.add({ ...same, body });
    this.refusals.remove(item);
  }

  // What is told

  setAway(away) {
    this.away = away;
    this.showState();
  }

  showState() {
    const state = find("#state");
    const unsent = this.outbox.size;
    const one = unsent === 1;
    const kept = unsent ? `${unsent} ${one ? "decision is" : "decisions are"} kept here` : "your work is kept here";
    const away = this.outbox.away || this.draftState === "kept" || this.away;
    const failing = !away && this.outbox.failing;
    state.dataset.state = away || failing ? "away" : unsent || this.draftState !== "saved" ? "saving" : "saved";
    if (away) state.textContent = `No connection: ${kept} and sent when it is back`;
    else if (failing) state.textContent = `The desk does not take ${unsent} ${one ? "decision" : "decisions"} now: ${one ? "it is" : "they are"} kept here and sent again`;
    else state.textContent = state.dataset.state === "saving" ? "Saving" : "All saved";
  }

  showRefused() {
    const { items } = this.refusals;
    const button = find("#show-refused");
    button.hidden = !items.length;
    button.textContent = `Not taken: ${items.length}`;
    showRefusals(find("#refused ul"), items, {
      onApply: (item) => this.applyAgain(item),
      onDiscard: (item) => this.refusals.remove(item),
    });
    if (!items.length) find("#refused").close();
  }

  showHint() {
    const hint = find("#hint");
    if (this.flagged) hint.textContent = "Press F again to flag this note as unreadable, or Esc to keep it.";
    else if (this.pairing) hint.textContent = `Pair “${this.words(this.pairing.entity)}” with: press its number, or Esc.`;
    else if (this.offer) hint.textContent = `A: ${this.offer.label === null ? "delete" : "mark"} the ${this.offer.spans.length} other “${this.offer.words}” too`;
    else hint.textContent = "";
    find("#all").disabled = !this.offer;
  }

  hint(words) {
    find("#hint").textContent = words;
  }

  notice(words) {
    const box = find("#notice");
    box.hidden = false;
    box.querySelector("span").textContent = words;
    box.querySelector("button").onclick = () => (box.hidden = true);
  }

  async showFigures() {
    try {
      const figures = await this.server.get("/api/queue");
      if (figures.training) showProgress(find("#progress"), figures.training);
      else showFigures(find("#figures"), figures);
      if (this.away && this.draftState !== "kept") this.setAway(false);
    } catch (error) {
      if (error instanceof LoginNeeded) this.askLogin();
      else this.setAway(true);
    }
  }

  // What changes seldom: the guideline, and what a lead changed.
  async showSlowFigures() {
    try {
      await this.guideline.load();
      if (this.base) return;
      showFeedback(find("#feedback"), await this.server.get("/api/feedback"));
      showWaits(find("#waits"), await this.server.get("/api/trust/mine"));
    } catch (error) {
      if (error instanceof LoginNeeded) this.askLogin();
      else this.setAway(true);
    }
  }

  async showWhyNothing() {
    try {
      if (this.base) return this.training.finished((await this.server.get("/api/queue")).training);
      if (performance.now() - this.toldWhyAt < FIGURES_MS) return; // the desk is asked for notes far more often
      this.toldWhyAt = performance.now();
      const counts = await this.server.get(`/api/waiting?${new URLSearchParams(this.finding.selection)}`);
      if (!this.now) find("#why-nothing").textContent = whyNothing(counts);
    } catch {
      find("#why-nothing").textContent = ""; // the line at the top says that the desk is away
    }
  }

  // What a person asks for beside the note

  find() {
    if (this.base) return this.hint("in the training there is nothing to find");
    this.finding.open().catch(() => this.setAway(true));
  }

  async lookUp() {
    const { now } = this;
    const span = this.scope();
    const words = this.words(span);
    if (words.trim().length < 2) return this.hint("put the cursor on a name first");
    try {
      const found = await lookUp(this.server, now.task, words);
      if (this.now === now) this.hint(found);
    } catch (error) {
      this.hint(`Not looked up: ${error.message}.`);
    }
  }

  comment() {
    const { now } = this;
    this.commentBox.open(now.comment, (words) => {
      now.comment = words;
      if (this.now === now) this.commentBox.show(words);
    });
  }

  // Who

  askLogin() {
    if (!find("#login").open) find("#login").showModal();
  }

  async login(event) {
    event.preventDefault();
    const field = find("#login input");
    const token = field.value;
    field.value = find("#login .problem").textContent = ""; // at once: a late answer must not take what is typed meanwhile
    try {
      const who = await this.server.login(token);
      if (who.annotator !== this.owner) return location.reload();
      find("#login").close();
      this.outbox.send();
      this.tasks.fill();
      this.showFigures();
    } catch (error) {
      find("#login .problem").textContent = error.message;
    }
  }

  async logout() {
    if (this.outbox.size) return this.notice("Not all decisions are sent yet: wait until the page says “All saved”.");
    if (this.now) await this.saveDraft();
    await this.server.post("/api/logout", {});
    location.assign("/login");
  }

  // Keys, buttons, pointer

  key(event) {
    if (find("dialog[open]")) return;
    if (isHeld(event)) return event.preventDefault();
    const action = actionOf(event);
    if (action === "help") return find("#help").showModal();
    if (!action || ownKey(event) || !this.takes(action)) return;
    event.preventDefault();
    this.take(action);
  }

  button(event) {
    const button = event.target.closest("button[data-do]");
    if (!button || !this.takes(button.dataset.do)) return;
    this.take(button.dataset.do);
    if (event.detail > 0) find("#paper").focus({ preventScroll: true });
  }

  get isWaiting() {
    return this.coming || this.goingBack;
  }

  takes(action) {
    return this.isWaiting || this.now !== null || ALWAYS.has(action);
  }

  // Do it now, or when the note that is on its way has come.
  take(action) {
    if (action === "back" && !this.goingBack) this.early = []; // the note before needs no waiting
    else if (ALWAYS.has(action) && action !== "back") return this.act(action);
    else if (this.isWaiting) return this.early.length < MOST_EARLY && this.early.push({ action, at: performance.now() });
    this.act(action);
  }

  // What was pressed before the note came moves and marks, but decides nothing: nobody had seen the note.
  replayEarly() {
    while (this.early.length && !this.isWaiting) {
      const { action, at } = this.early.shift();
      const decides = DECIDING.has(action) || (action === "flag" && this.flagged);
      if (!decides && performance.now() - at < EARLY_MS) this.act(action);
      else {
        this.early = [];
        this.hint("What you pressed before this note came was not done: press it again.");
      }
    }
  }

  act(action) {
    this.settlePointer?.();
    if (action !== "flag" && this.flagged) {
      this.flagged = false;
      this.showHint();
    }
    const [name, ...more] = action.split(" ");
    ACTIONS[name](this, ...more);
  }

  pointer(event) {
    if (!this.now) return;
    const entity = this.now.correction.byId(this.paper.entityIdOf(event.target));
    if (entity && this.pairing?.others.includes(entity)) return this.pairWith(this.pairing.others.indexOf(entity));
    // The browser settles its selection after this event; a key that comes sooner does not wait for the next frame.
    this.settlePointer = () => {
      this.settlePointer = null;
      const selected = this.paper.selected();
      if (selected && this.now) this.select(this.cursor.snap(selected));
    };
    requestAnimationFrame(() => this.settlePointer?.());
  }
}

new Desk().start();
