"""Measurements of live quality, and which of them say something new."""

from collections.abc import Iterable

from contracts.identity import measurement_id
from contracts.records import QualityMeasured
from contracts.segments import ALL_NOTES
from outcomes.days import day_start_ms

from scorekeeper.domain.audit import audit_of
from scorekeeper.domain.board import WEEK, Board


def measurements(board: Board, now_ms: int) -> list[QualityMeasured]:
    """What is known now: for each version with audited notes, over all of them and for each city.

    The same audited notes give the same numbers to the last digit, in whatever order they came.
    """
    found = []
    audited = board.view(WEEK, now_ms).audits
    versions = {note.version for note in audited}
    newest = max(versions, key=lambda one: board.model(one).serial, default="")
    for version in sorted(versions):
        cities = sorted({note.city for note in audited if note.version == version and note.city})
        found += [_measured(board, now_ms, "", version, sizes=version == newest)]
        found += [_measured(board, now_ms, city, version) for city in cities]
    return found


def _measured(board: Board, now_ms: int, city: str, version: str, *, sizes: bool = False) -> QualityMeasured:
    """Measure; `sizes`: and say how much is to be audited from now on."""
    view = board.view(WEEK, now_ms, city, version)
    segment = f"city={city}" if city else ALL_NOTES
    start = day_start_ms(view.days[0], board.zone)
    end = day_start_ms(view.days[-1], board.zone, 1)
    return QualityMeasured(
        measurement_id=measurement_id(version, segment, start, end),
        model=board.model(version),
        segment=segment,
        window_start=start,
        window_end=end,
        notes=len(view.audits),
        labels=view.quality,
        estimated_f1=view.cell.expected.f1,
        prefill_bias=board.bias(view),
        audit_rate=audit_of(board, view).rate if sizes else None,
        measured_at=now_ms,
    )


class Said:
    """The newest measurement of each version and segment, as the topic has it. What was said once is not said again."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, str, str], QualityMeasured] = {}

    def take(self, measured: QualityMeasured) -> None:
        """Take one from the topic, or one that the broker just acknowledged."""
        self._rows[measured.model.name, measured.model.version, measured.segment] = measured

    def news(self, found: Iterable[QualityMeasured]) -> list[QualityMeasured]:
        """Those whose audited result is not the one that was said last."""
        return [one for one in found if _result(one) != _result(self._rows.get(_key(one)))]


def _key(measured: QualityMeasured) -> tuple[str, str, str]:
    return measured.model.name, measured.model.version, measured.segment


def _result(measured: QualityMeasured | None) -> object:
    """What people's words decide, and the audit that follows; the estimate moves with every note and is no news."""
    if measured is None:
        return None
    return measured.notes, measured.labels, measured.prefill_bias, measured.audit_rate
