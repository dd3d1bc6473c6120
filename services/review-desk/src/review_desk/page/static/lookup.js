// What others decided about the words under the cursor, in other notes.

const LABELS = { DISEASE: "disease", TREATMENT: "treatment" };

export async function lookUp(server, task, words) {
  const query = new URLSearchParams({ words: words.trim().slice(0, 200), source: task.source, note_id: task.note_id });
  const { decided } = await server.get(`/api/lookup?${query}`);
  if (!decided.length) return `“${words}”: nobody has marked it in another note yet.`;
  return `“${words}”: ${decided.map(inWords).join("; ")}.`;
}

function inWords({ label, notes, people, mine, stated }) {
  const others = notes ? `${people} ${people === 1 ? "other" : "others"} in ${notes} ${notes === 1 ? "note" : "notes"}` : "";
  const own = mine ? `you in ${mine}` : "";
  const said = stated.map(({ words, times }) => `${plain(words)} ${times}×`).join(", ");
  return `${LABELS[label] ?? label}: ${[others, own].filter(Boolean).join(", ")}${said ? ` (${said})` : ""}`;
}

function plain(stated) {
  return stated.toLowerCase().replace(/ (current|patient)/g, "");
}
