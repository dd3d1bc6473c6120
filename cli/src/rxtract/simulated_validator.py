"""Simulated validators: they open notes at the review desk by its HTTP API, as the page does, and err at a stated rate."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx
from clinical_ner.notes import Label, Span
from contracts.identity import note_key

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clinical_ner.notes import AnnotatedNote

TIMEOUT_S = 30.0
SECONDS_SPENT = 6.0
NO_CONTENT = 204
CONFLICT = 409


class DeskRefusedError(Exception):
    """The desk answered with an error; the message holds its status and no text of a note."""


@dataclass(slots=True)
class Worked:
    """What one validator did."""

    labelled: dict[str, int] = field(default_factory=dict)  # a note's key to the number of entities that were sent
    erred: int = 0
    skipped: int = 0


class SimulatedValidator:
    """Knows the truth of synthetic notes, and labels what the desk hands out.

    Args:
        url: The desk.
        token: A validator's token.
        truths: The truth by the note's key (`source|note_id`); a note that is not in it is skipped, so that kept notes are never labelled.
        error_rate: Share of notes on which one entity is labelled wrongly on purpose.
        seed: Of the errors.
        client: For tests.
    """

    def __init__(
        self,
        url: str,
        token: str,
        truths: Mapping[str, AnnotatedNote],
        *,
        error_rate: float,
        seed: int,
        client: httpx.Client | None = None,
    ) -> None:
        self._client = client or httpx.Client(base_url=url, timeout=TIMEOUT_S)
        self._client.headers["Authorization"] = f"Bearer {token}"
        self._truths = truths
        self._error_rate = error_rate
        self._chance = random.Random(seed)
        self.worked = Worked()

    def next(self, segment: str = "all") -> bool:
        """Take the next note and decide on it; False when none waits.

        Raises:
            DeskRefusedError: the desk answered with an error.
        """
        answer = self._client.get("/api/next", params={"segment": segment})
        if answer.status_code == NO_CONTENT:
            return False
        task = _checked(answer)
        note = note_key(task["source"], task["note_id"])
        truth = self._truths.get(note)
        if truth is None:
            self._post(task, "skip", {})
            self.worked.skipped += 1
            return True
        spans = self._spans(truth)
        body = {
            "entities": [{"start": s.start, "end": s.end, "label": str(s.label)} for s in spans],
            "pairs": [],
        }
        if self._post(task, "decision", body):
            self.worked.labelled[note] = len(spans)
        return True

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _post(self, task: Mapping[str, Any], action: str, body: dict[str, Any]) -> bool:
        """Send what was decided; False when the note was taken away meanwhile (a newer revision, or the lease is over)."""
        path = f"/api/tasks/{task['source']}/" + quote(f"{task['note_id']}/{task['revision']}/{action}", safe="")
        common = {"lease": task["lease"], "sequence": task["sequence"], "seconds_spent": SECONDS_SPENT}
        answer = self._client.post(path, json={**common, **body})
        if answer.status_code == CONFLICT:
            return False
        _checked(answer)
        return True

    def _spans(self, truth: AnnotatedNote) -> list[Span]:
        spans = sorted(truth.spans)
        if spans and self._chance.random() < self._error_rate:
            self.worked.erred += 1
            place = self._chance.randrange(len(spans))
            if self._chance.random() < 0.5:
                del spans[place]
            else:
                wrong = spans[place]
                other = Label.TREATMENT if wrong.label is Label.DISEASE else Label.DISEASE
                spans[place] = Span(wrong.start, wrong.end, other)
        return spans


def _checked(answer: httpx.Response) -> dict[str, Any]:
    if not answer.is_success:
        raise DeskRefusedError(
            f"the desk answered {answer.status_code} to {answer.request.method} {answer.request.url.path}"
        )
    found: dict[str, Any] = answer.json()
    return found
