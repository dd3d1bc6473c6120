"""Who may use a page: tokens kept as SHA-256 with name and role, several valid at once. The review desk and the control page share one file."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from runtime.service.metrics import Metrics
from runtime.service.secret_files import TokenFile, hash_token, is_token_hash

VALIDATOR = "validator"
LEAD = "lead"
ROLES = frozenset({VALIDATOR, LEAD})


@dataclass(frozen=True, slots=True)
class Person:
    """A validator or a lead, by the name that the token file or a proxy gives."""

    name: str
    role: str


def read_person(entry: str) -> tuple[str, Person]:
    """Read ``name:role:sha256``.

    Raises:
        ValueError: What is wrong, without the entry.
    """
    name, _, rest = entry.partition(":")
    role, _, digest = rest.partition(":")
    if not name or role not in ROLES or not is_token_hash(digest):
        raise ValueError(
            "is not name:role:sha256 with role validator or lead; make one with `python -m review_desk.new_token NAME ROLE`"
        )
    return digest, Person(name, role)


class People:
    """Tells whose a token is; looks at its file again every few seconds, so that tokens change without a restart.

    Args:
        path: The file; without it nobody is known.
        variable: Environment variable that named it, for errors.
        metrics: See `TokenFile`.
    """

    def __init__(
        self,
        path: Path | None,
        variable: str,
        metrics: Metrics | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._file = TokenFile(path, variable, read_person, metrics=metrics, clock=clock) if path is not None else None

    def __len__(self) -> int:
        return len(self._people())

    def by_token(self, token: str) -> Person | None:
        """The token's owner, or None. Time spent does not depend on how much of a token is right."""
        return self.by_hash(hash_token(token))

    def by_hash(self, digest: str) -> Person | None:
        """Who the file names now beside this hash, or None."""
        return self._people().get(digest)

    def everybody(self) -> list[Person]:
        """Whoever has a token now, each once, by name."""
        return sorted(set(self._people().values()), key=lambda person: (person.name, person.role))

    def _people(self) -> Mapping[str, Person]:
        return self._file() if self._file is not None else {}
