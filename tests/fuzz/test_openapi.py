"""Every OpenAPI page against its service: requests made from the document, valid and not; each answer is one that the document names."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ROOT = Path(__file__).resolve().parents[2]
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
EXAMPLES = 15
TOKEN = {"Authorization": "Bearer secret"}


def module(path: str) -> Any:
    """A test module of a service, for the door over doubles that it builds."""
    spec = importlib.util.spec_from_file_location(f"openapi_{Path(path).stem}", ROOT / path)
    assert spec is not None
    assert spec.loader is not None
    made = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


def ingestor(_: Path) -> tuple[Any, Mapping[str, str]]:
    door = module("services/ingestor/tests/test_ingestor_http.py").Door(http_notes_per_s=10**9, http_bytes_per_s=10**12)
    return door.app, TOKEN


def answerer(folder: Path) -> tuple[Any, Mapping[str, str]]:
    return module("services/answerer/tests/test_answerer_http.py").Door(folder).app, TOKEN


def review_desk(folder: Path) -> tuple[Any, Mapping[str, str]]:
    from review_desk.desk import Conflict

    def too_late(*_: object) -> None:
        raise Conflict("the lease is over")

    house = module("services/review-desk/tests/test_door.py").House(folder)
    for name in ("decide", "again", "save_draft", "take"):
        setattr(type(house.desk), name, too_late)
    return house.app, {"Authorization": "Bearer token-anna"}


MADE = (ingestor, answerer, review_desk)


@pytest.mark.slow
@pytest.mark.parametrize("make", MADE)
def test_answers_are_what_the_document_names(make: Callable[[Path], Any], tmp_path: Path) -> None:
    app, headers = make(tmp_path)
    document = schemathesis.openapi.from_asgi("/openapi.json", app)
    operations = [found.ok() for found in document.get_all_operations()]
    assert operations
    for operation in operations:
        hold(operation, headers)


def scorekeeper(folder: Path) -> tuple[Any, Mapping[str, str]]:
    """The control page, what became of a note, and its FHIR document: served without an OpenAPI page, so the test makes one."""
    made = module("services/scorekeeper/tests/test_scorekeeper.py")
    board, held = made.board(), made.HeldRows()
    board.whole = True
    held.put(made.row_of(made.event("n1"), made.ZONE))
    tokens = made.Tokens({made.hash_token("secret"): "clinic"})
    notes = made.NotesApi(folder, board, tokens, held=held, waiting=made.nothing_waits)
    app = made.make_app(made.page_of(board, folder), made.door_of(folder), board, made.threading.Event(), notes=notes)
    app.add_api_route("/openapi.json", app.openapi, include_in_schema=False)
    return app, TOKEN


ENDLESS = "/events"


@pytest.mark.slow
def test_doors_without_a_document_never_fail(tmp_path: Path) -> None:
    app, headers = scorekeeper(tmp_path)
    document = schemathesis.openapi.from_asgi("/openapi.json", app)
    operations = [found.ok() for found in document.get_all_operations()]
    assert any(operation.path.endswith("/fhir") for operation in operations)
    for operation in operations:
        if operation.path != ENDLESS:
            hold(operation, headers, [not_a_server_error])


def hold(operation: Any, headers: Mapping[str, str], checks: list[Any] = CHECKS) -> None:
    @seeded(17)
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def run(case: Any) -> None:
        answer = case.call(headers=dict(headers))
        case.validate_response(answer, checks=checks)

    run()


def test_every_document_that_is_served_is_held() -> None:
    served = {
        path.parent.parent.name
        for path in ROOT.glob("services/*/src/*/http/app.py")
        if "openapi_url=None" not in path.read_text()
    }
    assert served == {make.__name__ for make in MADE}
