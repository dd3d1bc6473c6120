"""What is generated is up to date."""

from rxtract.app import build
from rxtract.commands import generate
from typer.testing import CliRunner


def test_generated_files_are_up_to_date():
    result = CliRunner().invoke(build(["generate"]), ["generate", "--check"])
    assert result.exit_code == 0, result.output


def test_a_page_or_picture_that_is_out_of_date_is_found(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(generate, "CHECKOUT", tmp_path)
    (tmp_path / "page.md").write_text("old")
    assert generate._write(generate.Path("page.md"), "new", check=True)
    assert (tmp_path / "page.md").read_text() == "old"
    assert "out of date: page.md" in capsys.readouterr().out
    assert generate._draw(generate.diagrams(generate.known.read())[0], check=True, anew=False)
    assert "out of date: docs/pictures/stack.svg" in capsys.readouterr().out
