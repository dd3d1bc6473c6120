// The side of the page: entities and pairs of the note, the opinions a lead decides between, the queue and the person's own figures.

import { nameOf, percent } from "./paper.js";
import { prescriptionWords, statementWords, TYPE_WORDS, TYPES } from "./statements.js";

export function showEntities(list, correction, onSelect, codeOf = () => null) {
  list.replaceChildren(
    ...correction.entities.map((entity) => {
      const button = document.createElement("button");
      button.type = "button";
      button.className = `chip ${entity.label.toLowerCase()}`;
      button.dataset.letter = entity.label[0];
      button.title = nameOf(entity);
      button.append(textOf(correction, entity), sure(entity));
      button.addEventListener("click", () => onSelect(entity));
      return item(button, quiet([...statementWords(entity), prescriptionWords(entity.prescription)].filter(Boolean).join(" · ")), ...[codeOf(entity)].filter(Boolean));
    }),
  );
}

export function showPairs(list, correction, onRemove, onType) {
  list.replaceChildren(
    ...correction.pairs.map((pair) => {
      const treatment = correction.byId(pair.treatment);
      const disease = correction.byId(pair.disease);
      const button = document.createElement("button");
      button.type = "button";
      button.className = "remove";
      button.textContent = "×";
      button.setAttribute("aria-label", "Remove this pair");
      button.addEventListener("click", () => onRemove(treatment, disease));
      return item(
        chip(textOf(correction, treatment), "treatment"),
        typeOf(pair, onType),
        chip(textOf(correction, disease), "disease"),
        button,
      );
    }),
  );
}

export function showOpinions(section, note, opinions, onTake) {
  section.hidden = !opinions.length;
  const parts = opinions.map((opinion, index) => {
    const box = document.createElement("div");
    box.className = "opinion";
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = `Take opinion ${index + 1}`;
    button.addEventListener("click", () => onTake(index));
    const others = opinions.filter((other) => other !== opinion);
    box.append(button, ...opinion.entities.map((entity) => {
      const words = note.text.slice(note.unit(entity.start), note.unit(entity.end));
      const one = chip(words, entity.label.toLowerCase());
      mark(one, differenceOf(entity, others));
      return one;
    }));
    if (opinion.outcome === "UNREADABLE") box.append(document.createTextNode(" flagged as unreadable"));
    return box;
  });
  section.querySelector(".opinions").replaceChildren(...parts);
}

// How an entity of one opinion differs from the other ones; nothing where all have it so.
function differenceOf(entity, others) {
  for (const { entities } of others) {
    const same = entities.find(({ start, end }) => start === entity.start && end === entity.end);
    if (!same) return "only here";
    if (same.label !== entity.label) return `a ${same.label.toLowerCase()} there`;
    const stated = (one) => statementWords(one).join(", ") || "as usual";
    if (stated(same) !== stated(entity)) return `${stated(entity)} here, ${stated(same)} there`;
  }
  return "";
}

function mark(one, difference) {
  if (!difference) return;
  one.classList.add("differs");
  one.append(quiet(`≠ ${difference}`));
}

export function showFigures(root, figures) {
  const { waiting, mine, agreement, drifted, used_in: usedIn, new_words: newWords, agreement_stated: stated } = figures;
  const total = Object.values(waiting).reduce((sum, count) => sum + count, 0);
  put(root, "waiting", total.toLocaleString("en-IN"));
  put(root, "waiting-words", total === 1 ? "note waits" : "notes wait");
  put(root, "waiting-parts", Object.entries(waiting)
    .filter(([, count]) => count)
    .map(([queue, count]) => `${count.toLocaleString("en-IN")} ${QUEUES[queue]}`)
    .join(", ") || "nothing waits");
  put(root, "pace", mine.last_hour);
  put(root, "done", mine.notes.toLocaleString("en-IN"));
  put(root, "agreement", agreement.map(inWords).join("; "));
  put(root, "agreement-stated", stated.filter(({ same }) => same !== null).map(agreementInWords).join("; ") || "nothing yet");
  put(root, "used", usedIn.length
    ? usedIn.map(({ version, notes, promoted }) => `${notes} of your notes are in model v${version}${promoted ? ", which serves" : ""}`).join("; ")
    : "none yet");
  const segments = Object.entries(drifted).filter(([segment]) => segment !== "all");
  root.querySelector("[data-drift]").hidden = !segments.length;
  put(root, "drifted", segments.map(([segment, level]) => `${plainSegment(segment)} (${level.toLowerCase()})`).join(", "));
  root.querySelector("[data-new-words]").hidden = !newWords.length;
  put(root, "new-words", newWords.join(", "));
}

const QUEUES = { open: "to review", audit: "of the audit", second: "for a second opinion", lead: "for a lead" };

function inWords({ label, notes, f1, kappa }) {
  const name = label === "DISEASE" ? "diseases" : "treatments";
  if (f1 === null) return `${name}: not known yet`;
  const chance = kappa === null ? "" : `, kappa ${kappa.toFixed(2)}`;
  return `${name} ${percent(f1)}${chance} (${notes} ${notes === 1 ? "note" : "notes"})`;
}

function agreementInWords({ kind, entities, same, kappa }) {
  const chance = kappa === null ? "" : `, kappa ${kappa.toFixed(2)}`;
  return `${kind} ${percent(same)}${chance} (${entities})`;
}

function plainSegment(segment) {
  return segment.replaceAll(/(city|specialty)=/g, "").replace("|", ", ");
}

function textOf(correction, entity) {
  return correction.note.text.slice(entity.start, entity.end);
}

function typeOf(pair, onType) {
  const select = document.createElement("select");
  select.setAttribute("aria-label", "How they belong together");
  select.append(...TYPES.map((type) => new Option(TYPE_WORDS[type], type, false, type === pair.type)));
  select.addEventListener("change", () => onType(pair, select.value));
  return select;
}

function quiet(words) {
  const small = document.createElement("small");
  small.className = "said";
  small.textContent = words;
  return small;
}

function sure(entity) {
  const small = document.createElement("small");
  small.textContent = entity.confidence === null ? "by hand" : percent(entity.confidence);
  return small;
}

function chip(words, kind) {
  const span = document.createElement("span");
  span.className = `chip ${kind}`;
  span.dataset.letter = kind[0].toUpperCase();
  span.textContent = words;
  return span;
}

function item(...children) {
  const li = document.createElement("li");
  li.append(...children);
  return li;
}

function put(root, name, words) {
  root.querySelector(`[data-figure="${name}"]`).textContent = words;
}
