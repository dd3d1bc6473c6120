// The guideline beside the note. Its lines: # and ## headings, + right, - wrong, * items; [disease] and <treatment> inside them.

const OPEN = "rxtract-guideline-open";
const MARKED = /\[([^\]]+)\]|<([^>]+)>/g;
const KINDS = { "+ ": "right", "- ": "wrong", "* ": "item" };
const SIGNS = { right: "✓ ", wrong: "✗ ", item: "" };

export class Guideline {
  constructor(panel, server) {
    this._panel = panel;
    this._server = server;
    this.version = null;
    panel.open = (localStorage.getItem(OPEN) ?? String(innerWidth > 900)) === "true";
    panel.addEventListener("toggle", () => localStorage.setItem(OPEN, String(panel.open)));
  }

  toggle() {
    this._panel.open = !this._panel.open;
    if (this._panel.open) this._panel.scrollIntoView({ block: "nearest" });
  }

  async load() {
    const { version, text } = await this._server.get("/api/guideline");
    this.version = version;
    this._panel.querySelector("[data-version]").textContent = `version ${version}`;
    showGuideline(this._panel.querySelector(".guideline"), text);
  }
}

export function showGuideline(root, text) {
  root.replaceChildren(...blocks(text));
}

// Lines of a paragraph belong together, and so do the items of a list. Text nodes only: nothing of it is read as markup.
function blocks(text) {
  const found = [];
  let list = null;
  let paragraph = null;
  for (const line of text.split("\n")) {
    const heading = /^(#{1,3}) (.+)$/.exec(line);
    const kind = KINDS[line.slice(0, 2)];
    if (!kind) list = null;
    if (heading || kind || !line.trim()) paragraph = null;
    if (heading) found.push(element(heading[1].length > 1 ? "h4" : "h3", heading[2]));
    else if (kind) {
      if (!list) found.push((list = document.createElement("ul")));
      const item = element("li", `${SIGNS[kind]}${line.slice(2)}`);
      item.className = kind;
      list.append(item);
    } else if (line.trim() && paragraph) paragraph.append(" ", ...pieces(line));
    else if (line.trim()) found.push((paragraph = element("p", line)));
  }
  return found;
}

function element(name, words) {
  const made = document.createElement(name);
  made.append(...pieces(words));
  return made;
}

function pieces(words) {
  const found = [];
  let at = 0;
  for (const match of words.matchAll(MARKED)) {
    found.push(words.slice(at, match.index));
    const mark = document.createElement("mark");
    mark.className = match[1] ? "disease" : "treatment";
    mark.dataset.short = match[1] ? "D" : "T";
    mark.textContent = match[1] ?? match[2];
    found.push(mark);
    at = match.index + match[0].length;
  }
  return [...found, words.slice(at)].filter(Boolean);
}
