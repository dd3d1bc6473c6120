"""Ratios of the benchmarks by commit, and which got worse: ``make bench-history``.

``python benchmarks/history.py [--add] [--rounds N]`` measures the extractor's handler and the decoder, compares with the rows of
`history.jsonl`, and with ``--add`` appends a row of its own. All numbers are ratios within one run, so rows of different machines compare
roughly; a slower commit shows best on the machine of the rows before. It takes some minutes.
"""

import argparse
import json
import statistics
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
HISTORY = HERE / "history.jsonl"
ROWS_COMPARED = 5
NOISE = 0.15
"""So much worse than the median of the rows before is called slower; less is seen between two runs of one commit."""


def main() -> None:
    """Measure, compare, and add a row if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--add", action="store_true", help="append a row to history.jsonl, to be committed")
    parser.add_argument("--rounds", type=int, default=12)
    options = parser.parse_args()
    before = read(HISTORY)
    ratios = measure(options.rounds)
    for name, ratio in ratios.items():
        print(f"{ratio:9.2f}  {name}")
    found = slower(before, ratios)
    print("\n".join(found) or f"nothing got slower than the {min(ROWS_COMPARED, len(before))} rows before")
    if options.add:
        row = {"commit": commit(), "date": datetime.now(UTC).date().isoformat(), "ratios": ratios}
        with HISTORY.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")


def measure(rounds: int) -> dict[str, float]:
    """All ratios; higher is faster."""
    import decode
    import handler

    decoded, handled = decode.run(rounds)["rows"], handler.run(rounds)["rows"]
    ratios = {
        f"decode, {row['texts']}: {row['way']} to sklearn_crfsuite": row["ratio_to_sklearn_crfsuite"]
        for row in decoded
        if row["way"].startswith("rxtract")
    }
    # Notes in the time of a hundred round trips, so that here too higher is faster.
    return ratios | {f"handler, {row['kind']}: to fastavro": round(100 / row["round_trips"], 2) for row in handled}


def slower(before: Sequence[Mapping[str, Any]], ratios: Mapping[str, float]) -> list[str]:
    """One line for each ratio that fell below the median of the last rows by more than noise, or that is not measured any more."""
    lines = []
    recent = before[-ROWS_COMPARED:]
    for name in sorted({name for row in recent for name in row["ratios"]}):
        usual = statistics.median(row["ratios"][name] for row in recent if name in row["ratios"])
        ratio = ratios.get(name)
        if ratio is None:
            lines.append(f"not measured any more: {name}")
        elif ratio < usual * (1 - NOISE):
            lines.append(f"slower by {1 - ratio / usual:.0%}: {name} ({ratio:.2f}, was {usual:.2f})")
    return lines


def read(path: Path) -> list[dict[str, Any]]:
    """Rows, oldest first."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def commit() -> str:
    """The commit that is measured; marked where files differ from it."""
    words = ["git", "describe", "--always", "--dirty", "--exclude=*"]
    return subprocess.run(words, cwd=HERE, capture_output=True, text=True, check=True).stdout.strip()


if __name__ == "__main__":
    main()
