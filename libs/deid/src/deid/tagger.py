"""The tagger of names and addresses: a CRF of our own that learnt from synthetic notes (`deid.training`)."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, NamedTuple

from clinical_ner.artifact import load
from clinical_ner.decoder import Decoder

if TYPE_CHECKING:
    from collections.abc import Sequence

SHA256 = "00d991118b925742dc8aba67c17edad4d48d8190edab3c9ab6c761adb653f822"
NAME_CLASS, ADDRESS_CLASS = 1, 2


class Guess(NamedTuple):
    """A stretch that the CRF takes for a name or an address, with its probability; offsets in code points."""

    start: int
    end: int
    is_name: bool
    probability: float


@cache
def _decoder() -> Decoder:
    return Decoder(load((files("deid") / "data" / "names.npz").read_bytes(), SHA256))


def guesses(texts: Sequence[str]) -> list[list[Guess]]:
    """Return what the CRF finds in each text, in order; any string is valid input."""
    found: list[list[Guess]] = [[] for _ in texts]
    if not texts:
        return found
    decoded = _decoder().decode(texts)
    for row, sure in zip(decoded.entities.tolist(), decoded.confidences.tolist(), strict=True):
        note, kind, start, end = row[:4]
        found[note].append(Guess(start, end, kind == NAME_CLASS, sure))
    return found
