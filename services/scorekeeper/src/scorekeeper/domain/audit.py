"""How large the audit of a week is to be, and the rate that follows from it."""

from dataclasses import dataclass

from outcomes.days import day_start_ms
from outcomes.kpis import View
from outcomes.planning import audit_notes, audit_rate
from outcomes.quality import unweighted

from scorekeeper.domain.board import WEEK, Board

_DAY_MS = 24 * 3600 * 1000


@dataclass(frozen=True, slots=True)
class Audit:
    """The audit of a version.

    Attributes:
        audited: Notes that people have audited.
        needed: Notes that a week's audit needs.
        rate: Share of live notes to draw from now on, 0 to 1.
    """

    audited: int
    needed: int
    rate: float


def audit_of(board: Board, view: View) -> Audit:
    """Size the audit of the version in view by the precision that is wanted and by how many notes come, whichever version reads them.

    The next week is drawn at one rate. What the last one had at others says how notes scatter, and nothing of the next week's weights.
    """
    wanted, every = board.assumptions, board.view(WEEK, view.now_ms)
    needed = audit_notes(unweighted(view.audits), len(view.audits), wanted.audit_f1_within)
    rate = audit_rate(
        needed,
        every.cell.notes,
        days=_days(board, every),
        least=min(wanted.audit_rate_least, wanted.audit_rate_most),
        most=wanted.audit_rate_most,
    )
    return Audit(len(view.audits), needed, rate)


def _days(board: Board, view: View) -> float:
    """How long notes have come, of the days in view: from the beginning of the first with a note until now."""
    first = min(
        (day for (day, _, _), cell in board.folded.cells.items() if day in view.days and cell.notes), default=None
    )
    return 0.0 if first is None else (view.now_ms - day_start_ms(first, board.zone)) / _DAY_MS
