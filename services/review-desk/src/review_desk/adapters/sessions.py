"""Sessions without a store: a signed cookie, so that a wiped Redis logs nobody out.

It says by which token it was begun, and nothing of who that is: name and role are the token file's to say, at each call anew.
"""

import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Callable

_SESSION = (
    "session-2"  # with another number cookies of the release before are not ours: what they hold has another shape
)


class Sessions:
    """Makes and checks session cookies and their CSRF tokens.

    Args:
        key: Signs; the same for all replicas.
        ttl_s: Seconds until a session ends.
    """

    def __init__(self, key: bytes, ttl_s: int, clock: Callable[[], float] = time.time) -> None:
        self._key = key
        self._ttl_s = ttl_s
        self._clock = clock

    def begin(self, token_hash: str) -> str:
        """A new cookie for the owner of a token."""
        content = [token_hash, int(self._clock()) + self._ttl_s, secrets.token_urlsafe(12)]
        body = base64.urlsafe_b64encode(json.dumps(content).encode()).decode()
        return f"{body}.{self._sign(_SESSION, body)}"

    def token_hash(self, cookie: str) -> str | None:
        """By which token a cookie was begun; None when it was not made by us or has ended."""
        body, _, signature = cookie.partition(".")
        if not hmac.compare_digest(self._sign(_SESSION, body).encode(), signature.encode("utf-8", "replace")):
            return None
        token_hash, ends_at, _nonce = json.loads(base64.urlsafe_b64decode(body))
        return str(token_hash) if self._clock() < ends_at else None

    def csrf(self, session: str) -> str:
        """The token that state-changing calls of a session must repeat in a header."""
        return self._sign("csrf", session)

    def csrf_fits(self, session: str, token: str) -> bool:
        """Whether a call's token is its session's."""
        return hmac.compare_digest(self.csrf(session).encode(), token.encode("utf-8", "replace"))

    def _sign(self, purpose: str, body: str) -> str:
        return hmac.new(self._key, f"{purpose}\0{body}".encode("utf-8", "replace"), hashlib.sha256).hexdigest()
