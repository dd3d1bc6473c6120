"""How fast records are read and written, beside fastavro on the same bytes. Processor time of one thread.

python benchmarks/codec.py [--json]
"""

import argparse
import io
import json
import platform
import time
import timeit
from collections.abc import Callable
from typing import Any

import fastavro
from contracts import files, records, safety, topics
from contracts._generated.codec import RESOLVED
from contracts.registry import InMemoryRegistry, WriterSchemas
from contracts.wire import Deserializer, Serializer

EXAMPLES = {
    "NoteAccepted": (topics.NOTES_ACCEPTED, "outpatient-shorthand"),
    "EntitiesExtracted": (topics.ENTITIES_EXTRACTED, "disease-with-two-treatments"),
    "StatisticsObserved": (topics.STATISTICS_OBSERVED, "all"),
}


def microseconds(ways: dict[str, Callable[[], object]], times: int = 4_000, rounds: int = 25) -> dict[str, float]:
    """Return the processor time of one call of each way: the best of rounds in which the ways take turns."""
    best = dict.fromkeys(ways, float("inf"))
    for _ in range(rounds):
        for name, work in ways.items():
            spent = timeit.timeit(work, number=times, timer=time.process_time) / times * 1e6
            best[name] = min(best[name], spent)
    return best


def rows(name: str) -> dict[str, float]:
    """Return microseconds per record for each way of reading and writing one example."""
    topic, stem = EXAMPLES[name]
    record_type = getattr(records, name)
    path = next(path for path in files.example_files(topic) if path.stem == stem)
    record = record_type.from_json(path.read_text(encoding="utf-8"))
    registry = InMemoryRegistry()
    write = Serializer(record_type, registry.register("s", files.schema_text(name)))
    read = Deserializer(record_type, WriterSchemas(registry, "s"))
    value, plain = write(record), record.to_dict()
    schema = fastavro.parse_schema(safety.checked(files.schema_text(name)))

    def by_fastavro() -> Any:
        return fastavro.schemaless_reader(io.BytesIO(value[5:]), schema)

    def to_fastavro() -> bytes:
        buffer = io.BytesIO()
        fastavro.schemaless_writer(buffer, schema, plain)
        return buffer.getvalue()

    assert read(value) == RESOLVED[record_type](by_fastavro()) == record
    assert to_fastavro() == value[5:]
    fields = {field: getattr(record, field) for field in record_type.__slots__}
    ways: dict[str, Callable[[], object]] = {
        "read_us": lambda: read(value),
        "read_fastavro_dict_us": by_fastavro,
        "read_fastavro_record_us": lambda: RESOLVED[record_type](by_fastavro()),
        "write_us": lambda: write(record),
        "write_fastavro_dict_us": to_fastavro,
        "construct_us": lambda: record_type(**fields),
    }
    return {"bytes": len(value), **microseconds(ways)}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print plain data")
    arguments = parser.parse_args()
    table = {name: rows(name) for name in EXAMPLES}
    if arguments.json:
        print(json.dumps({"machine": platform.platform(), "python": platform.python_version(), "rows": table}))
        return
    print(f"{platform.platform()}, Python {platform.python_version()}, fastavro {fastavro.__version__}")
    for name, row in table.items():
        print(f"\n{name}, {row['bytes']} bytes")
        for way, value in row.items():
            if way != "bytes":
                print(f"  {way:24} {value:7.2f} us {1e6 / value:10,.0f} a second")


if __name__ == "__main__":
    main()
