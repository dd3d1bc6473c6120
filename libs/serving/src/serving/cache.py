"""The copies on disk from which an extractor starts when MLflow is down."""

import contextlib
import hashlib
import json
import tempfile
from pathlib import Path

from model_registry.version import Version
from runtime.service.logs import get_logger

_log = get_logger(__name__)
_KEPT = 3


class ModelCache:
    """Keeps the last few models, and which of them was served last. A copy is checked by its digest before it is given out.

    Args:
        folder: May be shared by replicas: files are written under another name and moved into place.
        suffix: Of the copies' names.
    """

    def __init__(self, folder: Path, suffix: str = ".npz") -> None:
        self._folder = folder
        self._suffix = suffix
        self._last = folder / "last.json"

    def keep(self, version: Version, data: bytes) -> None:
        """Store a model as the one served last. A full disk costs the copy, not the service."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._write(self._path(version.sha256), data)
            self._write(self._last, json.dumps(_known(version)).encode())
            self._forget_old()
        except OSError as error:
            _log.warning("the model could not be cached", error=type(error).__name__, message=str(error))

    def keep_none(self) -> None:
        """Remember that there was nothing to serve."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._write(self._last, b"null")
        except OSError as error:
            _log.warning("nothing could be cached", error=type(error).__name__, message=str(error))

    def knows_none(self) -> bool:
        """Whether there was nothing to serve when that was last asked."""
        try:
            return self._last.read_bytes() == b"null"
        except OSError:
            return False

    def read(self, sha256: str) -> bytes | None:
        """The bytes with this digest, or None."""
        try:
            data = self._path(sha256).read_bytes()
        except OSError:
            return None
        return data if hashlib.sha256(data).hexdigest() == sha256 else None

    def last(self) -> Version | None:
        """What was served last, or None."""
        try:
            known = json.loads(self._last.read_bytes())
            return Version.of(str(known["name"]), str(known["version"]), int(known["serial"]), str(known["sha256"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _path(self, sha256: str) -> Path:
        return self._folder / f"{sha256}{self._suffix}"

    def _write(self, path: Path, data: bytes) -> None:
        # A name of its own: replicas in containers that share the folder all have process id 1.
        with tempfile.TemporaryDirectory(prefix=".unfinished.", dir=self._folder) as draft:
            unfinished = Path(draft, path.name)
            unfinished.write_bytes(data)
            unfinished.replace(path)

    def _forget_old(self) -> None:
        by_age = sorted(self._folder.glob(f"*{self._suffix}"), key=lambda path: path.stat().st_mtime, reverse=True)
        for path in by_age[_KEPT:]:
            with contextlib.suppress(OSError):
                path.unlink()


def _known(version: Version) -> dict[str, str | int]:
    return {"name": version.name, "version": version.version, "serial": version.serial, "sha256": version.sha256}
