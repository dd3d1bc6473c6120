"""What clients send and get, as the OpenAPI document says it."""

from typing import Any

EXAMPLE = {
    "id": "1",
    "text": "k/c/o T2DM and HTN, no h/o asthma. Started tab metformin 500 mg BD.",
}

DESCRIPTION = """Say at once what clinical notes say, one object or an array.

* Nothing is stored and nothing is published. Notes that count go through POST /v1/notes of the ingestor.
* A note is answered as `rxtract extract --json` prints it, by the champion: the model that serves the stream too.
* One object is answered by one object; an array by an array of the same length and order. An invalid note is answered by
  `{id, errors}`; its neighbours are answered all the same.
* Offsets count Unicode code points of the text in normal form C; where that is not the text that was sent, `normalised_text` holds it.
"""

_PROBLEM = {
    "type": "object",
    "required": ["reason", "message"],
    "properties": {"reason": {"type": "string"}, "message": {"type": "string"}},
}
_WHOLE = {"type": "integer", "minimum": -1}
_OR_NULL = {"type": ["string", "null"]}
_NUMBER_OR_NULL = {"type": ["integer", "null"]}
_ENTITY = {
    "type": "object",
    "properties": {
        "entity_id": {"type": "string"},
        "label": {"enum": ["DISEASE", "TREATMENT"]},
        "text": {"type": "string"},
        "start": _WHOLE,
        "end": _WHOLE,
        "confidence": {"type": "number"},
        "assertion": {
            "type": "object",
            "description": "status, time and experiencer, and where the words stand that decided (-1: none did)",
            "properties": {
                "status": {"type": "string"},
                "time": {"type": "string"},
                "experiencer": {"type": "string"},
                "cue_start": _WHOLE,
                "cue_end": _WHOLE,
            },
        },
        "prescription": {
            "type": ["object", "null"],
            "description": "how a treatment is taken, as far as the note says it",
            "properties": {
                **dict.fromkeys(
                    ("form", "strength", "dose", "period_unit", "when", "duration_unit", "route"), _OR_NULL
                ),
                **dict.fromkeys(("frequency", "period", "duration"), _NUMBER_OR_NULL),
                "as_needed": {"type": ["boolean", "null"]},
            },
        },
    },
}
_RELATION = {
    "type": "object",
    "properties": {
        **{key: {"type": "string"} for key in ("type", "treatment", "disease", "treatment_id", "disease_id")},
        "confidence": {"type": "number"},
    },
}
_FOUND = {
    "type": "object",
    "required": ["id", "entities", "relations", "note_confidence", "model", "rules_version"],
    "properties": {
        "id": {"type": "string"},
        "entities": {"type": "array", "items": _ENTITY},
        "relations": {"type": "array", "items": _RELATION},
        "note_confidence": {"type": "number"},
        "normalised_text": {"type": "string", "description": "only where it is not the text that was sent"},
        "model": {"type": "object", "properties": {"source": {"type": "string"}, "sha256": {"type": "string"}}},
        "rules_version": {"type": "string"},
        "calibration": {
            "type": "object",
            "description": "what the confidences were measured on, and whether this note is like it: `holds`",
            "properties": {
                "holds": {"type": ["boolean", "null"]},
                "measured_on": {"type": ["string", "null"]},
                "unseen_words": {"type": "number", "description": "share of its words that no training note holds"},
                "limit": {"type": ["number", "null"]},
            },
        },
    },
}
_REFUSED = {
    "type": "object",
    "required": ["id", "errors"],
    "properties": {
        "id": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {key: {"type": "string"} for key in ("field", "reason", "message")},
            },
        },
    },
}
_ONE_OR_REFUSED = {"oneOf": [_FOUND, _REFUSED]}
_RESULT = {"oneOf": [_FOUND, {"type": "array", "items": _ONE_OR_REFUSED}]}


def _answer(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


ANSWERS: dict[int | str, dict[str, Any]] = {
    200: _answer("What each note says.", _RESULT),
    207: _answer("Some notes are invalid; see `errors` of each.", {"type": "array", "items": _ONE_OR_REFUSED}),
    401: _answer("No valid token.", _PROBLEM),
    408: _answer("The body did not come in time.", _PROBLEM),
    413: _answer("The body is larger than 1 MiB.", _PROBLEM),
    415: _answer("Not JSON, or compressed.", _PROBLEM),
    422: _answer(
        "No note is valid; or the body is not JSON, too deep, or an array too long.",
        {"oneOf": [_PROBLEM, _REFUSED, {"type": "array", "items": _REFUSED}]},
    ),
    429: _answer("Too many notes or bytes of this client. Try again after Retry-After seconds.", _PROBLEM),
    503: _answer("No model is loaded yet, or all clients together send too much at once.", _PROBLEM),
}


def request_docs(max_notes: int, *, is_open: bool) -> dict[str, Any]:
    """What the document says of a request."""
    note = {
        "type": "object",
        "required": ["text"],
        "additionalProperties": False,
        "properties": {
            "id": {"type": "string", "maxLength": 256, "description": "comes back; without one, the place from 1"},
            "text": {"type": "string", "minLength": 1, "maxLength": 1_048_576, "description": "the note"},
        },
    }
    several = {"type": "array", "items": note, "minItems": 1, "maxItems": max_notes}
    examples = {
        "one": {"summary": "One note", "value": EXAMPLE},
        "several": {"summary": "Two notes", "value": [EXAMPLE, {"id": "2", "text": "Adv tab dolo 650 SOS for fever."}]},
    }
    content = {"application/json": {"schema": {"oneOf": [note, several]}, "examples": examples}}
    security: dict[str, Any] = {} if is_open else {"security": [{"token": []}]}
    return {"requestBody": {"required": True, "content": content}, **security}
