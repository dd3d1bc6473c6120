"""The example clients against the services, while a second ingestor joins and leaves: ``make clients-test``.

Every language sends and every language reads; each reader must find every note of every sender. CLIENTS_NOTES=10000 sends more.
What passes is written to docs/transcripts/clients.md.
"""

import contextlib
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from contracts.topics import ENTITIES_EXTRACTED, NOTES_SUBMITTED
from corpus import simulate
from embedded_stack.errors import StackError
from embedded_stack.java import REGISTRY_NEEDS, find_java, major_version
from rxtract.bringup import Running, bring_up
from rxtract.platform_notes import as_submitted

from deploy.live import Failed, say, write_transcript
from tests.clients.jvm import ROOT
from tests.clients.languages import LANGUAGES, Client, ClientFailed, Language, environment, language
from tests.deploy.found import IN_CI

TRANSCRIPT = ROOT / "docs/transcripts/clients.md"
NOTES = int(os.environ.get("CLIENTS_NOTES", "1500"))
SENDING_S = 120.0
"""How long the notes take to be sent: longer than the rebalances."""
REBALANCES = 3
STAYS_S = 6.0
"""How long the second ingestor stays, and how long it is away: with fewer, one rebalance would run into the next."""
DELIVERED_S = 120.0
Identity = tuple[str, str]


class Sender(threading.Thread):
    """Gives a producer its notes at a steady rate."""

    def __init__(self, name: str, producer: Client, count: int) -> None:
        super().__init__(name=name, daemon=True)
        self.given: list[Identity] = []
        self._client, self._source, self._count = producer, f"{name}-app", count
        self._died: Exception | None = None

    def run(self) -> None:
        """All of them, then the end of its input."""
        try:
            self._send()
        except Exception as error:  # noqa: BLE001 - a thread's exception is lost else; `sent` raises it
            self._died = error

    def _send(self) -> None:
        begun = time.monotonic()
        for number, synthetic in enumerate(islice(simulate(sum(self.name.encode())), self._count)):
            note = {**as_submitted(synthetic).to_dict(), "source": self._source, "note_id": f"note-{number}"}
            due = begun + number * SENDING_S / self._count
            time.sleep(max(0.0, due - time.monotonic()))
            self._client.give({name: value for name, value in note.items() if value is not None})
            self.given.append((self._source, note["note_id"]))

    def sent(self) -> int:
        """Wait for the end; how many notes the broker acknowledged by the producer's count.

        Raises:
            Failed: Not all were.
        """
        self.join(SENDING_S * 3)
        if self._died is not None:
            raise Failed(f"the {self.name} producer: {self._died}; {self._client.logged()}") from self._died
        told = int(self._client.finish(60)["sent"])
        if told != self._count:
            raise Failed(f"the {self.name} producer says that it sent {told} of {self._count} notes")
        return told


def ready() -> dict[str, Language]:
    """Every language whose tools are here; the others are named.

    Raises:
        Failed: In CI a tool is missing.
    """
    found = {}
    for name in LANGUAGES:
        try:
            found[name] = language(name)
        except (ClientFailed, StackError) as error:
            if IN_CI:
                raise Failed(f"{name}: {error}") from None
            sys.stderr.write(f"clients-test: left out: {name} ({error})\n")
    say(f"clients ready: {', '.join(found)} ({_tools(found)})")
    return found


def _tools(found: dict[str, Language]) -> str:
    told = [f"Java {major_version(find_java(REGISTRY_NEEDS))}", f"Python {sys.version.split()[0]}"]
    if "node" in found:
        told.insert(1, f"Node {subprocess.run(['node', '--version'], capture_output=True, text=True).stdout.strip()}")
    return ", ".join(told)


@contextlib.contextmanager
def clients(running: Running, languages: dict[str, Language], folder: Path, kind: str) -> Iterator[dict[str, Client]]:
    """A producer or a consumer of each language."""
    topic = NOTES_SUBMITTED if kind == "producer" else ENTITIES_EXTRACTED
    with contextlib.ExitStack() as ending:
        yield {
            name: ending.enter_context(
                Client(
                    getattr(one, kind),
                    topic,
                    environment(running.stack.addresses, group=f"{name}-readers"),
                    folder / f"{name}-{kind}.log",
                )
            )
            for name, one in languages.items()
        }


def rebalance(running: Running, senders: Sequence[Sender]) -> None:
    """A second ingestor joins and leaves while notes are sent.

    Raises:
        Failed: The notes were all sent before that.
    """
    for number in range(1, REBALANCES + 1):
        second = running.start_service(
            "ingestor", f"second-{number}", {"RXTRACT_HTTP_PORT_FILE": str(running.data_dir / "run/second.port")}
        )
        second.wait_ready()
        time.sleep(STAYS_S)
        second.end()
        del running.services[second.name]
        if not all(sender.is_alive() for sender in senders):
            raise Failed(f"all notes were sent before rebalance {number} of {REBALANCES} was over")
        say(f"a second ingestor joined and left, {number} of {REBALANCES}; {_given(senders)} notes given by now")
        time.sleep(STAYS_S)


def _given(senders: Sequence[Sender]) -> int:
    return sum(len(sender.given) for sender in senders)


def judge(consumers: dict[str, Client], wanted: set[Identity]) -> None:
    """Wait until every consumer has found every note.

    Raises:
        Failed: One has not, in time.
    """
    deadline = time.monotonic() + DELIVERED_S
    while any(wanted - _found(consumer) for consumer in consumers.values()) and time.monotonic() < deadline:
        for consumer in consumers.values():
            consumer.check_runs()
        time.sleep(1)
    for name, consumer in consumers.items():
        missing = wanted - _found(consumer)
        if missing:
            raise Failed(f"the {name} consumer found {len(wanted) - len(missing)} of {len(wanted)} notes")
        entities = sum(len(row["entities"]) for row in consumer.rows)
        say(f"the {name} consumer found all {len(wanted)} notes, {entities} entities")
    strangers = {one for consumer in consumers.values() for one in _found(consumer)} - wanted
    if strangers:
        raise Failed(f"{len(strangers)} notes came out that nobody sent")
    say("0 lost, 0 that nobody sent")


def _found(consumer: Client) -> set[Identity]:
    return {(row["source"], row["note_id"]) for row in list(consumer.rows)}


def run(folder: Path) -> None:
    """From nothing to the verdict."""
    languages = ready()
    with bring_up(folder, ephemeral=True) as running:
        say("stack up: Kafka, registry, one ingestor, one extractor")
        with (
            clients(running, languages, folder, "consumer") as consumers,
            clients(running, languages, folder, "producer") as producers,
        ):
            shares = [len(range(place, NOTES, len(producers))) for place in range(len(producers))]
            senders = [Sender(*one, share) for one, share in zip(producers.items(), shares, strict=True)]
            for sender in senders:
                sender.start()
            say(f"{len(producers)} producers send {NOTES} notes in {SENDING_S:.0f} s")
            rebalance(running, senders)
            total = sum(sender.sent() for sender in senders)
            say(f"producers done: the broker acknowledged {total} notes")
            judge(consumers, {one for sender in senders for one in sender.given})


def main() -> int:
    """All of it; whatever happens, everything that was started ends."""
    try:
        with tempfile.TemporaryDirectory(prefix="rxtract-clients-") as folder:
            run(Path(folder))
    except (Failed, ClientFailed, StackError) as error:
        sys.stderr.write(f"clients-test: {error}\n")
        return 1
    write_transcript(
        TRANSCRIPT,
        "Clients in Java, Node and Python",
        "`make clients-test` writes this page: the clients of\n`examples/clients` send to and read from the services.",
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
