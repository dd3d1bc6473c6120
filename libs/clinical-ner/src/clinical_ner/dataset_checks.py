"""Checks a data set, and several splits against each other, and says what to look at."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from clinical_ner.dataset_description import remarks
from clinical_ner.dataset_duplicates import duplicates, leakage
from clinical_ner.dataset_suspects import UNLABELLED, label_counts, suspects
from clinical_ner.datasets import digest
from clinical_ner.mentions import mention_digests

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from clinical_ner.dataset_duplicates import Duplicate
    from clinical_ner.notes import AnnotatedNote


def check(
    notes: Sequence[AnnotatedNote], held_out: Mapping[str, Sequence[AnnotatedNote]] | None = None
) -> dict[str, Any]:
    """Return label consistency, duplicates, leakage into each split of `held_out`, and suspicious annotations.

    Lists are complete and ranked, worst first; who prints them cuts them.
    """
    return {
        "digest": digest(notes),
        "notes": len(notes),
        "remarks": remarks(notes),
        "consistency": consistency(notes),
        "duplicates": _pairs(duplicates(notes), notes, notes),
        "leakage": {name: _leak(notes, other) for name, other in (held_out or {}).items()},
        "suspicious": [asdict(suspect) for suspect in suspects(notes)],
    }


def consistency(notes: Sequence[AnnotatedNote]) -> dict[str, Any]:
    """Return how many mention strings carry more than one label, or a label in only some of their places."""
    counts = label_counts(notes)
    repeated = {key: found for key, found in counts.items() if sum(found.values()) > 1}
    mixed = {key: found for key, found in repeated.items() if len(found) > 1}
    two_labels = sum(len(set(found) - {UNLABELLED}) > 1 for found in mixed.values())
    agreeing = sum(max(found.values()) for found in repeated.values())
    places = sum(sum(found.values()) for found in repeated.values())
    ranked = sorted(mixed.items(), key=lambda item: -_disagreement(item[1].values()))
    return {
        "strings": len(counts),
        "repeated": len(repeated),
        "two_labels": two_labels,
        "sometimes_unlabelled": sum(UNLABELLED in found for found in mixed.values()),
        "agreement": round(agreeing / places, 4) if places else 1.0,
        "inconsistent": [{"text": key, "counts": dict(found)} for key, found in ranked],
    }


def _disagreement(counts: Collection[int]) -> int:
    return sum(counts) - max(counts)


def _leak(train: Sequence[AnnotatedNote], test: Sequence[AnnotatedNote]) -> dict[str, Any]:
    known = set(mention_digests(train).tolist())
    mentions = mention_digests(test).tolist()
    return {
        **_pairs(leakage(train, test), train, test),
        "notes": len(test),
        "digest": digest(test),
        "mention_strings": len(mentions),
        "mention_strings_also_in_train": sum(mention in known for mention in mentions),
    }


def _pairs(found: Sequence[Duplicate], left: Sequence[AnnotatedNote], right: Sequence[AnnotatedNote]) -> dict[str, Any]:
    return {
        "exact": sum(pair.exact for pair in found),
        "near": sum(not pair.exact for pair in found),
        "annotated_differently": sum(pair.exact and not pair.same_spans for pair in found),
        "list": [
            {
                "first": left[pair.first].note_id,
                "second": right[pair.second].note_id,
                "likeness": round(pair.likeness, 3),
                "annotated_alike": pair.same_spans,
                "text": right[pair.second].text[:120],
            }
            for pair in found
        ],
    }
