"""What people decided about a name in other notes: counts alone."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from review_desk.adapters.names import Mentioned, Names
from review_desk.adapters.store import Entry, Store
from review_desk.desk import Reviewer


@dataclass(slots=True)
class Decided:
    """How a name was labelled.

    Attributes:
        others: Notes in which others marked it so.
        people: How many others did.
        mine: Notes in which the person did.
        stated: What was stated of it, "status time experiencer", how often.
    """

    label: str
    others: set[str] = field(default_factory=set)
    people: set[str] = field(default_factory=set)
    mine: set[str] = field(default_factory=set)
    stated: Counter[str] = field(default_factory=Counter)


def look_up(store: Store, names: Names, who: Reviewer, words: str, but: str = "") -> list[Decided]:
    """What the standing verdicts make of a name, the most frequent label first.

    Args:
        store: Knows the standing verdicts.
        names: Know where the name was marked.
        who: Whoever asks: the own notes are counted apart.
        words: The name, in any case.
        but: The note on the person's paper: nobody is told what others say of that one.
    """
    mentions = [mentioned for mentioned in names.find(words) if mentioned.note != but]
    entries = store.entries(sorted({mentioned.note for mentioned in mentions}))
    found: dict[str, Decided] = {}
    for mentioned in mentions:
        if (stated := _stated(mentioned, entries)) is not None:
            _count(found.setdefault(mentioned.span.label, Decided(mentioned.span.label)), mentioned, who, stated)
    return sorted(found.values(), key=lambda one: -len(one.others | one.mine))


def _stated(mentioned: Mentioned, entries: Mapping[str, Entry]) -> str | None:
    """What the annotator's standing verdict says there; None when it marks nothing there any more."""
    entry = entries.get(mentioned.note)
    verdict = entry.verdicts.get(mentioned.annotator) if entry is not None else None
    if verdict is None or mentioned.span not in verdict.spans:
        return None
    return verdict.stated_by_span.get(mentioned.span, "")


def _count(found: Decided, mentioned: Mentioned, who: Reviewer, stated: str) -> None:
    if mentioned.annotator == who.annotator:
        found.mine.add(mentioned.note)
    else:
        found.others.add(mentioned.note)
        found.people.add(mentioned.annotator)
    found.stated[stated] += 1
