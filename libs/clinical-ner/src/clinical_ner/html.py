"""A tagged note as HTML: for a notebook, and for a file to open in a browser."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from clinical_ner.meaning import Experiencer, Status, Time

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clinical_ner.tagger import Entity

STYLE = """<style>
.rxtract{font:16px/2 system-ui,sans-serif;white-space:pre-wrap;overflow-wrap:anywhere}
.rxtract mark{color:#1c2430;border-radius:5px;padding:.1rem .3rem;border:1px solid;background:#fff}
.rxtract mark.fact.disease{background:#fde3da}.rxtract mark.fact.treatment{background:#d5eff0}
.rxtract mark.disease{border-color:#96220d}.rxtract mark.treatment{border-color:#0a5156;border-style:dashed}
.rxtract mark.denied span{text-decoration:line-through}.rxtract small{font-weight:700;margin-left:.25rem}
</style>"""
_SHORT = {"DISEASE": "D", "TREATMENT": "T"}


def note_html(text: str, entities: Sequence[Entity]) -> str:
    """Return a note with its entities marked. Nothing of the text is read as HTML; letters tell what colours tell."""
    parts, at = [], 0
    for entity in entities:
        parts += [escape(text[at : entity.start]), _mark(text, entity)]
        at = entity.end
    return f'<div class="rxtract">{"".join([*parts, escape(text[at:])])}</div>'


def page(notes: Sequence[tuple[str, str, Sequence[Entity]]]) -> str:
    """Return a whole page of notes, each with its id; without a script and without anything from elsewhere."""
    body = "".join(
        f"<h2>{escape(note_id)}</h2>{note_html(text, entities)}" if len(notes) > 1 else note_html(text, entities)
        for note_id, text, entities in notes
    )
    head = '<!doctype html><html lang="en"><meta charset="utf-8"><title>Rxtract</title>'
    return f'{head}<meta name="viewport" content="width=device-width">{STYLE}<main>{body}</main></html>\n'


def _mark(text: str, entity: Entity) -> str:
    status, time, experiencer = entity.assertion[:3]
    statements = [
        "not" if status is Status.NEGATED else "" if status in {Status.PRESENT, Status.UNKNOWN} else status,
        "" if time in {Time.CURRENT, Time.UNKNOWN} else time,
        "" if experiencer in {Experiencer.PATIENT, Experiencer.UNKNOWN} else experiencer,
    ]
    words = " ".join(word.lower() for word in statements if word)
    kind = " ".join(
        [entity.label.lower(), *([] if words else ["fact"]), *(["denied"] if status is Status.NEGATED else [])]
    )
    letters = f"{_SHORT[entity.label]} {words}".strip()
    title = f"{entity.label.lower()}, confidence {entity.confidence:.2f}"
    return f'<mark class="{kind}" title="{title}"><span>{escape(text[entity.start : entity.end])}</span><small>{letters}</small></mark>'
