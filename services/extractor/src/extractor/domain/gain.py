"""What looking at a note is expected to teach: it orders the desk's queue, and chooses nothing."""

from collections.abc import Callable, Sequence

ExpectedGains = Callable[[Sequence[str]], Sequence[float | None]]
"""For each text the sum of min(p, 1 - p) over its candidate spans, by its tokens; None where the model weighs none."""


def expected_gains(tagger: object, texts: Sequence[str]) -> Sequence[float | None]:
    """The expected gains of some notes, by a tagger that may weigh candidate spans (`clinical_ner.tagger.Tagger` does); None where it does not."""
    of: ExpectedGains | None = getattr(tagger, "expected_gains", None)  # to ask a protocol takes as long as a decode
    return [None] * len(texts) if of is None or not texts else of(texts)
