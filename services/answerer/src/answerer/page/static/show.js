// From an answer to elements. Texts become text nodes: nothing of a note is ever read as HTML.
const SHORT = { DISEASE: "D", TREATMENT: "T" };
const EVERY = { h: "hour", d: "day", wk: "week", mo: "month" };
const WHEN = { AC: "before food", PC: "after food", HS: "at bedtime" };
const UNSURE = 0.5;

function element(name, classes = "", ...children) {
  const made = document.createElement(name);
  if (classes) made.className = classes;
  made.append(...children);
  return made;
}

const isFact = ({ status, time, experiencer }) =>
  (status === "PRESENT" && time === "CURRENT" && experiencer === "PATIENT") || status === "UNKNOWN";

const plain = (word) => word.toLowerCase().replaceAll("_", " ");

// What differs from a present fact of the patient, in a word or two.
function remark({ status, time, experiencer }) {
  const words = [];
  if (status === "NEGATED") words.push("not");
  else if (!["PRESENT", "UNKNOWN"].includes(status)) words.push(plain(status));
  if (!["CURRENT", "UNKNOWN"].includes(time)) words.push(plain(time));
  if (!["PATIENT", "UNKNOWN"].includes(experiencer)) words.push(plain(experiencer));
  return words.join(" ");
}

// A stretch of text with the words that decided marked in it.
function stretch(chars, start, end, cues) {
  const parts = [];
  let from = start;
  for (const [cueStart, cueEnd] of cues) {
    const first = Math.max(cueStart, from), last = Math.min(cueEnd, end);
    if (first >= last) continue;
    if (first > from) parts.push(chars.slice(from, first).join(""));
    parts.push(element("span", "cue", chars.slice(first, last).join("")));
    from = last;
  }
  if (from < end) parts.push(chars.slice(from, end).join(""));
  return parts;
}

export function paper(text, entities) {
  const chars = Array.from(text);
  const cues = entities.map(({ assertion }) => [assertion.cue_start, assertion.cue_end]).filter(([start]) => start >= 0);
  cues.sort((a, b) => a[0] - b[0]);
  const parts = [];
  let from = 0;
  for (const entity of entities) {
    parts.push(...stretch(chars, from, entity.start, cues));
    const what = remark(entity.assertion);
    const said = [SHORT[entity.label], what].filter(Boolean).join(" ");
    const link = element("a", "", element("span", "words", ...stretch(chars, entity.start, entity.end, cues)), element("small", "", said));
    link.href = `#${entity.entity_id}`;
    link.setAttribute("aria-label", [entity.text, plain(entity.label), what].filter(Boolean).join(", "));
    const kind = isFact(entity.assertion) ? "" : entity.assertion.status === "NEGATED" ? " no-fact denied" : " no-fact";
    parts.push(element("mark", entity.label.toLowerCase() + kind, link));
    from = entity.end;
  }
  parts.push(...stretch(chars, from, chars.length, cues));
  return parts;
}

export function rows(text, entities) {
  const chars = Array.from(text);
  return entities.map((entity) => {
    const { assertion } = entity;
    const words = element("th", entity.label.toLowerCase(), entity.text);
    words.scope = "row";
    const cue = assertion.cue_start < 0 ? "" : chars.slice(assertion.cue_start, assertion.cue_end).join("");
    const sure = element("td", entity.confidence < UNSURE ? "number unsure" : "number", entity.confidence.toFixed(2));
    if (entity.confidence < UNSURE) sure.append(" unsure");
    const cells = [plain(assertion.status), plain(assertion.time), plain(assertion.experiencer), cue, prescription(entity.prescription)];
    const row = element("tr", "", words, element("td", "", plain(entity.label)), sure, ...cells.map((one) => element("td", "", one)));
    row.id = entity.entity_id;
    return row;
  });
}

export function relations(found) {
  if (found.length === 0) return [element("li", "quiet", "none")];
  return found.map((one) =>
    element("li", "", element("strong", "", one.treatment), ` ${plain(one.type)} `, element("strong", "", one.disease), ` (${one.confidence.toFixed(2)})`));
}

function many(count, unit) { return count === 1 ? unit : `${count} ${unit}s`; }

function prescription(said) {
  if (!said) return "";
  const parts = [said.form, said.strength, said.dose && `dose ${said.dose}`];
  if (said.frequency && said.period_unit) parts.push(`${said.frequency} × per ${many(said.period, EVERY[said.period_unit])}`);
  parts.push(WHEN[said.when], said.as_needed && "as needed");
  if (said.duration && said.duration_unit) parts.push(`for ${said.duration} ${EVERY[said.duration_unit]}${said.duration === 1 ? "" : "s"}`);
  parts.push(said.route);
  return parts.filter(Boolean).join(", ");
}
