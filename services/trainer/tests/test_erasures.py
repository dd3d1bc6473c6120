"""A job's texts go when it ends, and an erasure ends it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from runtime.errors import Recoverable
from sealing import SqliteKeyStore, open_keys
from sealing.rotation import initialise
from trainer.adapters.erasures import TEXTS, ErasureWatch, forgetting
from trainer.domain.job_runs import JobAbandonedError, JobFailedError


@pytest.fixture
def store(tmp_path: Path) -> SqliteKeyStore:
    initialise(tmp_path / "keys.db", tmp_path / "master.key")
    open_keys(tmp_path / "keys.db", tmp_path / "master.key").for_subject("p1")
    return SqliteKeyStore(tmp_path / "keys.db")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "job"
    place.mkdir()
    for name in (*TEXTS, "report.md"):
        (place / name).write_text("note")
    return place


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def until_told(_folder: Path, go_on: Any, _progress: Any) -> dict[str, Any]:
    if not go_on():
        raise JobAbandonedError("ended")
    return {"decision": "x"}


def test_the_texts_go_with_the_job_and_its_result_stays(store: SqliteKeyStore, folder: Path) -> None:
    watch = ErasureWatch(store)
    assert list(watch.from_here(lambda: [1, 2])()) == [1, 2]
    assert forgetting(until_told, watch)(folder, lambda: True, lambda _: None) == {"decision": "x"}
    assert left(folder) == ["report.md"]


@pytest.mark.parametrize("error", [JobFailedError("no"), JobAbandonedError("not ours")])
def test_the_texts_go_too_when_the_job_fails_or_is_not_ours(
    store: SqliteKeyStore, folder: Path, error: Exception
) -> None:
    def fails(*_: Any) -> dict[str, Any]:
        raise error

    with pytest.raises(type(error)):
        forgetting(fails, ErasureWatch(store))(folder, lambda: True, lambda _: None)
    assert left(folder) == ["report.md"]


@pytest.mark.parametrize("ends_before_it_asks", [True, False])
def test_an_erasure_during_a_job_makes_it_begin_anew(
    store: SqliteKeyStore, folder: Path, *, ends_before_it_asks: bool
) -> None:
    watch = ErasureWatch(store)
    list(watch.from_here(list)())
    store.erase("p1", 1)

    def at_once(*_: Any) -> dict[str, Any]:
        return {"decision": "taught by who was erased"}

    with pytest.raises(Recoverable, match="begins anew"):
        forgetting(at_once if ends_before_it_asks else until_told, watch)(folder, lambda: True, lambda _: None)
    assert left(folder) == ["report.md"]
    list(watch.from_here(list)())  # its material read anew, it runs
    assert forgetting(until_told, watch)(folder, lambda: True, lambda _: None)


def test_where_nothing_is_sealed_nobody_is_asked(folder: Path) -> None:
    assert forgetting(until_told, ErasureWatch(None))(folder, lambda: True, lambda _: None)
