"""A peer of the streaming benchmark that runs in an environment of its own finds all of ours that it needs."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LIST = "import sys; import stream_work; print(*{m.__file__ for m in list(sys.modules.values()) if getattr(m, '__file__', None)}, sep='\\n')"


def test_what_a_peer_imports_of_ours_is_on_its_path(monkeypatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import stream

    listed = subprocess.run([sys.executable, "-c", LIST], cwd=ROOT / "benchmarks", capture_output=True, text=True)
    assert listed.returncode == 0, listed.stderr
    ours = {path.parts[:2] for line in listed.stdout.splitlines() for path in [_within(Path(line))] if path is not None}
    assert {"/".join(parts) for parts in ours} == set(stream.PEER_PACKAGES)


def _within(path: Path) -> Path | None:
    """The path below the repository, of what lies in a package of ours."""
    return path.relative_to(ROOT) if path.is_relative_to(ROOT) and "src" in path.relative_to(ROOT).parts[:3] else None
