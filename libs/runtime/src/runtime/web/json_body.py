"""The JSON of a request's body, bounded before it is built."""

import json
import re

from contracts.reasons import Reason

MAX_DEPTH = 20
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
"""A string, or what is left of the body where it does not end; in time linear in its length."""
_NOT_STRUCTURE = bytes(set(range(256)) - set(b"[]{}:"))


class BadJson(ValueError):
    """The body is not usable JSON.

    Attributes:
        reason: The code to answer.
    """

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def parse_json(body: bytes, most_keys: int) -> object:
    """What a body holds.

    Raises:
        BadJson: It is no JSON, or nested too deep, or has too many keys. The message never repeats any of it.
    """
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        raise BadJson(Reason.INVALID_UTF8, "the body is not valid UTF-8") from None
    check_structure(body, most_keys)
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except ValueError:
        raise BadJson(Reason.UNDECODABLE, "the body is not JSON") from None


def elements_of(content: object, most: int) -> list[object]:
    """One note, or those of an array.

    Raises:
        BadJson: There is none, or there are too many.
    """
    elements = content if isinstance(content, list) else [content]
    if not elements:
        raise BadJson(Reason.EMPTY_VALUE, "the array holds no note")
    if len(elements) > most:
        raise BadJson(Reason.TOO_LARGE, f"an array holds at most {most} notes")
    return elements


def check_structure(body: bytes, most_keys: int) -> None:
    """Bound what a parser would build, without building it: one pass over the bytes, whatever they are.

    Raises:
        BadJson: Nested too deep, or too many keys, objects and arrays.
    """
    structure = _STRING.sub(b"", body).translate(None, _NOT_STRUCTURE)
    brackets = structure.replace(b":", b"")
    depth = 0
    for bracket in brackets[: 2 * most_keys]:
        depth += 1 if bracket in b"[{" else -1
        if depth > MAX_DEPTH:
            raise BadJson(Reason.UNDECODABLE, f"the JSON is nested deeper than {MAX_DEPTH} levels")
    if len(structure) - len(brackets) > most_keys or len(brackets) > 2 * most_keys:
        raise BadJson(Reason.TOO_LARGE, f"the JSON has more than {most_keys} keys, or as many objects and arrays")


def _refuse_constant(_name: str) -> None:
    raise ValueError("NaN and Infinity are not JSON")
