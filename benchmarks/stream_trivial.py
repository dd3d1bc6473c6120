"""A tagger that does next to nothing, so that a benchmark measures the way of a note and not the model."""

from collections.abc import Sequence
from typing import NamedTuple


class TrivialAssertion(NamedTuple):
    """What is said of an entity: that the patient has it now."""

    status: str = "PRESENT"
    time: str = "CURRENT"
    experiencer: str = "PATIENT"
    cue_start: int = -1
    cue_end: int = -1


class TrivialEntity(NamedTuple):
    """The first word of a note, whatever it is."""

    label: str
    start: int
    end: int
    confidence: float
    assertion: TrivialAssertion = TrivialAssertion()
    prescription: None = None


class TrivialNumbers(NamedTuple):
    """Counts that cost nothing."""

    tokens: int
    oov_tokens: int
    chars: int
    unknown_chars: int
    disease_entities: int
    treatment_entities: int
    disease_tokens: int
    treatment_tokens: int
    negated_entities: int
    uncertain_entities: int
    confidence: float


class TrivialNote(NamedTuple):
    """What the trivial tagger says."""

    entities: tuple[TrivialEntity, ...]
    relations: tuple[()]
    confidence: float
    statistics: TrivialNumbers


class TrivialTagger:
    """Calls the first word of every note a disease, with certainty."""

    rules_version = "none"

    def tag(self, texts: Sequence[str]) -> list[TrivialNote]:
        """Tag texts."""
        return [_tag(text) for text in texts]


def _tag(text: str) -> TrivialNote:
    end = text.find(" ")
    end = len(text) if end <= 0 else end
    numbers = TrivialNumbers(12, 0, len(text), 0, 1, 0, 1, 0, 0, 0, 0.99)
    return TrivialNote((TrivialEntity("DISEASE", 0, end, 0.99),), (), 0.99, numbers)
