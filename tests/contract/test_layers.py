"""What import-linter does not hold: no circle of modules, types for every package, and that each declares what it imports."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import grimp
import pytest

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


PACKAGES = sorted(
    path.parent for path in (*ROOT.glob("libs/*/pyproject.toml"), *ROOT.glob("services/*/pyproject.toml"))
)


@pytest.fixture(scope="module")
def imports() -> grimp.ImportGraph:
    """All imports, wherever they stand."""
    return grimp.build_graph(*root_packages(), cache_dir=None)


def imported_of_ours(package: Path, imports: grimp.ImportGraph) -> set[str]:
    """Folders of libs/ whose modules a package imports."""
    homes = {path.name: path.parents[1].name for path in ROOT.glob("libs/*/src/*") if path.is_dir()}
    [root] = [path.name for path in (package / "src").iterdir() if (path / "__init__.py").exists()]
    mine = {root, *imports.find_descendants(root)}
    roots = {name.partition(".")[0] for module in mine for name in imports.find_modules_directly_imported_by(module)}
    return {homes[name] for name in roots if name in homes} - {package.name}


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.name)
def test_a_package_declares_what_it_imports_and_the_map_of_folders_says_so(
    package: Path, imports: grimp.ImportGraph
) -> None:
    project = tomllib.loads((package / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = [
        *project.get("dependencies", ()),
        *(one for more in project.get("optional-dependencies", {}).values() for one in more),
    ]
    declared = {re.split(r"[\[<>=; ]", line)[0].removeprefix("rxtract-") for line in lines}
    imported = imported_of_ours(package, imports)
    assert imported <= declared, f"pyproject.toml lacks {sorted(imported - declared)}"
    [row] = re.findall(
        rf"^\| `{package.relative_to(ROOT)}` \|.*\| ([^|]*) \|$",
        (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    said = {re.split(r" ?\(", name)[0].strip() for name in re.sub(r"\([^)]*\)", "", row).split(",")}
    assert imported <= said, f"ARCHITECTURE.md lacks {sorted(imported - said)}"
