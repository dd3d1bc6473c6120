"""The folder of downloaded files: filled once, checked by digest, shared by all stacks of a user."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import tarfile
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from embedded_stack import maven
from embedded_stack.disk import require_free
from embedded_stack.drafts import draft_of
from embedded_stack.errors import DamagedDownloadError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from embedded_stack.pins import Pin


class _Held(threading.local):
    """The caches whose lock this thread holds."""

    def __init__(self) -> None:
        self.roots: set[Path] = set()


_HELD = _Held()


class Downloader(Protocol):
    """Something that fetches one pinned file."""

    def __call__(self, pin: Pin, into: Path, arrived: Callable[[int], None]) -> Path:
        """Download the file into the folder and return its path; tell `arrived` how many more bytes are here."""
        ...


def default_cache_dir() -> Path:
    """RXTRACT_CACHE_DIR, else `rxtract` in XDG_CACHE_HOME, else ~/.cache/rxtract."""
    own = os.environ.get("RXTRACT_CACHE_DIR")
    if own:
        return Path(own).expanduser().absolute()
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser().absolute() / "rxtract"


def sha256_of(path: Path) -> str:
    """The SHA-256 digest of a file, as hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Cache:
    """Pinned files and folders unpacked from them.

    Every file is checked against its digest when it arrives; later a note of size and modification time beside it
    (`checked.json`) tells whether it must be read again. Everything appears by rename, under a lock that other
    processes honour, so two stacks may start at once and a killed download leaves nothing half-done.
    """

    def __init__(self, root: Path | None = None, download: Downloader | None = None) -> None:
        self.root = root or default_cache_dir()
        self._download = download or maven.download

    def path_of(self, pin: Pin) -> Path:
        """Where the file of this pin lies when it is here."""
        return self.root / "files" / pin.sha256[:12] / pin.file_name

    def files(self, pins: Sequence[Pin], progress: Callable[[int, int], None] | None = None) -> list[Path]:
        """The paths of all pinned files, downloading what is missing.

        Args:
            pins: What is needed.
            progress: Called with (bytes here, bytes in all) when a download is needed.

        Raises:
            DamagedDownloadError: a file here or a download has the wrong digest.
            StackError: a download failed.
        """
        missing = [pin for pin in pins if not self._is_here(pin)]
        if missing:
            with self.exclusive():
                self._fetch_all(missing, progress or _say_nothing)
        return [self.path_of(pin) for pin in pins]

    def folder(self, name: str, build: Callable[[Path], None]) -> Path:
        """A folder that is made once by `build(empty folder)` and then kept under this name."""
        target = self.root / "made" / name
        if target.is_dir():
            return target
        with self.exclusive():
            if not target.is_dir():
                self._build(target, build)
        return target

    def unpacked(self, pin: Pin) -> Path:
        """The folder with the content of a pinned .tar.gz."""
        archive = self.files([pin])[0]
        return self.folder(f"{pin.artifact}-{pin.version}-{pin.sha256[:12]}", lambda folder: _unpack(archive, folder))

    def _build(self, target: Path, build: Callable[[Path], None]) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
        try:
            build(draft)
            draft.rename(target)
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise

    def _fetch_all(self, pins: Sequence[Pin], progress: Callable[[int, int], None]) -> None:
        missing = [pin for pin in pins if not self._is_here(pin)]  # others may have brought some while we waited
        total = sum(pin.size_bytes for pin in missing)
        require_free(self.root, 3 * total)  # the file, and an archive's content
        done = 0

        def arrived(count: int) -> None:
            nonlocal done
            done += count
            progress(done, total)

        for pin in missing:
            self._fetch(pin, arrived)

    def _fetch(self, pin: Pin, arrived: Callable[[int], None]) -> None:
        target = self.path_of(pin)
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".download.", dir=self.root) as folder:
            file = self._download(pin, Path(folder), arrived)
            _refuse_unless_intact(file, pin, "run the same command again to download it anew")
            file.replace(target)
        self._note_checked(pin)

    def _is_here(self, pin: Pin) -> bool:
        path = self.path_of(pin)
        try:
            state = path.stat()
        except FileNotFoundError:
            return False
        if self._was_checked(pin, state):
            return True
        _refuse_unless_intact(path, pin, f"delete {path} and run the same command again")
        self._note_checked(pin)
        return True

    def _was_checked(self, pin: Pin, state: os.stat_result) -> bool:
        try:
            noted = json.loads(self._note_path(pin).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return False
        return bool(noted == _state_note(pin, state))

    def _note_checked(self, pin: Pin) -> None:
        note = _state_note(pin, self.path_of(pin).stat())
        with draft_of(self._note_path(pin)) as draft:
            draft.write_text(json.dumps(note), encoding="utf-8")

    def _note_path(self, pin: Pin) -> Path:
        return self.path_of(pin).parent / "checked.json"

    @contextlib.contextmanager
    def exclusive(self) -> Iterator[None]:
        """Hold the cache's lock, which other processes and threads honour; whoever holds it may ask again.

        What is built under the lock may need files that are not here yet.
        """
        held = _HELD.roots
        if self.root in held:
            yield
            return
        self.root.mkdir(parents=True, exist_ok=True)
        with (self.root / "lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            held.add(self.root)
            try:
                yield
            finally:
                held.discard(self.root)

    def verify(self, pins: Sequence[Pin]) -> list[str]:
        """Read every file that is here again and return one line for each that is missing or damaged."""
        return [problem for pin in pins if (problem := self._problem(pin))]

    def _problem(self, pin: Pin) -> str | None:
        path = self.path_of(pin)
        if not path.exists():
            return f"{pin.file_name} is not downloaded yet: it will be on the next start"
        if path.stat().st_size != pin.size_bytes or sha256_of(path) != pin.sha256:
            return f"{pin.file_name} is damaged: delete {path} and run the same command again"
        return None


def _state_note(pin: Pin, state: os.stat_result) -> dict[str, int | str]:
    return {"sha256": pin.sha256, "size": state.st_size, "mtime_ns": state.st_mtime_ns}


def _refuse_unless_intact(path: Path, pin: Pin, remedy: str) -> None:
    size = path.stat().st_size
    if size != pin.size_bytes:
        raise DamagedDownloadError(f"{pin.file_name} is damaged ({size} bytes, {pin.size_bytes} expected): {remedy}")
    if sha256_of(path) != pin.sha256:
        raise DamagedDownloadError(f"{pin.file_name} is damaged (its SHA-256 is not the pinned one): {remedy}")


def _unpack(archive: Path, folder: Path) -> None:
    with tarfile.open(archive, "r:gz") as tar:
        tar.extractall(folder, filter="data")


def _say_nothing(_done: int, _total: int) -> None:
    """No progress wanted."""
