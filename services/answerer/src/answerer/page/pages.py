"""Renders the page on which a note is tried, and the one that explains the door."""

import json
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

from starlette.responses import HTMLResponse

_HERE = Path(__file__).parent
STATIC = _HERE / "static"


class Pages:
    """The pages.

    Args:
        is_open: Whether no token is asked for.
    """

    def __init__(self, *, is_open: bool) -> None:
        self.is_open = is_open
        self._page = _read("page.html").replace("{{token}}", "none" if is_open else "needed")

    def page(self) -> HTMLResponse:
        """The page on which a note is tried."""
        return HTMLResponse(self._page)

    def docs(self, openapi: Mapping[str, Any]) -> HTMLResponse:
        """The door's document as a plain page."""
        operation = openapi["paths"]["/v1/extract"]["post"]
        examples = operation["requestBody"]["content"]["application/json"]["examples"]
        first, *points = openapi["info"]["description"].replace("\n  ", " ").strip().splitlines()
        token = "" if self.is_open else "-H 'Authorization: Bearer TOKEN' "
        calls = "".join(
            f"<h3>{escape(one['summary'])}</h3><pre tabindex=0>curl {escape(token)}-H 'Content-Type: application/json' "
            f"--data @- URL/v1/extract &lt;&lt;'EOF'\n{escape(json.dumps(one['value'], indent=2))}\nEOF</pre>"
            for one in examples.values()
        )
        answers = "".join(
            f"<tr><th scope=row>{status}</th><td>{_code(answer['description'])}</td></tr>"
            for status, answer in sorted(operation["responses"].items())
        )
        items = "".join(f"<li>{_code(point.removeprefix('* '))}</li>" for point in points if point.strip())
        return HTMLResponse(
            _read("docs.html")
            .replace("{{first}}", escape(first))
            .replace("{{points}}", items)
            .replace("{{answers}}", answers)
            .replace("{{calls}}", calls)
        )


def _code(text: str) -> str:
    """Words between backticks as code."""
    return "".join(
        f"<code>{escape(part)}</code>" if number % 2 else escape(part) for number, part in enumerate(text.split("`"))
    )


def _read(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")
