"""What import-linter does not hold: no circle of modules, and types for every package."""

from __future__ import annotations

import tomllib
from pathlib import Path

import grimp

ROOT = Path(__file__).resolve().parents[2]


def root_packages() -> list[str]:
    return list(tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["root_packages"])


def circles(imports: dict[str, set[str]]) -> list[list[str]]:
    """Modules that import each other, by leaving out again and again what imports or is imported by nobody left."""
    left = dict(imports)
    while True:
        used = {name for module, names in left.items() for name in names if name in left and name != module}
        kept = {module: names & left.keys() for module, names in left.items() if module in used and names & left.keys()}
        if len(kept) == len(left):
            return [sorted(kept)] if kept else []
        left = kept


def test_a_circle_is_found_and_a_chain_is_none():
    assert circles({"a": {"b"}, "b": {"c"}, "c": set()}) == []
    assert circles({"a": {"b"}, "b": {"a"}, "c": {"a"}}) == [["a", "b"]]


def test_no_module_imports_itself_round_a_circle():
    graph = grimp.build_graph(*root_packages(), cache_dir=None, exclude_type_checking_imports=True)
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    assert circles(imports) == []


def test_every_package_is_typed_and_held_by_the_contracts():
    packages = [path.parent for path in ROOT.glob("*/*/src/*/__init__.py")] + [ROOT / "cli/src/rxtract"]
    assert sorted(path.name for path in packages) == sorted(root_packages())
    assert [path.name for path in packages if not (path / "py.typed").exists()] == []
