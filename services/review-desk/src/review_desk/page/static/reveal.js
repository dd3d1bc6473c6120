// Brings a range of text into sight: within the box that scrolls it, and within the window above what lies over its foot.

const MARGIN = 8;

export function reveal(range, box) {
  const found = () => range.getClientRects()[0] ?? range.getBoundingClientRect();
  inBox(found(), box);
  inWindow(found());
}

function inBox(rect, box) {
  const frame = box.getBoundingClientRect();
  const [top, bottom] = [frame.top + box.clientTop, frame.top + box.clientTop + box.clientHeight];
  if (rect.top >= top + MARGIN && rect.bottom <= bottom - MARGIN) return;
  box.scrollTop += rect.top - top - (box.clientHeight - rect.height) / 2;
}

function inWindow(rect) {
  const bottom = window.innerHeight - coveredAtTheFoot();
  if (rect.top >= MARGIN && rect.bottom <= bottom - MARGIN) return;
  window.scrollBy(0, rect.top - (bottom - rect.height) / 2);
}

// On a phone the buttons that decide stand over the foot of the window.
function coveredAtTheFoot() {
  const bar = document.querySelector("#decide");
  return bar && getComputedStyle(bar).position === "fixed" ? bar.offsetHeight : 0;
}
