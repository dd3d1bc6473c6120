"""`rxtract experiment`: search configurations, cross-validate one, draw learning curves and ablations."""

from __future__ import annotations

import json
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from rxtract.annotations import (
    Config,
    Data,
    Json,
    Labels,
    Seed,
    Sentences,
    SentencesFormat,
    Unlabelled,
    one_line_errors,
    read_annotations,
    read_config,
    reads_annotations,
    say,
    supported,
)
from rxtract.errors import UserError
from rxtract.mlflow_server import Stack, TrackingUri, find_mlflow_or_go_on, mlflow_refusals
from rxtract.steps import steps

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from clinical_ner.config import TrainingConfig
    from clinical_ner.experiment_log import ExperimentLog

    from rxtract.annotations import AnnotationFile

app = typer.Typer(
    help="Experiments on the training data: a search of configurations, cross-validation, learning curve, ablation."
)
_PARENT_FILE = "mlflow_parent.json"
Folds = Annotated[int, typer.Option(min=2, help="Folds of the cross-validation.")]
Out = Annotated[Path, typer.Option("--out", "-o", help="Folder for the study, reports and plots.")]


@app.callback(invoke_without_command=True)
@reads_annotations
def search(
    context: typer.Context,
    sentences: Sentences = None,
    labels: Labels = None,
    sentences_format: SentencesFormat = None,
    data: Data = None,
    out: Out = Path("experiments"),
    config: Config = None,
    trials: Annotated[int, typer.Option(min=1, help="Trials in all; those of an earlier, interrupted run count.")] = 20,
    folds: Folds = 3,
    timeout: Annotated[float, typer.Option(min=0, help="Begin no trial after so many seconds (0: no limit).")] = 0,
    seed: Seed = 0,
    tracking_uri: TrackingUri = "",
    stack: Stack = None,
    json_: Json = False,
) -> None:
    """Without a subcommand: search configurations with Optuna; run it again with the same --out to go on."""
    if context.invoked_subcommand is not None:
        return
    from clinical_ner.experiment_search import SearchSettings
    from clinical_ner.experiment_search import search as search_configurations
    from clinical_ner.plots import search_plot

    file, base = read_annotations(sentences, labels, sentences_format, data), read_config(config)
    settings = SearchSettings(out, trials, folds, timeout, seed)
    with (
        one_line_errors(),
        _logged(file, base, "search", out, tracking_uri, stack, resumable=True) as log,
        steps("search") as tell,
    ):
        found = search_configurations(file.notes, settings, base, log, tell)
        if found["best"] is None:
            raise UserError("no trial finished: give more time by --timeout, or more --trials")
        search_plot(found["values"], out / "search.png")
        _write(out / "search.json", found)
        figures = {"best": found["best"]["f1"], "trials": found["trials"]}
        log.finish(figures, [out / "search.png", out / "search.json", Path(found["best_config"])])
    if json_:
        print(json.dumps(found, indent=2))
    else:
        _print_search(Console(highlight=False), found)


@app.command()
@reads_annotations
def cv(
    sentences: Sentences = None,
    labels: Labels = None,
    sentences_format: SentencesFormat = None,
    data: Data = None,
    unlabelled: Unlabelled = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder for the report and the calibration plot.")
    ] = None,
    config: Config = None,
    folds: Folds = 5,
    seed: Seed = 0,
    tracking_uri: TrackingUri = "",
    stack: Stack = None,
    json_: Json = False,
) -> None:
    """Cross-validate one configuration that was fixed beforehand: mean and spread per label, out-of-fold calibration."""
    from clinical_ner.experiment import cross_validate, report
    from clinical_ner.plots import reliability_plot

    from rxtract.scoreboard import print_cross_validation

    file, chosen = read_annotations(sentences, labels, sentences_format, data), read_config(config)
    with (
        one_line_errors(),
        _logged(file, chosen, "cross-validation", out, tracking_uri, stack) as log,
        steps("cv") as tell,
    ):
        support = supported(unlabelled, seed, tell)
        found = report(file.notes, chosen, cross_validate(file.notes, chosen, folds, seed, tell, support=support))
        files = []
        if out is not None:
            reliability_plot(found["calibration"], out / "reliability.png")
            _write(out / "cv.json", found)
            files = [out / "reliability.png", out / "cv.json"]
        log.finish(
            {key: found[key] for key in ("exact_span", "seen", "unseen")} | {"ece": found["calibration"]["ece"]}, files
        )
    say(found["remarks"])
    if json_:
        print(json.dumps(found, indent=2))
    else:
        print_cross_validation(Console(highlight=False), found)


@app.command("learning-curve")
@reads_annotations
def learning_curve(
    sentences: Sentences = None,
    labels: Labels = None,
    sentences_format: SentencesFormat = None,
    data: Data = None,
    out: Out = Path("experiments"),
    config: Config = None,
    folds: Folds = 3,
    shares: Annotated[str, typer.Option(help="Shares of the training part, by commas.")] = "0.1,0.2,0.4,0.6,0.8,1.0",
    seed: Seed = 0,
    tracking_uri: TrackingUri = "",
    stack: Stack = None,
    json_: Json = False,
) -> None:
    """Train on growing shares of the notes: would more labels help?"""
    from clinical_ner.experiment_curve import learning_curve as curve
    from clinical_ner.plots import learning_curve_plot

    file, chosen = read_annotations(sentences, labels, sentences_format, data), read_config(config)
    wanted = _shares(shares)
    with (
        one_line_errors(),
        _logged(file, chosen, "learning curve", out, tracking_uri, stack) as log,
        steps("curve") as tell,
    ):
        found = curve(file.notes, chosen, folds, wanted, seed, tell)
        learning_curve_plot(found["points"], out / "learning_curve.png")
        _write(out / "learning_curve.json", found)
        for point in found["points"]:
            log.child(f"{point['notes']} notes", {"notes": point["notes"]}, _means(point["exact_span_f1"]), {})
        log.finish({}, [out / "learning_curve.png", out / "learning_curve.json"])
    if json_:
        print(json.dumps(found, indent=2))
    else:
        rows = [(f"{point['notes']:,} notes", point["exact_span_f1"]) for point in found["points"]]
        _print_figures("Exact-span F1, mean ± sd over folds", rows, out / "learning_curve.png")


@app.command()
@reads_annotations
def ablation(
    sentences: Sentences = None,
    labels: Labels = None,
    sentences_format: SentencesFormat = None,
    data: Data = None,
    out: Out = Path("experiments"),
    config: Config = None,
    folds: Folds = 3,
    only: Annotated[list[str] | None, typer.Option(help="Leave out only this part; repeatable.")] = None,
    seed: Seed = 0,
    tracking_uri: TrackingUri = "",
    stack: Stack = None,
    json_: Json = False,
) -> None:
    """Leave out one part of the configuration at a time: what is each worth?"""
    from clinical_ner.experiment_ablation import ablation as ablate
    from clinical_ner.plots import ablation_plot

    file, chosen = read_annotations(sentences, labels, sentences_format, data), read_config(config)
    with (
        one_line_errors(),
        _logged(file, chosen, "ablation", out, tracking_uri, stack) as log,
        steps("ablation") as tell,
    ):
        found = ablate(file.notes, chosen, folds, seed, tell, only or ())
        ablation_plot(found["rows"], out / "ablation.png")
        _write(out / "ablation.json", found)
        for row in found["rows"]:
            log.child(f"without {row['without']}", {"without": row["without"]}, _means(row["exact_span_f1"]), {})
        log.finish({"whole": found["whole"]}, [out / "ablation.png", out / "ablation.json"])
    if json_:
        print(json.dumps(found, indent=2))
    else:
        losses = [(f"without {row['without']}", row["loss"]) for row in found["rows"]]
        _print_figures("Exact-span F1 lost (paired, mean ± sd over folds)", losses, out / "ablation.png")


@contextmanager
def _logged(
    file: AnnotationFile,
    config: TrainingConfig,
    title: str,
    out: Path | None,
    tracking_uri: str,
    stack: Path | None,
    *,
    resumable: bool = False,
) -> Iterator[ExperimentLog]:
    """Yield where to log to; an experiment that breaks off is marked as failed there."""
    from clinical_ner.experiment_log import MlflowLog, NoLog

    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
    server = find_mlflow_or_go_on(tracking_uri, stack)
    if not server:
        yield NoLog()
        return
    from clinical_ner.tracking import EXPERIMENT, dataset_record

    with mlflow_refusals(server):
        parent = _parent(out, server) if resumable else ""
        records = [dataset_record(file.notes, file.source, "training")]
        log = MlflowLog(server, EXPERIMENT, f"{title} {file.source}", records, {"base": config.to_dict()}, parent)
        if resumable and out is not None:
            _write(out / _PARENT_FILE, {"server": server, "run_id": log.run_id})
        try:
            yield log
        except BaseException:
            log.fail()
            raise


def _parent(out: Path | None, server: str) -> str:
    """Return the parent run of an earlier part of this search on the same server, if it wrote one down."""
    path = (out or Path()) / _PARENT_FILE
    if not path.exists():
        return ""
    known = json.loads(path.read_text(encoding="utf-8"))
    return str(known["run_id"]) if known["server"] == server else ""


def _shares(text: str) -> list[float]:
    try:
        found = sorted({float(share) for share in text.split(",")})
    except ValueError:
        found = []
    if not found or found[0] <= 0 or found[-1] > 1:
        raise UserError(f"--shares {text!r}: give numbers above 0 and up to 1, such as 0.1,0.5,1.0")
    return found


def _write(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _means(figures: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    return {f"f1/{name}": found["mean"] for name, found in figures.items()}


def _print_search(console: Console, found: Mapping[str, Any]) -> None:
    table = Table(title=f"{found['trials']} trials ({found['pruned']} stopped early), best first", title_justify="left")
    for name in ("trial", "F1 ± sd", "DISEASE", "TREATMENT", "parameters"):
        table.add_column(name, justify="left" if name == "parameters" else "right")
    for row in found["all"][:10]:
        f1 = row["f1"]
        params = ", ".join(f"{k} {v:.3g}" if isinstance(v, float) else f"{k} {v}" for k, v in row["params"].items())
        micro = f"{f1['micro']['mean']:.3f} ± {f1['micro']['sd']:.3f}"
        labels = [f"{f1[label]['mean']:.3f}" for label in ("DISEASE", "TREATMENT")]
        table.add_row(str(row["trial"]) + (" (base)" if row["trial"] == 0 else ""), micro, *labels, params)
    console.print(table)
    console.print(
        f"best configuration: {found['best_config']} (rxtract train --config {found['best_config']} …)", markup=False
    )
    console.print(found["note"], style="dim")


def _print_figures(title: str, rows: list[tuple[str, Mapping[str, Mapping[str, float]]]], plot: Path) -> None:
    table = Table("", "all", "DISEASE", "TREATMENT", title=title, title_justify="left")
    for name, figures in rows:
        table.add_row(name, *(f"{found['mean']:.3f} ± {found['sd']:.3f}" for found in figures.values()))
    console = Console(highlight=False)
    console.print(table)
    console.print(f"plot: {plot}", markup=False)
