"""What became of a note, for the system that sent it: GET /v1/notes/{source}/{note_id}."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from contracts.identity import note_key
from contracts.reasons import Reason
from contracts.wire import WireError
from duckdb import DuckDBPyConnection
from outcomes.questions import UNREADABLE, NoRecordsAtRest, newest_codes, newest_row, open_records
from outcomes.sealed_rows import OpenWords, opened_row
from runtime.errors import Recoverable
from runtime.web.budget import OverBudget, Rates
from runtime.web.client_door import HttpRefusal, authenticate, problem
from runtime.web.client_tokens import Tokens
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from scorekeeper.adapters.ledger import NoAnswer, Waiting
from scorekeeper.domain.board import Board
from scorekeeper.domain.held import HeldRows, counting
from scorekeeper.domain.refusals import RefusedOnce

A = TypeVar("A")
Row = Mapping[str, Any]
CodesOfRow = tuple[str, list[dict[str, Any]]]
QUESTIONS_PER_S = 5.0
"""Of one client: each reads the records at rest."""


def nothing_waits(_source: str, _note_id: str) -> tuple[Waiting, ...]:
    """There is no ledger to ask."""
    return ()


class NotesApi:
    """Answers a client about its own notes alone. It lies some seconds behind the stream.

    Args:
        folder: Of the records at rest.
        board: Its dead letters.
        tokens: Of the HTTP door's clients; a client's name is its source.
        held: Rows that are not at rest yet.
        waiting: Asks the ledger what of a note has no effect yet; raises `NoAnswer`.
        opens: Opens the words of sealed rows.
    """

    def __init__(
        self,
        folder: Path,
        board: Board,
        tokens: Tokens,
        *,
        held: HeldRows | None = None,
        waiting: Callable[[str, str], tuple[Waiting, ...]] = nothing_waits,
        opens: OpenWords | None = None,
    ) -> None:
        self._folder = folder
        self._opens = opens
        self._board = board
        self._tokens = tokens
        self._held = held or HeldRows()
        self._waiting = waiting
        self._rates = Rates("questions_per_s", QUESTIONS_PER_S)

    def get(self, request: Request, source: str, note_id: str) -> Response:
        """Tell it."""
        return answered(lambda: self._answer(request, source, note_id))

    def row_and_codes(self, request: Request, source: str, note_id: str) -> tuple[Row, CodesOfRow | None] | None:
        """The row of a client's own note that counts, at rest or about to be, and its codes; None where there is none.

        The codes are those that the newest tables gave its entities, with the version of these tables; None where none lie at rest.

        Raises:
            HttpRefusal: It is not the client's, or the records cannot be read.
            OverBudget: The client asks too often.
        """
        self._let_in(authenticate(request, self._tokens), source)
        held = self._held.of(source, note_id)

        def asked(records: DuckDBPyConnection) -> tuple[Row | None, CodesOfRow | None]:
            row = counting(held, newest_row(records, source, note_id))
            return row, None if row is None else newest_codes(records, source, note_id, row["event_id"])

        row, codes = self._read(asked) or (held, None)
        return None if row is None else (self._opened(row), codes)

    def _let_in(self, client: str, source: str) -> None:
        if client != source:
            raise HttpRefusal(403, Reason.OTHER_SOURCE, "a client may ask about the notes of its own source alone")
        self._rates.check(client)
        self._rates.use(client, 1)

    def _answer(self, request: Request, source: str, note_id: str) -> JSONResponse:
        self._let_in(authenticate(request, self._tokens), source)
        # What waits first: a note whose effect comes between the questions is then found by the later ones.
        waiting = self._asked(source, note_id)
        with self._board.lock:
            refused = self._board.refusals.of(note_key(source, note_id))
        row = self._newest(source, note_id)
        status = _status(row, waiting or (), refused)
        if not status and waiting is None:
            message = "nothing of this note is here, and the ledger cannot be asked whether it waits"
            raise HttpRefusal(503, "BUSY", message, {"Retry-After": "5"})
        if not status:
            message = (
                "nothing of this note is here: it came seconds ago (ask again in half a minute), or was never sent"
            )
            raise HttpRefusal(404, "NOT_SEEN", message, {"Retry-After": "30"})
        known = {"source": source, "note_id": note_id, "status": status}
        later = {"waiting": [_waits(one) for one in waiting or ()], "refusals": _refusals(refused)}
        return JSONResponse(known | (_found(row) if row else {}) | later)

    def _asked(self, source: str, note_id: str) -> tuple[Waiting, ...] | None:
        try:
            return self._waiting(source, note_id)
        except NoAnswer:
            return None

    def _newest(self, source: str, note_id: str) -> Row | None:
        # What is held first: it is cleared after it was laid at rest.
        held = self._held.of(source, note_id)
        row = counting(held, self._read(lambda records: newest_row(records, source, note_id)))
        return None if row is None else self._opened(row)

    def _opened(self, row: Row) -> Row:
        """The row with its words; each opening is a call of the key store, so only what is answered is opened."""
        try:
            return opened_row(row, self._opens)
        except (WireError, Recoverable):
            raise HttpRefusal(
                503, "BUSY", "the words of this note cannot be opened just now", {"Retry-After": "5"}
            ) from None

    def _read(self, question: Callable[[DuckDBPyConnection], A | None]) -> A | None:
        try:
            with open_records(self._folder) as connection:
                return question(connection)
        except NoRecordsAtRest:
            return None
        except UNREADABLE:
            raise HttpRefusal(503, "BUSY", "the records cannot be read just now", {"Retry-After": "5"}) from None


def answered(answer: Callable[[], Response]) -> Response:
    """An answer, or the problem that it ends with."""
    try:
        return answer()
    except HttpRefusal as refusal:
        return problem(refusal)
    except OverBudget as over:
        message = "this client asks more often than it may"
        return problem(HttpRefusal(429, "BUSY", message, {"Retry-After": str(over.retry_after_s)}))


def _status(row: Mapping[str, Any] | None, waiting: Sequence[Waiting], refused: Sequence[RefusedOnce]) -> str:
    """What became of it, in one word; "" where nothing is known."""
    if row is not None:
        return "extracted"
    if any(one.is_accepted for one in waiting):
        return "accepted"
    return "submitted" if waiting else "refused" if refused else ""


def _waits(one: Waiting) -> dict[str, Any]:
    return {"revision": one.revision, ("accepted_at" if one.is_accepted else "submitted_at"): one.at_ms}


def _found(row: Mapping[str, Any]) -> dict[str, Any]:
    words = {one["entity_id"]: one["text"] for one in row["entities"] or ()}
    return {
        "revision": row["revision"],
        "origin": row["origin"],
        "accepted_at": row["accepted_at"],
        "extracted_at": row["extracted_at"],
        "entities": row["entities"] or [],
        "relations": [
            {**one, "treatment": words.get(one["treatment_id"], ""), "disease": words.get(one["disease_id"], "")}
            for one in row["relations"] or ()
        ],
        "note_confidence": row["note_confidence"],
        "model": {"source": f"models:/{row['model_name']}/{row['model_version']}", "serial": row["model_serial"]},
        "rules_version": row["rules_version"],
    }


def _refusals(refused: Sequence[RefusedOnce]) -> list[dict[str, Any]]:
    return [
        {"reason": one.reason, "message": _sentence(one.reason), "refused_at": one.at, "place": one.place}
        for one in refused
    ]


def _sentence(reason: str) -> str:
    return Reason(reason).sentence if reason in Reason.__members__ else ""
