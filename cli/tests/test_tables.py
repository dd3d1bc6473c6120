"""Tables can be copied and piped."""

import csv
import io

import pytest
from rich.console import Console
from rxtract.errors import UserError
from rxtract.tables import one_form, print_table, write_csv

NAMES = ("place", "reason", "bytes")
ROWS = [("notes.submitted.v1.dlq/0:123456", "EMPTY_TEXT and much more that is said of it", 7), ("short", None, 12)]


def printed(width: int, *, terminal: bool = True) -> str:
    out = io.StringIO()
    print_table(NAMES, ROWS, Console(file=out, width=width, force_terminal=terminal, color_system=None))
    return out.getvalue()


def test_what_fits_stands_in_columns():
    lines = printed(120).splitlines()
    assert [line.split() for line in (lines[0], lines[2])] == [["place", "reason", "bytes"], ["short", "12"]]
    assert lines[1].endswith(" 7")


@pytest.mark.parametrize("width", [80, 20])
def test_where_columns_do_not_fit_every_cell_is_whole(width):
    text = printed(width)
    for cell in ("place   notes.submitted.v1.dlq/0:123456", "reason  EMPTY_TEXT and much more that is said of it"):
        assert cell in text.splitlines()


def test_a_pipe_gets_one_line_a_row():
    assert len(printed(10, terminal=False).splitlines()) == 1 + len(ROWS)


def test_csv_is_read_back_and_runs_no_formula(capsys):
    write_csv(NAMES, [*ROWS, ("=1+1", 'a "b", c\nd', -3)])
    found = list(csv.reader(io.StringIO(capsys.readouterr().out)))
    assert found == [list(NAMES), [*ROWS[0][:2], "7"], ["short", "", "12"], ["'=1+1", 'a "b", c\nd', "-3"]]


def test_two_forms_at_once_are_refused():
    with pytest.raises(UserError):
        one_form(as_json=True, as_csv=True)
