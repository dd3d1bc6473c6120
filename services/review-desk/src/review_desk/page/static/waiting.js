// Why nothing waits for a person although notes wait.

const count = (number, one, more) => `${number.toLocaleString("en-IN")} ${number === 1 ? one : more}`;

const WORDS = {
  answered: (n) => `${count(n, "waits", "wait")} for a second person: you have answered ${n === 1 ? "it" : "them"}`,
  held: (n) => `${count(n, "is", "are")} open at other people now`,
  lead: (n) => `${count(n, "waits", "wait")} for a lead, who decides between two answers`,
  reserved: (n) => `${count(n, "is", "are")} reserved for other people`,
  selection: (n) => `${count(n, "is", "are")} outside your selection`,
  yours: (n) => `${count(n, "is", "are")} on the way to you`,
  more: (n) => `${count(n, "more was", "more were")} not looked at`,
};

export function whyNothing(counts) {
  const parts = Object.entries(WORDS).filter(([name]) => counts[name]).map(([name, words]) => words(counts[name]));
  const total = Object.values(counts).reduce((sum, number) => sum + number, 0);
  if (!total) return "No note waits at all.";
  return `${count(total, "note waits", "notes wait")}, none of them for you now: ${parts.join("; ")}.`;
}
