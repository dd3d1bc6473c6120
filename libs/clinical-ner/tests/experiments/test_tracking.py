"""Registration and download, on a local SQLite store; tests/integration has the same on the real server."""

from __future__ import annotations

import dataclasses
import hashlib
import subprocess
import sys
from pathlib import Path

import pytest
from clinical_ner.datasets import digest
from clinical_ner.experiment_log import MlflowLog, NoLog
from clinical_ner.predictions import predict
from clinical_ner.reports import judge, write_report
from clinical_ner.tagger import ArtifactRefused
from clinical_ner.tracking import dataset_record, log_and_register
from clinical_ner.tracking_download import ModelUnavailable, open_model
from clinical_ner.train import train
from model_registry.version import CHAMPION
from model_registry.writing import connect, next_serial

pytestmark = pytest.mark.slow  # it trains


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A tracking store; made once, since MLflow takes seconds to make its tables."""
    folder = tmp_path_factory.mktemp("mlflow")
    uri = f"sqlite:///{folder / 'mlflow.db'}"
    connect(uri).create_experiment("rxtract", artifact_location=str(folder / "artifacts"))
    return uri


@pytest.fixture
def saved(small_notes, tiny, tmp_path):
    """(notes, folder of a model trained on them, digest)."""
    notes = small_notes(40)
    files = train(notes, config=tiny).save(tmp_path / "model")
    return notes, tmp_path / "model", files.sha256


class TestRegister:
    def test_a_version_carries_all_that_its_users_need(self, store, saved, tmp_path):
        notes, folder, sha256 = saved
        tagger = open_model(str(folder)).tagger
        judgement = judge(notes, predict(tagger, notes), tagger.training_mentions, "its own notes")
        card = write_report(
            tmp_path / "report", name="whole", model=folder, sha256=sha256, training=notes, judgement=judgement
        )
        registered = log_and_register(
            folder,
            tracking_uri=store,
            name="whole",
            alias=CHAMPION,
            datasets=[dataset_record(notes, "small", "training")],
            scores={"exact_span": judgement.scores["exact_span"]},
            tags={"command_id": "c1"},
            trigger="drift",
            description=card,
            reports=tmp_path / "report",
        )
        client = connect(store)
        version = client.get_model_version_by_alias("whole", CHAMPION)
        assert str(version.version) == registered.version
        expected = {"artifact_sha256": sha256, "dataset_digest": digest(notes), "trigger": "drift", "command_id": "c1"}
        assert expected.items() <= version.tags.items()
        assert version.tags["serial"] == str(registered.serial) == "1"
        assert "features_version" in version.tags
        assert "git_revision" in version.tags
        assert version.description.startswith("# Model card: whole")
        run = client.get_run(registered.run_id)
        assert run.info.status == "FINISHED"
        assert run.data.metrics["exact_span/DISEASE/f1"] == judgement.scores["exact_span"]["DISEASE"]["f1"]
        assert run.data.params["max_iterations"] == "8"
        assert run.data.params["groups.lower"] == "[-1, 0, 1]"
        (logged,) = run.inputs.dataset_inputs
        assert digest(notes).startswith(logged.dataset.digest)
        assert logged.tags[0].value == "training"
        files = {item.path for item in client.list_artifacts(registered.run_id, "model/artifacts")}
        assert files == {f"model/artifacts/{name}" for name in ("model.crfsuite", "tables.npz", "metadata.json")}
        assert {"card/model_card.md", "card/reliability.png", "card/scores.json"} == {
            item.path for item in client.list_artifacts(registered.run_id, "card")
        }

    def test_the_next_champion_makes_the_old_one_previous_and_serials_rise(self, store, saved):
        _, folder, _ = saved
        made = [log_and_register(folder, tracking_uri=store, name="line", alias=CHAMPION) for _ in range(2)]
        client = connect(store)
        assert [one.serial for one in made] == [1, 2]
        assert next_serial(client, "line") == 3
        aliases = client.get_registered_model("line").aliases
        assert {name: str(version) for name, version in aliases.items()} == {"champion": "2", "previous": "1"}

    def test_a_damaged_model_is_never_registered(self, store, saved):
        _, folder, _ = saved
        tables = folder / "tables.npz"
        tables.write_bytes(tables.read_bytes()[:-100])
        with pytest.raises(ArtifactRefused):
            log_and_register(folder, tracking_uri=store, name="damaged")
        assert next_serial(connect(store), "damaged") == 1

    def test_a_failure_half_way_marks_the_run_failed(self, store, saved, monkeypatch):
        _, folder, _ = saved
        monkeypatch.setattr("clinical_ner.tracking._register", lambda *_: (_ for _ in ()).throw(RuntimeError("gone")))
        with pytest.raises(RuntimeError, match="gone"):
            log_and_register(folder, tracking_uri=store, run_name="broken")
        client = connect(store)
        experiment = client.get_experiment_by_name("rxtract").experiment_id
        (run,) = client.search_runs([experiment], "tags.mlflow.runName = 'broken'")
        assert run.info.status == "FAILED"

    def test_data_scientists_load_it_by_pyfunc_without_unpickling(self, store, saved):
        notes, folder, _ = saved
        registered = log_and_register(folder, tracking_uri=store, name="pyfunc")
        code = (
            "import sys, mlflow, pandas as pd\n"
            "mlflow.set_tracking_uri(sys.argv[1])\n"
            "model = mlflow.pyfunc.load_model(sys.argv[2])\n"
            "text = sys.argv[3]\n"
            "first = model.predict([text])\n"
            "assert first == model.predict(pd.DataFrame({'text': [text]})), first\n"
            "print(sorted((e['start'], e['end'], e['label'], e['text']) for e in first[0]['entities']))\n"
        )
        command = [sys.executable, "-c", code, store, registered.uri, notes[0].text]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr[-2000:]
        (tagged,) = open_model(str(folder)).tagger.tag([notes[0].text])
        expected = sorted((e.start, e.end, str(e.label), notes[0].text[e.start : e.end]) for e in tagged.entities)
        assert done.stdout.strip().splitlines()[-1] == str(expected)


class TestOpen:
    def test_by_alias_version_and_run(self, store, saved):
        _, folder, sha256 = saved
        registered = log_and_register(folder, tracking_uri=store, name="open", alias=CHAMPION)
        for address in (
            "models:/open@champion",
            "models:/open/1",
            f"runs:/{registered.run_id}",
            f"runs:/{registered.run_id}/model/",
        ):
            opened = open_model(address, store)
            assert opened.sha256 == sha256
        assert open_model("models:/open@champion", store).source == "models:/open/1"

    def test_what_is_not_the_registered_file_is_refused(self, store, saved):
        _, folder, _ = saved
        registered = log_and_register(folder, tracking_uri=store, name="forged")
        stored = Path(connect(store).get_run(registered.run_id).info.artifact_uri) / "model/artifacts/tables.npz"
        content = bytearray(stored.read_bytes())
        content[len(content) // 2] ^= 1
        stored.write_bytes(content)
        assert hashlib.sha256(content).hexdigest() != registered.sha256
        with pytest.raises(ArtifactRefused, match="sha256 differs"):
            open_model("models:/forged/1", store)

    def test_a_version_without_digest_is_refused(self, store, saved):
        _, folder, _ = saved
        log_and_register(folder, tracking_uri=store, name="bare")
        connect(store).delete_model_version_tag("bare", "1", "artifact_sha256")
        with pytest.raises(ArtifactRefused, match="no artifact_sha256 tag"):
            open_model("models:/bare/1", store)

    @pytest.mark.parametrize("address", ["models:/none@champion", "models:/none/1", "runs:/0123", "models:/none"])
    def test_what_is_not_there_is_one_line(self, store, address):
        with pytest.raises(ModelUnavailable, match=address) as caught:
            open_model(address, store)
        assert "\n" not in str(caught.value)

    def test_without_a_server_and_without_a_folder(self, tmp_path):
        with pytest.raises(ModelUnavailable, match="RXTRACT_MLFLOW_URL"):
            open_model("models:/x@champion")
        with pytest.raises(ModelUnavailable, match="no model there"):
            open_model(str(tmp_path))


class TestExperimentLog:
    def test_children_are_nested_and_a_resumed_search_goes_on_in_the_same_run(self, store, small_notes, tmp_path):
        record = dataset_record(small_notes(5), "small", "training")
        log = MlflowLog(store, "rxtract", "search", [record], {"a": {"b": 1}})
        log.child("trial 0", {"c2": 0.5}, {"f1/micro": 0.6}, {"state": "COMPLETE"})
        log.fail()
        again = MlflowLog(store, "rxtract", "search", [record], {}, resumed=log.run_id)
        assert again.run_id == log.run_id
        report = tmp_path / "report.json"
        report.write_text("{}")
        again.finish({"best": {"micro": {"mean": 0.6}}, "name": "x"}, [report])
        client = connect(store)
        run = client.get_run(log.run_id)
        assert run.info.status == "FINISHED"
        assert run.data.params == {"a.b": "1"}
        assert run.data.metrics == {"best/micro/mean": 0.6}
        assert run.data.tags["training_digest"] == record.digest
        assert [item.path for item in client.list_artifacts(log.run_id, "report")] == ["report/report.json"]
        (child,) = client.search_runs([run.info.experiment_id], f"tags.mlflow.parentRunId = '{log.run_id}'")
        assert child.data.metrics == {"f1/micro": 0.6}

    def test_nothing_is_logged_nowhere(self):
        assert NoLog().run_id == ""


class TestReport:
    def test_the_card_tells_data_scores_limits_and_licence(self, small_notes, saved, tmp_path):
        notes, folder, sha256 = saved
        tagger = open_model(str(folder)).tagger
        kept = [
            dataclasses.replace(note, pairs=((0, 1),))
            if len(note.spans) == 2 and note.spans[0].label == "TREATMENT"
            else note
            for note in small_notes(30, 7)
        ]
        judgement = judge(kept, predict(tagger, kept), tagger.training_mentions, "thirty other notes")
        card = write_report(
            tmp_path / "r",
            name="m",
            model=folder,
            sha256=sha256,
            training=notes,
            judgement=judgement,
            git_revision="abc",
        )
        for said in (
            digest(notes),
            sha256,
            "thirty other notes",
            "95 % of F1",
            "Expected calibration error",
            "Treatment pairs: precision",
            "Intended use",
            "Limits",
            "Apache-2.0",
            '"max_iterations": 8',
            "`abc`",
            "only 40 notes",
        ):
            assert said in card, said
        assert (tmp_path / "r" / "model_card.md").read_text() == card
        assert (tmp_path / "r" / "reliability.png").read_bytes().startswith(b"\x89PNG")

    def test_without_scores_it_says_so(self, saved, tmp_path):
        notes, folder, sha256 = saved
        card = write_report(tmp_path / "r", name="m", model=folder, sha256=sha256, training=notes)
        assert "Not scored on held-out notes." in card
        assert sorted(path.name for path in (tmp_path / "r").iterdir()) == ["model_card.md"]
