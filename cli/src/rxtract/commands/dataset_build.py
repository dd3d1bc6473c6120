"""`rxtract dataset build`: the trainer's data pipeline by itself, from annotations to data sets with fixed roles."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from rxtract.addresses import read_addresses
from rxtract.annotations import Json
from rxtract.errors import UserError
from rxtract.mlflow_server import Stack, TrackingUri, find_mlflow_or_go_on, mlflow_refusals

if TYPE_CHECKING:
    from collections.abc import Mapping

    from annotations.trust import Trust
    from contracts.records import AnnotationValidated
    from lifecycle.snapshot import Snapshot

REPORT = "report.md"


def build(
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder for train, recent and gold as JSON lines, and the report.")
    ],
    roles_key: Annotated[
        Path, typer.Option(help="File with the key of the roles, 32 bytes or more; the trainer's own.")
    ],
    annotations: Annotated[
        Path | None,
        typer.Option(help="AnnotationValidated as JSON lines; without it the running stack's topic is read."),
    ] = None,
    gate: Annotated[
        str,
        typer.Option(envvar="RXTRACT_GATE", help="The trainer's gate settings as JSON: its shares decide the roles."),
    ] = "",
    segment: Annotated[
        str, typer.Option(help="Only this segment's notes judge a drift run, such as city=Pune.")
    ] = "all",
    tracking_uri: TrackingUri = "",
    stack: Stack = None,
    json_: Json = False,
) -> None:
    """Collect, validate, split by role, replace what identifies people, snapshot, digest; log the report to MLflow where one is known."""
    from lifecycle.collection import collect
    from lifecycle.gate_config import GateConfig, GateConfigError
    from lifecycle.identifiers import without_identifiers
    from lifecycle.report import dataset_report
    from lifecycle.snapshot import CorpusConfig, snapshot

    try:
        settings = GateConfig.from_dict(json.loads(gate or "{}"))
    except (GateConfigError, ValueError, TypeError) as error:
        raise UserError(f"--gate is not usable ({error}): give the trainer's RXTRACT_GATE") from None
    key = _key(roles_key)
    words, trust = _words(annotations, stack)
    collected = without_identifiers(collect(words, key, settings.shares, trust=trust), key)
    data = snapshot(collected, CorpusConfig(), settings.annotation_weight, () if segment == "all" else (segment,))
    report = {**collected.report(), "datasets": data.datasets(), "near_other_side": data.dropped, "digest": data.digest}
    text = dataset_report(collected.report(), data.datasets())
    _write(out, data, report, text)
    _log(data, find_mlflow_or_go_on(tracking_uri, stack), out)
    if json_:
        print(json.dumps(report, indent=2))
    else:
        print(text)


def _words(path: Path | None, stack: Path | None) -> tuple[list[AnnotationValidated], Trust]:
    """The annotations, and whose labels are held; a file of annotations says of nobody that they are."""
    from annotations.trust import ALL_TRUSTED

    return _from_topic(stack) if path is None else (_from_file(path), ALL_TRUSTED)


def _from_file(path: Path) -> list[AnnotationValidated]:
    from contracts.plain import RecordError
    from contracts.records import AnnotationValidated

    found = []
    try:
        lines = path.read_text(encoding="utf-8").split("\n")  # a note may hold other line separators
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read {path} ({type(error).__name__}): give a file of JSON lines") from None
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                found.append(AnnotationValidated.from_json(line))
            except (RecordError, ValueError):
                raise UserError(f"{path}, line {number}: no AnnotationValidated: see docs/events/topics.md") from None
    return found


def _from_topic(stack: Path | None) -> tuple[list[AnnotationValidated], Trust]:
    from annotations.trust import Trust
    from contracts.records import AnnotationValidated, AnnotatorJudged
    from contracts.topics import ANNOTATIONS_VALIDATED, ANNOTATORS_JUDGED, prefixed

    from rxtract.reading import TopicReader

    addresses = read_addresses(stack)
    names = [prefixed(addresses.topic_prefix, name) for name in (ANNOTATIONS_VALIDATED, ANNOTATORS_JUDGED)]
    found = [seen.record for seen in TopicReader(addresses).read(names)]
    return (
        [record for record in found if isinstance(record, AnnotationValidated)],
        Trust.of(record for record in found if isinstance(record, AnnotatorJudged)),
    )


def _key(path: Path) -> bytes:
    from runtime.errors import SettingsError
    from runtime.service.secret_files import read_key

    try:
        return read_key(path, "--roles-key")
    except SettingsError as error:
        raise UserError(str(error)) from None


def _write(out: Path, data: Snapshot, report: Mapping[str, object], text: str) -> None:
    from corpus.loaders_jsonl import dump_jsonl

    out.mkdir(parents=True, exist_ok=True)
    for name, notes in (("train", data.training), ("recent", data.recent), ("gold", data.gold)):
        (out / f"{name}.jsonl").write_text("".join(f"{line}\n" for line in dump_jsonl(notes)), encoding="utf-8")
    (out / "report.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    (out / REPORT).write_text(text, encoding="utf-8")


def _log(data: Snapshot, server: str, out: Path) -> None:
    if not server:
        return
    from clinical_ner.experiment_log import MlflowLog
    from clinical_ner.tracking import EXPERIMENT, dataset_record

    sets = (
        ("train", data.training, "training"),
        ("recent", data.recent, "evaluation"),
        ("gold", data.gold, "evaluation"),
    )
    records = [dataset_record(notes, name, context) for name, notes, context in sets]
    with mlflow_refusals(server):
        log = MlflowLog(server, EXPERIMENT, "data set build", records, {})
        log.finish({}, [out / REPORT, out / "report.json"])
    Console(stderr=True, highlight=False).print(f"logged to MLflow, version {data.digest[:32]}")
