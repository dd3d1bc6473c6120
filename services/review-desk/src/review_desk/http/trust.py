"""The lead's calls on trust: whose labels are held, and what becomes of them."""

from typing import Literal

from contracts.records import AccessAction, Seen, TrustState
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import JSONResponse

from review_desk.http.access import Access
from review_desk.http.bodies import Strict
from review_desk.watching import Watching

_NOTES = 20
"""The newest held notes of each person: enough to see how somebody works."""


class LookedBody(Strict):
    """What a lead decides: the labels count after all, or those that were held never do."""

    state: Literal["CLEARED", "EXCLUDED"]


class TrustApi:
    """Who asks is a lead."""

    def __init__(self, watching: Watching, access: Access) -> None:
        self._watching = watching
        self._access = access

    def listed(self, request: Request) -> JSONResponse:
        """Everybody whose labels were ever held, those that wait for a lead first, with how many wait and the newest of their notes."""
        who, known = self._access.lead(request), self._access.names()
        rows = []
        for row in self._watching.listed():
            annotator = row["annotator"]
            notes = self._watching.held_notes(annotator, row["since"])
            newest = notes[:_NOTES]
            self._access.seen(request, AccessAction.LOOK, newest, [Seen.IDENTITY])
            name = known[annotator].name if annotator in known else annotator
            named = [dict(zip(("source", "note_id"), note.split("|", 1), strict=True)) for note in newest]
            rows.append({**row, "name": name, "own": annotator == who.annotator, "labels": len(notes), "notes": named})
        return JSONResponse({"people": rows})

    def mine(self, request: Request) -> JSONResponse:
        """Since when one's own labels wait for a lead (UTC milliseconds), and how many; nothing of why: a lead talks to people."""
        annotator = self._access.reviewer(request).annotator
        since = self._watching.held_since(annotator)
        return JSONResponse({"since": since, "labels": len(self._watching.held_notes(annotator, since))})

    def look(self, request: Request, annotator: str, body: LookedBody) -> JSONResponse:
        """Decide what becomes of the held labels of a person. Answered after the broker's acknowledgement."""
        who = self._access.lead(request)
        event = self._watching.look(who.annotator, annotator, TrustState(body.state))
        self._access.log(who, f"trust {body.state.lower()} {annotator}")
        return JSONResponse({"annotator": event.annotator, "state": event.state.value, "judged_at": event.judged_at})


def add_trust(app: FastAPI, api: TrustApi) -> None:
    """Add the calls to the application."""
    app.add_api_route("/api/trust", api.listed, methods=["GET"])
    app.add_api_route("/api/trust/mine", api.mine, methods=["GET"])
    app.add_api_route("/api/trust/{annotator}", api.look, methods=["POST"])
