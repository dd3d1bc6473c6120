"""A folder of Parquet files, on one machine: `rxtract batch IN OUT`.

A file is a task of a pool of processes. What a task makes is written under a temporary name and renamed when whole, and
is named after the digest of its input: a run that was cut short goes on where it was, and one that ends does nothing a second
time. The manifest, written last, says which files count; it is the format of the scorekeeper's records at rest.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import tempfile
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from rxtract_tagger.arrow import REFUSED, SCHEMA, LakeError, Reading, tag_batch
from rxtract_tagger.tagger import Tagger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rxtract_tagger.tagger import ModelIdentity

BATCH_NOTES = 10_000
MANIFEST = "manifest.json"
NAMESPACE = "behealthy.rxtract"
LOCK = "writer.lock"
FORMAT = 1
"""Rises when other rows are made of the same notes: files of before are then made anew."""
_DIGEST_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is: a file was finished.

    Attributes:
        files: All files of the run.
        done: Those that are finished, now or by a run before.
        notes: In finished files.
        refused: Of these.
    """

    files: int
    done: int
    notes: int
    refused: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run made.

    Attributes:
        folder: Where the files of this input, model and reading are.
        files: Parquet files of rows.
        notes: Notes read.
        refused: Of these; `refusals` lists them.
        kept: Files that a run before had finished.
        refusals: Parquet files with row, source, note_id and reason of each refused note.
    """

    folder: Path
    files: int
    notes: int
    refused: int
    kept: int
    refusals: tuple[Path, ...]


class _Made(NamedTuple):
    path: Path
    rows: int
    refused: int


class _Task(NamedTuple):
    source: Path
    target: Path


def _say_nothing(_progress: Progress) -> None:
    pass


def tag_parquet(
    source: str | Path,
    out: str | Path,
    tagger: Tagger,
    reading: Reading | None = None,
    *,
    jobs: int | None = None,
    on_progress: Callable[[Progress], None] = _say_nothing,
) -> Outcome:
    """Tag the notes of a Parquet file, or of all such files below a folder, into a folder of records at rest.

    Args:
        source: Needs the columns note_id and text (or as `reading` names them); source, revision, patient_ref, city,
            specialty and written_at are taken where they are there. A patient_ref should be a pseudonym: it is copied.
        out: Empty, or of runs before. Afterwards its manifest names this run's files alone.
        tagger: The model.
        reading: How the notes are read.
        jobs: Processes; default one a core.
        on_progress: Called after each file.

    Raises:
        LakeError: Nothing to read, the folder is somebody else's, or a worker process was killed.
    """
    out, reading = Path(out), reading or Reading()
    sources = parquet_files(Path(source))
    with _writing(out):
        folder = out / f"run={_run_digest(tagger.identity, reading)}"
        folder.mkdir(mode=0o700, exist_ok=True)
        tasks = _tasks(sources, folder)
        made = [one for task in tasks if (one := _finished(task.target)) is not None]
        finished = {one.path for one in made}
        left = [task for task in tasks if task.target not in finished]
        kept = len(made)
        on_progress(_progress(len(tasks), made))
        for one in _run(left, tagger, reading, jobs or os.cpu_count() or 1):
            made.append(one)
            on_progress(_progress(len(tasks), made))
        _show(out, sorted(made))
    refusals = tuple(_refused_path(one.path) for one in sorted(made) if one.refused)
    last = _progress(len(tasks), made)
    return Outcome(folder, len(made), last.notes, last.refused, kept, refusals)


def parquet_files(source: Path) -> list[Path]:
    """Return the Parquet files at a path, in order; names that begin with `_` or `.` are no data, as lakes have it.

    Raises:
        LakeError: There is none.
    """
    if source.is_file():
        return [source]
    found = sorted(
        path
        for path in source.rglob("*.parquet")
        if not any(part[0] in "_." for part in path.relative_to(source).parts)
    )
    if not found:
        raise LakeError(f"{source} holds no Parquet file: give a file, or a folder with *.parquet in it")
    return found


def _run_digest(model: ModelIdentity, reading: Reading) -> str:
    """Same model, rules and reading, same folder; the time of a run is none of these."""
    read = {name: value for name, value in asdict(reading).items() if name != "extracted_at"}
    return hashlib.sha256(json.dumps([FORMAT, asdict(model), read], sort_keys=True).encode()).hexdigest()[:16]


def _tasks(sources: list[Path], folder: Path) -> list[_Task]:
    """One for each content: a file that lies there twice holds the same notes."""
    by_name = {f"{_digest(source)}.parquet": source for source in sources}
    return [_Task(source, folder / name) for name, source in by_name.items()]


def _digest(path: Path) -> str:
    found = hashlib.sha256()
    try:
        with path.open("rb") as content:
            while part := content.read(_DIGEST_BYTES):
                found.update(part)
    except OSError as error:
        raise LakeError(f"{path} cannot be read: {error.strerror}") from None
    return found.hexdigest()[:32]


def _refused_path(path: Path) -> Path:
    return path.with_suffix(".refused")


def _finished(target: Path) -> _Made | None:
    """What a run before made of this input; its refusals were there before it."""
    if not target.exists():
        return None
    refused = _refused_path(target)
    return _Made(target, _count(target), _count(refused) if refused.exists() else 0)


def _count(path: Path) -> int:
    return int(pq.read_metadata(path).num_rows)


def _progress(files: int, made: list[_Made]) -> Progress:
    refused = sum(one.refused for one in made)
    return Progress(files, len(made), sum(one.rows for one in made) + refused, refused)


def _run(tasks: list[_Task], tagger: Tagger, reading: Reading, jobs: int) -> Iterator[_Made]:
    if not tasks:
        return
    with tempfile.TemporaryDirectory(prefix="rxtract-") as folder:
        tables = Path(folder) / "tables.npz"
        tables.write_bytes(tagger.data)
        pool = ProcessPoolExecutor(
            min(jobs, len(tasks)),
            mp_context=get_context("spawn"),
            initializer=_open,
            initargs=(tables, tagger.identity),
        )
        try:
            waiting = [pool.submit(_tag_file, task, reading) for task in tasks]
            for done in as_completed(waiting):
                yield done.result()
        except BrokenProcessPool:
            raise LakeError(
                "a worker process was ended from outside (too little memory?): run it again, with fewer --jobs; "
                "what is finished is kept"
            ) from None
        finally:
            pool.shutdown(cancel_futures=True)


_opened: list[Tagger] = []
"""The model of a worker process; it is opened once."""


def _open(tables: Path, identity: ModelIdentity) -> None:
    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    _opened.append(Tagger.of_bytes(tables.read_bytes(), identity))


def _tag_file(task: _Task, reading: Reading) -> _Made:
    """Make the rows of one file: refusals first, rows last, each under a temporary name until it is whole."""
    unfinished = task.target.with_suffix(f".{os.getpid()}.part")
    counts = [0, 0]
    refused: list[pa.RecordBatch] = []
    with unfinished.open("wb") as out, pq.ParquetWriter(out, SCHEMA, compression="zstd") as writer:
        for batch, before in _batches(task.source, reading):
            rows, wrong = tag_batch(batch, _opened[0], reading)
            writer.write_batch(rows)
            counts[0] += rows.num_rows
            counts[1] += wrong.num_rows
            if wrong.num_rows:
                refused.append(_further(wrong, before))
    if refused:
        listing = _refused_path(task.target)
        part = listing.with_suffix(f".refused.{os.getpid()}.part")
        pq.write_table(pa.Table.from_batches(refused, REFUSED), part, compression="zstd")
        _put(part, listing)
    _put(unfinished, task.target)
    return _Made(task.target, *counts)


def _further(refused: pa.RecordBatch, before: int) -> pa.RecordBatch:
    """The places counted from the start of the file."""
    places = pa.array([one + before for one in refused.column("row").to_pylist()], pa.int64())
    return pa.RecordBatch.from_arrays([places, *refused.columns[1:]], schema=REFUSED)


def _batches(source: Path, reading: Reading) -> Iterator[tuple[pa.RecordBatch, int]]:
    """Batches of a file, each with how many rows were before it."""
    try:
        with pq.ParquetFile(source, pre_buffer=False, buffer_size=1 << 18) as table:
            before = 0
            for batch in table.iter_batches(
                BATCH_NOTES, columns=reading.columns(table.schema_arrow.names), use_threads=False
            ):
                yield batch, before
                before += batch.num_rows
    except LakeError as error:
        raise LakeError(f"{source}: {error}") from None
    except (OSError, pa.ArrowInvalid) as error:
        raise LakeError(f"{source} is no Parquet file that can be read: {str(error).splitlines()[0][:200]}") from None


def _put(part: Path, whole: Path) -> None:
    with part.open("rb") as written:
        os.fsync(written.fileno())
    part.replace(whole)


@contextmanager
def _writing(out: Path) -> Iterator[None]:
    """Hold the folder alone, and sweep what an ended run left unfinished or out of sight."""
    out.mkdir(mode=0o700, parents=True, exist_ok=True)
    manifest = _manifest(out)
    strangers = [path.name for path in out.iterdir() if not (path.name.startswith((MANIFEST, LOCK, "run=")))]
    if manifest.get("offsets") or strangers:
        whose = "the scorekeeper's records" if manifest.get("offsets") else f"other files ({strangers[0]})"
        raise LakeError(f"{out} holds {whose}: give a folder of its own")
    with (out / LOCK).open("w", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise LakeError(f"another run writes into {out}: wait for it, or give a folder of its own") from None
        for path in (*out.glob("run=*/*.part"), *(out / one for one in manifest.get("retired", ()))):
            path.unlink(missing_ok=True)
            _refused_path(path).unlink(missing_ok=True)
        yield


def _manifest(out: Path) -> dict[str, Any]:
    try:
        found = json.loads((out / MANIFEST).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError:
        found = None
    if not isinstance(found, dict) or found.get("namespace") != NAMESPACE:
        raise LakeError(f"{MANIFEST} in {out} is none of ours: give a folder of its own")
    return found


def _show(out: Path, made: list[_Made]) -> None:
    """Let the manifest name these files; those of other runs are deleted by the next run, because readers may have them open."""
    files = [{"path": str(one.path.relative_to(out)), "day": "", "rows": one.rows} for one in made]
    seen = {one["path"] for one in files}
    retired = sorted(name for path in out.glob("run=*/*.parquet") if (name := str(path.relative_to(out))) not in seen)
    shown = {"files": files, "namespace": NAMESPACE, "offsets": {}, "retired": retired}
    part = out / f"{MANIFEST}.part"
    part.write_text(json.dumps(shown, indent=1, sort_keys=True), encoding="utf-8")
    _put(part, out / MANIFEST)
