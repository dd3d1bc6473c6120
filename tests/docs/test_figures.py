"""Figures of the pages follow from where they come from: the demo's summary, the settings, the contracts, the code."""

import json
import re
import tomllib
from itertools import chain

import pytest
import yaml
from contracts.topics import load_topics
from drift.config import DriftConfig
from extractor.domain.sampling import SamplingRates
from extractor.settings import ExtractorSettings
from outcomes.kpis import KPIS, Assumptions
from scorekeeper.http.words import share
from trainer.settings import TrainerSettings

from tests.docs.test_truth import BLOCK, PAGES, ROOT, RULES, name_of

DOCS = ROOT / "docs"
RUN = json.loads((DOCS / "transcripts/demo.json").read_text())
VALUES = {name: kpi["value"] for name, kpi in RUN["kpis"]["kpis"].items()}
QUIET = json.loads((DOCS / "transcripts/quiet-day.json").read_text())["kpis"]
DAY = {name: kpi["value"] for name, kpi in QUIET["kpis"].items()}
ASSUMED = Assumptions()
WORDS = "no one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen".split()
SERVICES = sorted(path.parent.name for path in ROOT.glob("services/*/pyproject.toml"))
COUNTS = {
    "services": len(SERVICES),
    "topics": len(load_topics()),
    "alerts": len([rule for rule in RULES if "alert" in rule]),
    "dashboards": len(list(ROOT.glob("deploy/grafana/**/*.json"))),
    "pipelines": 5,
}
LEAST = 3
"""Fewer than so many are some of them ("two services need it"), not all."""
COUNTED = re.compile(rf"\b({'|'.join(WORDS[LEAST:])}|\d+) ({'|'.join(COUNTS)})\b", re.IGNORECASE)


def worked_example():
    """The rows of the table, computed anew from the quiet day's KPIs."""
    notes, decided = int(DAY["notes"]), QUIET["people"]["decided"]
    straight, corrected = round(DAY["straight_through_rate"] * notes), QUIET["people"]["corrected"]
    desk_h = QUIET["people"]["hours"]
    paid = DAY["cost_per_1000_notes"] * notes / 1_000
    machine_h = (paid - desk_h * ASSUMED.validator_rupees_per_hour) / ASSUMED.machine_rupees_per_hour
    refused = sum(QUIET["refused"].values())
    saved_h = straight * ASSUMED.entry_minutes / 60 - desk_h
    assert saved_h == pytest.approx(DAY["person_hours_saved"])
    assert corrected / decided == pytest.approx(DAY["correction_rate"])
    assert refused / (refused + notes) == pytest.approx(DAY["refused_share"])
    by_hand = ASSUMED.entry_minutes / 60 * ASSUMED.validator_rupees_per_hour * 1_000
    low, high = share(DAY["validated_f1_low"]), share(DAY["validated_f1_high"])
    rates = f"{ASSUMED.validator_rupees_per_hour:g}", f"{ASSUMED.machine_rupees_per_hour:g}"
    return [
        ("straight_through_rate", f"{straight:,} / {notes:,} | {share(straight / notes)}"),
        ("person_hours_saved", f"{straight:,} x {ASSUMED.entry_minutes:g} / 60 - {desk_h:.2f} | {saved_h:.1f} h"),
        (
            "cost_per_1000_notes",
            f"({desk_h:.2f} h x {rates[0]} + {machine_h:.1f} h x {rates[1]}) / {notes:,} x 1,000 | {paid / notes * 1_000:.0f} rupees",
        ),
        ("", f"{ASSUMED.entry_minutes:g} / 60 x {rates[0]} x 1,000 | {by_hand:,.0f} rupees"),
        ("correction_rate", f"{corrected} / {decided} | {share(corrected / decided)}"),
        ("validated_f1", f"| {share(DAY['validated_f1'])}, 95 % interval {low.removesuffix(' %')} to {high.removesuffix(' %')}"),
        ("refused_share", f"{refused} / ({refused} + {notes:,}) | {share(DAY['refused_share'])}"),
        ("time_to_structured_p95", f"median {DAY['time_to_structured_p50']:.2f} s | {DAY['time_to_structured_p95']:.2f} s"),
        ("availability", f"{round(DAY['availability'] * notes):,} / {notes:,} within 30 s | {share(DAY['availability'])}"),
        ("", f"{machine_h:.1f}, for minutes of notes"),
    ]  # fmt: skip


def figures_of_the_run():
    """What the story says elsewhere, as the summary has it."""
    loop = RUN["loop"]
    return [
        ("why.md", f"{share(VALUES['straight_through_rate'])} of {int(VALUES['notes']):,} notes straight through"),
        ("why.md", f"F1 {share(VALUES['validated_f1'])}, while the model itself expected {share(VALUES['estimated_f1'])}"),
        ("why.md", f"nobody showed it: {loop['f1_after']:.2f}; the old one {loop['f1_before']:.2f}"),
        ("what-happens-when.md", f"went from {loop['f1_before']:.2f} to {loop['f1_after']:.2f}"),
        ("what-happens-when.md", f"CRITICAL {loop['seconds_to_critical']} s after"),
        ("what-happens-when.md", f"of which {loop['label_errors']} are wrong on purpose"),
        ("what-happens-when.md", f"TRAINING_DEFERRED, {loop['missing_labels']} missing"),
        ("transcripts/demo.md", f"{RUN['structured']} structured, {RUN['entities']:,} entities, {RUN['dead_letters']} refused"),
        ("transcripts/demo.md", f"p50 {RUN['p50_ms']:.0f} ms, p95 {RUN['p95_ms']:.0f} ms"),
        ("transcripts/demo.md", f"{loop['labels']} notes labelled at the desk, {loop['label_errors']} of them"),
        ("transcripts/demo.md", f"{loop['seconds_to_recovered']:.0f} s from the first shifted note"),
        ("transcripts/demo.md", f"{VALUES['notes']:,.0f} notes, {share(VALUES['straight_through_rate'])} straight through"),
    ]  # fmt: skip


def dials():
    """Numbers that prose gives for settings and thresholds."""
    drift = DriftConfig()
    extractor = ExtractorSettings.model_fields
    return [
        ("what-happens-when.md", f"sums of {drift.block_notes} notes"),
        ("workflow.md", f"statistics of {drift.block_notes} notes"),
        ("what-happens-when.md", f"{drift.critical_distance:g} standard deviations on the harmful side"),
        ("what-happens-when.md", f"{WORDS[drift.critical_statistics]} statistics at once"),
        ("what-happens-when.md", f"fall of the confidence by {drift.critical_confidence:g}"),
        ("what-happens-when.md", f"`RXTRACT_DRIFT_WARNING_RATE` ({extractor['drift_warning_rate'].default})"),
        ("what-happens-when.md", f"({extractor['drift_daily_budget'].default} notes a day"),
        ("what-happens-when.md", f"at {TrainerSettings.model_fields['retrain_after_annotations'].default} new annotations"),
        ("workflow.md", f"new annotations ({TrainerSettings.model_fields['retrain_after_annotations'].default})"),
        ("mlops.md", f"as many as {ASSUMED.audit_f1_within * 100:g} points of F1 need"),
        ("review-desk.md", f"`RXTRACT_AUDIT_F1_WITHIN` ({ASSUMED.audit_f1_within * 100:g} points)"),
        ("review-desk.md", f"draw {SamplingRates().audit:.0%} before there is one".replace("%", " %")),
        ("why.md", f"{ASSUMED.entry_minutes:g} minutes to type a note, {ASSUMED.validator_rupees_per_hour:g} rupees for a validator's"),
    ]  # fmt: skip


@pytest.mark.parametrize(("kpi", "row"), worked_example())
def test_each_sum_of_the_worked_example_is_right(kpi, row):
    text = (DOCS / "why.md").read_text()
    assert row in text
    met = QUIET["kpis"].get(kpi, {}).get("met")
    if met is not None:
        line = next(line for line in text.splitlines() if row in line)
        assert line.endswith(f"{'met' if met else 'missed'} |")


@pytest.mark.parametrize(("page", "words"), figures_of_the_run() + dials())
def test_a_figure_is_that_of_its_source(page, words):
    assert words in (DOCS / page).read_text()


def test_targets_in_the_business_case_are_those_of_the_code():
    rows = re.findall(
        r"^\| [^|]*\| [^|]+ \| [^|]+ \| ([^|]+) \| ([^|;]+?)(?:;[^|]*)? \|$",
        (DOCS / "why.md").read_text(),
        re.MULTILINE,
    )
    told = {title: target for target, title in rows if title != "On the control page" and not title.startswith("-")}
    assert len(told) == 9
    by_title = {kpi.title: kpi for kpi in KPIS}
    for title, target in told.items():
        kpi = by_title[title]
        if kpi.target is None:
            assert target == "-"
            continue
        amount = f"{kpi.target * 100:g} %" if kpi.unit == "share" else f"{kpi.target:,g}"
        assert target.startswith(f"{amount} "), title
        assert target.endswith("or more" if kpi.better == "higher" else "or less"), title


def test_every_line_of_a_story_was_printed():
    """The stories quote the transcript; none has lines of its own."""
    printed = set((DOCS / "transcripts/demo.md").read_text().splitlines())
    quoted = [block for kind, block in BLOCK.findall((DOCS / "what-happens-when.md").read_text()) if kind == "text"]
    assert len(quoted) >= 4
    assert [line for block in quoted for line in block.splitlines() if line not in printed] == []


def counted_wrongly(text):
    """Numbers of things that are as many as the code has them, and another number is given."""
    number = {word: value for value, word in enumerate(WORDS)}
    return [
        found[0]
        for found in COUNTED.finditer(text)
        if number.get(found[1].lower(), found[1]) not in {COUNTS[found[2].lower()], str(COUNTS[found[2].lower()])}
    ]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_what_a_page_counts_is_as_many(page):
    assert counted_wrongly(BLOCK.sub("", page.read_text())) == []


def test_a_wrong_count_is_found():
    right = COUNTS["topics"]
    assert counted_wrongly(f"Twelve services, {right} topics, {WORDS[right]} topics, 32 alerts") == [
        "Twelve services",
        "32 alerts",
    ]


def test_every_image_has_its_size_in_the_page_of_deployment():
    listed = set(
        re.findall(r"^\| ([a-z-]+) \| (?:\d+ \| \d+|not weighed \|) \|", (DOCS / "deploy.md").read_text(), re.MULTILINE)
    )
    assert listed == {*SERVICES, "cli"}


def test_compose_and_pages_name_the_same_ports():
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    outside = {
        str(port).split(":")[-2]
        for service in compose["services"].values()
        for port in service.get("ports", ())
    }  # fmt: skip
    told = set(re.findall(r"127\.0\.0\.1:(\d{4})", (DOCS / "deploy.md").read_text()))
    assert told <= outside


def dependencies():
    """What our packages need of others, by the name on the package index."""
    found = set()
    for path in [
        *ROOT.glob("libs/*/pyproject.toml"),
        *ROOT.glob("services/*/pyproject.toml"),
        ROOT / "cli/pyproject.toml",
    ]:
        project = tomllib.loads(path.read_text())["project"]
        lines = [*project["dependencies"], *chain(*project.get("optional-dependencies", {}).values())]
        found |= {re.match(r"[\w.-]+", line)[0].lower() for line in lines}
    return sorted(name for name in found if not name.startswith("rxtract"))


def reasons(text):
    """Names of tools that have a row or a heading of their own."""
    return {
        word.lower()
        for title in re.findall(r"^(?:### |\| )([^|\n]+)", text, re.MULTILINE)
        for word in re.findall(r"[\w-]+", title)
    }


@pytest.mark.parametrize("name", dependencies())
def test_every_dependency_has_its_reasons(name):
    text = (DOCS / "tools.md").read_text()
    assert name in reasons(text) | {"authlib", "python-crfsuite", "scipy"}, "give it a row with two alternatives"
    assert name in text.lower()


def test_every_tool_stands_against_two_others_and_has_a_weakness():
    text = (DOCS / "tools.md").read_text()
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", text, re.MULTILINE)
    told = [row for row in rows if row[0] != "Tool" and not row[0].startswith("-")]
    assert len(told) > 20
    for tool, instead, because, weak in told:
        assert instead.count(";") == 1, tool
        assert len(because.split()) > 3, tool
        assert len(weak.split()) > 3, tool
    for section in re.split(r"^### ", text.partition("## Around them")[0], flags=re.MULTILINE)[1:]:
        assert len(re.findall(r"^\| (?!Alternative|-)", section, re.MULTILINE)) == 2, section.splitlines()[0]
        assert "*Weak*" in section
        assert "*Leave it*" in section or "*What we did*" in section


TEN_MINUTES = ("index.md", "answers.md", "what-happens-when.md")
ANSWERS = ("why.md", "mlops.md", "design.md", "tools.md", "workflow.md", "what-happens-when.md", "answers.md")
WORDS_A_MINUTE = 230


def words_of(text):
    return len(re.findall(r"\S*\w\S*", re.sub(r"\]\([^)]*\)", "]", BLOCK.sub("", text))))


def test_the_whole_story_is_read_in_ten_minutes():
    assert sum(words_of((DOCS / page).read_text()) for page in TEN_MINUTES) <= 10 * WORDS_A_MINUTE


@pytest.mark.parametrize("page", [*ANSWERS, *(f"guides/{path.name}" for path in DOCS.glob("guides/*.md"))])
def test_one_answer_is_read_in_two_minutes(page):
    sections = re.split(r"^##+ ", BLOCK.sub("", (DOCS / page).read_text()), flags=re.MULTILINE)
    assert {
        section.splitlines()[0]: words_of(section) for section in sections if words_of(section) > 2 * WORDS_A_MINUTE
    } == {}


def test_keys_in_the_validators_guide_are_those_of_the_desk():
    code = (ROOT / "services/review-desk/src/review_desk/page/static/keys.js").read_text()
    keys = re.search(r"^const KEYS = \{(.*?)^\};", code, re.DOTALL | re.MULTILINE)[1]
    known = {(quoted or plain).lower() for quoted, plain in re.findall(r'(?:"([^"]+)"|(\w+)): "', keys)}
    names = {"←": "arrowleft", "→": "arrowright"}
    table = re.findall(r"^\| (`[^|]+) \|", (DOCS / "guides/validator.md").read_text(), re.MULTILINE)
    shown = [names.get(key, key.lower()) for row in table for key in re.findall(r"`([^`]+)`", row)]
    assert len(shown) > 15
    assert [key for key in shown if key not in known] == []


ECHOES = [  # what a page says, and what its source says
    ("mlops.md", "0.4 s median for three extractors", "benchmarks.md", "3 extractors serving, 150 notes/s, five promotions | median 0.4 s"),
    ("mlops.md", "took 0.9 GB", "transcripts/demo.md", "memory of the servers 0.9 GB"),
    ("mlops.md", "270 MB in the demo", "transcripts/demo.md", "mlflow 269,"),
    ("tools.md", "*seen* to take 5.7 times our processor time", "benchmarks.md", "| Quix Streams (44 and 48 us) | 5.7 |"),
    ("tools.md", "*seen* to take 0.67 of our processor time", "benchmarks.md", "by columns (5.5 us) | 0.67 |"),
    ("tools.md", "*seen* to take 54 times the processor time", "benchmarks.md", "(434 and 448 us) | 54 |"),
    ("tools.md", "69 s of processor time", "model-quality.md", "CRFsuite 69 s"),
    ("tools.md", "takes 8.5 s", "model-quality.md", "the same objective, 8.5 s"),
    ("tools.md", "F1 67.0", "model-quality.md", "**67.0**"),
    ("answers.md", "half a minute of processor time", "benchmarks.md", "30 s of processor time"),
    ("answers.md", "eight times slower", "model-quality.md", "CRFsuite 69 s"),
    ("guides/data-scientist.md", "half a minute of processor time", "benchmarks.md", "30 s of processor time"),
]  # fmt: skip


@pytest.mark.parametrize(("page", "said", "source", "seen"), ECHOES)
def test_a_figure_that_stands_twice_is_that_of_its_source(page, said, source, seen):
    assert said in (DOCS / page).read_text()
    assert seen in (DOCS / source).read_text()


def test_the_interval_covers_as_often_as_the_page_says():
    """The test that simulates the weeks holds this number."""
    held = re.search(r"covered.values\(\)\) >= (\d+)", (ROOT / "libs/outcomes/tests/test_quality.py").read_text())[1]
    assert f"in at least {held} of 1,000 simulated weeks" in (DOCS / "answers.md").read_text()


@pytest.mark.parametrize("page", ["guides/downstream-consumer.md", "guides/platform-team.md"])
def test_an_example_in_a_guide_is_one_of_the_contracts(page):
    examples = [json.loads(path.read_text()) for path in ROOT.glob("schemas/examples/*/*.json")]
    blocks = [json.loads(block) for kind, block in BLOCK.findall((DOCS / page).read_text()) if kind == "json"]
    assert blocks
    for block in blocks:
        assert any(all(example.get(key) == value for key, value in block.items()) for example in examples)
