"""The download cache: once, intact or not at all."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
import tarfile
import textwrap
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from embedded_stack.cache import Cache, default_cache_dir
from embedded_stack.errors import DamagedDownloadError, StackError
from embedded_stack.pins import Pin

if TYPE_CHECKING:
    from collections.abc import Callable

CONTENT = b"some jar" * 1000


def pin_of(content: bytes, artifact: str = "thing", packaging: str = "jar") -> Pin:
    return Pin("org.example", artifact, "1.0", packaging, "", len(content), hashlib.sha256(content).hexdigest())


class FakeRepository:
    """Hands out given bytes and counts how often."""

    def __init__(self, contents: dict[str, bytes]) -> None:
        self.contents = contents
        self.asked: list[str] = []

    def __call__(self, pin: Pin, into: Path, arrived: Callable[[int], None]) -> Path:
        self.asked.append(pin.artifact)
        content = self.contents[pin.artifact]
        target = into / "nested" / pin.file_name
        target.parent.mkdir()
        target.write_bytes(content)
        arrived(len(content))
        return target


def no_network(pin: Pin, into: Path, arrived: Callable[[int], None]) -> Path:
    raise AssertionError(f"asked the network for {pin.file_name}")


def test_a_file_is_downloaded_once_and_then_works_offline(tmp_path):
    repository = FakeRepository({"thing": CONTENT})
    seen: list[tuple[int, int]] = []
    (path,) = Cache(tmp_path, repository).files([pin_of(CONTENT)], lambda done, total: seen.append((done, total)))
    assert path.read_bytes() == CONTENT
    assert path.name == "thing-1.0.jar"
    assert seen == [(len(CONTENT), len(CONTENT))]
    assert Cache(tmp_path, no_network).files([pin_of(CONTENT)]) == [path]
    assert repository.asked == ["thing"]


@pytest.mark.parametrize("damage", [b"some jaR" * 1000, CONTENT[:-1], b"", CONTENT + b"x"])
def test_a_damaged_download_is_refused_and_not_kept(tmp_path, damage):
    cache = Cache(tmp_path, FakeRepository({"thing": damage}))
    with pytest.raises(
        DamagedDownloadError, match=r"thing-1\.0\.jar is damaged .*: run the same command again"
    ) as caught:
        cache.files([pin_of(CONTENT)])
    assert "\n" not in str(caught.value)
    assert not cache.path_of(pin_of(CONTENT)).exists()
    assert list(tmp_path.glob(".download*")) == []


def test_a_file_damaged_in_the_cache_is_refused_and_named(tmp_path):
    cache = Cache(tmp_path, FakeRepository({"thing": CONTENT}))
    (path,) = cache.files([pin_of(CONTENT)])
    path.write_bytes(b"some jaR" * 1000)
    with pytest.raises(DamagedDownloadError, match=f"delete {path} and run the same command again"):
        cache.files([pin_of(CONTENT)])
    path.unlink()
    assert cache.files([pin_of(CONTENT)])[0].read_bytes() == CONTENT


def test_a_touched_but_intact_file_is_read_again_and_accepted(tmp_path):
    (path,) = Cache(tmp_path, FakeRepository({"thing": CONTENT})).files([pin_of(CONTENT)])
    os.utime(path, (1, 1))
    assert Cache(tmp_path, no_network).files([pin_of(CONTENT)]) == [path]


def test_verify_reads_everything_again(tmp_path):
    cache = Cache(tmp_path, FakeRepository({"thing": CONTENT}))
    other = pin_of(b"other", "other")
    assert cache.verify([other]) == ["other-1.0.jar is not downloaded yet: it will be on the next start"]
    (path,) = cache.files([pin_of(CONTENT)])
    assert cache.verify([pin_of(CONTENT)]) == []
    state = path.stat()
    path.write_bytes(b"some jaR" * 1000)
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))  # so that only reading can tell
    assert "is damaged" in cache.verify([pin_of(CONTENT)])[0]


def test_two_stacks_at_once_download_once(tmp_path):
    repository = FakeRepository({f"jar{i}": CONTENT + bytes([i]) for i in range(5)})
    pins = [pin_of(CONTENT + bytes([i]), f"jar{i}") for i in range(5)]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: Cache(tmp_path, repository).files(pins), range(4)))
    assert all(answer == answers[0] for answer in answers)
    assert sorted(repository.asked) == [f"jar{i}" for i in range(5)]


def test_two_processes_at_once_build_a_folder_once(tmp_path):
    code = textwrap.dedent("""
        import os, sys, time
        from pathlib import Path
        from embedded_stack.cache import Cache
        root = Path(sys.argv[1])
        def build(folder):
            (folder / "who").write_text(str(os.getpid()))
            time.sleep(0.5)
        print((Cache(root).folder("made-once", build) / "who").read_text())
    """)
    running = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    answers = {process.communicate(timeout=60)[0] for process in running}
    assert len(answers) == 1
    assert answers != {""}


def test_what_is_built_may_need_a_file_and_a_folder_that_are_not_here(tmp_path):
    """In a child, as a lock that is asked for twice would stand still for ever."""
    code = textwrap.dedent("""
        import sys
        from pathlib import Path
        from embedded_stack.cache import Cache
        from test_cache import CONTENT, FakeRepository, pin_of
        def build(folder):
            (jar,) = Cache(root, FakeRepository({"jar": CONTENT})).files([pin_of(CONTENT, "jar")])
            tools = Cache(root).folder("tools", lambda inner: (inner / "tool").touch())
            (folder / "whole").write_text(f"{jar.name} {sorted(tools.iterdir())[0].name}")
        root = Path(sys.argv[1])
        print((Cache(root).folder("outer", build) / "whole").read_text())
    """)
    place = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    ended = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], env=place, capture_output=True, text=True, timeout=60, check=True
    )
    assert ended.stdout == "jar-1.0.jar tool\n"


def test_a_folder_whose_building_failed_is_not_there(tmp_path):
    cache = Cache(tmp_path)

    def fail(folder: Path) -> None:
        (folder / "half").write_text("x")
        raise StackError("no")

    with pytest.raises(StackError, match="no"):
        cache.folder("thing", fail)
    assert list((tmp_path / "made").iterdir()) == []
    assert (cache.folder("thing", lambda folder: (folder / "whole").touch()) / "whole").exists()


def test_an_archive_is_unpacked_and_cannot_write_elsewhere(tmp_path):
    def archive(name: str) -> bytes:
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
            member = tarfile.TarInfo(name)
            member.size = 2
            tar.addfile(member, io.BytesIO(b"hi"))
        return buffer.getvalue()

    good, evil = archive("bin/run"), archive("../outside")
    cache = Cache(tmp_path / "cache", FakeRepository({"good": good, "evil": evil}))
    assert (cache.unpacked(pin_of(good, "good", "tar.gz")) / "bin" / "run").read_bytes() == b"hi"
    with pytest.raises(tarfile.OutsideDestinationError):
        cache.unpacked(pin_of(evil, "evil", "tar.gz"))
    assert not list(tmp_path.rglob("outside"))


def test_a_full_disk_is_one_line_before_the_download(tmp_path, monkeypatch):
    monkeypatch.setattr("embedded_stack.disk.free_bytes", lambda folder: 1000)
    with pytest.raises(StackError, match=r"the disk is full: .* 0 MB free .* RXTRACT_CACHE_DIR") as caught:
        Cache(tmp_path, no_network).files([pin_of(CONTENT)])
    assert "\n" not in str(caught.value)


def test_without_a_network_the_real_downloader_says_so_in_one_line(tmp_path, monkeypatch):
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(
        StackError, match=r"cannot download thing-1\.0\.jar: the Maven repository does not answer"
    ) as caught:
        Cache(tmp_path).files([pin_of(CONTENT)])
    assert "\n" not in str(caught.value)


def test_where_the_cache_lies(monkeypatch, tmp_path):
    monkeypatch.setenv("RXTRACT_CACHE_DIR", str(tmp_path / "own"))
    assert default_cache_dir() == tmp_path / "own"
    monkeypatch.delenv("RXTRACT_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert default_cache_dir() == tmp_path / "xdg" / "rxtract"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_cache_dir() == tmp_path / ".cache" / "rxtract"
