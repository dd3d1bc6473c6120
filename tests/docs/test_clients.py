"""What the guides say of other people's clients: the code is that of examples/clients, the table and the partitions are so."""

import re
import sqlite3

import pytest
from aiokafka.partitioner import murmur2

from tests.docs.test_truth import BLOCK, ROOT

GUIDES = ROOT / "docs/guides"
CLIENTS = ROOT / "examples/clients"
SHOWN = {
    "platform-team": ("java/src/main/java/NoteProducer.java", "node/producer.js", "python/producer.py"),
    "downstream-consumer": ("java/src/main/java/EntityConsumer.java", "node/consumer.js", "python/consumer.py"),
}
LONGEST = 80


def partition_of(key: bytes, partitions: int) -> int:
    """Return where a client of Java, or one that does as Java does, puts a key: by the hash of another client."""
    return (murmur2(key) & 0x7FFFFFFF) % partitions


@pytest.mark.parametrize(("page", "file"), [(page, file) for page, files in SHOWN.items() for file in files])
def test_a_client_that_a_guide_shows_is_the_one_that_is_tested(page, file):
    code = (CLIENTS / file).read_text()
    blocks = [block for _, block in BLOCK.findall((GUIDES / f"{page}.md").read_text())]
    assert code in blocks, f"copy {file} into {page}.md"
    assert len(code.splitlines()) < LONGEST


def test_keys_are_on_the_partitions_that_the_guide_says():
    text = (GUIDES / "platform-team.md").read_text()
    (line,) = [line for line in text.splitlines() if line.startswith("To check yours")]
    (count,) = re.findall(r"of (\d+) partitions", line)
    told = re.findall(r"`(\S+)` is on (\d+)", line)
    assert len(told) == 2
    assert told == [(key, str(partition_of(key.encode(), int(count)))) for key, _ in told]


def test_the_table_of_the_guide_keeps_the_row_that_counts():
    (statements,) = [
        block for kind, block in BLOCK.findall((GUIDES / "downstream-consumer.md").read_text()) if kind == "sql"
    ]
    create, insert = statements.split(";")[:2]
    database = sqlite3.connect(":memory:")
    database.execute(create)
    for order in ("1, 9, 1", "2, 9, 1", "2, 9, 1", "1, 10, 2", "2, 10, 0", "2, 9, 7"):
        database.execute(insert.replace("1, 9, 1", order))
    assert database.execute("SELECT revision, model_serial, rules_serial FROM extracted").fetchall() == [(2, 10, 0)]


def test_the_lock_of_node_names_no_registry_and_every_package_by_digest():
    lock = (CLIENTS / "node/package-lock.json").read_text()
    assert '"resolved"' not in lock
    assert lock.count('"integrity"') == lock.count('"node_modules/')
