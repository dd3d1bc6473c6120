"""Notes on which a model must behave before it may serve."""

from collections.abc import Mapping, Sequence
from typing import Any

from runtime.errors import RxtractError

from serving.tagging import TaggedNote, Tagger

LABELS = frozenset({"DISEASE", "TREATMENT"})

BUILT_IN = (
    (
        "The patient was a 62-year-old man with squamous cell lung cancer, which was first successfully treated by a "
        "combination of radiation therapy and chemotherapy."
    ),
    "k/c/o T2DM, HTN. c/o fever x 3 days. Tab Metformin 500 mg BD, Tab Paracetamol 650 mg SOS.",
    "",
    " ",
    "\N{GRINNING FACE} e\N{COMBINING ACUTE ACCENT} \N{DEVANAGARI LETTER A} 98.6\N{DEGREE SIGN}F",
    "x" * 2_000,
)
"""Written by us. The first must give something; on all of them the result must be well formed."""


class CanaryFailedError(RxtractError):
    """A model did not behave on a canary note; the message names the note's number, not its text."""


def check_canaries(tagger: Tagger, metadata: Mapping[str, Any]) -> None:
    """Tag canary notes, and compare with what the artifact says it gave at training.

    The artifact's metadata may hold ``canaries``: a list of {text, entities: [[label, start, end], ...]}.

    Raises:
        CanaryFailedError: A result is malformed, or not what it was at training.
    """
    for number, (text, tagged) in enumerate(zip(BUILT_IN, tagger.tag(BUILT_IN), strict=True)):
        _check_form(number, text, tagged)
    if not tagger.tag(BUILT_IN[:1])[0].entities:
        raise CanaryFailedError("nothing found in canary note 0")
    recorded: Sequence[Mapping[str, Any]] = metadata.get("canaries") or ()
    results = tagger.tag([str(canary["text"]) for canary in recorded]) if recorded else ()
    for number, (canary, tagged) in enumerate(zip(recorded, results, strict=True)):
        _check_form(number, str(canary["text"]), tagged)
        found = [[str(entity.label), entity.start, entity.end] for entity in tagged.entities]
        if found != [list(entity) for entity in canary["entities"]]:
            raise CanaryFailedError(f"recorded canary note {number} is tagged otherwise than at training")


def _check_form(number: int, text: str, tagged: TaggedNote) -> None:
    end = 0
    for entity in tagged.entities:
        if entity.label not in LABELS:
            raise CanaryFailedError(f"canary note {number}: a label that the contract does not know")
        if not (end <= entity.start < entity.end <= len(text)):
            raise CanaryFailedError(f"canary note {number}: offsets outside the text or out of order")
        if not 0.0 <= entity.confidence <= 1.0:
            raise CanaryFailedError(f"canary note {number}: a confidence outside 0 to 1")
        end = entity.end
    if not 0.0 <= tagged.confidence <= 1.0:
        raise CanaryFailedError(f"canary note {number}: a note confidence outside 0 to 1")
    labels = [str(entity.label) for entity in tagged.entities]
    for relation in tagged.relations:
        if labels[relation.treatment] != "TREATMENT" or labels[relation.disease] != "DISEASE":
            raise CanaryFailedError(f"canary note {number}: a relation that is not of a treatment to a disease")
