"""What helps a validator beside the note: guideline, search, look-up, feedback, and why nothing waits."""

from typing import Annotated

from clinical_ner.guideline import SHIPPED_VERSION
from contracts.identity import note_key
from contracts.records import AccessAction, Seen
from fastapi import Depends, FastAPI, Query
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import Request

from review_desk.adapters.guidelines import Guidelines
from review_desk.adapters.names import Names
from review_desk.adapters.places import Places
from review_desk.adapters.reservations import Reservations
from review_desk.adapters.store import Store
from review_desk.domain.selection import Selection
from review_desk.feedback import Feedback, feedback
from review_desk.finding import Finding
from review_desk.http.access import Access
from review_desk.http.asked import asked_selection
from review_desk.looking_up import look_up
from review_desk.waiting import waits_for

Words = Annotated[str, Query(min_length=2, max_length=200)]
Asked = Annotated[Selection, Depends(asked_selection)]


class HandsApi:
    """The endpoints: convert, and ask the module of each subject."""

    def __init__(self, store: Store, access: Access, finding: Finding, names_key: bytes) -> None:
        self._store = store
        self._access = access
        self._finding = finding
        self._guidelines = Guidelines(store)
        self._reservations = Reservations(store)
        self._names = Names(store, names_key)
        self._places = Places(store)

    def add_routes(self, app: FastAPI) -> None:
        """Add the endpoints to an application."""
        app.add_api_route("/api/guideline", self.guideline, methods=["GET"])
        app.add_api_route("/api/find", self.find, methods=["GET"])
        app.add_api_route("/api/places", self.places, methods=["GET"])
        app.add_api_route("/api/lookup", self.lookup, methods=["GET"])
        app.add_api_route("/api/feedback", self.feedback, methods=["GET"])
        app.add_api_route("/api/waiting", self.waiting, methods=["GET"])

    def guideline(self, request: Request, version: Annotated[str, Query(max_length=20)] = "") -> JSONResponse:
        """A version of the guideline, the one that counts by default, and which versions there are."""
        self._access.known(request)
        edit = self._guidelines.get(version or self._guidelines.version())
        if edit is None:
            raise HTTPException(404, "there is no such version of the guideline")
        versions, text = self._guidelines.versions(), edit.guideline
        return JSONResponse(
            {
                "version": text.version,
                "text": text.text,
                "at": edit.at,
                "versions": versions,
                "shipped": SHIPPED_VERSION,
            }
        )

    def find(self, request: Request, asked: Asked, text: Words) -> JSONResponse:
        """Notes that wait for whoever asks and hold these words, the newest first."""
        who = self._access.reviewer(request)
        search = self._finding.search(who, asked, text.strip())
        self._access.seen(request, AccessAction.SEARCH, [one.note for one in search.found], [Seen.IDENTITY, Seen.TEXT])
        found = [
            {name: getattr(one, name) for name in ("source", "note_id", "city", "specialty", "why", "excerpt")}
            for one in search.found
        ]
        return JSONResponse({"found": found, "read": search.read, "whole": search.whole})

    def places(self, request: Request) -> JSONResponse:
        """Cities and specialties of notes that were sent to review."""
        self._access.known(request)
        return JSONResponse({"cities": self._places.cities(), "specialties": self._places.specialties()})

    def lookup(
        self,
        request: Request,
        words: Words,
        source: Annotated[str, Query(max_length=40)] = "",
        note_id: Annotated[str, Query(max_length=500)] = "",
    ) -> JSONResponse:
        """How a name was labelled in other notes than the one on the paper."""
        who = self._access.reviewer(request)
        paper = note_key(source, note_id) if source else ""
        found = look_up(self._store, self._names, who, words, but=paper)
        counted = [
            {
                "label": one.label,
                "notes": len(one.others),
                "people": len(one.people),
                "mine": len(one.mine),
                "stated": [{"words": words, "times": times} for words, times in one.stated.most_common(4) if words],
            }
            for one in found
        ]
        return JSONResponse({"decided": counted})

    def feedback(self, request: Request) -> JSONResponse:
        """What a lead changed of one's newest notes."""
        return JSONResponse(_plain(feedback(self._store, self._access.reviewer(request))))

    def waiting(self, request: Request, asked: Asked) -> JSONResponse:
        """How many notes wait for what, where none is handed out."""
        who = self._access.reviewer(request)
        return JSONResponse(waits_for(self._store, self._reservations.all, who, asked))


def _plain(found: Feedback) -> dict[str, object]:
    changed = []
    for one in found.changed:
        source, _, note_id = one.note.partition("|")
        difference = {"added": dict(one.added), "removed": dict(one.removed), "restated": one.restated}
        changed.append({"source": source, "note_id": note_id, **difference})
    return {"decided": found.decided, "changed": changed}
