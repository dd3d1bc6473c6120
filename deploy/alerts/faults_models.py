"""Models and orders that do not come to a good end."""  # noqa: INP001

from __future__ import annotations

import json
import shutil
import signal
import tempfile
import time
import zipfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import psutil
from catalogue import fault
from clinical_ner.rules import read_rules, shipped_rules
from clinical_ner.rules_tracking import RULES_FILE, RULES_NAME, register_rules
from clinical_ner.tracking import log_and_register
from contracts.records import ModelAction
from rxtract.first_model import first_model
from world import MODEL, READY_S, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from clinical_ner.rules import Rules
    from world import World


@fault("an alias is moved by hand, past the trainer, and one extractor looks for it hourly", "ModelsDiffer")
def _differ(world: World) -> Iterator[None]:
    world.start("extractor-2", "extractor", RXTRACT_MODEL_POLL_S="3600")
    register(world, alias="champion")
    yield
    world.end("extractor-2")


@fault("a damaged artifact is made the champion by hand", "ModelRefused")
def _damaged(world: World) -> Iterator[None]:
    sound, version = world.champion(), register(world)
    folder = world.mlflow().get_model_version_download_uri(MODEL, version).partition(":/")[2].strip("/")
    for tables in world.running.data_dir.glob(f"**/artifacts/{folder}/artifacts/*.npz"):
        tables.write_bytes(tables.read_bytes()[:-100] + b"x" * 100)
        break
    else:
        raise FileNotFoundError(folder)
    world.mlflow().set_registered_model_alias(MODEL, "champion", version)
    yield
    world.mlflow().set_registered_model_alias(MODEL, "champion", sound)


@fault(
    "rules are made the released ones by hand, past the trainer, and one extractor looks for them hourly", "RulesDiffer"
)
def _rules_differ(world: World) -> Iterator[None]:
    world.start("extractor-2", "extractor", RXTRACT_MODEL_POLL_S="3600")
    release(world, register_rules(shipped_rules(), tracking_uri=world.running.addresses.mlflow_url).version)
    yield
    world.end("extractor-2")


@fault("a damaged file of rules is made the released one by hand", "RulesRefused")
def _rules_damaged(world: World) -> Iterator[None]:
    url = world.running.addresses.mlflow_url
    sound = register_rules(shipped_rules(), tracking_uri=url).version
    version = register_rules(other_rules(), tracking_uri=url).version
    release(world, sound)
    folder = world.mlflow().get_model_version_download_uri(RULES_NAME, version).partition(":/")[2].strip("/")
    for tables in world.running.data_dir.glob(f"**/{folder}/{RULES_FILE}"):
        tables.write_bytes(tables.read_bytes()[:-100] + b" " * 100)
        break
    else:
        raise FileNotFoundError(folder)
    release(world, version)
    yield
    release(world, sound)


@fault("a model without statistics of its own data is made the champion by hand", "DriftUnjudged")
def _unjudged(world: World) -> Iterator[None]:
    register(world, alias="champion", spoil=_drop_reference)
    yield
    register(world, alias="champion")


@fault("the alias of the champion is gone, and the extractor starts anew without a cached model", "NoneReady")
def _no_model(world: World) -> Iterator[None]:
    sound = world.champion()
    world.end("extractor")
    world.mlflow().delete_registered_model_alias(MODEL, "champion")
    empty = str(world.running.data_dir / "no-cached-model")
    extractor = world.start("extractor", "extractor", ready=False, RXTRACT_MODEL_CACHE_DIR=empty)
    yield
    world.mlflow().set_registered_model_alias(MODEL, "champion", sound)
    extractor.wait_ready(READY_S)


@fault("orders that cannot be: the champion is to be promoted, six times", "OrdersRejected")
def _rejected(world: World) -> Iterator[None]:
    for _ in range(6):
        world.order(ModelAction.PROMOTE, world.champion())()
        time.sleep(1.5)
    yield


@fault("the process of a training is killed (kill -9)", "TrainingFails")
def _killed(world: World) -> Iterator[None]:
    world.order(ModelAction.RETRAIN)()
    job(world).kill()
    yield


@fault("the process of a training hangs (SIGSTOP)", "OrderStuck")
def _stuck(world: World) -> Iterator[None]:
    world.order(ModelAction.RETRAIN)()
    child = job(world)
    child.send_signal(signal.SIGSTOP)
    yield
    child.kill()


def register(world: World, alias: str | None = None, spoil: Callable[[Path], None] = lambda _: None) -> str:
    """One more version of the shipped model, of other bytes, so that no cache has it; its number."""
    url = world.running.addresses.mlflow_url
    with tempfile.TemporaryDirectory() as place:
        folder = Path(shutil.copytree(first_model().folder, Path(place) / "model"))
        for tables in folder.rglob("tables.npz"):
            spoil(tables)
            with zipfile.ZipFile(tables, "a") as archive:
                archive.comment = str(time.time_ns()).encode()
        return log_and_register(folder, tracking_uri=url, alias=alias, tags={"gate": "first"}).version


def other_rules() -> Rules:
    """The shipped tables with one more comment: other bytes, which nobody has served yet."""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in shipped_rules().texts.items():
            (Path(folder) / name).write_text(f"{text}; {time.time_ns()}\n", encoding="utf-8")
        return read_rules(Path(folder))


def release(world: World, version: str) -> None:
    """Make a version of the rules the one that serves, without the trainer."""
    world.mlflow().set_registered_model_alias(RULES_NAME, "champion", version)


def _drop_reference(tables: Path) -> None:
    with np.load(tables, allow_pickle=False) as stored:
        arrays = dict(stored)
    metadata = json.loads(arrays["metadata"].tobytes()) | {"reference": {}}
    np.savez(
        tables, allow_pickle=False, **arrays | {"metadata": np.frombuffer(json.dumps(metadata).encode(), np.uint8)}
    )


def void_orders(world: World) -> None:
    """End the orders that wait for labels: another champion serves, and somebody labels, so that they are looked at again."""
    register(world, alias="champion")
    world.end("extractor")
    world.start("extractor", "extractor", RXTRACT_AUDIT_RATE="1")
    with closing(world.validator()) as one:
        until(one.next, 60, "no note to label")
    world.end("extractor")
    world.start("extractor", "extractor")


def job(world: World) -> psutil.Process:
    """The process of the training that has begun."""
    trainer = psutil.Process(world.services["trainer"].pid)
    found: list[psutil.Process] = []

    def looked() -> bool:
        found[:] = [child for child in trainer.children(recursive=True) if "lifecycle.job_process" in child.cmdline()]
        return bool(found)

    until(looked, 60, "no training begins")
    return found[0]
