"""What a lead changed of a person's notes."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from annotations.verdicts import settle

from review_desk.adapters.store import Entry, Store
from review_desk.desk import Reviewer
from review_desk.domain.tasks import DeskVerdict

LOOKED_AT = 300
"""The person's newest notes."""


@dataclass(frozen=True, slots=True)
class Changed:
    """A note that a lead decided otherwise.

    Attributes:
        added: Entities that the lead marked beside the person's, by label.
        removed: Those of the person's that the lead did not mark.
        restated: Entities of which the lead states something else.
    """

    note: str
    added: Mapping[str, int]
    removed: Mapping[str, int]
    restated: int


@dataclass(frozen=True, slots=True)
class Feedback:
    """Of the newest notes of a person how many a lead decided, and those that he changed, the newest first."""

    decided: int
    changed: tuple[Changed, ...]


def feedback(store: Store, who: Reviewer) -> Feedback:
    """What became of a person's newest notes where a lead decided."""
    newest = store.redis.zrevrange(store.key("decided", who.annotator), 0, LOOKED_AT - 1)
    entries = store.entries([member.partition(" ")[2] for member in newest])
    judged = [(entry, *pair) for entry in entries.values() if (pair := _by_lead(entry, who.annotator)) is not None]
    changed = (_change(entry.note, mine, lead) for entry, mine, lead in judged)
    return Feedback(len(judged), tuple(one for one in changed if one is not None))


def _by_lead(entry: Entry, annotator: str) -> tuple[DeskVerdict, DeskVerdict] | None:
    mine = entry.verdicts.get(annotator)
    verdict = settle(entry.verdicts.values(), entry.trust).verdict
    if mine is None or verdict is None or not verdict.adjudicates or verdict.annotator == annotator:
        return None
    return (mine, verdict) if mine.revision == verdict.revision else None


def _change(note: str, mine: DeskVerdict, lead: DeskVerdict) -> Changed | None:
    before, after = set(mine.spans), set(lead.spans)
    stated, also = mine.stated_by_span, lead.stated_by_span
    restated = sum(stated[span] != also[span] for span in stated.keys() & also.keys())
    if before == after and not restated:
        return None
    added, removed = (Counter(span.label for span in spans) for spans in (after - before, before - after))
    return Changed(note, dict(added), dict(removed), restated)
