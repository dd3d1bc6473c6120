"""The OpenAPI document as one plain page, without scripts or anything from elsewhere."""

import json
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1b1f24;background:#fff}
table{border-collapse:collapse;width:100%}td,th{border-bottom:1px solid #d0d7de;padding:.4rem;text-align:left;vertical-align:top}
pre{background:#f6f8fa;padding:1rem;overflow-x:auto}code{font-family:ui-monospace,monospace}
"""


def page(openapi: Mapping[str, Any]) -> str:
    """The page for the document of our application."""
    operation = openapi["paths"]["/v1/notes"]["post"]
    body = operation["requestBody"]["content"]["application/json"]
    parts = [
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{escape(openapi['info']['title'])}</title>",
        f"<style>{_STYLE}</style><h1>{escape(openapi['info']['title'])}</h1>",
        _description(openapi["info"]["description"]),
        f"<h2><code>POST /v1/notes</code></h2><p>{escape(operation['summary'])}. ",
        'The machine-readable document is <a href="/openapi.json">/openapi.json</a>.</p>',
        "<h3>Headers</h3>" + _table(("Header", "Meaning"), _headers(openapi, operation)),
        "<h3>Fields of a note</h3>" + _fields(body["schema"]["oneOf"][0]),
        "<h3>Answers</h3>" + _answers(operation["responses"]),
        *(_example(example) for example in body["examples"].values()),
    ]
    return "\n".join(parts)


def _description(markdown: str) -> str:
    first, *points = markdown.replace("\n  ", " ").strip().splitlines()
    items = "".join(f"<li>{escape(point.removeprefix('* '))}</li>" for point in points if point.strip())
    return f"<p>{escape(first)}</p><ul>{items}</ul>"


def _headers(openapi: Mapping[str, Any], operation: Mapping[str, Any]) -> list[tuple[str, str]]:
    schemes = openapi["components"]["securitySchemes"].values()
    asked = [("Authorization", scheme["description"]) for scheme in schemes]
    return asked + [(parameter["name"], parameter["description"]) for parameter in operation["parameters"]]


def _fields(schema: Mapping[str, Any]) -> str:
    required = set(schema["required"])
    rows = [
        (name, "required" if name in required else "optional", field["description"])
        for name, field in schema["properties"].items()
    ]
    return _table(("Field", "", "Meaning"), rows)


def _answers(responses: Mapping[str, Any]) -> str:
    return _table(("Status", "Meaning"), [(status, responses[status]["description"]) for status in sorted(responses)])


def _example(example: Mapping[str, Any]) -> str:
    text = json.dumps(example["value"], indent=2, ensure_ascii=False)
    call = "curl -H 'Authorization: Bearer TOKEN' -H 'Content-Type: application/json' --data @- URL/v1/notes"
    return f"<h3>{escape(example['summary'])}</h3><pre><code>{escape(call)} &lt;&lt;'EOF'\n{escape(text)}\nEOF</code></pre>"


def _table(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    head = "".join(f"<th>{escape(text)}</th>" for text in heads)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><tr>{head}</tr>{body}</table>"
