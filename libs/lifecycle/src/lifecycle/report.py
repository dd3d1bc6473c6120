"""The gate's report, for people: what was compared, on what, with what result. No text of a note."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from lifecycle.gate import Verdict
    from lifecycle.shadow import Agreement

_WORDS = {
    "PASS": "The challenger may serve.",
    "FIRST": "The first model: there is no champion to compare with, the floors hold.",
    "REJECT": "The challenger is refused.",
    "DEFER": "Too little to judge by: the decision waits.",
}


def gate_report(
    job: Mapping[str, Any], verdict: Verdict, datasets: Sequence[Mapping[str, Any]], shadow: Agreement | None
) -> str:
    """Return the report as Markdown.

    Args:
        job: What the job was told.
        verdict: What the gate said.
        datasets: As `Snapshot.datasets` returns them.
        shadow: How both models tag live notes; None without live notes or champion.
    """
    champion = (job.get("champion") or {}).get("version", "none")
    parts = [
        f"# Gate: {verdict.decision}",
        (
            f"{_WORDS[str(verdict.decision)]} Trigger: {job.get('trigger')}; segments that drifted: {', '.join(job.get('segments') or ()) or 'none'}; "
            f"compared with version {champion}; command `{job.get('command_id', '')}`."
        ),
        "## Reasons\n\n" + "\n".join(f"- {reason}" for reason in verdict.reasons),
    ]
    if verdict.differences:
        parts.append(_scores(verdict))
    if shadow is not None:
        parts.append(_shadow(shadow))
    parts.append(_datasets(datasets))
    return "\n\n".join(parts) + "\n"


def _scores(verdict: Verdict) -> str:
    rows = [
        (
            test,
            name,
            f"{row.first.value:.3f}",
            f"{row.second.value:.3f}",
            f"{row.difference.value:+.3f}",
            f"{row.difference.low:+.3f} to {row.difference.high:+.3f}",
        )
        for test, found in verdict.differences.items()
        for name, row in found.items()
    ]
    head = ("Test set", "Label", "Champion F1", "Challenger F1", "Difference", "95 % (paired bootstrap)")
    return "## Exact-span scores\n\n" + _table(head, rows)


def _shadow(shadow: Agreement) -> str:
    rows = [
        (label, str(shadow.champion_entities[label]), str(shadow.challenger_entities[label]))
        for label in shadow.champion_entities
    ]
    return (
        f"## Shadow: {shadow.notes} live notes tagged by both\n\n"
        f"Span agreement F1 {shadow.f1:.3f}; {shadow.identical:.0%} of the notes tagged alike.\n\n"
        + _table(("Entities", "Champion", "Challenger"), rows)
    )


def _datasets(datasets: Iterable[Mapping[str, Any]]) -> str:
    rows = [
        (str(row["name"]), f"{row['notes']:,}", _counts(row["mentions"]), f"`{str(row['digest'])[:16]}`")
        for row in datasets
    ]
    return "## Data sets\n\n" + _table(("Set", "Notes", "Mentions", "Digest"), rows)


def _counts(mentions: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {label}" for label, count in mentions.items())


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}", *(f"| {' | '.join(row)} |" for row in rows)]
    return "\n".join(lines)


def dataset_report(collected: Mapping[str, Any], datasets: Sequence[Mapping[str, Any]]) -> str:
    """Return what the data pipeline did, as Markdown: what was read, what was left out and why, what came of it."""
    left_out = collected["left_out"]
    rows = [(name.replace("_", " "), f"{count:,}") for name, count in left_out.items() if count]
    parts = [
        "# Data set",
        f"{collected['annotations_read']:,} annotations read, {collected['notes']:,} notes kept.",
        _table(("Left out because", "Annotations or notes"), rows or [("nothing", "0")]),
        f"Replaced, because it identifies people: {_counts(collected['identifiers_replaced']) or 'nothing'}.",
        _datasets(datasets),
    ]
    return "\n\n".join(parts) + "\n"
