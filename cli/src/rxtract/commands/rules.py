"""`rxtract rules`: the tables of phrases behind assertions, relations and prescriptions, released like models."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from clinical_ner.phrases import TableInvalid
from clinical_ner.rules import Rules, read_rules, shipped_rules
from contracts.records import AnnotationValidated, AnnotatorJudged, ModelAction
from contracts.topics import ANNOTATIONS_VALIDATED, ANNOTATORS_JUDGED, prefixed
from model_registry.version import RULES_TAG, Version
from outcomes.proposals import LEAST_PATIENTS, Corrections
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from rxtract.addresses import read_addresses
from rxtract.annotations import Json
from rxtract.commands.model import By, Timeout, TrainerTimeout, order, why
from rxtract.errors import UserError
from rxtract.mlflow_server import Stack, TrackingUri, mlflow_refusals, need_mlflow
from rxtract.models.versions import Versions, as_json
from rxtract.reading import TopicReader

app = typer.Typer(
    name="rules",
    help="Releases of rules: check, release, list, show, roll back, and proposals from corrections.",
    no_args_is_help=True,
)

NAME = "rxtract-rules"
TRAINER_TIMEOUT_S = 15.0
TIMEOUT_S = 300.0

Name = Annotated[str, typer.Option("--name", envvar="RXTRACT_RULES_NAME", help="The registered model of the rules.")]
Tables = Annotated[
    Path | None,
    typer.Argument(
        metavar="[DIR|FILE]",
        help="A folder with assertion.txt, relations.txt, prescriptions.txt and indications.txt, or a file that `rxtract rules show --to` wrote; else the rules of this program.",
    ),
]


@app.callback()
def _group() -> None:
    """Releases of rules: check, release, list, show, roll back, and proposals from corrections."""


@app.command("check")
def check(tables: Tables = None, json_: Json = False) -> None:
    """Say whether tables can be used, and how they do on the gold against the rules of this program. Nothing is released."""
    from lifecycle.rules_gate import RulesGateConfig, judge_rules, rules_report
    from lifecycle.rules_gold import shipped_gold

    rules = _read(tables)
    verdict, pairs = judge_rules(shipped_rules(), rules, shipped_gold(), RulesGateConfig())
    if json_:
        found = {"rules_version": rules.version, "sha256": rules.sha256, "decision": str(verdict.decision)}
        print(json.dumps({**found, "reasons": list(verdict.reasons), "metrics": dict(verdict.metrics)}, indent=2))
    else:
        print(rules_report(verdict, pairs, (shipped_rules().version, rules.version)), end="")
    raise typer.Exit(1 if verdict.decision == "REJECT" else 0)


@app.command("release")
def release(
    tables: Tables = None, name: Name = NAME, by: By = "operator",
    trainer_timeout: TrainerTimeout = TRAINER_TIMEOUT_S, timeout: Timeout = TIMEOUT_S,
    tracking_uri: TrackingUri = "", stack: Stack = None, json_: Json = False,
) -> None:  # fmt: skip
    """Register tables and offer them to the gate: they serve when it passes them, else nothing changes.

    Extractors read by them from the next batch on. `rxtract reextract` sends what is kept through them.
    """
    rules = _read(tables)
    address = need_mlflow(tracking_uri, stack)
    versions = Versions(address, name)
    known = versions.all_or_none()
    serving = next((row for row in known if row.serves), None)
    if serving is not None and serving.sha256 == rules.sha256:
        raise UserError(f"version {serving.version} serves already with exactly these tables: nothing to release")
    version = next((row.version for row in known if row.sha256 == rules.sha256), None)
    if version is None:
        version = _register(address, name, rules, by)
    order(
        ModelAction.EVALUATE, version, name, by, trainer_timeout, timeout, tracking_uri, stack, json_, called="release"
    )


@app.command("rollback")
def rollback(
    version: Annotated[str | None, typer.Argument(metavar="[VERSION]", help="Else the one that served before.")] = None,
    name: Name = NAME, by: By = "operator",
    trainer_timeout: TrainerTimeout = TRAINER_TIMEOUT_S, timeout: Timeout = TIMEOUT_S,
    tracking_uri: TrackingUri = "", stack: Stack = None, json_: Json = False,
) -> None:  # fmt: skip
    """Go back to the rules that served before, or to the version that is named. No gate is asked."""
    if not Versions(need_mlflow(tracking_uri, stack), name).all_or_none():
        raise UserError("no rules were released: the rules of the programs serve, there is nothing to go back from")
    order(ModelAction.ROLLBACK, version, name, by, trainer_timeout, timeout, tracking_uri, stack, json_)


@app.command("list")
def list_(name: Name = NAME, tracking_uri: TrackingUri = "", stack: Stack = None, json_: Json = False) -> None:
    """Print every registered version of the rules: which one serves, what the gate decided."""
    rows = Versions(need_mlflow(tracking_uri, stack), name).all_or_none()
    if json_:
        print(json.dumps({"name": name, "versions": [as_json(row) for row in rows]}, indent=2))
        return
    if not rows:
        print(f"no rules were released: every program serves its own, here {shipped_rules().version}, under serial 0")
        return
    table = Table("version", "alias", "serial", "rules", "from", "gate", "registered (UTC)", "why")
    for row in rows:
        created = datetime.fromtimestamp(row.created_at_ms / 1000, UTC)
        table.add_row(
            row.version, ", ".join(row.aliases), "-" if not row.serial else str(row.serial), row.tags.get(RULES_TAG, ""),
            row.trigger or "-", row.gate or "-", f"{created:%Y-%m-%d %H:%M}", why(row),
        )  # fmt: skip
    Console(highlight=False).print(table)


@app.command("proposals")
def proposals(
    least_patients: Annotated[
        int, typer.Option(min=LEAST_PATIENTS, help="Distinct patients whose notes must share a phrase.")
    ] = LEAST_PATIENTS,
    limit: Annotated[int, typer.Option(min=1, help="Rows at most.")] = 50,
    stack: Stack = None, json_: Json = False,
) -> None:  # fmt: skip
    """Print what validators often correct of statuses, times, experiencers and relations, by the words beside the entity.

    No entity shows, and no word that fewer patients' notes share.
    """
    addresses = read_addresses(stack)
    corrections = Corrections(least_patients)
    names = [prefixed(addresses.topic_prefix, name) for name in (ANNOTATIONS_VALIDATED, ANNOTATORS_JUDGED)]
    for seen in TopicReader(addresses).read(names):
        if isinstance(seen.record, AnnotationValidated):
            corrections.take(seen.record)
        elif isinstance(seen.record, AnnotatorJudged):
            corrections.judged(seen.record)
    rows = corrections.proposals()[:limit]
    if json_:
        print(json.dumps({"least_patients": least_patients, "proposals": [asdict(row) for row in rows]}, indent=2))
        return
    if not rows:
        print(f"nothing that {least_patients} patients' notes share was corrected")
        return
    table = Table("kind", "phrase", "from", "to", "corrections", "patients")
    for row in rows:
        table.add_row(row.kind, escape(row.phrase), row.before, row.after, str(row.count), str(row.patients))
    Console(highlight=False).print(table)


@app.command("show")
def show(
    version: Annotated[str | None, typer.Argument(metavar="[VERSION]", help="Else the one that serves.")] = None,
    to: Annotated[
        Path | None, typer.Option("--to", help="Write its tables into this folder, to be changed and released.")
    ] = None,
    name: Name = NAME, tracking_uri: TrackingUri = "", stack: Stack = None, json_: Json = False,
) -> None:  # fmt: skip
    """Print what a version of the rules holds and what the gate found on it; without a release, the rules of this program."""
    versions = Versions(need_mlflow(tracking_uri, stack), name)
    rows = versions.all_or_none()
    row = next((one for one in rows if (one.serves if version is None else one.version == version)), None)
    if row is None and version is not None:
        raise UserError(f"{name} has no version {version}: `rxtract rules list` names those that are there")
    rules = shipped_rules() if row is None else _stored(versions, row)
    if to is not None:
        _write(rules, to)
    report = "" if row is None or not row.gate else versions.report(row.version)
    counts = {table: len(text.splitlines()) for table, text in rules.texts.items()}
    if json_:
        about = {
            "name": name,
            "version": None if row is None else row.version,
            "serial": 0 if row is None else row.serial,
        }
        print(json.dumps({**about, "rules_version": rules.version, "lines": counts, "report": report}, indent=2))
        return
    whose = "the rules of this program" if row is None else f"version {row.version}, serial {row.serial}"
    print(f"{whose}: rules {rules.version}, {len(rules.tables.phrases)} phrases")
    for table, lines in counts.items():
        print(f"  {table}: {lines} lines")
    if report:
        print(f"\n{report}", end="")


def _read(tables: Path | None) -> Rules:
    if tables is None:
        return shipped_rules()
    try:
        return read_rules(tables)
    except TableInvalid as error:
        raise UserError(str(error)) from None


def _register(address: str, name: str, rules: Rules, by: str) -> str:
    from clinical_ner.rules_tracking import register_rules

    with mlflow_refusals(address):
        return register_rules(rules, tracking_uri=address, name=name, by=by).version


def _stored(versions: Versions, row: Version) -> Rules:
    from clinical_ner.rules import open_rules
    from clinical_ner.rules_tracking import RULES_FILE

    try:
        return open_rules(versions.file(row.version, RULES_FILE), row.sha256)
    except TableInvalid as error:
        raise UserError(f"version {row.version} cannot be read by this program: {error}") from None


def _write(rules: Rules, folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for table, text in rules.texts.items():
            (folder / table).write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"{folder} cannot be written: {error.strerror}") from None
