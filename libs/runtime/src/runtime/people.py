"""Who may use a page: tokens kept as SHA-256 with name and role, several valid at once. The review desk and the control page share one file."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from runtime.errors import SettingsError
from runtime.secret_files import WatchedFile, hash_token, is_token_hash

VALIDATOR = "validator"
LEAD = "lead"
ROLES = frozenset({VALIDATOR, LEAD})


@dataclass(frozen=True, slots=True)
class Person:
    """A validator or a lead, by the name that the token file or a proxy gives."""

    name: str
    role: str


def parse_people(text: str, source: str) -> dict[str, Person]:
    """Read ``name:role:sha256`` lines; lines that begin with # do not count.

    Returns:
        People by hash.

    Raises:
        SettingsError: One line with the place of the first bad line, without its content.
    """
    people: dict[str, Person] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, _, rest = line.strip().partition(":")
        role, _, digest = rest.partition(":")
        if not name or role not in ROLES or not is_token_hash(digest):
            raise SettingsError(
                f"{source}: line {number} is not name:role:sha256 with role validator or lead; "
                "make one with `python -m review_desk.new_token NAME ROLE`"
            )
        people[digest] = Person(name, role)
    return people


class People:
    """Tells whose a token is; looks at its file again every few seconds, so that tokens change without a restart.

    Args:
        path: The file; without it nobody is known.
        variable: Environment variable that named it, for errors.
    """

    def __init__(self, path: Path | None, variable: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._file = WatchedFile(path, variable, parse_people, clock) if path is not None else None

    def __len__(self) -> int:
        return len(self._people())

    def by_token(self, token: str) -> Person | None:
        """The token's owner, or None. Time spent does not depend on how much of a token is right."""
        return self.by_hash(hash_token(token))

    def by_hash(self, digest: str) -> Person | None:
        """Who the file names now beside this hash, or None."""
        return self._people().get(digest)

    def _people(self) -> dict[str, Person]:
        return self._file() if self._file is not None else {}
