"""Names of others for labels, relations and assertions, and what they are here."""

from __future__ import annotations

import unicodedata
from collections import Counter
from typing import TYPE_CHECKING

from clinical_ner.meaning import Experiencer, RelationType, Status, Time
from clinical_ner.notes import NOT_ANNOTATED, Label, SpanMeaning, label_named

if TYPE_CHECKING:
    from collections.abc import Mapping

LEAVE_OUT = "-"
ANY = "*"
MANY = 20
"""So many unknown names are named one by one."""
# Offered in a message, never applied: whether a PROBLEM is a DISEASE is for the data's owner to decide.
_LIKELY = {
    Label.DISEASE: (
        "problem",
        "disorder",
        "condition",
        "diagnos",
        "symptom",
        "disease",
        "finding",
        "illness",
        "indication",
        "ade",
        *("रोग", "बीमारी", "निदान", "लक्षण", "आजार"),
    ),
    Label.TREATMENT: (
        *("drug", "chemical", "medic", "treat", "therap", "procedure", "surg", "substance"),
        *("उपचार", "दवा", "इलाज", "औषध"),
    ),
}
_RELATIONS = {
    "trap": "TREATS", "trip": "TREATS", "trcp": "CAUSES", "trnap": "CONTRAINDICATED", "treat": "TREATS", "treated_by": "TREATS",
    "reason-drug": "TREATS", "ade-drug": "CAUSES", "adverse": "CAUSES", "prevented_by": "PREVENTS", "cid": "CAUSES",
    "chemical-induced": "CAUSES", "induces": "CAUSES", "caused_by": "CAUSES",
}  # fmt: skip
_STATUSES = {
    "present": "PRESENT", "affirmed": "PRESENT", "positive": "PRESENT", "absent": "NEGATED", "negated": "NEGATED", "negative": "NEGATED",
    "neg": "NEGATED", "possible": "POSSIBLE", "uncertain": "POSSIBLE", "suspected": "POSSIBLE", "hypothetical": "HYPOTHETICAL",
}  # fmt: skip
_EXPERIENCERS = {
    "patient": "PATIENT",
    "self": "PATIENT",
    "family": "FAMILY",
    "family_member": "FAMILY",
    "other": "OTHER",
}
_TIMES = {
    "current": "CURRENT",
    "recent": "CURRENT",
    "historical": "HISTORICAL",
    "past": "HISTORICAL",
    "history": "HISTORICAL",
    "planned": "PLANNED",
}
_TRUE, _FALSE = (
    {"", "true", "yes", "1", "neg", "negated", "negative", "absent"},
    {"false", "no", "0", "pos", "affirmed", "positive", "present"},
)


class Vocabulary:
    """Which names are DISEASE, which TREATMENT, which are left out; counts the names that nobody decided about."""

    def __init__(self, given: Mapping[str, str] | None = None) -> None:
        """Take pairs such as `{"PROBLEM": "DISEASE", "TEST": "-"}`; "*" stands for every other name.

        Raises:
            ValueError: A target is neither a label, a type of relation nor "-".
        """
        self._given = {_key(name): target.strip() for name, target in (given or {}).items()}
        for target in self._given.values():
            if target != LEAVE_OUT and self._tag_target(target) is None and target.upper() not in set(RelationType):
                raise ValueError(
                    f"{target!r} is no target: map a name to DISEASE, TREATMENT, a type of relation, or - (leave out)"
                )
        self.unknown: Counter[str] = Counter()
        self.left_out: Counter[str] = Counter()

    def tag(self, name: str) -> str:
        """Return what a tag of a token is mapped to as a whole (as `1=B-DISEASE`), or itself."""
        return self._given.get(_key(name), name) if "-" not in name or _key(name) in self._given else name

    def label(self, name: str) -> Label | None:
        """Return the label of a name, or None for one to leave out.

        Raises:
            KeyError: Nobody decided about the name.
        """
        key = _key(name)
        target = self._given.get(key)
        if target is None and (known := label_named(key)) is not None:
            return known
        if target is None:
            target = self._given.get(ANY)
        if target is None:
            raise KeyError(name)
        if target == LEAVE_OUT:
            self.left_out[name] += 1
            return None
        return label_named(target)

    def knows(self, name: str) -> bool:
        """Return whether a name is a label or is mapped."""
        return label_named(name.strip()) is not None or _key(name) in self._given or ANY in self._given

    def fault(self, name: str) -> str:
        """Count an unknown name; return the kind of fault that it is: one of its own for the first names."""
        self.unknown[name] += 1
        return f"label {name}" if len(self.unknown) <= MANY or name in list(self.unknown)[:MANY] else "other labels"

    def relation(self, kind: str) -> str | None:
        """Return the type of a relation in our words, or None."""
        key = _key(kind)
        target = self._given.get(
            key, kind if kind.upper() in set(RelationType) else _RELATIONS.get(key.replace(" ", "_"), "")
        )
        return target.upper() if target.upper() in set(RelationType) else None

    def advice(self) -> str:
        """Return the option that would decide about all unknown names, for the owner to correct."""
        if len(self.unknown) > MANY:
            return f"--map NAME=DISEASE,OTHER=TREATMENT,{ANY}={LEAVE_OUT} ({len(self.unknown):,} different names: are these labels at all?)"
        return "--map " + ",".join(f"{name}={_likely(name)}" for name in sorted(self.unknown))

    @staticmethod
    def _tag_target(target: str) -> Label | None:
        prefix, dash, rest = target.partition("-")
        if target.upper() == "O":
            return Label.DISEASE  # any label: the name is a tag for "outside"
        return label_named(rest if dash and prefix.upper() in set("BIESLU") else target)


def parse_map(given: list[str]) -> dict[str, str]:
    """Read `A=B,C=-` (repeatable).

    Raises:
        ValueError: A part has no "=".
    """
    found = {}
    for part in (part for text in given for part in text.split(",") if part.strip()):
        name, equals, target = part.rpartition("=")
        if not equals or not name.strip() or not target.strip():
            raise ValueError(f"{part!r} is no mapping: write NAME=DISEASE, NAME=TREATMENT or NAME=-")
        found[name] = target
    return found


def meaning_of(attributes: Mapping[str, str]) -> tuple[SpanMeaning, list[str]]:
    """Return what attributes such as `Negation`, `assertion: absent` say of a span, and the names of those not understood."""
    words: dict[str, str] = {}
    negated: bool | None = None
    unread = []
    for name, value in attributes.items():
        key, said = name.strip().casefold(), value.strip().casefold().replace(" ", "_")
        if key in {"negation", "negated", "neg", "polarity"} and said in _TRUE | _FALSE:
            negated = said in _TRUE
        elif key in {"assertion", "status", "certainty", "negation"} and (found := _word(said, Status, _STATUSES)):
            words["status"] = found
        elif key in {"experiencer", "subject"} and (found := _word(said, Experiencer, _EXPERIENCERS)):
            words["experiencer"] = found
        elif key in {"time", "temporality", "temporal"} and (found := _word(said, Time, _TIMES)):
            words["time"] = found
        else:
            unread.append(f"{name}={value}" if value else name)
    meaning = SpanMeaning(words.get("status"), words.get("time"), words.get("experiencer"), negated)
    return (meaning if meaning != NOT_ANNOTATED else NOT_ANNOTATED), unread


def _key(name: str) -> str:
    """The one form of a name: a Devanagari letter with a dot can be written in two ways that look the same."""
    return unicodedata.normalize("NFC", name).strip().casefold()


def _word(said: str, known: type[Status | Time | Experiencer], names: Mapping[str, str]) -> str | None:
    return said.upper() if said.upper() in set(known) else names.get(said)


def _likely(name: str) -> str:
    low = _key(name)
    return next((str(label) for label, parts in _LIKELY.items() if any(part in low for part in parts)), LEAVE_OUT)
