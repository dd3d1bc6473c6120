"""Bearer tokens: kept as SHA-256, each with its client's name, which is the source of its notes; several are valid at once so that they can be exchanged."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path

from contracts.identity import SOURCE_SYNTAX, is_source

from runtime.errors import SettingsError
from runtime.service.metrics import Metrics
from runtime.service.secret_files import TokenFile, hash_token, is_token_hash


def read_client(entry: str) -> tuple[str, str]:
    """Read ``name:sha256``.

    Raises:
        ValueError: What is wrong, without the entry.
    """
    name, _, digest = (part.strip() for part in entry.partition(":"))
    digest = digest.lower()
    if not name or not is_token_hash(digest):
        raise ValueError("is not name:sha256; make one with `python -m ingestor.new_token NAME`")
    if not is_source(name):
        raise ValueError(f"has a name that is no source; name it by {SOURCE_SYNTAX}")
    return digest, name


def parse_tokens(text: str, variable: str) -> dict[str, str]:
    """Read ``name:sha256`` entries of a variable, separated by commas or line ends; lines that begin with # do not count.

    Returns:
        Names by hash.

    Raises:
        SettingsError: One line with the place of the first entry that cannot be used, without its content.
    """
    names: dict[str, str] = {}
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    entries = [entry for line in lines for entry in line.split(",") if entry.strip()]
    for position, entry in enumerate(entries, start=1):
        try:
            digest, name = read_client(entry.strip())
        except ValueError as error:
            raise SettingsError(f"{variable}: entry {position} {error}") from None
        names[digest] = name
    return names


class Tokens:
    """Tells which client a token belongs to.

    Args:
        fixed: Names by hash, from the environment.
        path: A file with more; looked at again every few seconds, so that tokens change without a restart.
        metrics: See `TokenFile`.
        variable: That names the file, for errors.
    """

    def __init__(
        self,
        fixed: Mapping[str, str],
        path: Path | None = None,
        metrics: Metrics | None = None,
        clock: Callable[[], float] = time.monotonic,
        *,
        variable: str = "RXTRACT_HTTP_TOKENS_FILE",
    ) -> None:
        self._fixed = dict(fixed)
        self._file = (
            TokenFile(path, variable, read_client, separator=",", metrics=metrics, clock=clock)
            if path is not None
            else None
        )

    def __len__(self) -> int:
        return len({*self._fixed, *self._from_file()})

    def client_of(self, token: str) -> str | None:
        """The name of the token's client, or None. Time spent does not depend on how much of a token is right."""
        digest = hash_token(token)
        named = self._from_file()
        return self._fixed.get(digest) or named.get(digest)

    def _from_file(self) -> Mapping[str, str]:
        return self._file() if self._file is not None else {}
