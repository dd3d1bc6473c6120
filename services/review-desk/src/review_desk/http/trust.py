"""The lead's calls on trust: whose labels are held, and what becomes of them."""

from typing import Literal

from contracts.records import TrustState
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import JSONResponse

from review_desk.desk import Reviewer
from review_desk.http.access import Access, Refused
from review_desk.http.bodies import Strict
from review_desk.watching import Watching


class LookedBody(Strict):
    """What a lead decides: the labels count after all, or those that were held never do."""

    state: Literal["CLEARED", "EXCLUDED"]


class TrustApi:
    """Who asks is a lead."""

    def __init__(self, watching: Watching, access: Access) -> None:
        self._watching = watching
        self._access = access

    def listed(self, request: Request) -> JSONResponse:
        """Everybody whose labels were ever held, those that wait for a lead first."""
        self._lead(request)
        return JSONResponse({"people": self._watching.listed()})

    def look(self, request: Request, annotator: str, body: LookedBody) -> JSONResponse:
        """Decide what becomes of the held labels of a person. Answered after the broker's acknowledgement."""
        who = self._lead(request)
        event = self._watching.look(who.annotator, annotator, TrustState(body.state))
        self._access.log(who, f"trust {body.state.lower()} {annotator}")
        return JSONResponse({"annotator": event.annotator, "state": event.state.value, "judged_at": event.judged_at})

    def _lead(self, request: Request) -> Reviewer:
        who = self._access.reviewer(request)
        if not who.leads:
            raise Refused(403, "only a lead may see whose labels are held")
        return who


def add_trust(app: FastAPI, api: TrustApi) -> None:
    """Add the calls to the application."""
    app.add_api_route("/api/trust", api.listed, methods=["GET"])
    app.add_api_route("/api/trust/{annotator}", api.look, methods=["POST"])
