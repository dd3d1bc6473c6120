"""Which model serves: digest first, then canaries, then the swap; a bad one never replaces a good one."""

import hashlib
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

import clinical_ner.artifact
import pytest
from clinical_ner.meaning import Relation
from model_registry.reading import ModelReader, RegistryAwayError, UnusableVersionError
from model_registry.version import Version
from runtime.service.metrics import Metrics
from serving import metrics as m
from serving.cache import ModelCache
from serving.canaries import CanaryFailedError, check_canaries
from serving.champion import open_tables
from serving.models import ModelKeeper, NoModelError, RefusedModelError, Reloader


class Entity(NamedTuple):
    label: str
    start: int
    end: int
    confidence: float = 0.5


class Tagged(NamedTuple):
    entities: tuple
    confidence: float = 0.5
    relations: tuple = ()


class FakeTagger:
    """Its bytes are JSON that says how it behaves."""

    def __init__(self, data: bytes) -> None:
        self.behaviour = json.loads(data)
        self.metadata = self.behaviour.get("metadata", {})

    def tag(self, texts):
        return [Tagged(tuple(Entity(*entity) for entity in self._entities(text))) for text in texts]

    def _entities(self, text: str):
        if not text.strip():
            return []
        return self.behaviour.get("entities", [["DISEASE", 0, 1]])


def opened(data: bytes, sha256: str) -> FakeTagger:
    assert hashlib.sha256(data).hexdigest() == sha256
    return FakeTagger(data)


def artifact(**behaviour) -> bytes:
    return json.dumps(behaviour).encode()


class FakeModels:
    def __init__(self) -> None:
        self.champion: Version | None = None
        self.data: dict[str, bytes] = {}
        self.away = False
        self.downloads = 0

    def promote(self, number: int, data: bytes, serial: int | None = None, sha256: str | None = None) -> None:
        digest = sha256 or hashlib.sha256(data).hexdigest()
        self.champion = Version.of("rxtract-ner", str(number), number if serial is None else serial, digest)
        self.data[str(number)] = data

    def by_alias(self, name: str, alias: str):
        assert (name, alias) == ("rxtract-ner", "champion")
        if self.away:
            raise RegistryAwayError("MLflow cannot be reached")
        return self.champion

    def tables(self, version: Version) -> bytes:
        if self.away:
            raise RegistryAwayError("MLflow cannot be reached")
        self.downloads += 1
        return self.data[version.version]


@pytest.fixture
def models() -> FakeModels:
    return FakeModels()


def keeper(models, folder, metrics=None) -> ModelKeeper:
    return ModelKeeper(
        models, ModelCache(folder), opened, "rxtract-ner", alias="champion", metrics=metrics or Metrics(m.MODEL_METRICS)
    )


GOOD = artifact(name="good")


def test_loads_the_champion(models, tmp_path):
    models.promote(1, GOOD)
    kept = keeper(models, tmp_path)
    kept.load_first()
    assert (kept.current().ref.version, kept.current().ref.serial) == ("1", 1)
    assert kept.refresh() is False
    assert models.downloads == 1


def test_without_a_champion_there_is_one_line_why(models, tmp_path):
    with pytest.raises(NoModelError, match="no alias champion yet"):
        keeper(models, tmp_path).load_first()


def test_with_mlflow_down_the_cached_copy_serves(models, tmp_path):
    models.promote(1, GOOD)
    keeper(models, tmp_path).load_first()
    models.away = True
    again = keeper(models, tmp_path)
    again.load_first()
    assert again.current().ref.version == "1"


def test_with_mlflow_down_and_no_copy_nothing_serves(models, tmp_path):
    models.away = True
    with pytest.raises(NoModelError, match="no cached copy"):
        keeper(models, tmp_path).load_first()


def test_mlflow_failing_later_changes_nothing(models, tmp_path):
    models.promote(1, GOOD)
    kept = keeper(models, tmp_path)
    kept.load_first()
    models.away = True
    with pytest.raises(RegistryAwayError):
        kept.refresh()
    assert kept.current().ref.version == "1"


def test_a_promotion_is_swapped_in(models, tmp_path):
    models.promote(1, GOOD)
    kept = keeper(models, tmp_path)
    kept.load_first()
    models.promote(2, artifact(name="better"))
    assert kept.refresh() is True
    assert kept.current().ref.version == "2"


def test_a_new_serial_of_the_same_bytes_needs_no_download(models, tmp_path):
    models.promote(1, GOOD)
    kept = keeper(models, tmp_path)
    kept.load_first()
    models.promote(1, GOOD, serial=5)
    assert kept.refresh() is True
    assert kept.current().ref.serial == 5
    assert models.downloads == 1


DAMAGED = {
    "truncated": GOOD[:-1],
    "flipped": bytes([GOOD[0] ^ 1]) + GOOD[1:],
    "empty": b"",
}


@pytest.mark.parametrize("kind", DAMAGED)
def test_a_damaged_artifact_never_replaces_a_good_one(models, tmp_path, kind):
    """R29."""
    metrics = Metrics(m.MODEL_METRICS)
    models.promote(1, GOOD)
    kept = keeper(models, tmp_path, metrics)
    kept.load_first()
    better = artifact(name="better")
    models.promote(2, DAMAGED[kind], sha256=hashlib.sha256(better).hexdigest())
    with pytest.raises(RefusedModelError, match="digest"):
        kept.refresh()
    assert kept.current().ref.version == "1"
    assert metrics.counter(m.MODEL_LOADS).labels("refused")._value.get() == 1
    models.data["2"] = better  # the download was bad, not the model: it is tried again
    assert kept.refresh() is True


MISBEHAVING = {
    "wrong labels": artifact(entities=[["PERSON", 0, 1]]),
    "swapped offsets": artifact(entities=[["DISEASE", 3, 1]]),
    "offsets outside": artifact(entities=[["DISEASE", 0, 100_000]]),
    "overlapping": artifact(entities=[["DISEASE", 0, 2], ["TREATMENT", 1, 2]]),
    "no probability": artifact(entities=[["DISEASE", 0, 1, 7.0]]),
    "finds nothing": artifact(entities=[]),
    "not what it was": artifact(metadata={"canaries": [{"text": "HTN", "entities": [["TREATMENT", 0, 1]]}]}),
    "not an artifact": b"not json",
}


@pytest.mark.parametrize("kind", MISBEHAVING)
def test_a_model_that_misbehaves_on_canaries_is_refused_and_not_fetched_again(models, tmp_path, kind):
    models.promote(1, GOOD)
    kept = keeper(models, tmp_path)
    kept.load_first()
    models.promote(2, MISBEHAVING[kind])
    for _ in range(3):
        with pytest.raises(RefusedModelError):
            kept.refresh()
    assert kept.current().ref.version == "1"
    assert models.downloads == 2


def test_a_lack_of_memory_is_no_fault_of_the_model(models, tmp_path):
    metrics = Metrics(m.MODEL_METRICS)
    scarce = [True]

    def opener(data: bytes, sha256: str) -> FakeTagger:
        if scarce[0]:
            raise MemoryError
        return opened(data, sha256)

    models.promote(1, GOOD)
    kept = ModelKeeper(models, ModelCache(tmp_path), opener, "rxtract-ner", alias="champion", metrics=metrics)
    with pytest.raises(NoModelError, match="MemoryError"):
        kept.load_first()
    with pytest.raises(RefusedModelError, match="MemoryError"):
        kept.refresh()
    assert metrics.counter(m.MODEL_LOADS).labels("refused")._value.get() == 0, "nobody is to be paged for the artifact"
    scarce[0] = False
    assert kept.refresh() is True


def test_the_real_opener_tells_a_lack_of_memory_too(models, tmp_path, monkeypatch):
    def starved(_: bytes) -> None:
        raise MemoryError

    monkeypatch.setattr(clinical_ner.artifact, "_read", starved)
    metrics = Metrics(m.MODEL_METRICS)
    models.promote(1, GOOD)
    kept = ModelKeeper(models, ModelCache(tmp_path), open_tables, "rxtract-ner", alias="champion", metrics=metrics)
    with pytest.raises(RefusedModelError, match="MemoryError"):
        kept.refresh()
    assert metrics.counter(m.MODEL_LOADS).labels("refused")._value.get() == 0
    assert metrics.counter(m.MODEL_LOADS).labels("unavailable")._value.get() == 1


def test_a_damaged_cached_copy_is_not_served(models, tmp_path):
    models.promote(1, GOOD)
    keeper(models, tmp_path).load_first()
    next(tmp_path.glob("*.npz")).write_bytes(GOOD[:-3])
    models.away = True
    with pytest.raises(NoModelError):
        keeper(models, tmp_path).load_first()


def test_a_damaged_cached_copy_is_fetched_again(models, tmp_path):
    models.promote(1, GOOD)
    keeper(models, tmp_path).load_first()
    next(tmp_path.glob("*.npz")).write_bytes(b"junk")
    keeper(models, tmp_path).load_first()
    assert models.downloads == 2


def test_the_cache_keeps_a_few(models, tmp_path):
    kept = keeper(models, tmp_path)
    for number in range(1, 7):
        models.promote(number, artifact(name=number))
        kept.refresh()
    assert len(list(tmp_path.glob("*.npz"))) == 3
    assert ModelCache(tmp_path).last().version == "6"


def test_a_folder_that_cannot_be_written_costs_the_copy_only(models, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    models.promote(1, GOOD)
    kept = keeper(models, blocked / "sub")
    kept.load_first()
    assert kept.current().ref.version == "1"


def test_the_reloader_looks_when_nudged_and_survives_failures(models, tmp_path):
    models.promote(1, GOOD)
    kept = keeper(models, tmp_path)
    kept.load_first()
    reloader = Reloader(kept, interval_s=60)
    reloader.start()
    models.away = True
    reloader.nudge()
    time.sleep(0.05)
    models.away = False
    models.promote(2, artifact(name="better"))
    reloader.nudge()
    deadline = time.monotonic() + 5
    while kept.current().ref.version != "2":
        assert time.monotonic() < deadline
        time.sleep(0.01)
    reloader.stop()


def test_canaries_check_relations():
    class Related:
        def tag(self, texts):
            found = Tagged((Entity("DISEASE", 0, 1),), relations=(Relation("TREATS", 0, 0, 0.9),))
            return [found if text.strip() else Tagged(()) for text in texts]

    with pytest.raises(CanaryFailedError, match="relation"):
        check_canaries(Related(), {})


class FakeMlflow(ThreadingHTTPServer):
    """Answers as MLflow does."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, bytes]] = {}
        self.seen: list[tuple[str, str | None]] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                server.seen.append((self.path, self.headers.get("Authorization")))
                status, body = server.answers.get(self.path.partition("?")[0], ABSENT[0])
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args): ...

        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/"


ALIAS = "/api/2.0/mlflow/registered-models/alias"
URI = "/api/2.0/mlflow/model-versions/get-download-uri"


@pytest.fixture
def mlflow():
    server = FakeMlflow()
    tags = [{"key": "artifact_sha256", "value": "ab"}, {"key": "serial", "value": "4"}]
    answer = {"model_version": {"name": "x", "version": "12", "tags": tags}}
    server.answers[ALIAS] = (200, json.dumps(answer).encode())
    server.answers[URI] = (200, json.dumps({"artifact_uri": "mlflow-artifacts:/1/run/artifacts/model"}).encode())
    server.answers["/api/2.0/mlflow-artifacts/artifacts/1/run/artifacts/model/artifacts/tables.npz"] = (200, b"tables")
    yield server
    server.shutdown()
    server.server_close()


def test_mlflow_is_asked_over_rest(mlflow):
    models = ModelReader(mlflow.url, 2.0, "user", "secret")
    version = models.by_alias("x", "champion")
    assert version == Version.of("x", "12", 4, "ab")
    assert models.tables(version) == b"tables"
    assert all(login == "Basic dXNlcjpzZWNyZXQ=" for _, login in mlflow.seen)


ABSENT = [
    (404, b'{"error_code": "RESOURCE_DOES_NOT_EXIST"}'),
    (400, b'{"error_code": "INVALID_PARAMETER_VALUE", "message": "Registered model alias champion not found."}'),
]


def test_a_version_is_found_by_its_number(mlflow):
    mlflow.answers["/api/2.0/mlflow/model-versions/get"] = mlflow.answers[ALIAS]
    models = ModelReader(mlflow.url, 2.0)
    assert models.by_version("x", "3") == models.by_alias("x", "champion")


@pytest.mark.parametrize(("status", "body"), ABSENT)
def test_no_model_or_alias_is_none(mlflow, status, body):
    mlflow.answers[ALIAS] = (status, body)
    assert ModelReader(mlflow.url, 2.0).by_alias("x", "champion") is None


AWAY = [
    (500, b""),
    (503, b"x"),
    (400, b"[]"),
    (400, b"\xff"),
    (404, b"<html>no such place</html>"),  # of a proxy, or of a wrong address: nothing is known of the model
    (404, b""),
    (404, b'{"error_code": "ENDPOINT_NOT_FOUND"}'),
    (200, b"<html>"),
    (200, b"[]"),
    (200, b'{"x": 1}'),
]


@pytest.mark.parametrize(("status", "body"), AWAY)
def test_an_unusable_answer_is_away(mlflow, status, body):
    mlflow.answers[ALIAS] = (status, body)
    with pytest.raises(RegistryAwayError):
        ModelReader(mlflow.url, 2.0).by_alias("x", "champion")


def test_a_proxy_that_answers_for_mlflow_is_away_for_tables_too(mlflow):
    mlflow.answers[URI] = (404, b"<html>")
    with pytest.raises(RegistryAwayError, match="HTTP 404"):
        ModelReader(mlflow.url, 2.0).tables(Version.of("x", "1", 1, "ab"))


def test_behind_a_proxy_that_answers_404_the_cached_copy_serves(mlflow, models, tmp_path):
    models.promote(1, GOOD)
    keeper(models, tmp_path).load_first()
    mlflow.answers[ALIAS] = (404, b"<html>no such place</html>")
    again = keeper(ModelReader(mlflow.url, 2.0), tmp_path)
    again.load_first()
    assert again.current().ref.version == "1"


def test_nobody_there_is_away():
    with pytest.raises(RegistryAwayError):
        ModelReader("http://127.0.0.1:1", 1.0).by_alias("x", "champion")


@pytest.mark.parametrize("tags", [[], [{"key": "serial", "value": "1"}], [{"key": "artifact_sha256", "value": "ab"}]])
def test_a_version_that_cannot_be_checked_is_unusable(mlflow, tags):
    mlflow.answers[ALIAS] = (200, json.dumps({"model_version": {"version": "1", "tags": tags}}).encode())
    with pytest.raises(UnusableVersionError, match="register it with rxtract"):
        ModelReader(mlflow.url, 2.0).by_alias("x", "champion")


def test_an_artifact_kept_elsewhere_is_unusable(mlflow):
    mlflow.answers[URI] = (200, b'{"artifact_uri": "s3://bucket/x"}')
    with pytest.raises(UnusableVersionError, match="artifacts-destination"):
        ModelReader(mlflow.url, 2.0).tables(Version.of("x", "1", 1, "ab"))


def test_a_registered_digest_that_is_not_the_promoted_one_is_refused(models, tmp_path):
    metrics = Metrics(m.MODEL_METRICS)
    models.promote(1, GOOD)
    kept = keeper(models, tmp_path, metrics)
    kept.load_first()
    models.promote(2, artifact(name="swapped"))
    kept.announce(Version.of("x", "2", 2, "0" * 64))
    kept.announce(Version.of("x", "1", 1, ""))  # an older event does not undo it
    with pytest.raises(RefusedModelError, match="not the promoted one"):
        kept.refresh()
    assert (kept.current().ref.version, models.downloads) == ("1", 1)
    assert metrics.counter(m.MODEL_LOADS).labels("refused")._value.get() == 1


def test_a_promotion_told_while_mlflow_is_away_is_not_left_to_the_slow_look(models, tmp_path):
    models.promote(1, GOOD)
    kept = keeper(models, tmp_path)
    kept.load_first()
    reloader = Reloader(kept, interval_s=600)
    reloader.start()
    try:
        better = artifact(name="better")
        models.away = True
        asked = threading.Event()
        by_alias = models.by_alias
        models.by_alias = lambda name, alias: (asked.set(), by_alias(name, alias))[1]
        kept.announce(Version.of("x", "2", 2, hashlib.sha256(better).hexdigest()))
        reloader.nudge()
        assert asked.wait(5)
        models.promote(2, better)
        models.away = False
        deadline = time.monotonic() + 10
        while kept.is_behind:
            assert time.monotonic() < deadline
            time.sleep(0.01)
    finally:
        reloader.stop()
    assert kept.current().ref.version == "2"
