"""What became of a note, for the system that sent it: GET /v1/notes/{source}/{note_id}."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from contracts.identity import note_key
from contracts.reasons import Reason
from outcomes.questions import UNREADABLE, NoRecordsAtRest, newest_row, open_records
from runtime.budget import OverBudget, Rates
from runtime.client_door import HttpRefusal, authenticate, problem
from runtime.client_tokens import Tokens
from starlette.requests import Request
from starlette.responses import JSONResponse

from scorekeeper.domain.board import Board
from scorekeeper.domain.refusals import RefusedOnce

QUESTIONS_PER_S = 5.0
"""Of one client: each reads the records at rest."""


class NotesApi:
    """Answers a client about its own notes alone. The records at rest come some seconds behind the stream.

    Args:
        folder: Of the records at rest.
        board: Its dead letters.
        tokens: Of the HTTP door's clients; a client's name is its source.
    """

    def __init__(self, folder: Path, board: Board, tokens: Tokens) -> None:
        self._folder = folder
        self._board = board
        self._tokens = tokens
        self._rates = Rates("questions_per_s", QUESTIONS_PER_S)

    def get(self, request: Request, source: str, note_id: str) -> JSONResponse:
        """Tell it."""
        try:
            return self._answer(authenticate(request, self._tokens), source, note_id)
        except HttpRefusal as refusal:
            return problem(refusal)
        except OverBudget as over:
            message = "this client asks more often than it may"
            return problem(HttpRefusal(429, "BUSY", message, {"Retry-After": str(over.retry_after_s)}))

    def _answer(self, client: str, source: str, note_id: str) -> JSONResponse:
        if client != source:
            raise HttpRefusal(403, Reason.OTHER_SOURCE, "a client may ask about the notes of its own source alone")
        self._rates.check(client)
        self._rates.use(client, 1)
        with self._board.lock:
            refused = self._board.refusals.of(note_key(source, note_id))
        row = self._row(source, note_id)
        if row is None and not refused:
            message = "nothing of this note is here: it is on its way (ask again in half a minute), or was never sent"
            raise HttpRefusal(404, "NOT_SEEN", message, {"Retry-After": "30"})
        known = {"source": source, "note_id": note_id, "status": "refused" if row is None else "extracted"}
        return JSONResponse(known | (_found(row) if row else {}) | {"refusals": _told(refused)})

    def _row(self, source: str, note_id: str) -> Mapping[str, Any] | None:
        try:
            with open_records(self._folder) as connection:
                return newest_row(connection, source, note_id)
        except NoRecordsAtRest:
            return None
        except UNREADABLE:
            raise HttpRefusal(503, "BUSY", "the records cannot be read just now", {"Retry-After": "5"}) from None


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


def _told(refused: Sequence[RefusedOnce]) -> list[dict[str, Any]]:
    return [
        {"reason": one.reason, "message": _sentence(one.reason), "refused_at": one.at, "place": one.place}
        for one in refused
    ]


def _sentence(reason: str) -> str:
    return Reason(reason).sentence if reason in Reason.__members__ else ""
