"""Bearer tokens: kept as SHA-256, each with its client's name; several are valid at once so that they can be exchanged."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path

from runtime.errors import SettingsError
from runtime.secret_files import hash_token

_HASH_CHARS = 64
_LOOK_AGAIN_S = 5.0


def parse_tokens(text: str, source: str) -> dict[str, str]:
    """Read ``name:sha256`` pairs, separated by commas or line ends; lines that begin with # do not count.

    Returns:
        Names by hash.

    Raises:
        SettingsError: One line with the place of the first bad pair, without its content.
    """
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    pairs = [pair.strip() for line in lines for pair in line.split(",") if pair.strip()]
    names: dict[str, str] = {}
    for position, pair in enumerate(pairs, start=1):
        name, _, digest = pair.partition(":")
        digest = digest.strip().lower()
        if not name.strip() or len(digest) != _HASH_CHARS or set(digest) - set("0123456789abcdef"):
            raise SettingsError(
                f"{source}: entry {position} is not name:sha256; make one with `python -m ingestor.new_token NAME`"
            )
        names[digest] = name.strip()
    return names


class Tokens:
    """Tells which client a token belongs to.

    Args:
        fixed: Names by hash, from the environment.
        path: A file with more; looked at again every few seconds, so that tokens change without a restart.
    """

    def __init__(
        self, fixed: Mapping[str, str], path: Path | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._fixed = dict(fixed)
        self._path = path
        self._clock = clock
        self._from_file = _read(path) if path is not None else {}
        self._modified_ns = _modified_ns(path)
        self._looked_at_s = clock()

    def __len__(self) -> int:
        return len(self._fixed | self._from_file)

    def client_of(self, token: str) -> str | None:
        """The name of the token's client, or None. Time spent does not depend on how much of a token is right."""
        self._look_again()
        digest = hash_token(token)
        return self._fixed.get(digest) or self._from_file.get(digest)

    def _look_again(self) -> None:
        if self._path is None or self._clock() - self._looked_at_s < _LOOK_AGAIN_S:
            return
        self._looked_at_s = self._clock()
        modified_ns = _modified_ns(self._path)
        if modified_ns is not None and modified_ns != self._modified_ns:
            self._modified_ns = modified_ns
            try:
                self._from_file = _read(self._path)
            except SettingsError:
                return  # half written or wrong: the tokens that were valid stay valid


def _read(path: Path) -> dict[str, str]:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"RXTRACT_HTTP_TOKENS_FILE cannot be read ({error.strerror}): check the path") from None
    return parse_tokens(text, "RXTRACT_HTTP_TOKENS_FILE")


def _modified_ns(path: Path | None) -> int | None:
    try:
        return None if path is None else path.stat().st_mtime_ns
    except OSError:
        return None
