// What a note says of an entity, in the contract's words and in plain ones. Knows no page.

export const USUAL = { status: "PRESENT", time: "CURRENT", experiencer: "PATIENT" };

// Plain words; nothing where it is as usual.
const WORDS = {
  NEGATED: "negated", POSSIBLE: "possible", HYPOTHETICAL: "hypothetical", ALLERGY: "allergy", REFUSED: "refused",
  HISTORICAL: "past", PLANNED: "planned", FAMILY: "family", OTHER: "another person",
};

const SIGNS = {
  NEGATED: "−", POSSIBLE: "?", HYPOTHETICAL: "if", ALLERGY: "!", REFUSED: "✕", HISTORICAL: "past", PLANNED: "later",
  FAMILY: "fam", OTHER: "other",
};

export const OF_TREATMENTS = new Set(["ALLERGY", "REFUSED"]);

export const TYPES = ["TREATS", "TREATED", "PLANNED", "PREVENTS", "CAUSES", "CONTRAINDICATED", "REFUSED", "TREATS_FAILED"];

// Between the treatment and the disease.
export const TYPE_WORDS = {
  TREATS: "for", TREATED: "was for", PLANNED: "planned for", PREVENTS: "prevents", CAUSES: "causes",
  CONTRAINDICATED: "not to be given in", REFUSED: "refused for", TREATS_FAILED: "failed for",
};

export function statementWords(entity) {
  if (!entity.assertion) return ["not judged"];
  const { status, time, experiencer } = entity.assertion;
  return [status, time, experiencer].map((name) => WORDS[name]).filter(Boolean);
}

export function statementSigns({ assertion }) {
  if (!assertion) return "";
  return [assertion.status, assertion.time, assertion.experiencer].map((name) => SIGNS[name]).filter(Boolean).join(" ");
}

export function prescriptionWords(found) {
  if (!found) return "";
  const times = found.frequency && found.period ? `${found.frequency}/${found.period}${found.period_unit}` : null;
  const length = found.duration ? `${found.duration} ${found.duration_unit}` : null;
  return [found.form, found.strength, found.dose, times, found.when, found.as_needed ? "SOS" : null, length, found.route]
    .filter(Boolean)
    .join(" · ");
}

// What is said of an entity as far as its label allows it.
export function fitting(label, assertion) {
  return label === "DISEASE" && assertion && OF_TREATMENTS.has(assertion.status) ? { ...assertion, status: "PRESENT" } : assertion;
}
