"""From a finding to an annotated note: labels mapped, offsets turned into code points, spans made to stand beside each other.

ReadingOptions, the same for every format. Equal spans are one. Of a span inside another, the outer is kept and the inner is listed. Spans that
cross, or one place with two labels, are a contradiction: refused, unless the longest was asked for. Blanks at the edges are no part of
a span. In tokens that nobody separated from their punctuation, the mark after a name is no part of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from clinical_ner.notes import NOT_ANNOTATED, AnnotatedNote, Label, Span

from corpus.formats.canonical import places_of
from corpus.formats.found import FoundSpan, InvalidRecord
from corpus.formats.offsets import OURS, Counting, cuts, same_words, trimmed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from corpus.formats.found import FoundNote
    from corpus.formats.report import Report
    from corpus.formats.vocabulary import Vocabulary

_AFTER, _BEFORE = ",;:.!?", ",;:("
_BRACKETS = {")": "(", "]": "["}


@dataclass(frozen=True, slots=True)
class ReadingOptions:
    """What its user decided about a data set, and what was read off a file."""

    vocabulary: Vocabulary
    counting: Counting = OURS
    glued: bool = False
    longest: bool = False
    repair: bool = False


@dataclass(slots=True)
class _Kept:
    span: Span
    found: FoundSpan
    given: list[int]


def resolve(note: FoundNote, rules: ReadingOptions, report: Report) -> AnnotatedNote | None:
    """Return the note, or None where it has a fault (then noted in the report)."""
    before = report.faults
    kept = [
        found
        for place, span in enumerate(note.spans)
        if (found := _placed(note, place, span, rules, report)) is not None
    ]
    kept = _merged(note, kept, report)
    kept = list(_beside(note, kept, rules, report))
    if report.faults != before:
        return None
    spans = tuple(each.span for each in kept)
    place = {given: rank for rank, each in enumerate(kept) for given in each.given}
    try:
        pairs, relations = places_of(note, spans, place)
    except InvalidRecord as error:
        report.problem(note.path, note.line, str(error), error.kind)
        return None
    if note.relations is not None:
        relations = tuple(_relations(note, kept, rules, report))
        pairs = tuple((treatment, disease) for kind, treatment, disease in relations if kind == "TREATS")
    meanings = tuple(each.found.meaning for each in kept)
    meta = dict(note.meta)
    if note.tokens:
        meta["token_offsets"] = ",".join(f"{start}:{end}" for start, end in note.tokens)
    return AnnotatedNote(
        text=note.text,
        spans=spans,
        pairs=pairs,
        note_id=note.note_id or f"{note.path.name}:{note.line}",
        group=note.group,
        meta=meta,
        relations=relations,
        meanings=meanings if any(meaning != NOT_ANNOTATED for meaning in meanings) else (),
    )


def _placed(note: FoundNote, place: int, span: FoundSpan, rules: ReadingOptions, report: Report) -> _Kept | None:
    line = span.line or note.line
    label = _label(note, span, rules, report, line)
    if label is None:
        return None
    counting = OURS if note.exact else rules.counting
    found = counting.places(note.text, span.start, span.end)
    inner = trimmed(note.text, found)
    if span.text is not None and not (inner and same_words(note.text[inner[0] : inner[1]], span.text)):
        found = inner = _repaired(note, span, rules, report, line)
        if found is None:
            return None
    if inner is None:
        where = f"span [{span.start}, {span.end})"
        if found is None:
            report.problem(
                note.path, line,
                f"{where} is not inside the text of {len(note.text)} characters: offsets count code points, from 0, the end excluded", "outside",
            )  # fmt: skip
        else:
            report.problem(note.path, line, f"{where} holds blanks alone: remove it", "blank")
        return None
    if inner != found:
        report.remark(note.path, line, "spans with blanks at their edges, trimmed")
    if rules.glued and (bare := _without_marks(note.text, inner)) != inner:
        report.remark(note.path, line, "spans with punctuation glued to their last word, trimmed")
        inner = bare
    return _Kept(Span(inner[0], inner[1], label), span, [place])


def _label(note: FoundNote, span: FoundSpan, rules: ReadingOptions, report: Report, line: int) -> Label | None:
    try:
        return rules.vocabulary.label(span.label)
    except KeyError:
        kind = rules.vocabulary.fault(span.label)
        shown = span.label if len(span.label) <= 40 else span.label[:40] + "…"
        hint = (
            f" (or are the two files swapped? the tokens were read from {note.path.name})" if note.labels_path else ""
        )
        report.problem(
            note.labels_path or note.path, line,
            f"unknown label {shown!r}: known are DISEASE (D) and TREATMENT (T); map it, or leave it out{hint}",
            kind,
        )  # fmt: skip
        return None


def _repaired(
    note: FoundNote, span: FoundSpan, rules: ReadingOptions, report: Report, line: int
) -> tuple[int, int] | None:
    if rules.repair and span.text and (places := list(_occurrences(note.text, span.text))):
        report.remark(note.path, line, "spans put where their words stand")
        return min(places, key=lambda place: abs(place[0] - span.start))
    report.problem(
        note.path, line,
        f"the file says {_short(span.text or '')!r} but its offsets [{span.start}, {span.end}) cover "
        f"{_short(note.text[max(0, span.start) : max(0, span.end)])!r}: correct them, or let --repair put such spans where their words stand",
        "contradiction",
    )  # fmt: skip
    return None


def _occurrences(text: str, words: str) -> Iterator[tuple[int, int]]:
    at = text.find(words)
    while at >= 0:
        if not cuts(text, at) and not cuts(text, at + len(words)):
            yield at, at + len(words)
        at = text.find(words, at + 1)


def _short(words: str) -> str:
    return words if len(words) <= 20 else words[:20] + "…"


def _without_marks(text: str, place: tuple[int, int]) -> tuple[int, int]:
    start, end = place
    if end - start > 2 and text[start] == "(" and text[start + 1 : end].find(")") == end - start - 2:
        return start + 1, end - 1
    while end - start > 1 and (text[end - 1] in _AFTER or _lone(text[start:end])):
        end -= 1
    while end - start > 1 and text[start] in _BEFORE and not (text[start] == "(" and ")" in text[start:end]):
        start += 1
    return start, end


def _lone(words: str) -> bool:
    opening = _BRACKETS.get(words[-1])
    return opening is not None and words.count(words[-1]) > words.count(opening)


def glued_marks(note: FoundNote) -> tuple[int, int]:
    """Return how many tokens of a note are nothing but a mark, and how many spans end in one that is glued to a word."""
    lone = sum(end - start == 1 and note.text[start] in _AFTER for start, end in note.tokens)
    glued = sum(
        span.end - span.start > 1 and _without_marks(note.text, (span.start, span.end)) != (span.start, span.end)
        for span in note.spans
    )
    return lone, glued


def _merged(note: FoundNote, kept: Sequence[_Kept], report: Report) -> list[_Kept]:
    found: dict[Span, _Kept] = {}
    for each in sorted(kept, key=lambda kept: (kept.span.start, -kept.span.end)):
        first = found.setdefault(each.span, each)
        if first is not each:
            first.given += each.given
            report.remark(note.path, each.found.line or note.line, "repeated spans, merged")
            if first.found.meaning == NOT_ANNOTATED:
                first.found.meaning = each.found.meaning
    return list(found.values())


def _beside(note: FoundNote, kept: Sequence[_Kept], rules: ReadingOptions, report: Report) -> Iterator[_Kept]:
    """Yield spans that do not overlap, in order."""
    ordered = sorted(kept, key=lambda each: (each.span.start, -each.span.end))
    standing: list[_Kept] = []
    for each in ordered:
        last = standing[-1] if standing else None
        if last is None or each.span.start >= last.span.end:
            standing.append(each)
            continue
        line = each.found.line or note.line
        same = (each.span.start, each.span.end) == (last.span.start, last.span.end)
        if not same and each.span.end <= last.span.end:
            report.remark(note.path, line, "spans inside another, left out (the outer one is kept)")
        elif rules.longest:
            report.remark(note.path, line, "spans that overlap a longer one, left out")
            if each.span.end - each.span.start > last.span.end - last.span.start:
                standing[-1] = each
        else:
            report.problem(
                note.path, line, _clash(last.span, each.span, same=same), "two labels" if same else "overlap"
            )
    yield from standing


def _clash(left: Span, right: Span, *, same: bool) -> str:
    if same:
        return f"[{left.start}, {left.end}) is annotated as {left.label} and as {right.label}: keep one of them"
    return (
        f"spans [{left.start}, {left.end}) and [{right.start}, {right.end}) overlap: keep one of them, "
        "or let --overlaps longest keep the longer"
    )


def _relations(
    note: FoundNote, kept: Sequence[_Kept], rules: ReadingOptions, report: Report
) -> Iterator[tuple[str, int, int]]:
    ranks = {
        note.spans[given].ident: rank
        for rank, each in enumerate(kept)
        for given in each.given
        if note.spans[given].ident
    }
    seen = set()
    for relation in note.relations or ():
        kind = rules.vocabulary.relation(relation.kind)
        ends = ranks.get(relation.head), ranks.get(relation.tail)
        if kind is None:
            report.remark(
                note.path,
                note.line,
                f'relations of type "{relation.kind[:40]}", left out (name it by --map {relation.kind[:40]}=TREATS)',
            )
        elif ends[0] is None or ends[1] is None:
            report.remark(note.path, note.line, "relations to spans that were left out, left out")
        else:
            labels = kept[ends[0]].span.label, kept[ends[1]].span.label
            if labels[0] is labels[1]:
                report.remark(note.path, note.line, "relations between two spans of one label, left out")
                continue
            ordered = ends if labels[0] is Label.TREATMENT else ends[::-1]
            if (kind, *ordered) not in seen:
                seen.add((kind, *ordered))
                yield kind, ordered[0] or 0, ordered[1] or 0
