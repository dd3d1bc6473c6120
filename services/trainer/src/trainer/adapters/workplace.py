"""The folder in which a trainer's jobs have theirs: they hold notes and the key of the roles, so none may stay behind.

A trainer that is killed cannot clean up. Its folder is locked as long as it lives, so whoever starts next in the same place
knows what a dead one left, and removes it. A container that is started again keeps its volumes, and starts here too.
"""

import fcntl
import os
import shutil
import tempfile
from pathlib import Path

from runtime.errors import SettingsError
from runtime.service.logs import get_logger

_log = get_logger(__name__)
_PREFIX, _LOCK = "rxtract-trainer-", "lock"


class Workplace:
    """A folder of our own, gone when we end.

    Args:
        place: Where it is made, beside those of other trainers; the machine's folder of temporary files when None.
    """

    def __init__(self, place: Path | None) -> None:
        self._given = place
        self._lock = -1
        self._folder: Path | None = None

    def __enter__(self) -> Path:
        """Remove what dead trainers left, and make ours.

        Raises:
            SettingsError: The place cannot be written to.
        """
        try:
            place = self._given or Path(tempfile.gettempdir())
            place.mkdir(parents=True, exist_ok=True)
            for left in place.glob(f"{_PREFIX}*"):
                _remove_if_dead(left)
            self._folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=place))
            self._lock = _locked(self._folder)
        except OSError as error:
            raise SettingsError(self._advice(error)) from None
        return self._folder

    def _advice(self, error: OSError) -> str:
        if self._given is None:
            return (
                f"no folder of temporary files can be used ({type(error).__name__}): set RXTRACT_WORK_DIR to a folder "
                "that the trainer may write to"
            )
        return f"RXTRACT_WORK_DIR cannot be used ({type(error).__name__}): give a folder that the trainer may write to"

    def __exit__(self, *_: object) -> None:
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
        os.close(self._lock)


def _locked(folder: Path) -> int:
    # Under its name only once it is locked: a lock that can be taken means a dead trainer.
    draft = folder / f"{_LOCK}.draft"
    lock = os.open(draft, os.O_CREAT | os.O_RDWR, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    draft.rename(folder / _LOCK)
    return lock


def _remove_if_dead(folder: Path) -> None:
    if folder.is_symlink():
        return
    try:
        lock = os.open(folder / _LOCK, os.O_RDWR | os.O_NOFOLLOW)
    except OSError:
        return  # no trainer's, or another user's
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return  # it lives
    else:
        for entry in folder.iterdir():
            if entry.name != _LOCK:  # last, so that what cannot be removed now is met again
                shutil.rmtree(entry, ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)
        _log.info("removed what a trainer left that was killed", gone=not folder.exists())
    finally:
        os.close(lock)
