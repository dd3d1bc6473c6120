"""Bearer tokens: kept as SHA-256, each with its client's name, which is the source of its notes; several are valid at once so that they can be exchanged."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path

from contracts.identity import SOURCE_SYNTAX, is_source
from runtime.errors import SettingsError
from runtime.secret_files import WatchedFile, hash_token, is_token_hash


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
        if not name.strip() or not is_token_hash(digest):
            raise SettingsError(
                f"{source}: entry {position} is not name:sha256; make one with `python -m ingestor.new_token NAME`"
            )
        if not is_source(name.strip()):
            raise SettingsError(f"{source}: entry {position} has a name that is no source; name it by {SOURCE_SYNTAX}")
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
        self._file = WatchedFile(path, "RXTRACT_HTTP_TOKENS_FILE", parse_tokens, clock) if path is not None else None

    def __len__(self) -> int:
        return len(self._fixed | self._from_file())

    def client_of(self, token: str) -> str | None:
        """The name of the token's client, or None. Time spent does not depend on how much of a token is right."""
        digest = hash_token(token)
        named = self._from_file()
        return self._fixed.get(digest) or named.get(digest)

    def _from_file(self) -> dict[str, str]:
        return self._file() if self._file is not None else {}
