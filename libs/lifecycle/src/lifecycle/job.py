"""The job of a folder: builds the data set, trains, judges, and writes what came of it into the folder.

Runs as a child of the trainer, by `lifecycle.job_process`.
"""

from __future__ import annotations

import hashlib
import json
import time
from typing import TYPE_CHECKING, Any

from annotations.trust import Trust
from clinical_ner.config import DESCENT, TrainingConfig
from clinical_ner.notes import Label
from clinical_ner.predictions import Prediction, predict
from clinical_ner.reports import Judgement, write_report
from clinical_ner.reports import judge as scored
from clinical_ner.sklearn_crfsuite_check import second_opinion
from clinical_ner.support import Support
from clinical_ner.tagger import Tagger
from clinical_ner.train import train
from contracts.records import AnnotationValidated, AnnotatorJudged
from contracts.segments import ALL_NOTES
from contracts.whole_file import write_whole
from corpus.support import shipped_names

from lifecycle.collection import collect
from lifecycle.gate import Evidence, TestSet, judge
from lifecycle.gate_config import GateConfig
from lifecycle.identifiers import without_identifiers
from lifecycle.leakage import leak, remembering
from lifecycle.report import dataset_report, gate_report
from lifecycle.shadow import Agreement, agreement
from lifecycle.snapshot import CorpusConfig, Snapshot, snapshot
from lifecycle.speed import measure
from lifecycle.teachers import taught_by

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from clinical_ner.notes import AnnotatedNote
    from clinical_ner.sklearn_crfsuite_check import SecondOpinion
    from clinical_ner.train import TrainedModel

    from lifecycle.collection import Collection

    Say = Callable[[str, int, int], None]

_SPEED_TEXTS = 200
OWN_LABELS = 500
"""So many annotated notes are trained on beside the shipped corpus, not mixed with it."""
DRIFT = "drift"
MODEL = "model"
REPORTS = "reports"


def run_job(folder: Path, say: Say) -> dict[str, Any]:
    """Do what `job.json` in the folder says; returns what `result.json` holds afterwards.

    Raises:
        OSError, ValueError: The folder does not hold what a job needs, or a model in it is damaged.
    """
    began_s = time.monotonic()
    job = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    gate = GateConfig.from_dict(job.get("gate") or {})
    say("data set", 0, 4)
    annotations, trust = _annotations(folder), _trust(folder)
    collected = collect(annotations, (folder / "roles.key").read_bytes(), gate.shares, trust=trust)
    data = _data_set(folder, job, gate, collected)
    training = job["kind"] == "train"
    say("train" if training else "open", 1, 4)
    challenger = _train(folder, job, data) if training else _opened(folder, job, "challenger")
    champion = _opened(folder, job, "champion") if job.get("champion") else None
    say("judge", 2, 4)
    second = second_opinion(folder / MODEL, data.gold, data.training) if training else None
    evidence = _evidence(data, challenger, champion, second, training=training)
    verdict = judge(evidence, gate)
    say("shadow", 3, 4)
    shadow = _shadow(folder, challenger, champion)
    judgement = _judgement(data, evidence, challenger)
    if training:
        _write_card(folder, job, data, judgement, second)
    metrics = {**verdict.metrics, **({"shadow/f1": shadow.f1, "shadow/notes": float(shadow.notes)} if shadow else {})}
    metrics["training/annotated"] = float(data.annotated)
    result: dict[str, Any] = {
        "decision": str(verdict.decision),
        "reasons": list(verdict.reasons),
        "metrics": metrics,
        "missing_labels": verdict.missing_labels,
        "datasets": data.datasets(),
        "dataset_digest": data.digest,
        "taught_by": taught_by(annotations, _as_annotated(collected, data.training), trust) if training else {},
        "scores": {**judgement.scores, **_peer_scores(second)},
        "seconds": round(time.monotonic() - began_s, 1),
    }
    (folder / "report.md").write_text(gate_report(job, verdict, data.datasets(), shadow), encoding="utf-8")
    write_whole(folder / "result.json", json.dumps(result, indent=1, default=str))
    say("done", 4, 4)
    return result


def _peer_scores(second: SecondOpinion | None) -> dict[str, Any]:
    """The scores of sklearn-crfsuite's own model, as MLflow shows them beside ours."""
    return (
        {} if second is None or second.peer is None else {"sklearn_crfsuite": {"exact_span": second.peer["exact_span"]}}
    )


def _annotations(folder: Path) -> list[AnnotationValidated]:
    # Not splitlines: a note may hold U+2028, which JSON leaves as it is and which would tear its record in two.
    lines = (folder / "annotations.jsonl").read_text(encoding="utf-8").split("\n")
    return [AnnotationValidated.from_json(line) for line in lines if line]


def _trust(folder: Path) -> Trust:
    """Whose labels are held; a folder without the file is of one who judges by all labels, such as a benchmark."""
    path = folder / "judged.jsonl"
    lines = path.read_text(encoding="utf-8").split("\n") if path.exists() else []
    return Trust.of(AnnotatorJudged.from_json(line) for line in lines if line)


def _as_annotated(collected: Collection, training: Sequence[AnnotatedNote]) -> list[AnnotatedNote]:
    """The notes that train, as people annotated them."""
    taught = {note.note_id for note in training}
    return [item.note for item in collected.notes if item.note.note_id in taught]


def _data_set(folder: Path, job: Mapping[str, Any], gate: GateConfig, annotated: Collection) -> Snapshot:
    collected = without_identifiers(annotated, (folder / "roles.key").read_bytes())
    segments = drifted(job)
    data = snapshot(
        collected,
        CorpusConfig.from_dict(job.get("corpus") or {}),
        gate.annotation_weight,
        segments,
        int(job.get("since") or 0),
    )
    report = {**collected.report(), "datasets": data.datasets(), "near_other_side": data.dropped}
    (folder / "dataset_report.json").write_text(json.dumps(report, indent=1), encoding="utf-8")
    (folder / "dataset_report.md").write_text(dataset_report(collected.report(), data.datasets()), encoding="utf-8")
    return data


def drifted(job: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the segments of the drift that a job answers; empty when it answers none."""
    named = tuple(job.get("segments") or ())
    return named or ((ALL_NOTES,) if job.get("trigger") == DRIFT else ())


def _train(folder: Path, job: Mapping[str, Any], data: Snapshot) -> Tagger:
    config = TrainingConfig.from_dict({**TrainingConfig().to_dict(), **(job.get("training") or {})})
    trained = remembering(_fitted(data, config, int(job.get("seed", 0))), data.training)
    trained.save(folder / MODEL)
    return trained.tagger()


def _fitted(data: Snapshot, config: TrainingConfig, seed: int) -> TrainedModel:
    """Train on all notes alike, or, where there are labels enough, on the labels with the shipped corpus at a low weight.

    At the weight that serves a few labels the shipped corpus costs two points of F1 from OWN_LABELS on
    (docs/model-quality.md). Clusters of words from a hospital's own stream would be given here, as `Support.clusters`.
    """
    names = shipped_names()
    labelled = {label for note in data.taught for label in {span.label for span in note.spans}}
    if config.algorithm == DESCENT and len(data.taught) >= OWN_LABELS and labelled == set(Label):
        return train(data.taught, config, seed, support=Support(background=data.background, names=names.names))
    return train(data.training, config, seed, support=names)


def _judgement(data: Snapshot, evidence: Evidence, challenger: Tagger) -> Judgement:
    on = f"frozen gold ({len(data.gold):,} notes of which none was trained on)"
    return scored(data.gold, list(evidence.gold.challenger), challenger.training_mentions, on)


def _write_card(
    folder: Path, job: Mapping[str, Any], data: Snapshot, judgement: Judgement, second: SecondOpinion | None
) -> None:
    """The card of `rxtract train`, with its scores and plot, among the reports that go to MLflow."""
    tables = (folder / MODEL / "tables.npz").read_bytes()
    write_report(
        folder / REPORTS,
        name=str(job.get("model_name")),
        model=folder / MODEL,
        sha256=hashlib.sha256(tables).hexdigest(),
        training=data.training,
        source=f"shipped corpus and {data.annotated:,} annotated notes, each {data.weight} times",
        judgement=judgement,
        trigger=str(job.get("trigger")),
        second=second,
    )


def _opened(folder: Path, job: Mapping[str, Any], who: str) -> Tagger:
    return Tagger.open(folder / f"{who}.npz", sha256=job[who]["artifact_sha256"])


def _evidence(
    data: Snapshot, challenger: Tagger, champion: Tagger | None, second: SecondOpinion | None, *, training: bool
) -> Evidence:
    texts = [note.text for note in data.gold[:_SPEED_TEXTS]]
    return Evidence(
        drifted=data.recent_of,
        gold=_test_set(data.gold, challenger, champion),
        shipped_gold=data.shipped_gold,
        recent=_test_set(data.recent, challenger, champion),
        leak=leak(
            challenger.metadata,
            challenger.training_mentions,
            list(data.gold),
            data.training if training else (),
            recent=data.recent,
        ),
        speed=measure(champion, challenger, texts) if champion is not None else None,
        labels=second.labels if second is not None else None,
    )


def _test_set(notes: Sequence[AnnotatedNote], challenger: Tagger, champion: Tagger | None) -> TestSet:
    return TestSet(notes, predict(challenger, notes), predict(champion, notes) if champion else ())


def _shadow(folder: Path, challenger: Tagger, champion: Tagger | None) -> Agreement | None:
    path = folder / "live.jsonl"
    texts = (
        [json.loads(line)["text"] for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []
    )
    if champion is None or not texts:
        return None
    return agreement(_tagged(champion, texts), _tagged(challenger, texts))


def _tagged(tagger: Tagger, texts: Sequence[str]) -> list[Prediction]:
    return [Prediction(tuple(found.entities)) for found in tagger.tag(texts)]
