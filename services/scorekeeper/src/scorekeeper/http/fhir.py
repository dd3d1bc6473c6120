"""A note as a FHIR R4 document, for the system that sent it: GET /v1/notes/{source}/{note_id}/fhir."""

from collections import defaultdict
from typing import Annotated

from fastapi import Query
from runtime.web.client_door import HttpRefusal
from rxtract_fhir import NO_CODES, Code, Codes, FhirRefused, as_bytes, document, guide_named, of_row, profile_named
from starlette.requests import Request
from starlette.responses import Response

from scorekeeper.http.notes import CodesOfRow, NotesApi, answered

FHIR_JSON = "application/fhir+json"
Asked = Annotated[str, Query(max_length=40)]


class FhirApi:
    """Answers from the records at rest, whose rows come some seconds behind the stream, and those of codes behind them.

    Args:
        notes: The door of notes: who may ask, how often, and the row that counts.
    """

    def __init__(self, notes: NotesApi) -> None:
        self._notes = notes

    def get(  # one query parameter each
        self, request: Request, source: str, note_id: str, profile: Asked = "op-consult", guide: Asked = "6.5.0"
    ) -> Response:
        """The document."""
        return answered(lambda: self._answer(request, (source, note_id), profile, guide))

    def _answer(self, request: Request, note: tuple[str, str], profile: str, guide: str) -> Response:
        kept = self._notes.row_and_codes(request, *note)
        if kept is None:
            message = "nothing of this note lies at rest: it is on its way (ask again in half a minute), was refused, or was never sent"
            raise HttpRefusal(404, "NOT_SEEN", message, {"Retry-After": "30"})
        try:
            chosen, version = profile_named(profile), guide_named(guide)
        except FhirRefused as refused:
            raise HttpRefusal(400, "BAD_QUERY", str(refused)) from None
        try:
            row, codes = kept
            found = document(of_row(row), chosen, codes_of_row(codes), guide=version)
        except FhirRefused as refused:
            raise HttpRefusal(409, "NO_DOCUMENT", str(refused)) from None
        return Response(as_bytes(found), media_type=FHIR_JSON)


def codes_of_row(found: CodesOfRow | None) -> Codes:
    """Return the codes at rest as documents take them."""
    if found is None:
        return NO_CODES
    version, rows = found
    of: dict[str, tuple[Code, ...]] = defaultdict(tuple)
    for one in rows:
        of[one["entity_id"]] += (Code(one["system"], one["code"], one["display"]),)
    return Codes(of, version)
