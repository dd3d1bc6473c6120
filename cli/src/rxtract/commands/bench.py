"""`rxtract bench`: speed as ratios in one run, printed with the machine they were seen on."""

from __future__ import annotations

import importlib.util
import json
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from embedded_stack.errors import StackError
from embedded_stack.progress import PlainLines
from embedded_stack.stack import EmbeddedStack
from rich.console import Console
from rich.table import Table

from rxtract.checkout import CHECKOUT
from rxtract.errors import UserError

if TYPE_CHECKING:
    from types import ModuleType

app = typer.Typer(help="Benchmarks: ratios in one run. Needs a checkout.", no_args_is_help=True)
AsJson = Annotated[bool, typer.Option("--json", help="Everything measured, as JSON on standard output.")]


@app.command("decode")
def decode(as_json: AsJson = False) -> None:
    """Text to entities on one core, beside the usual ways of decoding a CRF."""
    result = _benchmark("decode").run()
    if as_json:
        _dump(result)
        return
    table = Table("texts", "way", "notes/s", "tokens/s", "x sklearn_crfsuite")
    for row in result["rows"]:
        ratio = f"{row['ratio_to_sklearn_crfsuite']:.1f}"
        table.add_row(str(row["texts"]), row["way"], f"{row['notes_per_s']:,.0f}", f"{row['tokens_per_s']:,.0f}", ratio)
    Console().print(table)
    print(f"machine: {result.get('machine')}")


@app.command("handler")
def handler(as_json: AsJson = False) -> None:
    """Bytes to bytes in the extractor's handler: live notes, small batches, many segments, long notes, unseen words."""
    result = _benchmark("handler").run()
    if as_json:
        _dump(result)
        return
    ways = list(result["rows"][0]["us_per_note"])
    table = Table("notes", *(f"{way}, us a note" for way in ways), "objects to served", "fastavro round trips")
    for row in result["rows"]:
        spent = [f"{us:.1f}" for us in row["us_per_note"].values()]
        table.add_row(row["kind"], *spent, f"{row['objects_to_served']:.2f}", f"{row['round_trips']:.2f}")
    Console().print(table)
    print(f"machine: {result.get('machine')}")


@app.command("meaning")
def meaning(as_json: AsJson = False) -> None:
    """What assertions, relations and prescription attributes cost in native code, beside the tagging."""
    result = _benchmark("meaning").run()
    if as_json:
        _dump(result)
        return
    table = Table("texts", "tokens", "entities", "assertions and relations, us a note", "attributes, us a note")
    for row in result["rows"]:
        table.add_row(*(str(value) for value in row.values()))
    Console().print(table)
    print(f"machine: {result.get('machine')}")


@app.command("stream")
def stream(
    as_json: AsJson = False,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds in which the ways take turns.")] = 3,
    scale: Annotated[float, typer.Option(min=0.01, help="Of the numbers of notes.")] = 1.0,
) -> None:
    """Kafka to Kafka beside stock Faust, Quix Streams and a plain loop; both doors; note to entity latency. Own servers."""
    try:
        result = _stream(rounds, scale)
    except (StackError, RuntimeError) as error:  # BenchError is a RuntimeError of a module that is no package's
        raise UserError(str(error)) from None
    if as_json:
        _dump(result)
        return
    for name, value in result.items():
        shown = json.dumps(value) if isinstance(value, dict | list) else str(value)
        print(f"{name:<24} {shown}")


def _stream(rounds: int, scale: float) -> dict[str, Any]:
    from rxtract.measuring import measure_path

    module = _benchmark("stream")
    with tempfile.TemporaryDirectory(prefix="rxtract-bench-") as folder:
        with EmbeddedStack(
            Path(folder) / "ways", ephemeral=True, components=("kafka", "registry"), progress=PlainLines()
        ) as stack:
            result: dict[str, Any] = module.run(stack.addresses, rounds=rounds, scale=scale, say=_say)
            result |= _benchmark("stream_model").run(stack.addresses, rounds=rounds, scale=scale, say=_say)
        return {**result, **measure_path(Path(folder) / "path", _benchmark("ingestor_doors"), scale, _say)}


def _benchmark(name: str) -> ModuleType:
    """Import a module of the checkout's benchmarks/ folder, which is not part of any package."""
    path = CHECKOUT / "benchmarks" / f"{name}.py"
    if not path.exists():
        raise UserError("benchmarks need a checkout: clone the repository and run `make bench` there")
    sys.path.insert(0, str(path.parent))
    spec = importlib.util.spec_from_file_location(f"benchmarks_{name}", path)
    if spec is None or spec.loader is None:
        raise UserError(f"cannot read {path}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def _dump(result: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(result, indent=2) + "\n")


def _say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)
