// What earlier pages left in this browser under names that begin so, oldest first.

export function keptUnder(prefix) {
  return Object.keys(localStorage)
    .filter((key) => key.startsWith(prefix))
    .map((key) => JSON.parse(localStorage.getItem(key)))
    .sort((a, b) => a.kept_at - b.kept_at);
}
