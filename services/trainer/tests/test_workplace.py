"""Where jobs' folders lie: gone when the trainer ends, and with the next start when it was killed."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from runtime.errors import SettingsError
from trainer.adapters.workplace import Workplace

HOLDS = """
import sys, time
from pathlib import Path
from trainer.adapters.workplace import Workplace
with Workplace(Path(sys.argv[1])) as place:
    (place / "job-1").mkdir()
    (place / "job-1" / "annotations.jsonl").write_text("notes")
    print("holds", flush=True)
    sys.stdin.read()
"""


def holder(folder: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", HOLDS, str(folder)]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline() == "holds\n"
    return child


def test_it_is_ours_alone_and_gone_at_the_end(tmp_path: Path) -> None:
    with Workplace(tmp_path / "work") as place:
        assert place.is_dir()
        assert place.stat().st_mode & 0o077 == 0
    assert list((tmp_path / "work").iterdir()) == []


def test_what_a_killed_trainer_left_is_gone_with_the_next_start(tmp_path: Path) -> None:
    with holder(tmp_path) as child:
        child.kill()
    assert list(tmp_path.rglob("annotations.jsonl"))
    with Workplace(tmp_path) as place:
        assert list(tmp_path.iterdir()) == [place]


def test_what_a_living_trainer_works_at_stays(tmp_path: Path) -> None:
    with holder(tmp_path) as child:
        with Workplace(tmp_path):
            assert list(tmp_path.rglob("annotations.jsonl"))
        assert list(tmp_path.rglob("annotations.jsonl"))
        child.communicate("")
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_a_trainers_stays(tmp_path: Path) -> None:
    other = tmp_path / "rxtract-trainer-x"
    (other / "kept").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "rxtract-trainer-link").symlink_to(tmp_path / "elsewhere")
    with Workplace(tmp_path):
        pass
    assert (other / "kept").is_dir()
    assert (tmp_path / "elsewhere").is_dir()


def test_a_place_that_cannot_be_used_is_told_by_the_setting_that_mends_it(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="RXTRACT_WORK_DIR cannot be used"), Workplace(tmp_path / "file"):
        pass

    def away() -> str:
        raise FileNotFoundError("No usable temporary directory found")

    monkeypatch.setattr(tempfile, "gettempdir", away)
    with pytest.raises(SettingsError, match="set RXTRACT_WORK_DIR to"), Workplace(None):
        pass
