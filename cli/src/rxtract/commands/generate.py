"""`rxtract generate`: write again what follows from schemas/ and from code."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from outcomes.kpis import markdown

from rxtract.checkout import CHECKOUT
from rxtract.design import command_reference, dot, known, pages, python_reference
from rxtract.design.drawings import diagrams
from rxtract.errors import UserError

if TYPE_CHECKING:
    from rxtract.design.graph import Diagram

PAGES = {
    Path("docs/reference/metrics.md"): "metrics",
    Path("docs/reference/settings.md"): "settings",
}
"""Each page with the rooms of all services that it is made from, by `runtime.service.ROOM_reference`."""
VARIABLES = Path("libs/runtime/src/runtime/service/known_variables.txt")
KPI_PAGE = Path("docs/kpis.md")
ALERTS_PAGE = Path("docs/reference/alerts.md")
COMMANDS_PAGE = Path("docs/reference/cli.md")
PYTHON_PAGE = Path("docs/reference/python.md")
DESIGN_PAGES = Path("docs/design")
PICTURES = Path("docs/pictures")


def generate(
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit code 1 when something is out of date.")
    ] = False,
    pictures: Annotated[
        bool, typer.Option("--pictures", help="Draw the diagrams anew as SVG and PDF. Needs Graphviz.")
    ] = False,
) -> None:
    """Write records, event, reference, KPI and design pages from their sources. Needs a checkout."""
    if not (CHECKOUT / "schemas").is_dir():
        raise UserError("generate needs a checkout: clone the repository and run `make generate` there")
    contracts = subprocess.run(
        [sys.executable, "-m", "contracts.generate", *(["--check"] if check else [])], cwd=CHECKOUT, check=False
    )
    wanted_pages = {page: _of_services(room, room) for page, room in PAGES.items()}
    wanted_pages |= {VARIABLES: _of_services("variables", "settings"), KPI_PAGE: markdown()} | _design()
    stale = [_write(page, wanted, check=check) for page, wanted in wanted_pages.items()]
    stale += [_draw(diagram, check=check, anew=pictures) for diagram in diagrams(known.read())]
    if contracts.returncode or (any(stale) and check):
        raise typer.Exit(1)


def _write(page: Path, wanted: str, *, check: bool) -> bool:
    """Write a page that is not as it should be, or with `check` only name it; return whether it was so."""
    path = CHECKOUT / page
    stale = not path.exists() or path.read_text(encoding="utf-8") != wanted
    if stale:
        print(f"{'out of date' if check else 'written'}: {page}")
    if stale and not check:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(wanted, encoding="utf-8")
    return stale


def _design() -> dict[Path, str]:
    """What is made from the diagrams, the alert rules and the commands."""
    facts = known.read()
    drawn = {DESIGN_PAGES / f"{one.name}.md": pages.diagram_page(one, facts) for one in diagrams(facts)}
    return {
        **drawn,
        ALERTS_PAGE: pages.alerts_page(facts),
        COMMANDS_PAGE: command_reference.source(),
        PYTHON_PAGE: python_reference.source(),
    }


def _draw(diagram: Diagram, *, check: bool, anew: bool) -> bool:
    """Draw a diagram, or say that its picture is of another one; return whether it is."""
    picture = PICTURES / f"{diagram.name}.svg"
    if anew and not check:
        dot.draw(diagram, CHECKOUT / PICTURES)
        return False
    stale = not dot.is_of(CHECKOUT / picture, diagram)
    if stale:
        print(f"out of date: {picture}: run `make pictures`")
    return stale


def _of_services(page: str, room: str) -> str:
    """Ask a module of runtime for a file in a process of its own: the command line never imports a service."""
    found = sorted(path.parent.name for path in CHECKOUT.glob(f"services/*/src/*/{room}.py"))
    command = [sys.executable, "-m", f"runtime.service.{page}_reference", *(f"{name}.{room}" for name in found)]
    return subprocess.run(command, cwd=CHECKOUT, check=True, capture_output=True, text=True).stdout
