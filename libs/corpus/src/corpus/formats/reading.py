"""Reads a file, or a folder of files in whatever formats, twice: once to judge all of it, once to hand out its notes.

No note is handed out before every line was judged, and no more than one record is held at a time.
"""

from __future__ import annotations

import itertools
from array import array
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from clinical_ner.notes import AnnotatedNote, Label

from corpus.formats.bioc import read_xml
from corpus.formats.columns import read_columns
from corpus.formats.docbin import read_docbin
from corpus.formats.found import FoundNote
from corpus.formats.json_files import JsonReader
from corpus.formats.offsets import CERTAIN, OURS, Counting, Evidence, fits, parse_counting
from corpus.formats.pairs import read_pairs
from corpus.formats.parquet import read_parquet
from corpus.formats.recognise import NAMES, Format, recognise
from corpus.formats.report import Report
from corpus.formats.resolve import ReadingOptions, glued_marks, resolve
from corpus.formats.source import MOJIBAKE, Source
from corpus.formats.standoff import read_brat, read_i2b2, read_i2b2_xml, read_pubtator
from corpus.formats.tables import read_table
from corpus.formats.vocabulary import Vocabulary
from corpus.loaders_directions import load_directions
from corpus.loaders_text import DatasetError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

_HIDDEN = (".", "_")
_BESIDE = frozenset({".rel", ".conf", ".md", ".toml", ".cfg", ".py", ".sh", ".log", ".png"})
_ASIDE = frozenset(
    {
        "manifest.json",
        "dataset_info.json",
        "state.json",
        "label_config.xml",
        "license",
        "license.txt",
        "readme.txt",
        "readme",
    }
)
_ENOUGH = 20
_COLUMNS = 5
"""Of what `_Seen` keeps of a note."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the user said of a data set.

    Attributes:
        form: The format, where it is not to be recognised.
        names: Labels and relations of others, and what they are here ("-": leave out).
        offsets: "auto", or a way of counting as `utf16,inclusive,from1`.
        overlaps: "refuse", or "longest".
        repair: Put spans where their words stand, when offsets and words contradict each other.
        encoding: Of the files, where it is not UTF-8.
        annotator: Whose annotations to take, where several annotated.
        annotates: The labels that were looked for, where that is not both: the other is unknown.
    """

    form: Format | None = None
    names: Mapping[str, str] = field(default_factory=dict)
    offsets: str = "auto"
    overlaps: str = "refuse"
    repair: bool = False
    encoding: str = ""
    annotator: str = ""
    annotates: tuple[str, ...] = ()


@dataclass(slots=True)
class _Part:
    """Files that were written by one tool in one go, and so count alike."""

    form: Format
    sources: list[Source]
    labels: Source | None = None
    name: str = ""
    counting: Counting = OURS
    glued: bool = False
    kinds: Counter[str] = field(default_factory=Counter)
    notes: int = 0
    mentions: Counter[Label] = field(default_factory=Counter)
    annotates: str = ""

    def found(self, report: Report, vocabulary: Vocabulary) -> Iterator[FoundNote | AnnotatedNote]:
        """Yield what the files say."""
        for source in self.sources:
            yield from _found(self, source, report, vocabulary)

    @property
    def shown(self) -> str:
        """Return the format in words, with what was recognised inside."""
        kinds = ", ".join(
            f"{kind} ({count:,})" if len(self.kinds) > 1 else kind for kind, count in self.kinds.most_common()
        )
        return kinds or NAMES[self.form]


def _found(part: _Part, source: Source, report: Report, vocabulary: Vocabulary) -> Iterator[FoundNote | AnnotatedNote]:
    if part.form is Format.DIRECTIONS:
        yield from load_directions(source.path)
    elif part.form is Format.PAIRS and part.labels is not None:
        yield from read_pairs(source, part.labels, report, vocabulary)
    elif part.form in {Format.JSONL, Format.PARQUET}:
        reader = JsonReader(source, report, vocabulary)
        if part.form is Format.JSONL:
            yield from reader
        else:
            names, rows = read_parquet(source.path)
            reader.named_tags(names)
            for row, record in rows:
                yield from reader.notes(record, row)
        part.kinds = reader.kinds
    elif part.form in {Format.CONLL, Format.TABLE}:
        yield from (read_columns if part.form is Format.CONLL else read_table)(source, report, vocabulary)
    else:
        readers = {
            Format.BRAT: read_brat,
            Format.I2B2: read_i2b2,
            Format.I2B2_XML: read_i2b2_xml,
            Format.PUBTATOR: read_pubtator,
            Format.BIOC: read_xml,
            Format.SPACY: read_docbin,
        }
        yield from readers[part.form](source, report)


class Reading:
    """A data set that was judged and found fit; `notes` reads it again, one note at a time."""

    def __init__(self, parts: Sequence[_Part], options: Options, report: Report, *, several: bool) -> None:
        self._parts, self._options, self._several = parts, options, several
        self._vocabulary = Vocabulary(options.names)
        self._repeated: set[int] = set()
        self.remarks: list[str] = []
        self._judge(report)

    @property
    def formats(self) -> list[str]:
        """Return what was recognised, as `brat: 12 notes`."""
        counts: Counter[str] = Counter()
        for part in self._parts:
            counts[part.shown] += part.notes
        return [f"{name}: {count:,} {'note' if count == 1 else 'notes'}" for name, count in counts.items()]

    def notes(self) -> Iterator[AnnotatedNote]:
        """Yield the notes."""
        given: set[int] = set()
        for part in self._parts:
            for found, note in self._resolved(part, Report()):
                key = _identity(found)
                if key in self._repeated and key in given:
                    continue
                if key in self._repeated:
                    given.add(key)
                yield self._marked(part, note)

    def _marked(self, part: _Part, note: AnnotatedNote) -> AnnotatedNote:
        meta = dict(note.meta)
        if part.annotates and "annotates" not in meta:
            meta["annotates"] = part.annotates
        if self._several and "source" not in meta:
            meta["source"] = part.name
        return note if meta == note.meta else replace(note, meta=meta)

    def _judge(self, report: Report) -> None:
        seen = _Seen()
        for part in self._parts:
            report.take(self._judge_part(part, seen))
        seen.judge(report, self._repeated)
        self._tell_unknown(report)
        if not report.broken and not any(part.notes for part in self._parts):
            why = "; ".join(report.remarks())
            where = self._parts[0].sources[0].path
            raise DatasetError(
                f"{where}:1: no note in it"
                + (f": {why}" if why else ": write one JSON object a line, or lines of token, tab, label")
            )
        report.raise_problems()
        if left_out := self._vocabulary.left_out:
            report.say(
                "labels left out as asked: "
                + ", ".join(f"{name} ({count:,})" for name, count in left_out.most_common())
            )
        self._tell_partial(report)
        self.remarks = report.remarks()

    def _judge_part(self, part: _Part, seen: _Seen) -> Report:
        fixed = parse_counting(self._options.offsets)
        part.counting = fixed or OURS
        report, evidence, glued, mine = self._pass(part)
        again = _decide(part, evidence, report) if fixed is None else None
        if again is not None:
            part.counting = again
        if glued:
            part.glued = True
        if part.glued or again is not None:
            said = report
            report, _, _, mine = self._pass(part)
            for sentence in said.said:
                report.say(sentence)
        seen.add(mine)
        return report

    def _pass(self, part: _Part) -> tuple[Report, Evidence, bool, _Seen]:
        report, evidence, mine = Report(), Evidence(), _Seen()
        part.notes, part.mentions = 0, Counter()
        marks = [0, 0]
        for found, note in self._resolved(part, report, evidence, marks):
            part.notes += 1
            part.mentions.update(span.label for span in note.spans)
            mine.look(found, note)
        return report, evidence, marks[1] > 0 and not marks[0], mine

    def _resolved(
        self, part: _Part, report: Report, evidence: Evidence | None = None, marks: list[int] | None = None
    ) -> Iterator[tuple[FoundNote | AnnotatedNote, AnnotatedNote]]:
        rules = ReadingOptions(
            self._vocabulary, part.counting, part.glued, self._options.overlaps == "longest", self._options.repair
        )
        wanted = self._options.annotator
        for found in part.found(report, self._vocabulary):
            if isinstance(found, AnnotatedNote):
                yield found, found
                continue
            if wanted and found.annotator != wanted:
                report.remark(found.path, found.line, f"notes of other annotators than {wanted}, left out")
                continue
            if evidence is not None and marks is not None:
                self._look(found, part.counting, (evidence, marks), report)
            note = resolve(found, rules, report)
            if note is not None:
                yield found, note

    def _look(self, found: FoundNote, counting: Counting, into: tuple[Evidence, list[int]], report: Report) -> None:
        evidence, marks = into
        if not found.text.isascii() and MOJIBAKE.search(found.text):
            report.remark(
                found.path, found.line, "texts with characters of a wrong decoding (as Ã©, â€™), taken as they stand"
            )
        if found.exact:
            lone, glued = glued_marks(found)
            marks[0] += lone
            marks[1] += glued
            return
        for span in found.spans:
            if not self._vocabulary.knows(span.label):
                continue
            line = span.line or found.line
            if not evidence.add(found, span) and OURS.places(found.text, span.start, span.end) is not None:
                evidence.cut(found.path, line)
            place = counting.places(found.text, span.start, span.end)
            if counting != OURS and span.text is None and not fits(found.text, place, None):
                report.remark(found.path, line, "spans that begin or end inside a word, taken as they stand")

    def _tell_unknown(self, report: Report) -> None:
        if self._vocabulary.unknown:
            report.advice.append(f"decide about the unknown labels, as {self._vocabulary.advice()}")

    def _tell_partial(self, report: Report) -> None:
        """Say which files annotate one label alone where others annotate both: for the other they are unknown."""
        given = ",".join(sorted(self._options.annotates))
        total = Counter(itertools.chain.from_iterable(part.mentions.elements() for part in self._parts))
        for part in self._parts:
            lacking = [label for label in Label if not part.mentions[label] and total[label]]
            part.annotates = given
            if not given and lacking and part.mentions.total() >= _ENOUGH:
                part.annotates = ",".join(sorted(str(label) for label in Label if label not in lacking))
                report.say(
                    f"{part.name} annotates {part.annotates} alone: its {part.notes:,} notes are unknown for {lacking[0]}"
                )


class _Seen:
    """Hashes of texts and of their spans, to find what was annotated twice: 40 bytes a note."""

    def __init__(self) -> None:
        self.rows = array("q")
        self.paths: list[Path] = []
        self._places: dict[Path, int] = {}

    def look(self, found: FoundNote | AnnotatedNote, note: AnnotatedNote) -> None:
        """Take in a note."""
        path = found.path if isinstance(found, FoundNote) else None
        if path is not None and path not in self._places:
            self._places[path] = len(self.paths)
            self.paths.append(path)
        place = self._places[path] if path is not None else -1
        line = found.line if isinstance(found, FoundNote) else 0
        self.rows.extend((_identity(found), hash(note.text), hash(tuple(note.spans)), place, line))

    def add(self, other: _Seen) -> None:
        """Take in what another one saw."""
        places = np.frombuffer(other.rows, np.int64).reshape(-1, _COLUMNS)[:, 3]
        places[places >= 0] += len(self.paths)
        del places  # an array that is looked into cannot grow
        self.paths += other.paths
        if self.rows:
            self.rows.extend(other.rows)
        else:
            self.rows = other.rows

    def judge(self, report: Report, repeated: set[int]) -> None:
        """Note one note annotated twice differently as a fault; collect those annotated twice alike."""
        table = np.frombuffer(self.rows, np.int64).reshape(-1, _COLUMNS)
        for rows in _groups(table, 0, table[:, 0] != 0):
            repeated.add(int(rows[0][0]))
            if len({int(row[2]) for row in rows}) > 1:
                for row in rows:
                    report.problem(
                        self.paths[row[3]], int(row[4]),
                        "one note (same id, same text) is annotated in different ways: keep one, or take one annotator's by --annotator NAME", "annotators",
                    )  # fmt: skip
            else:
                for row in rows[1:]:
                    report.remark(
                        self.paths[row[3]], int(row[4]), "notes that stand twice with equal annotations, taken once"
                    )
        for rows in _groups(table, 1, table[:, 0] == 0):
            for row in rows if len({int(row[2]) for row in rows}) > 1 else ():
                if row[3] >= 0:
                    report.remark(
                        self.paths[row[3]],
                        int(row[4]),
                        "texts that are annotated in more than one way, all kept (`rxtract dataset check` lists them)",
                    )


def _groups(table: NDArray[np.int64], column: int, of: NDArray[np.bool_]) -> Iterator[NDArray[np.int64]]:
    """Yield those rows together, in their order, that are alike in a column and not alone in it; no copy of the table is made."""
    places = np.flatnonzero(of)
    values = table[places, column]
    order = np.argsort(values, kind="stable")
    values, places = values[order], places[order]
    alike = np.concatenate([[False], values[1:] == values[:-1], [False]])
    firsts = np.flatnonzero(~alike[:-1] & alike[1:])
    ends = np.flatnonzero(alike[:-1] & ~alike[1:]) + 1
    for first, end in zip(firsts.tolist(), ends.tolist(), strict=True):
        yield table[places[first:end]]


def _identity(found: FoundNote | AnnotatedNote) -> int:
    """Return a number for (id, text) of a note that its file names; 0 for others."""
    if isinstance(found, FoundNote) and found.named and found.note_id:
        return hash((found.note_id, found.text)) or 1
    return 0


def _decide(part: _Part, evidence: Evidence, report: Report) -> Counting | None:
    """Return the way of counting that the spans prove; note a fault where they ask for one and prove none."""
    where = part.name
    if not evidence.bad:
        return None
    fitting = evidence.better()
    best = fitting[0] if fitting else evidence.nearly()
    texted = evidence.texted == evidence.spans
    certain = best is not None and (texted or (evidence.bad >= CERTAIN and evidence.agree(fitting)))
    count = f"{evidence.bad:,} of {evidence.spans:,} spans"
    if certain and best is not None:
        report.say(
            f"{where}: {count} fit no words when counted in code points from 0 with the end excluded; all offsets were read {best}"
        )
        return best
    if texted:
        return None  # each contradiction is a fault of its own
    if best is not None or evidence.many_bad:
        guess = (
            f"would they fit {best}? Say --offsets {best.option}"
            if best is not None
            else "are the ends inclusive, or the offsets shifted, in bytes or in UTF-16 units? Say so, as --offsets inclusive"
        )
        _cut_lines(
            evidence,
            report,
            f"{count} begin or end inside a word: {guess}, or --offsets codepoints to take them as they are",
        )
    else:
        for path, line in evidence.cut_places():
            report.remark(path, line, "spans that begin or end inside a word, taken as they stand")
    return None


def _cut_lines(evidence: Evidence, report: Report, detail: str) -> None:
    for path, line in evidence.cut_places():
        report.problem(path, line, detail, "cut")


def read(path: Path, labels: Path | None = None, options: Options | None = None) -> Reading:
    """Judge a file or a folder, and return it for reading.

    Raises:
        DatasetError: It cannot be used; the message holds every fault with all its lines.
    """
    options = options or Options()
    try:
        Vocabulary(options.names)
        parse_counting(options.offsets)
        "".encode(options.encoding or "utf-8")
    except LookupError:
        raise DatasetError(f"{options.encoding!r} is no encoding: name one, as windows-1252 or latin-1") from None
    except ValueError as error:
        raise DatasetError(str(error)) from None
    report = Report()
    parts = list(_parts(path, labels, options, report))
    return Reading(parts, options, report, several=path.is_dir() and len(parts) > 1)


def _parts(path: Path, labels: Path | None, options: Options, report: Report) -> Iterator[_Part]:
    if labels is not None:
        if options.form not in {None, Format.PAIRS}:
            raise DatasetError(f"{labels}: a separate labels file belongs to the pair format only: leave --labels out")
        both = [Source(path, options.encoding), Source(labels, options.encoding)]
        for source in both:
            source.need_content()
        yield _Part(Format.PAIRS, both[:1], both[1], path.name)
        return
    if options.form is Format.PAIRS:
        raise DatasetError(f"{path}: the pair format needs two files: give the labels file too (--labels FILE)")
    if path.is_dir():
        yield from _folder(path, options, report)
        return
    source = Source(path, options.encoding)
    form = options.form or recognise(source)
    if form is Format.BRAT and path.suffix.lower() != ".ann":
        source = Source(path.with_suffix(".ann"), options.encoding)
    if form not in {Format.BRAT, Format.I2B2}:
        source.need_content()
    yield _Part(form, [source], name=path.name)


def _folder(folder: Path, options: Options, report: Report) -> Iterator[_Part]:
    together: dict[tuple[Path, Format], _Part] = {}
    unread: list[tuple[Path, str]] = []
    for path in _files(folder):
        try:
            form = options.form or recognise(Source(path, options.encoding))
        except DatasetError as error:
            unread.append((path, str(error)))
            continue
        key = (path.parent if form in {Format.BRAT, Format.I2B2, Format.I2B2_XML} else path, form)
        name = str(key[0].relative_to(folder)) if key[0] != folder else f"{folder.name} ({NAMES[form]})"
        together.setdefault(key, _Part(form, [], name=name)).sources.append(Source(path, options.encoding))
    if not together:
        first = f": {unread[0][1]}" if unread else ""
        raise DatasetError(f"{folder}: no annotated file in this folder{first}")
    for path, _ in unread:
        report.remark(path, 0, "files of no format that is read, left out")
    yield from together.values()


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(_HIDDEN) for part in path.relative_to(folder).parts)
        if hidden or not path.is_file() or path.suffix.lower() in _BESIDE or path.name.lower() in _ASIDE:
            continue
        if path.suffix.lower() == ".txt" and _text_of_another(path):
            continue
        if path.suffix.lower() == ".ast" and _beside_concepts(path):
            continue
        yield path


def _beside_concepts(path: Path) -> bool:
    return any((path.parent / folder / f"{path.stem}.con").exists() for folder in ("", "../concept", "../concepts"))


def _text_of_another(path: Path) -> bool:
    """Return whether a text belongs to annotations in another file."""
    if path.with_suffix(".ann").exists() or path.with_suffix(".con").exists():
        return True
    return any((path.parent.parent / folder / f"{path.stem}.con").exists() for folder in ("concept", "concepts", "."))
