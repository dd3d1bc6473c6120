"""What a lead sees and changes: people and their tokens, reservations, the guideline, comments, and files of labels."""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from contracts.identity import note_key
from contracts.records import AccessAction, AnnotationValidated, Seen
from fastapi import FastAPI
from fastapi.responses import FileResponse, JSONResponse, Response
from pydantic import Field
from runtime.service.clock import now_ms
from runtime.web.people import Person
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.requests import Request

from review_desk.adapters.comments import CommentPlaces
from review_desk.adapters.deciders import Deciders
from review_desk.adapters.reservations import Reservations
from review_desk.adapters.store import Store
from review_desk.adapters.token_lines import TokenLines
from review_desk.commenting import newest_comments
from review_desk.domain.agreement import Agreement
from review_desk.domain.refusals import Conflict
from review_desk.domain.selection import segment_named
from review_desk.exporting import Exporting
from review_desk.http.access import Access
from review_desk.http.bodies import Strict
from review_desk.leading import MAX_GUIDELINE_CHARS, MAX_RESERVATIONS, MAX_RESERVED_FOR, Leading
from review_desk.people_figures import PersonFigures, figures_of

_COMMENTS = 50
_NAMES = {"jsonl": "jsonl", "conll": "conll", "spacy": "spacy", "label-studio": "json"}
"""Endings of files by form: those of `corpus.formats.writing`, which is loaded when labels are asked for."""
Name = Annotated[str, Field(min_length=1, max_length=100)]
Place = Annotated[str, Field(max_length=200)]


class GuidelineBody(Strict):
    """A new text, and the version that it was made of."""

    text: Annotated[str, Field(min_length=1, max_length=MAX_GUIDELINE_CHARS)]
    based_on: Annotated[str, Field(max_length=20)]


class PersonBody(Strict):
    """Somebody who shall get a token."""

    name: Name
    role: Literal["validator", "lead"]


class ReservationBody(Strict):
    """For whom notes of a city, a specialty or both are kept; for nobody: they go to everybody again."""

    city: Place = ""
    specialty: Place = ""
    people: Annotated[list[Name], Field(max_length=MAX_RESERVED_FOR, default_factory=list)]


class LeadApi:
    """The endpoints; all of them refuse whoever is no lead."""

    def __init__(
        self,
        store: Store,
        access: Access,
        leading: Leading,
        tokens: TokenLines,
        exporting: Exporting,
        *,
        annotation: Callable[[int, int], AnnotationValidated | None],
    ) -> None:
        self._store = store
        self._access = access
        self._leading = leading
        self._tokens = tokens
        self._exporting = exporting
        self._annotation = annotation
        self._reservations = Reservations(store)
        self._comments = CommentPlaces(store)
        self._deciders = Deciders(store)

    def add_routes(self, app: FastAPI) -> None:
        """Add the endpoints to an application."""
        app.add_api_route("/api/lead/guideline", self.edit, methods=["POST"])
        app.add_api_route("/api/lead/people", self.people, methods=["GET"])
        app.add_api_route("/api/lead/people", self.add, methods=["POST"])
        app.add_api_route("/api/lead/people/{name}", self.remove, methods=["DELETE"])
        app.add_api_route("/api/lead/reservations", self.reservations, methods=["GET"])
        app.add_api_route("/api/lead/reservations", self.reserve, methods=["POST"])
        app.add_api_route("/api/lead/comments", self.comments, methods=["GET"])
        app.add_api_route("/api/lead/labels", self.labels, methods=["GET"])

    def edit(self, request: Request, body: GuidelineBody) -> JSONResponse:
        """Write the next version of the guideline."""
        who = self._access.lead(request)
        version = self._leading.edit(who, body.text, body.based_on)
        self._access.log(who, "guideline")
        return JSONResponse({"version": version})

    def people(self, request: Request) -> JSONResponse:
        """Everybody who has a token or has decided something, with their figures."""
        self._access.lead(request)
        known, now = self._access.names(), now_ms()
        everybody = sorted({*known, *self._deciders.all()})
        rows = [_row(figures_of(self._store, one, now), known.get(one)) for one in everybody]
        return JSONResponse({"people": sorted(rows, key=lambda row: (row["role"] == "", row["name"]))})

    def add(self, request: Request, body: PersonBody) -> JSONResponse:
        """Make a token: it is shown once, and kept nowhere."""
        who = self._access.lead(request)
        token = self._tokens.add(Person(body.name.strip(), body.role))
        self._access.log(who, "person added")
        return JSONResponse({"token": token})

    def remove(self, request: Request, name: str) -> JSONResponse:
        """Take a person's token away."""
        who = self._access.lead(request)
        self._tokens.remove(name, self._access.known(request))
        self._access.log(who, "person removed")
        return JSONResponse({"done": True})

    def reservations(self, request: Request) -> JSONResponse:
        """Which segments are kept for whom."""
        self._access.lead(request)
        known = self._access.names()
        found = [
            {"segment": segment, "people": sorted(known[one].name if one in known else one for one in annotators)}
            for segment, annotators in sorted(self._reservations.all().items())
        ]
        return JSONResponse({"reservations": found})

    def reserve(self, request: Request, body: ReservationBody) -> JSONResponse:
        """Keep a segment for some people, or give it back to everybody."""
        who = self._access.lead(request)
        annotators = self._annotators(body.people)
        if annotators and len(self._reservations.all()) >= MAX_RESERVATIONS:
            raise Conflict(f"{MAX_RESERVATIONS} segments are reserved: release one first")
        segment = segment_named(body.city.strip(), body.specialty.strip())
        self._leading.reserve(who, segment, annotators)
        self._access.log(who, "reservation")
        return JSONResponse({"segment": segment})

    def _annotators(self, names: Sequence[str]) -> list[str]:
        by_name = {person.name: annotator for annotator, person in self._access.names().items()}
        unknown = [name for name in names if name not in by_name]
        if unknown:
            raise Conflict("not everybody of these has a token: " + ", ".join(unknown))
        return [by_name[name] for name in names]

    def comments(self, request: Request) -> JSONResponse:
        """What validators wrote about notes, the newest first."""
        self._access.lead(request)
        found = newest_comments(self._comments, self._annotation, _COMMENTS)
        notes = sorted({note_key(one.source, one.note_id) for one in found})
        self._access.seen(request, AccessAction.COMMENT, notes, [Seen.IDENTITY, Seen.ANNOTATIONS])
        known = self._access.names()
        rows = [
            {
                "source": one.source,
                "note_id": one.note_id,
                "by": known[one.annotator].name if one.annotator in known else one.annotator,
                "at": one.at,
                "words": one.words,
            }
            for one in found
        ]
        return JSONResponse({"comments": rows})

    def labels(self, request: Request, form: str) -> Response:
        """A file of all settled notes. Every note in it is in the access log before it leaves."""
        who = self._access.lead(request)
        if form not in _NAMES:
            raise HTTPException(404, f"labels are given as one of: {', '.join(_NAMES)}")
        from corpus.formats.writing import LOSES, Target

        target = Target(form)
        with tempfile.NamedTemporaryFile(prefix="rxtract-labels-", delete=False) as file:
            path = Path(file.name)
        try:
            found = self._exporting.write(
                target,
                path,
                lambda notes: self._access.seen(
                    request, AccessAction.EXPORT, notes, [Seen.IDENTITY, Seen.TEXT, Seen.ANNOTATIONS]
                ),
            )
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        self._access.log(who, "export")
        headers = {
            "X-Rxtract-Notes": str(found.notes),
            "X-Rxtract-Left-Out": str(found.left_out),
            "X-Rxtract-Loses": LOSES[target],
        }
        return FileResponse(
            path,
            media_type="application/octet-stream",
            filename=f"labels.{_NAMES[form]}",
            headers=headers,
            background=BackgroundTask(path.unlink, missing_ok=True),
        )


def _row(figures: PersonFigures, person: Person | None) -> dict[str, Any]:
    return {
        "annotator": figures.annotator,
        "name": person.name if person else figures.annotator,
        "role": person.role if person else "",
        "notes": figures.notes,
        "last_hour": figures.last_hour,
        "median_seconds": figures.median_seconds,
        "corrected": figures.corrected,
        "with_others": _agreed(figures.with_others),
        "on_audit": _agreed(figures.on_audit),
        "with_leads": _agreed(figures.with_leads),
    }


def _agreed(found: Sequence[Agreement]) -> list[dict[str, Any]]:
    return [{"label": one.label, "notes": one.notes, "f1": one.f1, "kappa": one.kappa} for one in found]
