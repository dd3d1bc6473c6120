"""Names of labels and label schemes, and from token labels to spans."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clinical_ner.notes import AnnotatedNote, Label, Span

if TYPE_CHECKING:
    from collections.abc import Sequence

_NAMES = {
    "d": Label.DISEASE,
    "dis": Label.DISEASE,
    "disease": Label.DISEASE,
    "t": Label.TREATMENT,
    "treat": Label.TREATMENT,
    "treatment": Label.TREATMENT,
}
_STARTS = frozenset("BSU")
_ENDS = frozenset("ELSU")
KNOWN = "O, D (or DISEASE), T (or TREATMENT), each also with B-, I-, E-, S-, L- or U- before it"


def label_named(name: str) -> Label | None:
    """Return the label of a name in any case (`D`, `Disease`, `TREATMENT`), or None."""
    return _NAMES.get(name.casefold())


def parse_tag(tag: str) -> tuple[str, Label | None]:
    """Split a token's tag into its prefix ("I" when it has none) and label (None for O).

    Raises:
        ValueError: The tag is unknown.
    """
    if tag in {"O", "o"}:
        return "O", None
    prefix, dash, name = tag.partition("-")
    if not dash or prefix.upper() not in {"B", "I", "E", "S", "L", "U"}:
        prefix, name = "I", tag
    label = label_named(name)
    if label is None:
        raise ValueError(tag)
    return prefix.upper(), label


def sentence_of(
    tokens: Sequence[str], tags: Sequence[tuple[str, Label | None]], note_id: str = "", group: str = ""
) -> AnnotatedNote:
    """Join tokens by spaces and turn their tags into spans, the given token boundaries kept in `meta`.

    IO, IOB1, BIO, BIOES/IOBES and BILOU are read by one rule: a span begins where a label begins, changes, is marked as
    a beginning, or follows a marked end. In IO, a run of one label is therefore one span.
    """
    offsets: list[tuple[int, int]] = []
    position = 0
    for token in tokens:
        offsets.append((position, position + len(token)))
        position += len(token) + 1
    return AnnotatedNote(
        text=" ".join(tokens),
        spans=tuple(_spans(offsets, tags)),
        note_id=note_id,
        group=group,
        meta={"token_offsets": ",".join(f"{start}:{end}" for start, end in offsets)},
    )


def _spans(offsets: Sequence[tuple[int, int]], tags: Sequence[tuple[str, Label | None]]) -> list[Span]:
    spans: list[Span] = []
    open_label: Label | None = None
    for (start, end), (prefix, label) in zip(offsets, tags, strict=True):
        if label is not None:
            if label is open_label and prefix not in _STARTS:
                spans[-1] = Span(spans[-1].start, end, label)
            else:
                spans.append(Span(start, end, label))
        open_label = None if prefix in _ENDS else label
    return spans
