"""How much of a segment is audited: one rate for all, and others for segments that are named."""

import json
import re
from collections.abc import Mapping

from contracts.records import QualityMeasured
from contracts.segments import segments_of

_SEGMENT = re.compile(r"(city=[^|]+|specialty=[^|]+|city=[^|]+\|specialty=[^|]+)")


def parse_rates(text: str) -> dict[str, float]:
    """Read rates by segment from a JSON object; an empty text has none.

    Raises:
        ValueError: One line that says what is wrong, without repeating it.
    """
    try:
        found = json.loads(text or "{}")
    except ValueError:
        raise ValueError('it is no JSON; write for example {"city=Pune": 0.05}') from None
    if not isinstance(found, dict):
        raise ValueError("it is no JSON object")  # noqa: TRY004 - what pydantic turns into one line
    for place, (segment, rate) in enumerate(found.items(), start=1):
        if not _SEGMENT.fullmatch(segment):
            raise ValueError(f"segment {place} is not city=X, specialty=Y or city=X|specialty=Y")
        if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 <= rate <= 1:
            raise ValueError(f"the rate of segment {place} is not a number from 0 to 1")
    return {segment: float(rate) for segment, rate in found.items()}


class AuditRates:
    """The rate of each note. Told by one thread, read by another.

    Args:
        usual: Where no segment is named.
        named: By segment. A city's specialty comes before its city and its specialty; of these two the higher rate counts.
    """

    def __init__(self, usual: float, named: Mapping[str, float]) -> None:
        self._usual = usual
        self._named = named

    @property
    def usual(self) -> float:
        """The share of notes whose segment is not named."""
        return self._usual

    def tell(self, measured: QualityMeasured) -> None:
        """Follow the rate that a measurement asks for; one that says nothing of it changes nothing. Rates of named segments stay."""
        if measured.audit_rate is not None:
            self._usual = measured.audit_rate

    def of(self, city: str, specialty: str) -> float:
        """The share of live notes of this city and specialty that is audited."""
        if not self._named:
            return self._usual
        _, in_city, in_specialty, in_both = segments_of(city, specialty)
        if in_both in self._named:
            return self._named[in_both]
        named = [self._named[segment] for segment in (in_city, in_specialty) if segment in self._named]
        return max(named, default=self._usual)
