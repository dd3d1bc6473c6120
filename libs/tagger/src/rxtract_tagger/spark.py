"""Old notes through Spark: `tag_notes(spark, df, model)` gives a DataFrame with the columns of records at rest.

Spark is for where the notes, the rights and the machines are, not for speed: `rxtract_tagger.local` does more with a core.
pyspark is never installed by this package; who calls has a session.
"""

from __future__ import annotations

import hashlib
import tempfile
import zipfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import clinical_ner
import pyarrow as pa

import rxtract_tagger
from rxtract_tagger.arrow import REFUSED, SCHEMA, Reading
from rxtract_tagger.tagger import Tagger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CODE = "rxtract_code"
"""The folder into which Spark unpacks the code on an executor."""
_SUFFIXES = {".py", ".so", ".txt", ".tsv", ".json", ".toml", ".yaml"}


def tag_notes(
    spark: Any,
    df: Any,
    model: Tagger | str | Path | None = None,
    reading: Reading | None = None,
    *,
    ship_code: bool = False,
) -> Any:
    """Tag the notes of a DataFrame, with the columns of `rxtract_tagger.arrow.SCHEMA`; write it as Parquet for `rxtract sql`.

    Args:
        spark: A SparkSession. The model goes to the executors as a file of this session.
        df: Columns note_id and text (or as `reading` names them); source, revision, patient_ref, city, specialty and
            written_at are taken where they are there.
        model: A Tagger, or what `Tagger.open` takes.
        reading: How the notes are read; every row has its `extracted_at`.
        ship_code: Send this package's code along, for executors on which it is not installed. They need Python as here, numpy
            and pyarrow, and the platform for which this installation was compiled.

    Invalid notes are left out; `refused_notes` lists them.

    Raises:
        ModelUnavailable, ArtifactRefused: As `Tagger.open`.
        LakeError: A column that must be there is not.
    """
    return _mapped(spark, df, model, reading, ship_code=ship_code, refused=False)


def refused_notes(
    spark: Any,
    df: Any,
    model: Tagger | str | Path | None = None,
    reading: Reading | None = None,
    *,
    ship_code: bool = False,
) -> Any:
    """Return the notes that `tag_notes` leaves out: row (its place in a batch of Spark's), source, note_id and reason."""
    return _mapped(spark, df, model, reading, ship_code=ship_code, refused=True)


def _mapped(
    spark: Any, df: Any, model: Tagger | str | Path | None, reading: Reading | None, *, ship_code: bool, refused: bool
) -> Any:
    from pyspark.sql.pandas.types import from_arrow_schema

    tagger = model if isinstance(model, Tagger) else Tagger.open(model)
    reading = reading or Reading()
    columns = reading.columns(df.columns)
    _send(spark, f"rxtract-{tagger.identity.sha256}.npz", tagger.data)
    if ship_code:
        _send_code(spark)
    run = _runner(asdict(tagger.identity), asdict(reading), ship_code=ship_code, refused=refused)
    schema = from_arrow_schema(in_microseconds(REFUSED if refused else SCHEMA))
    return df.select(*columns).mapInArrow(run, schema)


def in_microseconds(schema: pa.Schema) -> pa.Schema:
    """Return a schema with the times that Spark takes: it refuses milliseconds."""
    micro = pa.timestamp("us", tz="UTC")
    return pa.schema([field.with_type(micro) if pa.types.is_timestamp(field.type) else field for field in schema])


def _runner(
    identity: dict[str, Any], reading: dict[str, Any], *, ship_code: bool, refused: bool
) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """What runs on the executors.

    It holds plain values and imports inside: where the code is sent along, nothing of it is there when Spark unpickles this.
    """
    code = CODE if ship_code else ""

    def run(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        import sys

        from pyspark import SparkFiles

        if code and (place := SparkFiles.get(code)) not in sys.path:
            sys.path.insert(0, place)
        from rxtract_tagger.spark import tagged_on_executor

        yield from tagged_on_executor(batches, identity, reading, SparkFiles.get, refused=refused)

    # By value, as the functions of a notebook are: by reference an executor would have to import this module first.
    run.__module__ = "__main__"
    return run


_opened: dict[str, Tagger] = {}
"""The model of a Python worker, by the identity of what it holds; workers are reused by many tasks."""


def tagged_on_executor(
    batches: Iterator[pa.RecordBatch],
    identity: dict[str, Any],
    reading: dict[str, Any],
    place_of: Callable[[str], str],
    *,
    refused: bool,
) -> Iterator[pa.RecordBatch]:
    """Tag batches on an executor; the model is opened once a worker, and checked by its digest."""
    from rxtract_tagger.arrow import tag_batch
    from rxtract_tagger.tagger import ModelIdentity

    model, how = ModelIdentity(**identity), Reading(**reading)
    if str(model) not in _opened:
        _opened[str(model)] = Tagger.of_bytes(Path(place_of(f"rxtract-{model.sha256}.npz")).read_bytes(), model)
    schema = in_microseconds(REFUSED if refused else SCHEMA)
    for batch in batches:
        made = tag_batch(batch, _opened[str(model)], how)[int(refused)]
        yield pa.RecordBatch.from_arrays(
            [column.cast(field.type) for column, field in zip(made.columns, schema, strict=True)], schema=schema
        )


def _send(spark: Any, name: str, content: bytes) -> None:
    """Let every executor have a file of this session; what it has already is not sent again."""
    context = spark.sparkContext
    if not any(path.endswith(name) for path in context.listFiles):
        context.addFile(str(_kept(name, content)))


def _send_code(spark: Any) -> None:
    content = _code()
    context = spark.sparkContext
    archive = f"rxtract-{hashlib.sha256(content).hexdigest()[:16]}.zip"
    if not any(archive in path for path in context.listArchives):
        context.addArchive(f"{_kept(archive, content)}#{CODE}")


def _kept(name: str, content: bytes) -> Path:
    """A file in a folder of its own that stays as long as this process: executors fetch it when they start."""
    path = Path(tempfile.mkdtemp(prefix="rxtract-")) / name
    path.write_bytes(content)
    return path


def _code() -> bytes:
    """The two packages as a zip, the same bytes for the same code. Spark unpacks it: a library in a zip cannot be loaded."""
    with tempfile.TemporaryFile() as out:
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            for package in (clinical_ner, rxtract_tagger):
                root = Path(str(package.__file__)).parent
                for path in sorted(root.rglob("*")):
                    if path.suffix in _SUFFIXES and "_model" not in path.parts:
                        name = f"{package.__name__}/{path.relative_to(root).as_posix()}"
                        archive.writestr(zipfile.ZipInfo(name), path.read_bytes(), zipfile.ZIP_DEFLATED)
        out.seek(0)
        return out.read()
