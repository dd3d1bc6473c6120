"""The code under an entity, its correction, and what a lead makes of corrections."""

from typing import Annotated, Any, Literal

from fastapi import FastAPI, Query
from fastapi.responses import JSONResponse, Response
from pydantic import Field
from starlette.exceptions import HTTPException
from starlette.requests import Request
from terminology.table import Coding

from review_desk.adapters.code_changes import CodeChange, Proposed
from review_desk.coding import LONGEST_MENTION, CodeBook, CodeReview, accepted_by_system, csv_of, subject_of
from review_desk.http.access import Access
from review_desk.http.bodies import Strict

_MOST_MENTIONS = 2_000
_MOST_WAITING = 200
Label = Literal["DISEASE", "TREATMENT"]
Mention = Annotated[str, Field(min_length=1, max_length=LONGEST_MENTION)]
Code = Annotated[str, Field(min_length=1, max_length=200)]


class MentionBody(Strict):
    """A name as the note has it; one that is longer than a name has no code."""

    text: Annotated[str, Field(max_length=20_000)]
    label: Label


class MentionsBody(Strict):
    """Mentions whose codes are asked for."""

    mentions: Annotated[list[MentionBody], Field(max_length=_MOST_MENTIONS)]


class ProposalBody(Strict):
    """A code that a mention should have."""

    text: Mention
    label: Label
    system: Code
    code: Code
    display: Annotated[str, Field(max_length=1_000)] = ""


class DecisionBody(Strict):
    """What a lead makes of the proposal that was shown."""

    subject: Code
    system: Code
    code: Code
    accept: bool


class CodesApi:
    """The endpoints.

    Args:
        access: Who asks.
        review: Knows the tables; None: this desk has none, and says so.
    """

    def __init__(self, access: Access, review: CodeReview | None) -> None:
        self._access = access
        self._review = review

    def add_routes(self, app: FastAPI) -> None:
        """Add the endpoints to an application."""
        app.add_api_route("/api/codes", self.codes, methods=["POST"])
        app.add_api_route("/api/codes/search", self.search, methods=["GET"])
        app.add_api_route("/api/codes/proposals", self.propose, methods=["POST"])
        app.add_api_route("/api/lead/codes", self.waiting, methods=["GET"])
        app.add_api_route("/api/lead/codes", self.decide, methods=["POST"])
        app.add_api_route("/api/lead/codes.csv", self.accepted, methods=["GET"])

    def codes(self, request: Request, body: MentionsBody) -> JSONResponse:
        """The codes of mentions, in their order, and what is proposed for them; `tables` is null where this desk has none."""
        self._access.reviewer(request)
        if self._review is None:
            return JSONResponse({"tables": None, "mentions": []})
        book = self._review.book
        changes = self._review.changes.each([_subject_of(one) for one in body.mentions])
        found = [_codes_of(book, one, change) for one, change in zip(body.mentions, changes, strict=True)]
        return JSONResponse({"tables": book.version, "mentions": found})

    def search(
        self, request: Request, words: Annotated[str, Query(min_length=2, max_length=200)], label: Label
    ) -> JSONResponse:
        """Codes by words."""
        self._access.reviewer(request)
        return JSONResponse({"found": list(map(_plain, self._tables().book.search(words, label)))})

    def propose(self, request: Request, body: ProposalBody) -> JSONResponse:
        """Propose a code for a mention: it waits for a lead."""
        who = self._access.reviewer(request)
        self._tables().propose(who, body.text, body.label, Coding(body.system, body.code, body.display))
        return JSONResponse({"state": "proposed"})

    def waiting(self, request: Request) -> JSONResponse:
        """The newest proposals that wait, and how many codes were accepted, by code system."""
        self._access.lead(request)
        if self._review is None:
            return JSONResponse({"tables": None, "waiting": [], "accepted": {}})
        known = self._review.changes.all()
        waiting = [one.waiting for one in known if one.waiting is not None]
        accepted = {name: len(rows) for name, rows in accepted_by_system(known).items()}
        shown = [self._row(one) for one in waiting[:_MOST_WAITING]]
        return JSONResponse(
            {
                "tables": self._review.book.version,
                "waiting": shown,
                "more": max(0, len(waiting) - _MOST_WAITING),
                "accepted": accepted,
            }
        )

    def decide(self, request: Request, body: DecisionBody) -> JSONResponse:
        """Accept a proposal or refuse it."""
        who = self._access.lead(request)
        self._tables().decide(who, body.subject, (body.system, body.code), accept=body.accept)
        self._access.log(who, "code accepted" if body.accept else "code refused")
        return JSONResponse({"state": "accepted" if body.accept else "refused"})

    def accepted(self, request: Request, system: Annotated[str, Query(max_length=200)]) -> Response:
        """The accepted codes of a system, as `rxtract terminology import --prefer` takes them."""
        who = self._access.lead(request)
        rows = accepted_by_system(self._tables().changes.all()).get(system)
        if rows is None:
            raise HTTPException(404, "no code of this system was accepted")
        self._access.log(who, "accepted codes")
        headers = {"Content-Disposition": 'attachment; filename="desk-codes.csv"'}
        return Response(csv_of(rows), media_type="text/csv; charset=utf-8", headers=headers)

    def _tables(self) -> CodeReview:
        if self._review is None:
            raise HTTPException(404, "this desk has no tables of codes: set RXTRACT_TERMINOLOGY_DIR")
        return self._review

    def _row(self, one: Proposed) -> dict[str, Any]:
        now = list(map(_plain, self._tables().book.codes(one.mention, one.label)))
        return {
            "subject": one.subject,
            "mention": one.mention,
            "label": one.label,
            "now": now,
            "proposed": _proposed(one),
            "at": one.at,
        }


def _subject_of(mention: MentionBody) -> str:
    """Of what changes are asked for; of one that is longer than a name, of nothing."""
    return subject_of(mention.text, mention.label) if len(mention.text) <= LONGEST_MENTION else ""


def _codes_of(book: CodeBook, mention: MentionBody, change: CodeChange | None) -> dict[str, Any]:
    codes = book.codes(mention.text, mention.label) if len(mention.text) <= LONGEST_MENTION else ()
    return {
        "codes": list(map(_plain, codes)),
        "proposed": _proposed(change.waiting) if change is not None else None,
        "accepted": _proposed(change.accepted) if change is not None else None,
    }


def _plain(one: Coding) -> dict[str, str]:
    return {"system": one.system, "code": one.code, "display": one.display}


def _proposed(one: Proposed | None) -> dict[str, str] | None:
    return None if one is None else {"system": one.system, "code": one.code, "display": one.display}
