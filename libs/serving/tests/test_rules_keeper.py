"""Which rules serve: the programs' own until some are released, then those under the alias; never older ones by mistake."""

from __future__ import annotations

import hashlib
from typing import Any, NamedTuple

import pytest
from contracts.records import ModelRef
from model_registry.reading import RegistryAwayError, UnusableVersionError
from model_registry.version import Version
from runtime.service.metrics import Metrics
from serving import metrics as m
from serving.cache import ModelCache
from serving.models import NoModelError, RefusedModelError, RulesKeeper, Serving
from serving.tagging import LoadedModel, LoadedRules


class Entity(NamedTuple):
    label: str = "DISEASE"
    start: int = 0
    end: int = 1
    confidence: float = 0.5


class Tagged(NamedTuple):
    entities: tuple
    confidence: float = 0.5
    relations: tuple = ()


class Tagger:
    """Reads by the rules that it was given."""

    def __init__(self, rules: bytes = b"own") -> None:
        self.rules = rules

    def tag(self, texts):
        return [Tagged((Entity(),) if text.strip() else ()) for text in texts]

    def with_rules(self, rules: bytes) -> Tagger:
        return Tagger(rules)


class Releases:
    def __init__(self) -> None:
        self.serving: Version | None = None
        self.data = b""
        self.fails: Exception | None = None

    def release(self, number: int, data: bytes, serial: int | None = None, sha256: str = "") -> None:
        digest = sha256 or hashlib.sha256(data).hexdigest()
        self.serving, self.data = Version.of("rules", str(number), serial or number, digest), data

    def by_alias(self, _name: str, _alias: str) -> Version | None:
        if self.fails is not None:
            raise self.fails
        return self.serving

    def tables(self, _version: Version) -> bytes:
        return self.data


MODEL = LoadedModel(ModelRef(name="m", version="1", serial=1), Tagger())  # type: ignore[arg-type]
AWAY = RegistryAwayError("MLflow cannot be reached")


def opened(data: bytes, _sha256: str) -> Any:
    if data == b"broken":
        raise ValueError("assertion.txt, line 1")
    return data


def keeper(releases: Releases | None, folder) -> RulesKeeper:
    cache = ModelCache(folder, ".json")
    return RulesKeeper(
        releases, cache, opened, lambda: MODEL, name="rules", alias="champion", metrics=Metrics(m.MODEL_METRICS)
    )


@pytest.fixture
def releases() -> Releases:
    return Releases()


def test_without_a_release_the_programs_own_rules_serve_under_serial_0(releases, tmp_path) -> None:
    kept = keeper(releases, tmp_path)
    kept.load_first()
    assert (kept.current().ref.serial, kept.current().rules) == (0, None)


def test_a_release_and_a_rollback_to_the_same_tables_are_taken_up(releases, tmp_path) -> None:
    kept = keeper(releases, tmp_path)
    kept.load_first()
    releases.release(1, b"a")
    assert kept.refresh()
    assert (kept.current().ref.serial, kept.current().rules) == (1, b"a")
    releases.release(1, b"a", serial=3)
    assert kept.refresh()
    assert (kept.current().ref.serial, kept.current().rules) == (3, b"a")
    assert not kept.refresh()


def test_what_is_announced_and_not_there_yet_is_looked_for_soon(releases, tmp_path) -> None:
    kept = keeper(releases, tmp_path)
    kept.load_first()
    kept.announce(Version.of("x", "1", 1, ""))
    assert kept.is_behind
    releases.release(1, b"a")
    kept.refresh()
    assert not kept.is_behind


@pytest.mark.parametrize("fault", [AWAY, UnusableVersionError("version 1 lacks the tag serial")])
def test_with_mlflow_down_the_release_that_served_last_serves(fault, releases, tmp_path) -> None:
    releases.release(4, b"a")
    keeper(releases, tmp_path).load_first()
    releases.fails = fault
    again = keeper(releases, tmp_path)
    again.load_first()
    assert (again.current().ref.serial, again.current().rules) == (4, b"a")


def test_with_mlflow_down_older_rules_do_not_serve_for_want_of_knowing_better(releases, tmp_path) -> None:
    releases.fails = AWAY
    with pytest.raises(NoModelError, match="no cached copy"):
        keeper(releases, tmp_path).load_first()


def test_with_mlflow_down_it_is_remembered_that_none_were_released(releases, tmp_path) -> None:
    keeper(releases, tmp_path).load_first()
    releases.fails = AWAY
    again = keeper(releases, tmp_path)
    again.load_first()
    assert again.current().ref.serial == 0


def test_without_an_address_of_mlflow_the_programs_own_rules_serve(tmp_path) -> None:
    kept = keeper(None, tmp_path)
    kept.load_first()
    assert kept.current().rules is None


@pytest.mark.parametrize(("data", "sha256"), [(b"broken", ""), (b"a", "0" * 64)])
def test_a_release_that_is_damaged_leaves_what_serves(data, sha256, releases, tmp_path) -> None:
    releases.release(1, b"good")
    kept = keeper(releases, tmp_path)
    kept.load_first()
    releases.release(2, data, sha256=sha256)
    with pytest.raises(RefusedModelError):
        kept.refresh()
    assert kept.current().rules == b"good"


def test_model_and_rules_are_put_together_once_and_anew_when_either_changes() -> None:
    models = [MODEL]
    rules = [LoadedRules(ModelRef(name="rules", version="0", serial=0), None)]
    serving = Serving(lambda: models[-1], lambda: rules[-1])
    assert serving.current() is MODEL
    rules.append(LoadedRules(ModelRef(name="rules", version="2", serial=5), b"a"))  # type: ignore[arg-type]
    read = serving.current()
    assert (read.ref, read.rules_serial, read.tagger.rules) == (MODEL.ref, 5, b"a")
    assert serving.current() is read
    models.append(LoadedModel(ModelRef(name="m", version="2", serial=2), Tagger()))  # type: ignore[arg-type]
    both = serving.current()
    assert (both.ref.serial, both.rules_serial, both.tagger.rules) == (2, 5, b"a")
