"""What looking at a note is expected to teach: it orders the desk's queue, and chooses nothing."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable


@runtime_checkable
class ExpectsGains(Protocol):
    """A tagger that weighs candidate spans; `clinical_ner.tagger.Tagger` is one."""

    def expected_gains(self, texts: Sequence[str]) -> Sequence[float | None]:
        """For each text the sum of min(p, 1 - p) over its candidate spans, by its tokens; None where the model weighs none."""


def expected_gain(tagger: object, text: str) -> float | None:
    """The expected gain of one note; None where the tagger knows of none."""
    return tagger.expected_gains([text])[0] if isinstance(tagger, ExpectsGains) else None
