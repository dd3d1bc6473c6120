"""Taggers as the extractor sees them, and how a note that breaks one is told from the others."""

# ruff: noqa: D102 - a protocol's members say what they are by their names

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from contracts.records import ModelRef
from drift.observation import NoteNumbers
from numpy.typing import NDArray
from runtime.errors import RxtractError


class WrongTaggerError(RxtractError):
    """The tagger does not do what a tagger does; no result of it can be trusted."""


class TaggedAssertion(Protocol):
    """What a note says of a mention, in the contract's words; hashable. `clinical_ner.meaning.Assertion` is one."""

    def __hash__(self) -> int: ...
    @property
    def status(self) -> str: ...
    @property
    def time(self) -> str: ...
    @property
    def experiencer(self) -> str: ...
    @property
    def cue_start(self) -> int: ...
    @property
    def cue_end(self) -> int: ...


class TaggedPrescription(Protocol):
    """How a treatment is taken; hashable. `clinical_ner.meaning.Prescription` is one."""

    def __hash__(self) -> int: ...
    @property
    def form(self) -> str | None: ...
    @property
    def strength(self) -> str | None: ...
    @property
    def dose(self) -> str | None: ...
    @property
    def frequency(self) -> int | None: ...
    @property
    def period(self) -> int | None: ...
    @property
    def period_unit(self) -> str | None: ...
    @property
    def when(self) -> str | None: ...
    @property
    def as_needed(self) -> bool | None: ...
    @property
    def duration(self) -> int | None: ...
    @property
    def duration_unit(self) -> str | None: ...
    @property
    def route(self) -> str | None: ...


class TaggedRelation(Protocol):
    """What a treatment has to do with a disease."""

    @property
    def type(self) -> str:
        """In the contract's words."""

    @property
    def treatment(self) -> int:
        """Its place among the mentions."""

    @property
    def disease(self) -> int:
        """Its place among the mentions."""

    @property
    def confidence(self) -> float:
        """Probability that both ends and the type are right."""


class TaggedEntity(Protocol):
    """A mention: code point offsets into the text, a calibrated probability."""

    @property
    def label(self) -> str:
        """DISEASE or TREATMENT."""

    @property
    def start(self) -> int:
        """First code point."""

    @property
    def end(self) -> int:
        """Code point after the last one."""

    @property
    def confidence(self) -> float:
        """Probability that span and label are both right."""

    @property
    def assertion(self) -> TaggedAssertion:
        """What the note says of it."""

    @property
    def prescription(self) -> TaggedPrescription | None:
        """How it is taken; None for diseases, and where nothing is written."""


class TaggedNote(Protocol):
    """What a tagger says of one text."""

    @property
    def entities(self) -> Sequence[TaggedEntity]:
        """Mentions in text order."""

    @property
    def relations(self) -> Sequence[TaggedRelation]:
        """Of treatments to diseases."""

    @property
    def confidence(self) -> float:
        """Calibrated confidence that the whole note is right."""

    @property
    def statistics(self) -> NoteNumbers:
        """Counts for the drift statistics."""


class Tagger(Protocol):
    """Texts in, one result for each text out, in order."""

    @property
    def rules_version(self) -> str:
        """Version of the rules behind assertions, relations and prescriptions."""

    def with_rules(self, rules: Any, /) -> "Tagger":
        """The same model, read by released rules."""

    def tag(self, texts: Sequence[str]) -> Sequence[TaggedNote]:
        """Tag texts. A text that cannot be tagged raises; which one is found out by the caller."""


class PrescriptionColumns(Protocol):
    """Prescriptions as columns, one row an entity. What is not written is 0 and -1."""

    @property
    def present(self) -> NDArray[np.int64]:
        """0 where an entity has one, else -1."""

    @property
    def fields(self) -> Mapping[str, tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """By name: the number or the place of the text in `base`, and 0 or its length."""

    @property
    def base(self) -> NDArray[np.uint8]:
        """UTF-8."""


class TaggedColumns(Protocol):
    """What a tagger says of a batch, as arrays; `clinical_ner.tagger.TaggedColumns` says what each holds."""

    @property
    def bounds(self) -> NDArray[np.int64]: ...
    @property
    def notes(self) -> NDArray[np.int64]: ...
    @property
    def labels(self) -> NDArray[np.int64]: ...
    @property
    def starts(self) -> NDArray[np.int64]: ...
    @property
    def ends(self) -> NDArray[np.int64]: ...
    @property
    def confidences(self) -> NDArray[np.float64]: ...
    @property
    def assertions(self) -> NDArray[np.int64]: ...
    @property
    def relation_bounds(self) -> NDArray[np.int64]: ...
    @property
    def relations(self) -> NDArray[np.int64]: ...
    @property
    def relation_confidences(self) -> NDArray[np.float64]: ...
    @property
    def note_confidences(self) -> NDArray[np.float64]: ...
    @property
    def numbers(self) -> NDArray[np.int64]: ...
    @property
    def mean_confidences(self) -> NDArray[np.float64]: ...
    def prescriptions(self) -> PrescriptionColumns: ...


TagColumns = Callable[[NDArray[np.uint32], NDArray[np.int64]], TaggedColumns]
"""The method `tag_columns` of a tagger that needs no object for a note: texts as code points, text i from bounds[i] to bounds[i + 1].

It must find what its `tag` finds. A tagger need not have it.
"""


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A tagger and which model version it is. A batch is tagged by one of these.

    Attributes:
        rules_serial: Of the release of rules that the tagger reads by; 0: the rules of this program, none were released.
    """

    ref: ModelRef
    tagger: Tagger
    sha256: str = ""
    rules_serial: int = 0


class Rules(Protocol):
    """Rules as a tagger takes them; `clinical_ner.rules.Rules` is one."""

    @property
    def version(self) -> str:
        """Their `rules_version`."""


@dataclass(frozen=True, slots=True)
class LoadedRules:
    """A release of rules; None: those of this program."""

    ref: ModelRef
    rules: Rules | None
    sha256: str = ""


def tag_each(
    tagger: Tagger, texts: Sequence[str], attempts: int, on_failure: Callable[[Exception], None]
) -> list[TaggedNote | None]:
    """Tag texts; a text on which the tagger fails ``attempts`` times gives None, and costs its neighbours nothing.

    The batch is halved until the text that breaks it stands alone. Running out of memory is not the text's fault and is raised.

    Args:
        tagger: May raise anything on a text that it cannot bear.
        texts: In order.
        attempts: Tries for a text that stands alone, its part in the whole batch included.
        on_failure: Told of each failure.
    """
    if not texts:
        return []
    try:
        tagged = list(tagger.tag(texts))
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - a broken note must not stop the others
        on_failure(error)
    else:
        if len(tagged) != len(texts):
            raise WrongTaggerError(f"the tagger gave {len(tagged)} results for {len(texts)} notes")
        return [*tagged]
    if len(texts) > 1:
        middle = len(texts) // 2
        halves = (texts[:middle], texts[middle:])
        return [tagged for half in halves for tagged in tag_each(tagger, half, attempts, on_failure)]
    return tag_each(tagger, texts, attempts - 1, on_failure) if attempts > 1 else [None]
