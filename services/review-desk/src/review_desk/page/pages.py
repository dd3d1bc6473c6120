"""Renders the page and the login."""

import shlex
from pathlib import Path

from jinja2 import Environment, FileSystemLoader
from starlette.responses import HTMLResponse
from starlette.staticfiles import StaticFiles

from review_desk.desk import Looked
from review_desk.domain.spans import pieces_of

_HERE = Path(__file__).parent

SHORTCUTS = (
    (("Enter",), "accept and next: what you see is what is right"),
    (("←", "→"), "move by word"),
    (("↑", "↓"), "move by line"),
    (("J", "K"), "next entity, previous entity"),
    (("Shift", "← →"), "select more words, or fewer"),
    (("D",), "disease: marks the selection, or changes the entity"),
    (("T",), "treatment: marks the selection, or changes the entity"),
    (("]", "["), "grow or shrink the entity at its end"),
    (("{", "}"), "grow or shrink the entity at its start"),
    (("X",), "delete the entity"),
    (("A",), "do the same to all same mentions"),
    (("P",), "pair a treatment with its disease; a number picks it"),
    (("E", "N"), "the entity is present; it is negated"),
    (("M", "I"), "it is possible (maybe); it is hypothetical (if)"),
    (("G", "W"), "the patient is allergic to the treatment; refuses it (won't)"),
    (("C", "H", "L"), "current; past (history); planned (later)"),
    (("Y", "V", "O"), "it is the patient's; of the family; of another person"),
    (
        ("Shift", "1 … 8"),
        "type of the pair: for, was for, planned for, prevents, causes, not in, refused for, failed for",
    ),
    (("Z",), "prescription of the treatment; in it a letter goes to each attribute"),
    (("U", "R"), "undo, redo"),
    (("B",), "back to the note before, to change it"),
    (("S",), "skip: leave it to others"),
    (("F", "F"), "flag as unreadable"),
    (("1", "2"), "lead: accept reviewer 1 or 2"),
    (("Esc",), "leave a selection or a pair"),
    ((".",), "guideline: show or hide it"),
    (("/",), "find notes, or work through a part of the queue"),
    (("Q",), "look up how others label the words under the cursor"),
    ((",",), "comment on the note, to the lead"),
    (("?",), "these keys"),
)
"""Keys and what they do. A browser test presses each of them."""


ROUTES = (
    "oral",
    "intravenous",
    "intramuscular",
    "subcutaneous",
    "inhalation",
    "nasal",
    "ophthalmic",
    "otic",
    "topical",
    "sublingual",
    "rectal",
    "vaginal",
)
"""What the rules may find; the desk does not carry them with it, and a test holds the two together."""


FORMS = (
    ("jsonl", "JSON lines"),
    ("conll", "CoNLL"),
    ("spacy", "spaCy"),
    ("label-studio", "Label Studio"),
)
"""Forms in which a lead can have the labels. A test holds them and `corpus.formats.writing` together."""


class Pages:
    """The templates."""

    def __init__(self) -> None:
        self._templates = Environment(loader=FileSystemLoader(_HERE), autoescape=True)

    def desk(self, *, name: str, role: str, annotator: str, csrf: str, base: str = "") -> HTMLResponse:
        """The page of a person; `base` is where its notes come from, the desk itself by default."""
        about = {"name": name, "role": role, "annotator": annotator, "csrf": csrf, "base": base}
        template = self._templates.get_template("desk.html")
        return HTMLResponse(template.render(about, shortcuts=SHORTCUTS, routes=ROUTES))

    def lead(self, *, name: str, csrf: str) -> HTMLResponse:
        """The page of a lead."""
        return HTMLResponse(self._templates.get_template("lead.html").render(name=name, csrf=csrf, forms=FORMS))

    def note(self, source: str, note_id: str, looked: Looked | None) -> HTMLResponse:
        """One note to look at; 404 when the desk does not have it."""
        pieces = pieces_of(looked.request.text, looked.spans) if looked else []
        command = shlex.join(["rxtract", "why", "--source", source, note_id])
        html = self._templates.get_template("note.html").render(
            source=source, note_id=note_id, looked=looked, pieces=pieces, command=command
        )
        return HTMLResponse(html, 200 if looked else 404)

    def login(self) -> HTMLResponse:
        """The door."""
        return HTMLResponse(self._templates.get_template("login.html").render())


def static_files() -> StaticFiles:
    """Scripts, style and icon."""
    return StaticFiles(directory=_HERE / "static")
