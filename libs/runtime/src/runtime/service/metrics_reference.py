"""The reference page of metrics, made from their declarations: ``python -m runtime.service.metrics_reference ingestor.metrics ...``."""

import sys
from collections.abc import Iterable, Sequence
from importlib import import_module

from runtime.service.metrics import METRICS, MetricSpec


def markdown(sections: Iterable[tuple[str, Sequence[MetricSpec]]]) -> str:
    """One Markdown page: a heading and a table for each section."""
    parts = ["# Metrics\n\nGenerated from the declarations in code; do not edit.\n"]
    parts += [f"\n## {title}\n\n{_table(specs)}" for title, specs in sections]
    return "".join(parts)


def sections_of(modules: Sequence[str]) -> list[tuple[str, Sequence[MetricSpec]]]:
    """The shared metrics, then those that each module lists in its ``METRICS`` beyond the shared ones."""
    shared = set(METRICS)
    sections: list[tuple[str, Sequence[MetricSpec]]] = [("Every consuming service", METRICS)]
    for name in modules:
        own = tuple(spec for spec in import_module(name).METRICS if spec not in shared)
        sections.append((name.removesuffix(".metrics"), own))
    return sections


def _table(specs: Sequence[MetricSpec]) -> str:
    rows = ["| Metric | Kind | Unit | Labels | Meaning |", "|---|---|---|---|---|"]
    rows += [
        f"| `{spec.name}` | {spec.kind} | {spec.unit or '-'} | {', '.join(spec.labels) or '-'} | {spec.sentence} |"
        for spec in specs
    ]
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    sys.stdout.write(markdown(sections_of(sys.argv[1:])))
