"""What the pages claim is true: each claim that a machine can check is checked on every page, and each check can fail."""

import importlib.util
import json
import re
import shlex
import tomllib
from dataclasses import fields
from pathlib import Path

import pytest
import typer.main
import yaml
from contracts.reasons import Reason
from contracts.topics import dlq_of, load_topics
from rxtract.addresses import StackAddresses
from rxtract.app import build
from typer._click.exceptions import UsageError

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("schemas/**/*.md")])
SITE = sorted(page.relative_to(ROOT / "docs") for page in ROOT.glob("docs/**/*.md"))
APP = typer.main.get_command(build([]))
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
INLINE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\]\(([^)\s]+)\)")
RXTRACT = {"rxtract", ".venv/bin/rxtract"}
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
FOLDERS = ("libs", "services", "cli", "deploy", "docs", "schemas", "tests", "benchmarks", "requirements", "examples")
CODE = "\n".join(
    path.read_text()
    for folder in ("libs", "cli", "benchmarks", "deploy", "tests")
    for path in [*ROOT.glob(f"{folder}/**/*.py"), *ROOT.glob(f"{folder}/**/*.sh")]
    if path != Path(__file__)
)
SETTING = re.compile(r"\bRXTRACT_[A-Z][A-Z_]*[A-Z]\b")
SETTINGS = (
    set(SETTING.findall((ROOT / "docs/reference/settings.md").read_text()))
    | set(SETTING.findall(CODE))
    | {f"RXTRACT_{field.name.upper()}" for field in fields(StackAddresses)}
)
TOPIC = re.compile(r"\b[a-z]+\.[a-z]+\.v\d+(?:\.dlq)?\b")
TOPICS = set(load_topics()) | {dlq_of(name) for name, topic in load_topics().items() if topic.dlq}
METRIC = re.compile(
    r"\brxtract_(?!fhir\b|tagger\b|keys\b|keys_(?:reader|sealer|eraser)\b)[a-z0-9_]*[a-z0-9]\b"
)  # Python packages and a database's roles are none
METRICS = set(METRIC.findall((ROOT / "docs/reference/metrics.md").read_text()))
RULES = [
    rule
    for group in yaml.safe_load((ROOT / "deploy/prometheus/alerts.yml").read_text())["groups"]
    for rule in group["rules"]
]
ALERT = re.compile(r"\bRxtract[A-Z]\w+\b")
ALERTS = {rule["alert"] for rule in RULES}
SYMBOL = re.compile(r"^[A-Z]+(?:_[A-Z]+)+$")
SYMBOLS = {str(reason) for reason in Reason} | {
    symbol
    for file in ROOT.glob("schemas/records/*.avsc")
    for found in re.findall(r'"symbols": (\[[^\]]*\])', file.read_text())
    for symbol in json.loads(found)
}
PLACEHOLDERS = set(re.findall(r"`([A-Z_]+)`", (ROOT / "docs/reference/cli.md").read_text()))
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def name_of(page):
    return str(page.relative_to(ROOT))


# -- what a text claims, and what of it is not so


def typed(text):
    """Lines of shell blocks without comments and with `\\` continued, and what stands in single backticks."""
    shell = [
        re.sub(r"(?:^|\s)#.*", "", line)
        for kind, block in BLOCK.findall(text)
        if kind in {"sh", "bash"}
        for line in block.replace("\\\n", " ").split("\n")
    ]
    return shell, INLINE.findall(BLOCK.sub("", text))


def wrong_commands(text):
    """Commands that the application would not take. A shell line must parse whole; a mention may leave arguments out."""
    shell, inline = typed(text)
    mentioned = [words for words in inline if words.split()[0] in RXTRACT]
    return [
        f"{' '.join(['rxtract', *command])}: {why}"
        for line, whole in [*((line, True) for line in shell), *((words, False) for words in mentioned)]
        for command in commands_of(line)
        for words in alternatives(command)
        if (why := refusal(words, whole=whole))
    ]


def commands_of(line):
    """What follows each `rxtract` of a shell line, up to a pipe, a semicolon or the like."""
    lexer = shlex.shlex(re.sub(r"(?<=\w)\|(?=\w)", "¦", line), posix=True, punctuation_chars=True)
    lexer.whitespace_split, lexer.commenters = True, ""
    found, current = [], None
    for word in lexer:
        if word in RXTRACT:
            current = []
            found.append(current)
        elif set(word) <= set("();<>|&"):
            current = None
        elif current is not None:
            current.append(word)
    return found


def alternatives(words):
    """`model list|promote` names two commands."""
    for number, word in enumerate(words):
        if "¦" in word:
            return [[*words[:number], one, *words[number + 1 :]] for one in word.split("¦")]
    return [words]


def refusal(words, *, whole):
    """Why the application does not take these words; empty when it does."""
    command, path = APP, "rxtract"
    while words and words[0] in getattr(command, "commands", {}):
        path, command, words = f"{path} {words[0]}", command.commands[words[0]], words[1:]
    below = getattr(command, "commands", {})
    if below and words and not words[0].startswith("-"):
        return "" if not whole and words[0].isupper() else f"{path} has no command {words[0]}"
    if not whole or "--help" in words:
        known = {option for one in command.params for option in (*one.opts, *one.secondary_opts)} | {"--help", "-h"}
        unknown = [word for word in words if word.startswith("--") and word.split("=")[0] not in known]
        return f"{path} has no option {unknown[0]}" if unknown else ""
    try:
        command.make_context(path, list(words))
    except UsageError as error:
        return error.format_message()
    return ""


def wrong_targets(text):
    shell, inline = typed(text)
    return [
        name
        for line in [*shell, *inline]
        for name in re.findall(r"(?:^|\s)make ([a-z-]+)", line)
        if name not in TARGETS
    ]


def wrong_modules(text):
    """`python -m X` of a module that is not there, `python FILE` of a file that is not."""
    shell, inline = typed(text)
    names = [name for line in [*shell, *inline] for name in re.findall(r"python -m ([a-z_]+(?:\.[a-z_]+)*)", line)]
    files = [name for line in [*shell, *inline] for name in re.findall(r"python ([a-z_/]+\.py)", line)]
    return [name for name in names if importlib.util.find_spec(name) is None] + [
        name for name in files if not (ROOT / name).is_file()
    ]


def wrong_paths(text):
    """Files and folders of the checkout that are named and not there."""
    _, inline = typed(text)
    named = [words for words in inline if re.fullmatch(rf"(?:{'|'.join(FOLDERS)})(?:/[\w.-]+)+/?", words)]
    return [words for words in named if not (ROOT / words).exists()]


def wrong_links(text, page):
    """Links to files that are not there, and to headings that their page does not have."""
    wrong = []
    for link in LINK.findall(BLOCK.sub("", text)):
        target, _, anchor = link.partition("#")
        if "://" in link:
            continue
        file = (page.parent / target).resolve() if target else page
        if not file.exists():
            wrong.append(link)
        elif anchor and file.suffix == ".md":
            headings = text if file == page else file.read_text()
            if anchor not in slugs(headings):
                wrong.append(link)
    return wrong


def slugs(text):
    plain = [re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading) for heading in HEADING.findall(BLOCK.sub("", text))]
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in plain}


def wrong_names(text):
    """Topics, settings, metrics, alerts and symbols of records that do not exist."""
    metrics = {
        re.sub(r"_(?:bucket|sum|count)$", "", name) if name not in METRICS else name for name in METRIC.findall(text)
    }
    symbols = {words for words in INLINE.findall(text) if SYMBOL.match(words) and not words.startswith("RXTRACT_")}
    return sorted(
        (set(TOPIC.findall(text)) - TOPICS)
        | (set(SETTING.findall(text)) - SETTINGS)
        | (metrics - METRICS)
        | (set(ALERT.findall(text)) - ALERTS)
        | (symbols - SYMBOLS - PLACEHOLDERS - set(re.findall(r"\b[A-Z]+(?:_[A-Z]+)+\b", CODE)))
    )


# -- every page


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_what_a_page_types_is_taken(page):
    text = page.read_text()
    assert wrong_commands(text) == []
    assert wrong_targets(text) == []
    assert wrong_modules(text) == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_what_a_page_links_and_names_exists(page):
    text = page.read_text()
    assert wrong_links(text, page) == []
    assert wrong_paths(text) == []
    assert wrong_names(text) == []


def test_every_page_stands_once_in_the_site_and_nothing_else_does():
    config = tomllib.loads((ROOT / "zensical.toml").read_text())
    listed = sorted(Path(path) for path in pages_of(config["project"]["nav"]))
    assert listed == SITE


def pages_of(nav):
    for entry in nav:
        for value in entry.values():
            yield from [value] if isinstance(value, str) else pages_of(value)


def test_every_page_of_the_site_is_reached_from_its_start():
    reached, waiting = set(), [ROOT / "docs/index.md"]
    while waiting:
        page = waiting.pop()
        if page in reached or page.suffix != ".md" or not page.is_relative_to(ROOT / "docs"):
            continue
        reached.add(page)
        links = [link.partition("#")[0] for link in LINK.findall(page.read_text()) if "://" not in link]
        waiting += [(page.parent / link).resolve() for link in links if link]
    assert sorted(page.relative_to(ROOT / "docs") for page in reached) == SITE


def test_no_page_of_the_site_links_out_of_it():
    """Outside docs/ the site has nothing: such a file is named, not linked."""
    for page in ROOT.glob("docs/**/*.md"):
        links = [link for link in LINK.findall(BLOCK.sub("", page.read_text())) if "://" not in link]
        outside = [
            link for link in links if not (page.parent / link.partition("#")[0]).resolve().is_relative_to(ROOT / "docs")
        ]
        assert outside == [], page


def test_every_alert_has_a_runbook_and_every_runbook_an_alert():
    named = {rule["annotations"]["runbook_url"] for rule in RULES}
    unalarmed = {name_of(ROOT / "docs/runbooks/restore.md")}  # the machine that would say so is gone
    assert named == {name_of(page) for page in ROOT.glob("docs/runbooks/*.md")} - unalarmed


# -- each check can fail


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("`rxtract fly`", "has no command fly"),
        ("`rxtract dlq mend`", "rxtract dlq has no command mend"),
        ("`rxtract model list|fly`", "rxtract model has no command fly"),
        ("`rxtract demo --quick`", "has no option --quick"),
        ("```sh\n.venv/bin/rxtract tap\n```", "Missing"),
        ("```sh\nrxtract demo --notes 600 --quick   # fast\n```", "No such option"),
        ("```sh\nrxtract demo --notes 10\n```", "10"),
        ("```sh\nmake up && rxtract why\n```", "Missing"),
        ("```sh\nx=$(rxtract sql 'SELECT count(*) FROM notes' --fast)\n```", "No such option"),
    ],
)
def test_a_command_that_would_not_run_is_found(text, why):
    (found,) = wrong_commands(text)
    assert why in found


@pytest.mark.parametrize(
    "text",
    [
        "`rxtract train`, `rxtract model list|promote`, `rxtract COMMAND --help`",
        "```sh\n.venv/bin/rxtract demo --notes 600 --json | tail -1\nrxtract model --help   # rxtract fly\n```",
        "```sh\nrxtract dlq list notes.submitted.v1 \\\n  --reason EMPTY_TEXT\n```",
        "```text\nrxtract fly\n```",
    ],
)
def test_a_command_that_runs_is_let_be(text):
    assert wrong_commands(text) == []


def test_wrong_targets_modules_and_paths_are_found():
    assert wrong_targets("`make coffee` and `make demo`") == ["coffee"]
    assert wrong_modules("`python -m contracts.generate`, `python -m contracts.degenerate`") == ["contracts.degenerate"]
    assert wrong_modules("```sh\npython benchmarks/nothing.py\n```") == ["benchmarks/nothing.py"]
    assert wrong_paths("`libs/drift`, `libs/snow`") == ["libs/snow"]


def test_wrong_links_and_headings_are_found():
    page = ROOT / "docs/answers.md"
    text = "# Here it is\n[a](index.md) [b](nowhere.md) [c](#here-it-is) [d](#there) [e](kpis.md#kpis) [f](kpis.md#no)"
    assert wrong_links(text, page) == ["nowhere.md", "#there", "kpis.md#no"]


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("notes.lost.v1", "notes.submitted.v1"),
        ("model.events.v1.dlq", "model.commands.v1.dlq"),
        ("RXTRACT_COFFEE", "RXTRACT_AUDIT_RATE"),
        ("rxtract_coffee_total", "rxtract_dead_letters_total"),
        ("rxtract_coffee_seconds_bucket", "rxtract_handler_seconds_bucket"),
        ("RxtractCoffeeOut", "RxtractDriftCritical"),
        ("`COFFEE_OUT`", "`TRAINING_DEFERRED`"),
    ],
)
def test_a_name_that_does_not_exist_is_found(wrong, right):
    assert wrong_names(f"{right} and {wrong}") == [wrong.strip("`").removesuffix("_bucket")]
