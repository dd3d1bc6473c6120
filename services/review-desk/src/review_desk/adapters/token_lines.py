"""Adds people to the token file, and takes them out. Every replica, and the control page, reads the file again by itself."""

import fcntl
import os
import secrets
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from runtime.service.secret_files import hash_token
from runtime.web.people import LEAD, ROLES, Person, read_person

from review_desk.domain.refusals import Conflict

_NO_FILE = "this desk has no token file: people come through your proxy, add and remove them there"


class TokenLines:
    """The token file, to be written.

    Args:
        path: The file; None where people come through a proxy alone.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path

    def add(self, person: Person) -> str:
        """Add a line for a person; gives the new token, which is kept nowhere.

        Raises:
            Conflict: The name cannot be used, has a token, or the file cannot be written (then with the line to add by hand).
        """
        if not person.name.strip() or set(":\n\r#") & set(person.name) or person.role not in ROLES:
            raise Conflict("a name holds no colon, # or line break, and the role is validator or lead")
        token = secrets.token_urlsafe(32)
        line = f"{person.name}:{person.role}:{hash_token(token)}"
        if any(found.name == person.name for found in map(_owner, self._lines()) if found is not None):
            raise Conflict("this name has a token already: remove it first, or take another name")
        by_hand = f"this desk may not write its token file: run `python -m review_desk.new_token {person.name} {person.role}` and add its line"
        self._rewrite(lambda lines: [*lines, line], by_hand)
        return token

    def remove(self, name: str, by: Person) -> None:
        """Take a person's lines out: the sessions end with them.

        Raises:
            Conflict: It is whoever asks, the last lead, nobody, or the file cannot be written.
        """
        owners = [found for found in map(_owner, self._lines()) if found is not None]
        if name == by.name:
            raise Conflict("you cannot remove yourself: ask another lead")
        if all(found.name != name for found in owners):
            raise Conflict("nobody of this name has a token")
        if not any(found.role == LEAD for found in owners if found.name != name):
            raise Conflict("this is the last lead: add another one first")
        by_hand = f"this desk may not write its token file: take the lines of {name} out of it"
        self._rewrite(lambda lines: [line for line in lines if not _is_of(line, name)], by_hand)

    def _lines(self) -> list[str]:
        if self._path is None:
            raise Conflict(_NO_FILE)
        return self._path.read_text(encoding="utf-8").splitlines()

    def _rewrite(self, change: Callable[[list[str]], list[str]], by_hand: str) -> None:
        try:
            with _locked(self._file()) as path:
                _replace(path, "".join(f"{line}\n" for line in change(self._lines())))
        except OSError:
            raise Conflict(by_hand) from None

    def _file(self) -> Path:
        if self._path is None:
            raise Conflict(_NO_FILE)
        return self._path.resolve()


def _owner(line: str) -> Person | None:
    with suppress(ValueError):
        return read_person(line.strip())[1]
    return None


def _is_of(line: str, name: str) -> bool:
    owner = _owner(line)
    return owner is not None and owner.name == name


@contextmanager
def _locked(path: Path) -> Iterator[Path]:
    """One writer at a time, of all replicas that share the folder."""
    with path.with_name(f".{path.name}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield path


def _replace(path: Path, text: str) -> None:
    """Whoever reads meanwhile sees the old file or the new one."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(path.stat().st_mode & 0o777)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
