"""Fetching one file of a Maven repository, in pure Python."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from embedded_stack.errors import DamagedDownloadError, StackError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from embedded_stack.pins import Pin

TIMEOUT_S = 20


def download(pin: Pin, into: Path, arrived: Callable[[int], None]) -> Path:
    """Fetch a file from the Maven repository that jgo knows; `arrived` is told of every chunk's bytes.

    Raises:
        StackError: the repository does not answer, or does not have the file.
    """
    from jgo.maven import MavenContext, PythonResolver  # heavy, and only needed when something is missing

    @contextlib.contextmanager
    def chunks(_file_name: str, _size_bytes: int) -> Iterator[Callable[[int], None]]:
        yield arrived

    context = MavenContext(resolver=PythonResolver(progress_callback=chunks), repo_cache=into, timeout=TIMEOUT_S)
    component = context.project(pin.group, pin.artifact).at_version(pin.version)
    try:
        return Path(component.artifact(pin.classifier, pin.packaging).resolve())
    except OSError as error:  # those of the network are OSErrors without a number
        if error.errno is not None:
            raise
        raise StackError(
            f"cannot download {pin.file_name}: the Maven repository does not answer; "
            "check the network (and proxy settings) and run the same command again"
        ) from error
    except RuntimeError as error:
        if "sha1" in str(error).lower() or "checksum" in str(error).lower():
            raise DamagedDownloadError(f"{pin.file_name} arrived damaged: run the same command again") from error
        raise StackError(f"cannot download {pin.file_name}: the Maven repository does not have it") from error
