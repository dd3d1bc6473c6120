"""Notes in, what they say out. Nothing is stored and nothing is published."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from clinical_ner.kinds import calibration_object
from clinical_ner.objects import note_object
from contracts.reasons import Reason
from contracts.rules import NoteLimits, name_fault, normalise, text_fault
from runtime.service.metrics import Metrics
from serving.metrics import TAGGER_FAILURES
from serving.tagging import LoadedModel, tag_each

from answerer.metrics import NOTES_ANSWERED

FIELDS = frozenset({"id", "text"})
MAX_FIELD_NAME_CHARS = 64


@dataclass(slots=True)
class Asked:
    """One element of a request.

    Attributes:
        note_id: Its own, or its place in the request, counted from 1.
        text: In normal form C; empty when it has none that can be read.
        is_as_sent: Whether the text had that form already, so that offsets count in what was sent.
        faults: What is wrong with it: fields and reasons. Empty: it is tagged.
    """

    note_id: str
    text: str = ""
    is_as_sent: bool = True
    faults: list[tuple[str, Reason]] = field(default_factory=list)


class Answers:
    """Says what notes say.

    Args:
        current: The model with the rules that read what it tags.
        rules: Which texts are valid: those of the ingestor.
        attempts: Tries for a note on which the tagger fails.
        metrics: Counts by client and result.
    """

    def __init__(self, current: Callable[[], LoadedModel], rules: NoteLimits, attempts: int, metrics: Metrics) -> None:
        self._current = current
        self._rules = rules
        self._attempts = attempts
        self._notes = metrics.counter(NOTES_ANSWERED)
        self._failures = metrics.counter(TAGGER_FAILURES)

    def __call__(self, elements: Sequence[object], client: str) -> list[dict[str, Any]]:
        """One object for each element, in order: what was found, or `{id, errors}`. All by one model.

        Args:
            elements: As parsed from JSON.
            client: Who asks.

        Raises:
            NoModelError: No model is loaded yet.
        """
        model = self._current()
        asked = [read_note(element, number, self._rules) for number, element in enumerate(elements, start=1)]
        valid = [one for one in asked if not one.faults]
        tagged = tag_each(model.tagger, [one.text for one in valid], self._attempts, self._failed)
        names = {"model": _named(model), "rules_version": model.tagger.rules_version}
        metadata = getattr(model.tagger, "metadata", {})  # a tagger that is no artifact measured nothing
        found: list[dict[str, Any]] = []
        results = iter(tagged)
        for one in asked:
            result = None if one.faults else next(results)
            if result is None:
                one.faults = one.faults or [("", Reason.HANDLER_FAILED)]
                found.append(_refused(one))
            else:
                normalised = {} if one.is_as_sent else {"normalised_text": one.text}
                said = {"calibration": calibration_object(metadata, result.statistics)}
                found.append(note_object(one.note_id, one.text, result) | normalised | names | said)  # type: ignore[arg-type]
            self._notes.labels(client, one.faults[0][1].value if one.faults else "answered").inc()
        return found

    def _failed(self, _error: Exception) -> None:
        self._failures.inc()


def read_note(element: object, number: int, rules: NoteLimits) -> Asked:
    """Judge one element: `{text}` or `{id, text}`. All faults are found; never a value is repeated but the id.

    Args:
        element: As parsed from JSON.
        number: Its place in the request, from 1: the id of a note without one.
        rules: Which texts are valid.
    """
    asked = Asked(str(number))
    if not isinstance(element, dict):
        asked.faults.append(("", Reason.WRONG_TYPE))
        return asked
    note_id, text = element.get("id"), element.get("text")
    if isinstance(note_id, str):
        asked.note_id = note_id.encode("utf-8", "replace").decode()[: rules.max_name_chars]
    if note_id is not None:
        _note(asked, "id", name_fault(note_id, rules) if isinstance(note_id, str) else Reason.WRONG_TYPE)
    if isinstance(text, str):
        _note(asked, "text", text_fault(text, rules))
    else:
        _note(asked, "text", Reason.WRONG_TYPE if "text" in element else Reason.MISSING_FIELD)
    for name in element:
        if name not in FIELDS:
            shown = name.encode("utf-8", "replace").decode()[:MAX_FIELD_NAME_CHARS]
            asked.faults.append((shown, Reason.UNKNOWN_FIELD))
    if not asked.faults and isinstance(text, str):
        asked.text = normalise(text)
        asked.is_as_sent = asked.text == text
    return asked


def _note(asked: Asked, name: str, fault: Reason | None) -> None:
    if fault is not None:
        asked.faults.append((name, fault))


def _refused(asked: Asked) -> dict[str, Any]:
    errors = [{"field": name, "reason": reason.value, "message": reason.sentence} for name, reason in asked.faults]
    return {"id": asked.note_id, "errors": errors}


def _named(model: LoadedModel) -> dict[str, str]:
    return {"source": f"models:/{model.ref.name}/{model.ref.version}", "sha256": model.sha256}
