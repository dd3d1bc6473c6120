"""What looking at a text is expected to teach, for a token of reading."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from clinical_ner.rescoring import PROBABILITY
from clinical_ner.tokens import token_arrays

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clinical_ner.decoder import Decoder


NOTE_TOKENS = 40
"""Opening a text and deciding on it costs as much as reading so many tokens: about ten seconds. Without it the queue would begin
with the shortest texts, of which a person sees many and the model learns little."""


def expected_gains(decoder: Decoder, texts: Sequence[str]) -> list[float | None]:
    """Return for each text the sum of min(p, 1 - p) over its candidate spans, by what reading it costs in tokens.

    p is a span's probability under the CRF. The sum is how many spans an answer is expected to turn over; a reader pays
    by the token, and `NOTE_TOKENS` for each text. A decode of its own, beside `Tagger.tag`: for the few texts that people look at.

    Args:
        decoder: Of the model that tagged them.
        texts: Any strings.

    Returns:
        Values from 0 on, one a text; None where the model weighs no candidates (trained with `rescore` off).
    """
    if not texts:
        return []
    if not decoder.weighs_candidates:
        return [None] * len(texts)
    found = decoder.candidates(texts)
    probability = np.clip(found.columns[:, PROBABILITY].astype(np.float64), 0.0, 1.0)
    doubt = np.bincount(found.spans[:, 0], np.minimum(probability, 1.0 - probability), minlength=len(texts))
    tokens = [NOTE_TOKENS + len(token_arrays(text).starts) for text in texts]
    return [float(one) / count for one, count in zip(doubt, tokens, strict=True)]
