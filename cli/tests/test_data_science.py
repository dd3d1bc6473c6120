"""The data scientist's commands, run as typed, on notes so small that a model trains at once."""

from __future__ import annotations

import gzip
import json
import random

import pytest
import typer
from clinical_ner.tagger import Tagger
from lifecycle.leakage import leak
from rxtract.annotations import read_annotations
from rxtract.commands import compare, dataset, evaluate, experiment, recalibrate, train
from rxtract.errors import UserError
from typer.testing import CliRunner

DISEASES = ["fever", "asthma", "diabetes", "migraine", "anaemia", "eczema", "gout", "rash"]
TREATMENTS = ["paracetamol", "metformin", "insulin", "dialysis", "chemotherapy", "surgery", "iron", "rest"]
FRAMES = (
    "known case of {D} on {T} daily",
    "{D} since two days , started {T}",
    "given {T} for {D}",
    "review on day {N}",
)
TINY = {
    "groups": {"bias": [0], "lower": [-1, 0, 1], "suffix3": [0]},
    "conjunctions": [],
    "max_iterations": 8,
    "algorithm": "lbfgs",
    "swap_copies": 0,
    "calibration_folds": 0,
    "min_frequency": 1.0,
}


@pytest.fixture(autouse=True)
def no_servers(monkeypatch, tmp_path):
    """No stack of the developer's machine is found or written to."""
    for name in ("RXTRACT_MLFLOW_URL", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def run():
    """Run a command line; return the result, with a UserError as its line."""
    app = typer.Typer()
    app.command("train")(train.train)
    app.command("evaluate")(evaluate.evaluate)
    app.command("compare")(compare.compare)
    app.command("recalibrate")(recalibrate.recalibrate)
    app.add_typer(dataset.app, name="dataset")
    app.add_typer(experiment.app, name="experiment")
    runner = CliRunner()

    def _run(*words):
        result = runner.invoke(app, [str(word) for word in words])
        if result.exception is not None and not isinstance(result.exception, SystemExit | UserError):
            raise result.exception
        return result

    return _run


def refused(result):
    assert isinstance(result.exception, UserError), result.output
    message = str(result.exception)
    assert "\n" not in message
    return message


def sentences(count, seed, marks="DT"):
    """(tokens, tags) of simple sentences."""
    dice = random.Random(seed)
    for index in range(count):
        words, tags = [], []
        for word in dice.choice(FRAMES).split():
            slot = word.strip("{}") if word.startswith("{") else ""
            words.append({"D": dice.choice(DISEASES), "T": dice.choice(TREATMENTS), "N": str(index)}.get(slot, word))
            tags.append(slot if slot and slot in marks else "O")
        yield [*words, f"#{index}"], [*tags, "O"]


@pytest.fixture
def pairs(tmp_path):
    """`pairs(name, count, seed, marks)` writes two files and returns the options that name them."""

    def _pairs(name, count=40, seed=0, marks="DT"):
        rows = list(sentences(count, seed, marks))
        for suffix, column in (("sent", 0), ("label", 1)):
            text = "\n\n".join("\n".join(row[column]) for row in rows) + "\n"
            (tmp_path / f"{name}_{suffix}").write_text(text)
        return ["--sentences", tmp_path / f"{name}_sent", "--labels", tmp_path / f"{name}_label"]

    return _pairs


@pytest.fixture
def tiny(tmp_path):
    (tmp_path / "tiny.json").write_text(json.dumps(TINY))
    return ["--config", tmp_path / "tiny.json"]


@pytest.fixture
def model(run, pairs, tiny, tmp_path):
    """The folder of a trained model."""
    assert run("train", *pairs("train"), *tiny, "--out", tmp_path / "model").exit_code == 0
    return tmp_path / "model"


class TestTrainAndEvaluate:
    def test_unlabelled_text_gives_the_model_clusters(self, run, pairs, tmp_path):
        lines = [" ".join(words) for words, _ in sentences(300, 9)]
        (tmp_path / "text.txt.gz").write_bytes(gzip.compress("\n".join(lines).encode()))
        (tmp_path / "descent.json").write_text(json.dumps({**TINY, "algorithm": "descent", "passes": 2}))
        config = ["--config", tmp_path / "descent.json"]
        words = ["train", *pairs("train"), *config, "--unlabelled", tmp_path / "text.txt.gz"]
        assert run(*words, "--out", tmp_path / "model").exit_code == 0
        found = Tagger.open(tmp_path / "model").metadata["support"]
        assert found["unlabelled_sentences"] == 300
        assert found["clustered_words"] > 10
        assert found["background_notes"] == 3_000  # of the shipped corpus, at a low weight
        assert found["background_weight"] == pytest.approx(1 / 3)

    def test_unlabelled_text_that_cannot_be_used_is_refused_before_training(self, run, pairs, tiny, tmp_path):
        (tmp_path / "few.txt").write_text("two lines\nof text\n")
        (tmp_path / "odd.gz").write_text("no gzip")
        for name, said in (("few.txt", "too few"), ("odd.gz", "odd.gz"), ("missing.txt", "cannot be read")):
            words = ["train", *pairs("train"), *tiny, "--unlabelled", tmp_path / name, "--out", tmp_path / "model"]
            assert said in refused(run(*words))
            assert not (tmp_path / "model").exists()

    def test_the_shipped_corpus_alone_has_neither_background_nor_names(self, run, tiny, tmp_path):
        assert run("train", "--corpus", 60, *tiny, "--out", tmp_path / "model").exit_code == 0
        found = Tagger.open(tmp_path / "model").metadata["support"]
        assert (found["background_notes"], found["names"], found["clustered_words"]) == (0, 0, 0)

    def test_the_interface_that_others_script_against(self, run, pairs, model):
        result = run("evaluate", "--model", model, *pairs("test", 60, 5), "--json")
        scores = json.loads(result.stdout)
        for part in ("micro", "DISEASE", "TREATMENT"):
            assert set(scores["exact_span"][part]) == {"precision", "recall", "f1", "support"}
        assert scores["exact_span"]["micro"]["f1"] > 0.8
        assert {"DISEASE", "TREATMENT", "weighted_f1_with_o"} == set(scores["token"])
        assert scores["seen"]["support"] + scores["unseen"]["support"] == scores["exact_span"]["micro"]["support"]
        assert scores["notes"] == 60
        assert sorted(path.name for path in model.iterdir()) == ["model.crfsuite", "report", "tables.npz"]

    def test_the_gate_can_see_what_the_model_was_trained_on(self, run, pairs, model):
        leaky = read_annotations(*pairs("train")[1::2]).notes
        tagger = Tagger.open(model)
        assert leak(tagger.metadata, tagger.training_mentions, leaky).texts == len({note.text for note in leaky})
        other = read_annotations(*pairs("test", 60, 5)[1::2]).notes
        assert leak(tagger.metadata, tagger.training_mentions, other).texts < 3

    def test_the_same_seed_gives_the_same_model(self, run, pairs, tiny, tmp_path):
        for name in ("a", "b"):
            run("train", *pairs("train"), *tiny, "--out", tmp_path / name, "--seed", 3)
        assert (tmp_path / "a/tables.npz").read_bytes() == (tmp_path / "b/tables.npz").read_bytes()

    def test_people_get_a_table_and_a_file_of_errors(self, run, pairs, model, tmp_path):
        result = run("evaluate", "--model", model, *pairs("test", 60, 5), "--errors", tmp_path / "errors.jsonl")
        assert "exact spans, DISEASE" in result.stdout
        for line in (tmp_path / "errors.jsonl").read_text().splitlines():
            assert json.loads(line)["kind"] in {"missed", "spurious", "boundary", "label"}

    def test_scores_on_the_training_notes_are_said_to_mean_nothing(self, run, pairs, model):
        assert "trained on exactly these notes" in run("evaluate", "--model", model, *pairs("train"), "--json").stderr

    @pytest.mark.parametrize("marks", ["D", "T"])
    def test_data_with_one_label_only_works_and_says_so(self, run, pairs, tiny, tmp_path, marks):
        data, missing = pairs("one", marks=marks), "TREATMENT" if marks == "D" else "DISEASE"
        trained = run("train", *data, *tiny, "--out", tmp_path / "one")
        assert trained.exit_code == 0
        assert f"no {missing} is annotated" in trained.stderr
        result = run("evaluate", "--model", tmp_path / "one", *data, "--json")
        assert json.loads(result.stdout)["exact_span"][missing]["support"] == 0
        assert f"no {missing} is annotated" in result.stderr

    @pytest.mark.slow
    def test_ten_sentences_work_with_the_default_configuration_and_say_so(self, run, pairs, tmp_path):
        data = pairs("ten", 10, 2)
        trained = run("train", *data, "--out", tmp_path / "ten")
        assert trained.exit_code == 0
        assert "only 10 notes" in trained.stderr
        assert json.loads(run("evaluate", "--model", tmp_path / "ten", *data, "--json").stdout)["notes"] == 10

    def test_held_out_and_test_notes_give_the_card_its_scores(self, run, pairs, tiny, tmp_path):
        run("train", *pairs("train"), *tiny, "--out", tmp_path / "a", "--held-out", 0.25)
        assert "trained on the other 30" in (tmp_path / "a/report/model_card.md").read_text()
        test = [tmp_path / name for name in ("test_sent", "test_label")]
        pairs("test", 30, 8)
        run(
            "train",
            *pairs("train"),
            *tiny,
            "--out",
            tmp_path / "b",
            "--test-sentences",
            test[0],
            "--test-labels",
            test[1],
        )
        assert "test notes (test_sent)" in (tmp_path / "b/report/model_card.md").read_text()

    def test_what_cannot_be_used_is_one_line(self, run, pairs, tiny, model, tmp_path):
        data = pairs("test", 20, 5)
        (tmp_path / "bad.json").write_text('{"c3": 1}')
        cases = {
            "name them by --sentences": ["train", "--out", tmp_path / "x"],
            "not both": ["train", *data, "--data", tmp_path / "x", "--out", tmp_path / "x"],
            "no such file": ["train", "--sentences", "nix", "--labels", "nix", "--out", tmp_path / "x"],
            "c3": ["train", *data, "--config", tmp_path / "bad.json", "--out", tmp_path / "x"],
            "is a file": ["train", *data, "--out", tmp_path / "test_sent"],
            "no MLflow address": ["train", *data, *tiny, "--out", tmp_path / "x", "--register"],
            "no model there": ["evaluate", "--model", tmp_path, *data],
            "RXTRACT_MLFLOW_URL": ["evaluate", "--model", "models:/rxtract-ner@champion", *data],
            "does not answer": ["dataset", "describe", *data, "--tracking-uri", "http://127.0.0.1:9"],
        }
        for said, words in cases.items():
            assert said in refused(run(*words))
        none = pairs("none", 20, 5, marks="")
        assert "annotated" in refused(run("train", *none, *tiny, "--out", tmp_path / "x"))
        (model / "tables.npz").write_bytes(b"PK" + bytes(100))
        assert "damaged" in refused(run("evaluate", "--model", model, *data))

    def test_uneven_files_are_told_with_the_line(self, run, pairs, tmp_path):
        data = pairs("test", 20, 5)
        labels = tmp_path / "test_label"
        labels.write_text("O\n" + labels.read_text())
        assert "test_sent:" in refused(run("train", *data, "--out", tmp_path / "x"))


class TestCompare:
    def test_json_and_people(self, run, pairs, tiny, model, tmp_path):
        run("train", *pairs("few", 6, 9), *tiny, "--out", tmp_path / "weak")
        data = pairs("test", 60, 5)
        found = json.loads(run("compare", tmp_path / "weak", model, *data, "--json", "--resamples", 200).stdout)
        assert found["exact_span_f1"]["micro"]["difference"]["low"] > 0
        assert found["changes"]["fixed"]
        shown = run("compare", tmp_path / "weak", model, *data, "--resamples", 200).stdout
        assert "all labels: better" in " ".join(shown.split())
        assert "put right by the second" in shown


class TestDataset:
    def test_describe(self, run, pairs):
        found = json.loads(run("dataset", "describe", *pairs("a"), "--json").stdout)
        assert found["notes"] == 40
        assert found["labels"]["DISEASE"]["mentions"] > 10
        assert found["digest"] in run("dataset", "describe", *pairs("a")).stdout

    def test_check_finds_leakage_and_writes_what_to_review(self, run, pairs, tmp_path):
        data = pairs("a")
        pairs("b", 10, 0)
        labels = tmp_path / "a_label"
        lines = labels.read_text().splitlines()
        lines[lines.index("D")] = "T"
        labels.write_text("\n".join(lines) + "\n")
        words = ["--held-out-sentences", tmp_path / "b_sent", "--held-out-labels", tmp_path / "b_label"]
        result = run("dataset", "check", *data, *words, "--json", "--review", tmp_path / "review.tsv")
        found = json.loads(result.stdout)
        assert found["leakage"]["b_sent"]["exact"] == 10
        assert found["consistency"]["two_labels"] == 1
        head, first, *_ = (tmp_path / "review.tsv").read_text().splitlines()
        assert head.split("\t")[:2] == ["score", "note_id"]
        assert "TREATMENT here" in first
        assert "Leakage into b_sent" in run("dataset", "check", *data, *words).stdout

    def test_import_keeps_the_version_whatever_the_format(self, run, pairs, tmp_path):
        result = run("dataset", "import", *pairs("a"), "--out", tmp_path / "set", "--json")
        manifest = json.loads(result.stdout)
        assert manifest == json.loads((tmp_path / "set/manifest.json").read_text())
        again = json.loads(run("dataset", "describe", "--data", tmp_path / "set/notes.jsonl", "--json").stdout)
        assert again["digest"] == manifest["digest"]
        assert again["tokens"] == manifest["tokens"]

    def test_a_version_is_never_overwritten_by_another(self, run, pairs, tmp_path):
        run("dataset", "import", *pairs("a"), "--out", tmp_path / "set")
        assert run("dataset", "import", *pairs("a"), "--out", tmp_path / "set").exit_code == 0
        assert "never overwritten" in refused(run("dataset", "import", *pairs("b", 40, 1), "--out", tmp_path / "set"))


@pytest.mark.slow
class TestExperiment:
    def test_cross_validation(self, run, pairs, tiny, tmp_path):
        words = ["experiment", "cv", *pairs("a", 60), *tiny, "--folds", 3]
        found = json.loads(run(*words, "--json", "--out", tmp_path / "cv").stdout)
        assert found["exact_span"]["micro"]["f1"].keys() == {"mean", "sd", "min", "max"}
        assert 0 <= found["calibration"]["ece"] <= 1
        assert (tmp_path / "cv/reliability.png").exists()
        assert "3-fold cross-validation on 60 notes" in run(*words).stdout

    def test_search_writes_a_config_that_train_takes(self, run, pairs, tiny, tmp_path):
        words = ["experiment", *pairs("a"), *tiny, "--trials", 2, "--folds", 2, "--out", tmp_path / "ex"]
        result = run(*words)
        assert "(base)" in result.stdout
        assert "trial 1" in result.stderr
        config = ["--config", tmp_path / "ex/best_config.json"]
        assert run("train", *pairs("a"), *config, "--out", tmp_path / "best").exit_code == 0
        assert "another dataset digest" in refused(run("experiment", *pairs("b", 40, 1), *words[5:]))

    def test_curve_and_ablation_draw(self, run, pairs, tiny, tmp_path):
        data = [*pairs("a"), *tiny, "--folds", 2, "--out", tmp_path / "ex"]
        assert "notes" in run("experiment", "learning-curve", *data, "--shares", "0.5,1").stdout
        assert "without suffixes" in run("experiment", "ablation", *data, "--only", "suffixes").stdout
        for name in ("learning_curve.png", "ablation.png"):
            assert (tmp_path / "ex" / name).read_bytes().startswith(b"\x89PNG")
        assert "above 0 and up to 1" in refused(run("experiment", "learning-curve", *data, "--shares", "0,2"))
        assert "is no part" in refused(run("experiment", "ablation", *data, "--only", "nix"))


FOREIGN = {
    "text": "Known asthma on budesonide, CXR normal.",
    "label": [[6, 12, "PROBLEM"], [16, 26, "DRUG"], [28, 31, "TEST"]],
}
MAP = "PROBLEM=DISEASE,DRUG=TREATMENT,TEST=-"


def lines(path, *records):
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


class TestOwnLabels:
    def test_import_names_the_format_and_maps_labels(self, run, tmp_path):
        data = lines(tmp_path / "a.jsonl", {"id": 1, **FOREIGN})
        result = run("dataset", "import", data, "--map", MAP, "--out", tmp_path / "set")
        assert "recognised doccano: 1 note" in result.stdout
        assert "labels left out as asked: TEST (1)" in result.stderr
        manifest = json.loads((tmp_path / "set/manifest.json").read_text())
        assert manifest["mentions"] == {"DISEASE": 1, "TREATMENT": 1}
        assert manifest["formats"] == ["doccano: 1 note"]
        described = json.loads(run("dataset", "describe", "--data", tmp_path / "set/notes.jsonl", "--json").stdout)
        assert described["digest"] == manifest["digest"]

    def test_every_command_refuses_alike_before_it_does_anything(self, run, model, tmp_path):
        bad = {"text": "gout", "spans": [[0, 99, "D"]]}
        data = ["--data", lines(tmp_path / "a.jsonl", FOREIGN, bad, bad)]
        for words in (
            ["dataset", "import", "--out", tmp_path / "x"],
            ["dataset", "export", "--to", "conll", "--out", tmp_path / "x"],
            ["dataset", "check"],
            ["train", "--out", tmp_path / "x"],
            ["evaluate", "--model", model],
            ["compare", model, model],
            ["experiment", "cv"],
        ):
            result = run(*words, *data)
            assert isinstance(result.exception, UserError), words
            message = str(result.exception)
            assert "a.jsonl:2-3: span [0, 99) is not inside the text" in message
            assert f"--map {','.join(sorted(MAP.split(',')))}" in message
        assert not (tmp_path / "x").exists()

    def test_options_that_make_no_sense_are_one_line(self, run, tmp_path):
        data = lines(tmp_path / "a.jsonl", FOREIGN)
        for said, words in {
            "no mapping": ["--map", "PROBLEM"],
            "no target": ["--map", "PROBLEM=ILL"],
            "no way of counting": ["--offsets", "feet"],
            "refuse or longest": ["--overlaps", "both"],
            "DISEASE or TREATMENT": ["--annotates", "MOOD"],
        }.items():
            assert said in refused(run("dataset", "describe", "--data", data, *words))
        assert "once" in refused(run("dataset", "import", data, "--data", data, "--out", tmp_path / "x"))

    @pytest.mark.parametrize("target", ["jsonl", "conll", "spacy", "label-studio"])
    def test_what_is_exported_is_read_again(self, run, pairs, tmp_path, target):
        out = tmp_path / {"jsonl": "a.jsonl", "conll": "a.conll", "spacy": "a.spacy", "label-studio": "a.json"}[target]
        assert run("dataset", "export", *pairs("a"), "--to", target, "--out", out).exit_code == 0
        found = json.loads(run("dataset", "describe", "--data", out, "--json").stdout)
        assert found["digest"] == json.loads(run("dataset", "describe", *pairs("a"), "--json").stdout)["digest"]

    def test_a_label_that_nobody_annotated_prints_a_dash_and_judges_nothing(self, run, pairs, model, tmp_path):
        data = pairs("one", 60, 5, marks="D")
        shown = run("evaluate", "--model", model, *data, "--show", 3).stdout
        assert "TREATMENT: -, not annotated in these notes;" in shown
        scores = json.loads(run("evaluate", "--model", model, *data, "--json").stdout)
        assert scores["annotated"] == ["DISEASE"]
        assert scores["exact_span"]["micro"] == scores["exact_span"]["DISEASE"]
        assert scores["predicted"]["TREATMENT"] > 0
        verdict = " ".join(run("compare", model, model, *data, "--resamples", 200).stdout.split())
        assert "all labels but TREATMENT: no clear difference" in verdict

    def test_notes_of_one_label_are_left_out_of_training(self, run, pairs, tiny, tmp_path):
        folder = tmp_path / "both"
        folder.mkdir()
        for name, marks, count in (("whole", "DT", 30), ("diseases", "D", 40)):
            run("dataset", "export", *pairs(name, count, 1, marks), "--to", "jsonl", "--out", folder / f"{name}.jsonl")
        result = run("train", "--data", folder, *tiny, "--out", tmp_path / "m")
        assert "diseases.jsonl annotates DISEASE alone" in result.stderr
        assert "40 notes that are annotated for one label alone are left out of training" in result.stderr
        assert "30 notes with" in result.stderr

    def test_notes_that_seem_to_lack_a_label_are_named(self, run, tmp_path):
        span = {"D": [6, 12, "D"], "T": [16, 20, "T"]}
        records = [
            {"text": f"Known asthma on iron {n}.", "spans": [span["D"], span["T"]][: 1 + (n < 10)]} for n in range(40)
        ]
        result = run("dataset", "describe", "--data", lines(tmp_path / "a.jsonl", *records))
        assert "30 of 40 notes mark no TREATMENT but hold names that others mark as TREATMENT" in " ".join(
            result.stderr.split()
        )


@pytest.mark.slow
class TestMlflowHabits:
    @pytest.fixture(params=["file:./mlruns", "./mlruns", "http://127.0.0.1:9"])
    def away(self, request, monkeypatch):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", request.param)
        return request.param

    def test_local_work_goes_on_with_a_line(self, run, pairs, tiny, away, tmp_path):
        for words in (
            ["dataset", "describe", *pairs("a")],
            ["dataset", "import", *pairs("a"), "--out", tmp_path / "set"],
            ["experiment", "cv", *pairs("a"), *tiny, "--folds", 2, "--out", tmp_path / "cv"],
        ):
            result = run(*words)
            assert result.exit_code == 0
            assert f"MLflow at {away}" in " ".join(result.stderr.split())
            assert "going on without it" in " ".join(result.stderr.split())

    def test_what_needs_the_server_says_so_in_a_line(self, run, pairs, model, away):
        champion = "models:/rxtract-ner@champion"
        for words in (["evaluate", "--model", champion, *pairs("a")], ["compare", champion, model, *pairs("a")]):
            assert f"MLflow at {away}" in refused(run(*words))

    def test_extract_reads_the_variables_of_the_others(self, away):
        from rxtract.commands import extract

        app = typer.Typer()
        app.command()(extract.extract)
        result = CliRunner().invoke(app, ["fever", "--model", "models:/rxtract-ner@champion"])
        assert f"MLflow at {away}" in refused(result)

    def test_a_database_that_is_none(self, run, pairs, monkeypatch, tmp_path):
        (tmp_path / "no.db").write_text("no database at all, but text" * 100)
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/no.db")
        assert "MLflow at sqlite" in refused(run("evaluate", "--model", "models:/rxtract-ner@champion", *pairs("a")))


class TestRecalibrate:
    @pytest.fixture
    def audit(self, pairs, tmp_path):
        """Notes of which people annotated two thirds of what the model finds."""
        options = pairs("audit", 150)
        path = tmp_path / "audit_label"
        path.write_text("".join(line if at % 3 else line.replace("D", "O") for at, line in enumerate(path.open())))
        return options

    def test_the_model_gets_new_curves_in_a_folder_of_its_own(self, run, audit, model, tmp_path):
        result = run(
            "recalibrate",
            "--model",
            model,
            *audit,
            "--kind",
            "our audit",
            "--out",
            tmp_path / "new",
            "--json",
        )
        assert result.exit_code == 0, result.output
        found = json.loads(result.stdout)
        assert found["notes"] == 150
        kind = Tagger.open(tmp_path / "new").metadata["calibration"]["kind"]
        assert (kind["name"], kind["notes"]) == ("our audit", 150)

    def test_too_few_notes_are_refused_in_one_line(self, run, pairs, model, tmp_path):
        result = run("recalibrate", "--model", model, *pairs("audit", 5), "--out", tmp_path / "new")
        assert isinstance(result.exception, UserError)
        assert "at least 30 are needed" in str(result.exception)
        assert not (tmp_path / "new").exists()
