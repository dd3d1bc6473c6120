"""Services of an early commit of this contract and of today beside each other, notes in flight: nothing is lost, each note has one effect."""

import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from contracts import topics
from contracts.wire import Serializer
from extractor_rig import SOURCE, Process, Rig, judge, until
from position_rig import submitted

pytestmark = [pytest.mark.stack, pytest.mark.long, pytest.mark.timeout(600)]

ROOT = Path(__file__).resolve().parents[2]
FIRST = "6b4708e"
"""The first commit with the namespace ``behealthy.rxtract`` whose services lose nothing by themselves: those before it trust the client's
position, and lose notes at any rebalance. It stays: from here on the contract only grows."""
NOTES_PER_S = 40
APPLY = """
import sys
from contracts import topics
from contracts.apply import apply_schemas, apply_topics
from contracts.registry import ConfluentRegistry
servers, registry, prefix = sys.argv[1:]
apply_topics({"bootstrap.servers": servers}, topics.load_topics(), prefix)
apply_schemas(ConfluentRegistry(registry), prefix)
"""


class Tree:
    """A commit of this repository, checked out beside it; it runs on the packages that are installed here."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def python_path(self) -> str:
        sources = [*self.folder.glob("libs/*/src"), *self.folder.glob("services/*/src")]
        return os.pathsep.join(map(str, sources))

    def run(self, code: str, *arguments: str) -> None:
        environment = {**os.environ, "PYTHONPATH": self.python_path}
        subprocess.run([sys.executable, "-c", code, *arguments], check=True, env=environment, timeout=120)


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tree]:
    folder = tmp_path_factory.mktemp("first") / "tree"
    git = ("git", "-C", str(ROOT))
    if subprocess.run([*git, "cat-file", "-e", f"{FIRST}^{{commit}}"], capture_output=True, check=False).returncode:
        line = f"the history does not reach back to {FIRST}: fetch it whole (git fetch --unshallow)"
        if os.environ.get("CI") == "true":
            pytest.fail(line)
        pytest.skip(line)
    subprocess.run([*git, "worktree", "add", "--detach", "--quiet", str(folder), FIRST], check=True)
    try:
        yield Tree(folder)
    finally:
        subprocess.run([*git, "worktree", "remove", "--force", str(folder)], check=True)


class Sender:
    """Submits notes at a steady rate until it is ended."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        topic = rig.topic(topics.NOTES_SUBMITTED)
        self._topic, self._write = topic, Serializer.for_topic(type(submitted("x")), rig.registry, topic)
        self.sent: list[str] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._over.wait(1 / NOTES_PER_S):
            one = submitted(f"n{len(self.sent)}")
            self._rig.producer.produce(self._topic, self._write(one), one.note_id)
            self._rig.producer.poll(0)
            self.sent.append(one.note_id)

    def wait_for(self, more: int) -> None:
        """Let so many notes more be sent."""
        goal = len(self.sent) + more
        until(lambda: len(self.sent) >= goal, 120, "notes are sent")

    def end(self) -> None:
        self._over.set()
        self._thread.join()
        assert self._rig.producer.flush(60) == 0


class Services:
    """Ingestors and extractors of either commit in the same groups."""

    def __init__(self, rig: Rig, first: Tree, folder: Path) -> None:
        self._rig = rig
        self._first = first
        self._key = folder / "pseudonyms"
        self._key.write_bytes(b"k" * 40)

    def ingestor(self, *, old: bool) -> Process:
        own = {"RXTRACT_PSEUDONYM_KEY_FILE": str(self._key), "RXTRACT_HTTP_PORT": "0"}
        own["RXTRACT_HTTP_TOKENS"] = f"{SOURCE}:{'0' * 64}"
        return self._ready(self._rig.start(module="ingestor", **own, **self._path(old=old)))

    def extractor(self, *, old: bool) -> Process:
        process = self._first.folder / "tests/faults/extractor_process.py" if old else None
        return self._ready(self._rig.start(process=process, **self._path(old=old)))

    def _path(self, *, old: bool) -> dict[str, str]:
        return {"PYTHONPATH": self._first.python_path} if old else {}

    def _ready(self, process: Process) -> Process:
        until(lambda: process.ready or process.child.poll() is not None, 90, "ready")
        assert process.child.poll() is None, process.logged()
        return process


def test_old_and_new_services_beside_each_other_lose_nothing_and_repeat_no_effect(
    stack, topic_prefix: str, tmp_path: Path, first: Tree
) -> None:
    addresses = stack.addresses
    first.run(APPLY, addresses.bootstrap_servers, addresses.schema_registry_url, topic_prefix)
    rig = Rig(
        addresses, topic_prefix, tmp_path
    )  # applies the contract of today over the old one, as an upgrade does first
    services = Services(rig, first, tmp_path)
    try:
        old = [services.ingestor(old=True), services.extractor(old=True)]
        sender = Sender(rig)
        try:
            sender.wait_for(5 * NOTES_PER_S)
            new = [services.ingestor(old=False), services.extractor(old=False)]
            sender.wait_for(5 * NOTES_PER_S)  # both are in the groups
            for process in old:
                assert process.terminate(60) == 0, process.logged()[-3000:]
            sender.wait_for(3 * NOTES_PER_S)
            back = [services.ingestor(old=True), services.extractor(old=True)]  # an upgrade that is taken back
            sender.wait_for(3 * NOTES_PER_S)
            for process in new:
                process.kill()
            sender.wait_for(3 * NOTES_PER_S)
        finally:
            sender.end()
        wanted = set(sender.sent)
        deadline_s = time.monotonic() + 120
        while {event.note_id for event in rig.events()} < wanted and time.monotonic() < deadline_s:
            time.sleep(1)  # each look reads the whole topic
        found = judge([(one, 1) for one in sender.sent], rig.events())
        assert found.lost == []
        assert found.double_effects == []
        assert found.out_of_order == []
        assert rig.dead_letters() == []
        made_by = Counter(event.rules_version for event in rig.events())
        assert len(made_by) == 2, made_by  # either has had its share
        assert all(process.child.poll() is None for process in back)
    finally:
        rig.close()
