"""`rxtract train`: a model from annotated notes, saved in a folder, registered in MLflow when asked."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from rxtract.annotations import (
    AnnotationFile,
    Config,
    Data,
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
from rxtract.mlflow_server import Stack, TrackingUri, mlflow_refusals, need_mlflow
from rxtract.steps import steps

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from clinical_ner.config import TrainingConfig
    from clinical_ner.reports import Judgement
    from clinical_ner.support import Support
    from clinical_ner.train import ModelFiles, TrainedModel

Out = Annotated[Path, typer.Option("--out", "-o", help="Folder for model.crfsuite, tables.npz and the report.")]
Corpus = Annotated[int, typer.Option("--corpus", min=0, help="Train on this many notes of the shipped corpus instead.")]
TestSentences = Annotated[Path | None, typer.Option("--test-sentences", help="Held-out notes to score the model on.")]
TestLabels = Annotated[Path | None, typer.Option("--test-labels", help="Labels of --test-sentences.")]
HeldOut = Annotated[
    float,
    typer.Option(
        "--held-out", min=0, max=0.5, help="Share held out to score the configuration first (0: no scores in the card)."
    ),
]
Register = Annotated[bool, typer.Option("--register", help="Log to MLflow and register as a version.")]
Name = Annotated[str, typer.Option("--name", help="Registered model.")]
Alias = Annotated[str, typer.Option("--alias", help="Alias of the new version; only the trainer should set champion.")]


REPORT = "report"


MOST_COMPARED = 2_000
"""Notes on which sklearn-crfsuite's tagger and ours must agree before a version is registered."""


@dataclass(frozen=True, slots=True)
class _Job:
    """All that training needs, read and checked before anything takes time."""

    file: AnnotationFile
    config: TrainingConfig
    seed: int
    test: AnnotationFile | None
    held_out: float
    support: Support | None = None

    def helped(self) -> Support:
        """What training may use beside the labels."""
        from clinical_ner.support import NO_SUPPORT

        return self.support or NO_SUPPORT


@reads_annotations
def train(
    out: Out,
    sentences: Sentences = None,
    labels: Labels = None,
    sentences_format: SentencesFormat = None,
    data: Data = None,
    unlabelled: Unlabelled = None,
    corpus: Corpus = 0,
    config: Config = None,
    seed: Seed = 0,
    test_sentences: TestSentences = None,
    test_labels: TestLabels = None,
    held_out: HeldOut = 0.0,
    register: Register = False,
    name: Name = "rxtract-ner",
    alias: Alias = "challenger",
    tracking_uri: TrackingUri = "",
    stack: Stack = None,
) -> None:
    """Train a model on annotated notes and save it, with its card, in a folder."""
    server = need_mlflow(tracking_uri, stack) if register else ""
    if test_sentences is not None and held_out:
        raise UserError("give either --test-sentences or --held-out, not both")
    file = _corpus(corpus, seed) if corpus else read_annotations(sentences, labels, sentences_format, data)
    test = read_annotations(test_sentences, test_labels) if test_sentences is not None else None
    job = _Job(_whole(file), read_config(config), seed, test, held_out)
    _check_folder(out)
    _describe(job)
    if unlabelled is not None or not corpus:
        job = replace(job, support=_support(unlabelled, seed, own=not corpus))
    judgement = _held_out_scores(job) if job.held_out else None
    model = _fit(job)
    files = model.save(out)
    judgement = _test_scores(job, model) or judgement
    card = _report(out, name, files, job, judgement)
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"model in {out} (sha256 {files.sha256[:16]}…), report in {out / REPORT}", markup=False)
    if judgement is not None:
        from rxtract.scoreboard import print_scores

        console.print(f"scored on {judgement.scored_on}", markup=False)
        print_scores(console, judgement.scores)
    if register:
        _register(console, server, out, name, alias, job, judgement, card)


def _corpus(count: int, seed: int) -> AnnotationFile:
    import corpus

    return AnnotationFile(corpus.generate(seed, count), f"shipped corpus ({count} notes, seed {seed})")


def _whole(file: AnnotationFile) -> AnnotationFile:
    """Leave out notes that were annotated for one label alone: what they do not mark of the other is unknown, and would be learnt as absent."""
    from clinical_ner.partial import whole

    notes = whole(file.notes)
    left_out = len(file.notes) - len(notes)
    if left_out:
        say([f"{left_out:,} notes that are annotated for one label alone are left out of training"])
    if left_out and not notes:
        raise UserError(
            "every note is annotated for one label alone, and none for both: read a file of one label by itself"
        )
    return AnnotationFile(notes, file.source, file.formats)


def _check_folder(out: Path) -> None:
    if out.exists() and not out.is_dir():
        raise UserError(f"{out} is a file: name a folder by --out")


def _describe(job: _Job) -> None:
    from clinical_ner.dataset_description import counted, remarks

    notes = job.file.notes
    mentions = sum(len(note.spans) for note in notes)
    Console(stderr=True, highlight=False).print(
        f"{counted(len(notes), 'note')} with {counted(mentions, 'mention')} from {job.file.source}"
        + (f" ({'; '.join(job.file.formats)})" if job.file.formats else "")
    )
    say(remarks(notes))


def _support(unlabelled: Path | None, seed: int, *, own: bool) -> Support:
    """Clusters and names for any notes; the shipped corpus only for notes that are not of it."""
    from corpus.support import shipped_names

    with one_line_errors(), steps("clusters") as tell:
        found = supported(unlabelled, seed, tell)
    return found if own else shipped_names(found.clusters)


def _fit(job: _Job) -> TrainedModel:
    from clinical_ner.train import train as train_model
    from lifecycle.leakage import remembering

    notes = job.file.notes
    with one_line_errors(), steps("training") as tell:
        return remembering(train_model(notes, job.config, job.seed, _staged(tell), support=job.helped()), notes)


def _staged(tell: Callable[[int, int, str], None]) -> Callable[[str, int, int], None]:
    """Pass on what training says of itself; a log gets every tenth iteration."""

    def report_stage(stage: str, done: int, total: int) -> None:
        if total < 10 or done % 10 == 0 or done == total:
            tell(done, total, stage)

    return report_stage


def _held_out_scores(job: _Job) -> Judgement:
    """Score a model like the final one: same configuration, trained on the rest."""
    from clinical_ner.datasets import holdout
    from clinical_ner.experiment import fit_and_predict
    from clinical_ner.mentions import mention_digests
    from clinical_ner.reports import judge

    notes = job.file.notes
    with one_line_errors():
        rest, kept = ([notes[i] for i in part] for part in holdout(notes, job.held_out, job.seed))
        found = fit_and_predict(rest, kept, job.config, job.seed, support=job.helped())
    scored_on = (
        f"{len(kept):,} of the notes, held out: by a model of the same configuration trained on the other {len(rest):,}"
    )
    return judge(kept, found.predicted, mention_digests(rest), scored_on)


def _test_scores(job: _Job, model: TrainedModel) -> Judgement | None:
    if job.test is None:
        return None
    from clinical_ner.mentions import mention_digests
    from clinical_ner.predictions import predict
    from clinical_ner.reports import judge

    predicted = predict(model.tagger(), job.test.notes)
    return judge(job.test.notes, predicted, mention_digests(job.file.notes), f"test notes ({job.test.source})")


def _report(out: Path, name: str, files: ModelFiles, job: _Job, judgement: Judgement | None) -> str:
    from clinical_ner.reports import write_report
    from clinical_ner.tracking import git_revision

    return write_report(
        out / REPORT,
        name=name,
        model=out,
        sha256=files.sha256,
        training=job.file.notes,
        source=job.file.source,
        judgement=judgement,
        git_revision=git_revision(),
    )


def _register(
    console: Console,
    server: str,
    out: Path,
    name: str,
    alias: str,
    job: _Job,
    judgement: Judgement | None,
    card: str,
) -> None:
    from clinical_ner.sklearn_crfsuite_check import need_same_labels
    from clinical_ner.tracking import dataset_record, log_and_register

    with one_line_errors():
        need_same_labels(out, (job.test or job.file).notes[:MOST_COMPARED])

    datasets = [dataset_record(job.file.notes, job.file.source, "training")]
    if job.test is not None:
        datasets.append(dataset_record(job.test.notes, job.test.source, "evaluation"))
    with mlflow_refusals(server):
        registered = log_and_register(
            out,
            tracking_uri=server,
            name=name,
            alias=alias or None,
            run_name=f"train {job.file.source}",
            datasets=datasets,
            scores=_numbers(judgement),
            params={"seed": job.seed},
            description=card,
            reports=out / REPORT,
        )
    console.print(
        f"registered {registered.uri} (alias {alias or 'none'}, serial {registered.serial}, run {registered.run_id})",
        markup=False,
    )


def _numbers(judgement: Judgement | None) -> Mapping[str, Any]:
    """Return the scores without the calibration bins, which are a plot and a table in the card."""
    if judgement is None:
        return {}
    scores = {key: value for key, value in judgement.scores.items() if key not in {"calibration", "remarks"}}
    if judgement.scores.get("calibration"):
        scores["calibration"] = {"ece": judgement.scores["calibration"]["ece"]}
    return scores
