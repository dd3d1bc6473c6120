"""The scorekeeper's numbers, for the commands that show them."""

from __future__ import annotations

from typing import Any

import httpx

from rxtract.errors import UserError

TIMEOUT_S = 10.0


def ask(url: str) -> dict[str, Any]:
    """Get one of its JSON pages.

    Raises:
        UserError: It does not answer, or is still reading.
    """
    try:
        answer = httpx.get(url, timeout=TIMEOUT_S)
    except httpx.HTTPError:
        raise UserError(
            f"the scorekeeper at {url} does not answer: is the stack up? `rxtract doctor` says what answers"
        ) from None
    if answer.status_code != httpx.codes.OK:
        raise UserError(f"the scorekeeper answers {answer.status_code}: it is still reading the topics, or in trouble")
    return dict(answer.json())
