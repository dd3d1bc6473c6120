"""`rxtract shadow`: errors for 1,000 facts against manual entry, and the clerks' minutes, measured on a sample."""

from __future__ import annotations

import json
import random
import sys
from collections import Counter, defaultdict
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from annotations.trust import Trust
from annotations.verdicts import Verdict, newest, settle
from contracts.records import AnnotationValidated, AnnotatorJudged, Sample
from contracts.topics import ANNOTATIONS_VALIDATED, ANNOTATORS_JUDGED, prefixed
from outcomes import shadow as week

from rxtract.addresses import read_addresses
from rxtract.errors import UserError
from rxtract.reading import TopicReader
from rxtract.tables import print_table

if TYPE_CHECKING:
    from collections.abc import Iterable

app = typer.Typer(help="The shadow week: manual entry held against the system, on a sample.", no_args_is_help=True)
Stack = Annotated[Path | None, typer.Option(help="stack.json of a running stack, or its folder.")]
Shown = Annotated[
    bool, typer.Option("--shown-too", help="Also notes whose validators saw the predictions: that flatters the system.")
]
FORM = Path(__file__).parents[1] / "shadow_form.html"
Key = tuple[str, str, int]


@app.command()
def form(
    out: Annotated[Path, typer.Argument(help="The form to write: one HTML file, used from disk. It holds notes.")],
    notes: Annotated[int, typer.Option(min=1, max=1000, help="Notes to draw.")] = 60,
    seed: Annotated[int, typer.Option(help="Another seed draws other notes, for another clerk.")] = 7,
    stack: Stack = None,
    shown_too: Shown = False,
) -> None:
    """Draw audited notes at random and write the form in which a clerk enters them by hand, with a stopwatch."""
    known = _settled(stack, shown_too=shown_too)
    if len(known) < week.LEAST_NOTES:
        raise UserError(
            f"{len(known)} audited notes are settled: {week.LEAST_NOTES} at least; let people decide more at the desk"
            + ("" if shown_too else ", or take --shown-too")
        )
    drawn = random.Random(seed).sample(sorted(known), min(notes, len(known)))
    rows = [{"source": key[0], "note_id": key[1], "revision": key[2], "text": known[key].text} for key in drawn]
    sample = json.dumps({"id": f"{seed}-{len(rows)}", "notes": rows}, ensure_ascii=False).replace("<", "\\u003c")
    out.touch(mode=0o600)
    out.write_text(FORM.read_text(encoding="utf-8").replace("__SAMPLE__", sample), encoding="utf-8")
    print(f"shadow: {len(rows)} notes in {out}; it holds their texts: give it only to who may see them")


@app.command()
def report(
    entered: Annotated[list[Path], typer.Argument(help="What the forms saved.")],
    stack: Stack = None,
    shown_too: Shown = False,
    as_json: Annotated[bool, typer.Option("--json", help="JSON for scripts.")] = False,
) -> None:
    """Print errors for 1,000 facts by hand and by the system, their difference, and a clerk's minutes a note, with 95 % intervals."""
    known = _settled(stack, shown_too=shown_too)
    entries = [entry for path in entered for entry in _entries(path)]
    compared = [_compared(entry, known[key]) for entry in entries if (key := _key(entry)) in known]
    try:
        found = week.report(compared)
    except ValueError as error:
        raise UserError(
            f"{error}; {len(entries)} were entered, {len(compared)} of them are settled by validators"
        ) from None
    if as_json:
        sys.stdout.write(json.dumps(asdict(found) | {"entered": len(entries)}, indent=2) + "\n")
        return
    rows = [
        ("errors for 1,000 facts, by hand", *_shown(found.by_hand, 1)),
        ("errors for 1,000 facts, Rxtract before review", *_shown(found.by_system, 1)),
        ("difference; above 0 Rxtract is better", *_shown(found.difference, 1)),
        ("a clerk's minutes for one note", *_shown(found.minutes, 2)),
    ]
    print(f"{found.notes} notes, {found.facts} facts that validators settled")
    print_table(("what", "measured", "from", "to"), rows)
    print(f"for the control page: RXTRACT_ENTRY_MINUTES={found.minutes.value:.2f}")


def _settled(stack: Path | None, *, shown_too: bool) -> dict[Key, AnnotationValidated]:
    """The annotation that speaks for each audited live note, of the newest revision that has one."""
    addresses = read_addresses(stack)
    reader = TopicReader(addresses)
    given: dict[Key, list[AnnotationValidated]] = defaultdict(list)
    for seen in reader.read([prefixed(addresses.topic_prefix, ANNOTATIONS_VALIDATED)]):
        one = seen.record
        if isinstance(one, AnnotationValidated) and one.sample is Sample.AUDIT and one.text:
            given[one.source, one.note_id, one.revision].append(one)
    judged = [seen.record for seen in reader.read([prefixed(addresses.topic_prefix, ANNOTATORS_JUDGED)])]
    trust = Trust.of(one for one in judged if isinstance(one, AnnotatorJudged))
    return {
        key: one
        for key, all_of in given.items()
        if (one := _speaks(all_of, trust)) and (shown_too or not one.predictions_shown)
    }


def _speaks(annotations: Iterable[AnnotationValidated], trust: Trust) -> AnnotationValidated | None:
    given = {one.annotation_id: one for one in annotations}
    standing: dict[str, Verdict] = {}
    for one in given.values():
        standing[one.annotator] = newest(standing.get(one.annotator), Verdict.of(one))
    verdict = settle(standing.values(), trust).verdict
    return None if verdict is None else given[verdict.annotation_id]


def _entries(path: Path) -> list[dict[str, Any]]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        entries = [dict(entry) for entry in found["entries"]]
        for entry in entries:
            _key(entry)
            float(entry["seconds"])
            _typed(entry)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UserError(f"{path} is no file that a form saved ({type(error).__name__})") from None
    return entries


def _key(entry: dict[str, Any]) -> Key:
    return str(entry["source"]), str(entry["note_id"]), int(entry["revision"])


def _typed(entry: dict[str, Any]) -> Counter[week.Fact]:
    fields = (("DISEASE", entry["diseases"]), ("TREATMENT", entry["treatments"]))
    return Counter((label, week.words(line)) for label, lines in fields for line in lines)


def _compared(entry: dict[str, Any], settled: AnnotationValidated) -> week.Compared:
    true = week.facts_of(settled.entities)
    return week.Compared(
        true.total(),
        week.errors(_typed(entry), true),
        week.errors(week.facts_of(settled.predicted_entities), true),
        float(entry["seconds"]),
    )


def _shown(one: week.Estimate, digits: int) -> tuple[str, str, str]:
    return f"{one.value:.{digits}f}", f"{one.low:.{digits}f}", f"{one.high:.{digits}f}"
