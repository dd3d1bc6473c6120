"""Every alert fires on its fault and clears after it, by promtool. One entry of CASES for each alert."""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PROMETHEUS = ROOT / "deploy/prometheus"
ALERTS = {
    rule["alert"]: rule
    for group in yaml.safe_load((PROMETHEUS / "alerts.yml").read_text())["groups"]
    for rule in group["rules"]
}


class Case(NamedTuple):
    """Series in promtool's notation, a minute each; when it must fire, with which labels; when it must be quiet again."""

    series: dict[str, str]
    fires_at_min: int
    clear_at_min: int
    labels: Mapping[str, str] = MappingProxyType({})
    quiet_at_min: int = 0


WHO = 'job="extractor", instance="a"'
RISING, EVENT, FIRST_EVENT = "0+60x30 1800x60", "0x5 1x90", "_x5 1x90"
CASES = {
    "RxtractServiceDown": Case({f"up{{{WHO}}}": "1x4 0x10 1x20"}, 9, 25, {"job": "extractor", "instance": "a"}, 4),
    "RxtractServiceAbsent": Case(
        {
            **{
                f'up{{job="{job}"}}': "1x60"
                for job in (
                    "ingestor",
                    "answerer",
                    "enricher",
                    "drift-watcher",
                    "trainer",
                    "review-desk",
                    "scorekeeper",
                    "ledger",
                )
            },
            'up{job="extractor"}': "1x10 _x20 1x30",
            'rxtract_ready{job="ingestor"}': "1x60",
        },
        27,
        40,
        {"job": "extractor"},
        12,
    ),
    "RxtractNoneReady": Case(
        {
            'rxtract_ready{job="extractor", instance="a"}': "1x10 0x20 1x30",
            'rxtract_ready{job="extractor", instance="b"}': "0x30 1x30",
            'rxtract_ready{job="trainer", instance="a"}': "0x60",  # has an alert of its own
        },
        15,
        35,
        {"job": "extractor"},
        9,
    ),
    "RxtractNotesStuck": Case(
        {
            'rxtract_commit_age_seconds{job="ingestor", topic="notes.submitted.v1", instance="a"}': "0+60x20 0x20",
            'rxtract_commit_age_seconds{job="ingestor", topic="notes.submitted.v1", instance="b"}': "0x40",
        },
        5,
        30,
        {"job": "ingestor", "topic": "notes.submitted.v1"},
        1,
    ),
    "RxtractNotesLost": Case(
        {
            'rxtract_notes_lost_total{job="ledger", instance="old"}': "3x20 _x80",  # long ago
            'rxtract_notes_lost_total{job="ledger", instance="new"}': "_x20 3x10 4x70",
        },
        33,
        60,
        quiet_at_min=28,
    ),
    "RxtractNotesLateFast": Case(
        {
            'rxtract_note_to_entity_seconds_bucket{le="5.0"}': "0+95x70 6750+100x100",
            "rxtract_note_to_entity_seconds_count": "0+100x70 7100+100x100",
        },
        65,
        90,
    ),
    "RxtractNotesLateSlow": Case(
        {
            'rxtract_note_to_entity_seconds_bucket{le="5.0"}': "0+98x60 5980+100x100",
            "rxtract_note_to_entity_seconds_count": "0+100x60 6100+100x100",
        },
        50,
        110,
    ),
    "RxtractNothingExtracted": Case(
        {'rxtract_consumer_lag_records{job="extractor", topic="notes.accepted.v1"}': "100x30 0x30"}, 15, 45
    ),
    "RxtractLagGrows": Case(
        {'rxtract_consumer_lag_records{job="extractor", topic="notes.accepted.v1"}': "9000+500x40 0x40"},
        30,
        60,
        {"job": "extractor", "topic": "notes.accepted.v1"},
    ),
    "RxtractRecordsExpired": Case(
        {f"rxtract_records_expired_total{{{WHO}}}": EVENT}, 8, 40, {"job": "extractor", "instance": "a"}, 4
    ),
    "RxtractOffsetReset": Case(
        {
            f'rxtract_offset_resets_total{{{WHO}, reason="truncated"}}': "0x5 11x30 0x60",
            f'rxtract_offset_resets_total{{{WHO}, reason="skipped"}}': "0x100",
        },
        30,
        40,
        {"job": "extractor", "instance": "a", "reason": "truncated"},
        4,
    ),
    "RxtractDeadLetters": Case(
        {'rxtract_dead_letters_total{job="ingestor", stage="ingestor", reason="BAD"}': RISING},
        20,
        50,
        {"job": "ingestor", "reason": "BAD"},
    ),
    "RxtractRecordKills": Case(
        {f'rxtract_dead_letters_total{{{WHO}, stage="extractor", reason="KILLED_PROCESS"}}': EVENT},
        8,
        40,
        {"job": "extractor", "instance": "a", "stage": "extractor", "reason": "KILLED_PROCESS"},
        4,
    ),
    "RxtractReadingFails": Case(
        {f'rxtract_consumer_errors_total{{{WHO}, kind="forbidden"}}': FIRST_EVENT},
        8,
        40,
        {"job": "extractor", "instance": "a", "kind": "forbidden"},
        4,
    ),
    "RxtractKafkaDoorFails": Case(
        {'rxtract_kafka_door_faults_total{job="ingestor", instance="a"}': EVENT},
        8,
        40,
        {"job": "ingestor", "instance": "a"},
        4,
    ),
    "RxtractSubjectMissing": Case(
        {'rxtract_retries_total{job="extractor", cause="subject"}': RISING}, 20, 50, {"job": "extractor"}
    ),
    "RxtractCommitsFail": Case(
        {'rxtract_commits_total{job="extractor", result="failed"}': RISING}, 20, 50, {"job": "extractor"}
    ),
    "RxtractRetries": Case(
        {'rxtract_retries_total{job="extractor", cause="delivery"}': RISING},
        20,
        50,
        {"job": "extractor", "cause": "delivery"},
    ),
    "RxtractRebalances": Case(
        {'rxtract_rebalances_total{job="extractor", kind="lost"}': "0x5 1+1x8 9x60"}, 15, 40, {"job": "extractor"}, 4
    ),
    "RxtractModelsDiffer": Case(
        {
            'rxtract_model_info{name="m", version="1", instance="a"}': "1x30 0x40",
            'rxtract_model_info{name="m", version="2", instance="b"}': "1x70",
        },
        20,
        40,
    ),
    "RxtractModelRefused": Case(
        {f'rxtract_model_loads_total{{{WHO}, result="refused"}}': FIRST_EVENT},
        8,
        40,
        {"job": "extractor", "instance": "a", "result": "refused"},
        4,
    ),
    "RxtractRulesDiffer": Case(
        {'rxtract_rules_serial{instance="a"}': "1x30 2x40", 'rxtract_rules_serial{instance="b"}': "2x70"}, 20, 40
    ),
    "RxtractRulesRefused": Case(
        {f'rxtract_rules_loads_total{{{WHO}, result="refused"}}': FIRST_EVENT},
        8,
        40,
        {"job": "extractor", "instance": "a", "result": "refused"},
        4,
    ),
    "RxtractModelCheckOld": Case(
        {f"rxtract_model_check_age_seconds{{{WHO}}}": "0+60x30 0x30"}, 25, 45, {"job": "extractor"}, 8
    ),
    "RxtractTaggerFails": Case({f"rxtract_tagger_failures_total{{{WHO}}}": RISING}, 20, 50, {"job": "extractor"}),
    "RxtractDriftCritical": Case(
        {'rxtract_drift_alarms_total{level="CRITICAL", segment_kind="city"}': FIRST_EVENT},
        8,
        40,
        {"segment_kind": "city"},
        4,
    ),
    "RxtractDriftStateRefused": Case(
        {'rxtract_drift_states_refused_total{job="drift-watcher"}': EVENT}, 8, 40, {"job": "drift-watcher"}, 4
    ),
    "RxtractDriftUnjudged": Case({'rxtract_drift_records_unjudged_total{job="drift-watcher"}': RISING}, 20, 50),
    "RxtractCodesStuck": Case(
        {
            'rxtract_commit_age_seconds{job="enricher", topic="entities.extracted.v1", instance="a"}': "0+60x25 0x20",
            'rxtract_commit_age_seconds{job="extractor", topic="notes.accepted.v1", instance="a"}': "0+60x40",
        },
        15,
        35,
        {"topic": "entities.extracted.v1"},
        9,
    ),
    "RxtractTablesOld": Case(
        {
            'rxtract_table_serial{job="enricher", instance="a"}': "2x60",
            'rxtract_table_newest_serial{job="enricher", instance="a"}': "2x10 3x25 2x25",
            'rxtract_table_serial{job="enricher", instance="b"}': "3x60",
            'rxtract_table_newest_serial{job="enricher", instance="b"}': "3x60",
        },
        30,
        45,
        {"instance": "a"},
        20,
    ),
    "RxtractReviewsUnsent": Case(
        {'rxtract_reviews_unsent_total{job="extractor", reason="UNSURE"}': "0+1x60 60x120"},
        30,
        170,
        {"job": "extractor", "reason": "UNSURE"},
    ),
    "RxtractDeduplicationDown": Case({'rxtract_deduplication_up{job="ingestor"}': "0x20 1x20"}, 15, 30),
    "RxtractHttpUnavailable": Case(
        {
            'rxtract_http_requests_total{job="answerer", status="503"}': RISING,
            'rxtract_http_requests_total{job="answerer", status="200"}': "0+60x90",
            'rxtract_http_requests_total{job="ingestor", status="202"}': "0+60000x90",
        },
        20,
        50,
        {"job": "answerer"},
    ),
    "RxtractClientThrottled": Case(
        {
            'rxtract_http_throttled_total{job="ingestor", producer="clinic", limit="notes_per_s"}': RISING,
            'rxtract_http_throttled_total{job="ingestor", producer="lab", limit="queue"}': RISING,  # has its own
        },
        20,
        50,
        {"producer": "clinic", "limit": "notes_per_s"},
    ),
    "RxtractDoorCrowded": Case(
        {'rxtract_http_connections_closed_total{job="review-desk", cause="crowded"}': "0+120x30 3600x60"},
        20,
        50,
        {"job": "review-desk"},
    ),
    "RxtractTokenLinesRefused": Case(
        {'rxtract_token_lines_refused{job="ingestor", file="RXTRACT_HTTP_TOKENS_FILE"}': "0x5 1x10 0x30"},
        10,
        20,
        {"job": "ingestor", "file": "RXTRACT_HTTP_TOKENS_FILE"},
        4,
    ),
    "RxtractTokenFileAway": Case(
        {'rxtract_token_file_away_seconds{job="review-desk", file="RXTRACT_DESK_TOKENS_FILE"}': "0x5 60+60x10 0x30"},
        10,
        20,
        {"job": "review-desk", "file": "RXTRACT_DESK_TOKENS_FILE"},
        4,
    ),
    "RxtractAccessNotLogged": Case(
        {'rxtract_access_records_total{job="review-desk", result="failed"}': RISING}, 20, 50, {"job": "review-desk"}
    ),
    "RxtractHttpQueueFull": Case({'rxtract_http_waiting_notes{job="ingestor"}': "9000x20 0x20"}, 10, 30),
    "RxtractTrainingFails": Case(
        {'rxtract_trainer_orders_total{action="RETRAIN", result="TRAINING_FAILED"}': FIRST_EVENT},
        8,
        80,
        {"action": "RETRAIN"},
        4,
    ),
    "RxtractOrdersRejected": Case(
        {'rxtract_trainer_orders_total{action="RETRAIN", result="REJECTED"}': "0x5 0+1x5 5x600"}, 12, 400, {}, 5
    ),
    "RxtractOrderStuck": Case(
        {
            'rxtract_trainer_open_orders{job="trainer"}': "2x150 1x20",
            'rxtract_trainer_deferred_orders{job="trainer"}': "1x170",
        },
        130,
        160,
        {},
        100,
    ),
    "RxtractTrainingLacksLabels": Case(
        {'rxtract_trainer_missing_labels{job="trainer"}': "40x4400 0x20"}, 4350, 4410, {}, 4000
    ),
    "RxtractTrainerWaits": Case(
        {'rxtract_trainer_waiting{job="trainer", for_what="fault"}': "1x20 0x20"}, 15, 30, {}, 5
    ),
    "RxtractReviewBacklog": Case(
        {
            'rxtract_desk_waiting_notes{job="review-desk", queue="open"}': "2500x90 100x20",
            'rxtract_desk_waiting_notes{job="review-desk", queue="audit"}': "5x110",
        },
        70,
        100,
        {"queue": "open"},
        30,
    ),
    "RxtractAuditBacklog": Case(
        {'rxtract_desk_waiting_notes{job="review-desk", queue="audit"}': "400x90 10x20"}, 70, 100, {}, 30
    ),
    "RxtractReviewStands": Case(
        {
            'rxtract_desk_waiting_notes{job="review-desk", queue="open"}': "5x1200",
            'rxtract_desk_decisions_total{sample="UNSURE", outcome="ACCEPTED"}': "0x600 1+1x600",
        },
        500,
        700,
        {},
        100,
    ),
    "RxtractLabelsHeld": Case({'rxtract_desk_people_held{job="review-desk"}': "0x10 1x60 0x30"}, 18, 80, {}, 5),
    "RxtractReviewsExpired": Case(
        {'rxtract_desk_texts_gone_total{job="review-desk"}': EVENT}, 8, 80, {"job": "review-desk"}, 4
    ),
    "RxtractDeskUnreadable": Case(
        {'rxtract_desk_unreadable_records_total{job="review-desk", topic="review.requested.v1"}': FIRST_EVENT},
        8,
        80,
        {"job": "review-desk", "topic": "review.requested.v1"},
        4,
    ),
    "RxtractQualityBelowTarget": Case(
        {
            'rxtract_kpi_validated_f1_high_ratio{window="week"}': "0.86x10 0.84x120 0.86x60",
            'rxtract_kpi_validated_f1_high_ratio{window="week", city="Pune"}': "0.5x190",  # one city is no ground
        },
        75,
        135,
        {"window": "week"},
        60,
    ),
    "RxtractRecordsNotKept": Case(
        {'rxtract_scorekeeper_records_gone_total{topic="entities.extracted.v1"}': "0x30 200x150"},
        40,
        100,
        {"topic": "entities.extracted.v1"},
        20,
    ),
}
CASES |= {
    "RxtractWebhookWaits": Case(
        {'rxtract_webhook_waiting_age_seconds{job="notifier", source="clinic"}': "0x5 660+60x40 0x60"},
        15,
        80,
        {"source": "clinic"},
        4,
    ),
    "RxtractWebhookGivenUp": Case(
        {'rxtract_webhook_given_up_total{job="notifier", source="clinic"}': EVENT},
        8,
        80,
        {"job": "notifier", "source": "clinic"},
        4,
    ),
    "RxtractWebhookFile": Case({'rxtract_webhook_file_refused{job="notifier"}': "0x5 1x20 0x60"}, 15, 60, {}, 4),
}
# A pod that begins its life with the fault: its counter is never seen at 0, and increase() says nothing of a first value.
OLD, NEW = 'job="a", instance="old"', 'job="a", instance="new"'
NEW_POD = {
    name: Case(
        {f"{metric}{{{OLD}}}": "0x20 _x140", f"{metric}{{{NEW}}}": "_x22 3x140"},
        24,
        110,
        {"job": "a", "instance": "new"},
        20,
    )
    for name, metric in {
        "RxtractRecordsExpired": "rxtract_records_expired_total",
        "RxtractDriftStateRefused": "rxtract_drift_states_refused_total",
        "RxtractRecordsNotKept": "rxtract_scorekeeper_records_gone_total",
    }.items()
}


EVERY = (
    "ingestor",
    "extractor",
    "answerer",
    "enricher",
    "drift-watcher",
    "trainer",
    "review-desk",
    "scorekeeper",
    "ledger",
)


def alive(**labels):
    """A deployment in which every process answers and is ready."""
    more = "".join(f', {name}="{value}"' for name, value in labels.items())
    return {
        f'{metric}{{job="{job}", instance="a"{more}}}': "1x180" for metric in ("up", "rxtract_ready") for job in EVERY
    }


def flow(in_time, ended, **labels):
    """Notes a minute that came out: within 5 s, and all."""
    more = "".join(f', {name}="{value}"' for name, value in labels.items())
    return {
        f'rxtract_note_to_entity_seconds_bucket{{le="5.0"{more}}}': f"0+{in_time}x180",
        f'rxtract_note_to_entity_seconds_count{{job="extractor"{more}}}': f"0+{ended}x180",
    }


LAG = 'rxtract_consumer_lag_records{job="extractor", topic="notes.accepted.v1"}'
AGE = 'rxtract_commit_age_seconds{job="extractor", topic="notes.accepted.v1", instance="a"}'
DEAD = 'rxtract_dead_letters_total{job="extractor", stage="extractor", reason="HANDLER_FAILED"}'
LIVE_REFUSED = 'rxtract_live_notes_refused_total{job="extractor"}'
PRODUCTION, STAGING = {"namespace": "production"}, {"namespace": "staging"}
# Outages in which every process answers: what fires after 150 minutes, as name or namespace/name.
OUTAGES = {
    "all is well": ({**alive(), **flow(600, 600)}, set()),
    "no extractor has a model: none joins the group, so there is no lag": (
        {
            **alive(),
            **flow(0, 0),
            'rxtract_ready{job="extractor", instance="a"}': "0x180",
            'rxtract_notes_accepted_total{job="ingestor", door="http", producer="p"}': "0+6000x180",
            'rxtract_model_check_age_seconds{job="extractor"}': "5x180",
            'rxtract_assigned_partitions{job="extractor"}': "0x180",
        },
        {"RxtractNoneReady"},
    ),
    "one partition of twelve stands, the others flow": (
        {
            **alive(),
            **flow(550, 550),
            LAG: "0+50x180",
            AGE: "0+60x180",
            'rxtract_records_delivered_total{job="extractor", topic="e"}': "0+550x180",
        },
        {"RxtractNotesStuck"},
    ),
    "the ingestor tries one batch for ever": (
        {
            **alive(),
            **flow(0, 0),
            'rxtract_commit_age_seconds{job="ingestor", topic="notes.submitted.v1"}': "0+60x180",
            'rxtract_consumer_lag_records{job="ingestor", topic="notes.submitted.v1"}': "0+9x180",
        },
        {"RxtractNotesStuck"},
    ),
    "the extractor refuses two notes of a hundred": (
        {**alive(), **flow(294, 294), DEAD: "0+6x180", LIVE_REFUSED: "0+6x180"},
        {"RxtractNotesLateFast", "RxtractNotesLateSlow"},
    ),
    "the extractor refuses notes of a backfill, live ones come out in time": (
        {**alive(), **flow(294, 294), DEAD: "0+60x180", LIVE_REFUSED: "0x180"},
        {"RxtractDeadLetters"},
    ),
    "only staging is late, beside a production with a hundred times its notes": (
        {
            **alive(**PRODUCTION),
            **flow(60_000, 60_000, **PRODUCTION),
            **alive(**STAGING),
            **flow(300, 600, **STAGING),
        },
        {"staging/RxtractNotesLateFast", "staging/RxtractNotesLateSlow"},
    ),
    "production has no trainer, staging has one": (
        {
            **{series: values for series, values in alive(**PRODUCTION).items() if "trainer" not in series},
            **alive(**STAGING),
        },
        {"production/RxtractServiceAbsent"},
    ),
    "all of production went two hours ago, staging lives": (
        {
            **dict.fromkeys(alive(**PRODUCTION), "1x30 _x150"),
            **alive(**STAGING),
        },
        {"production/RxtractServiceAbsent"},
    ),
}


def rendered(text, labels):
    return re.sub(r"\{\{ \$labels\.(\w+) \}\}", lambda match: labels[match[1]], text)


def in_namespace(case, namespace):
    """The same fault where every series has the label that Prometheus' operator puts on it."""
    series = {
        name.replace("{", f'{{namespace="{namespace}", ', 1)
        if "{" in name
        else f'{name}{{namespace="{namespace}"}}': values
        for name, values in case.series.items()
    }
    return case._replace(series=series, labels={**case.labels, "namespace": namespace})


def promtool(tmp_path, test):
    file = tmp_path / "test.yml"
    rules = [str(PROMETHEUS / one) for one in ("recording.yml", "alerts.yml")]
    asked = [*test.get("alert_rule_test", ()), *test.get("promql_expr_test", ())]
    last = max(int(one["eval_time"].removesuffix("m")) for one in asked)
    every = (
        "5m" if last > 24 * 60 else "1m"
    )  # every rule is evaluated each time: days of minutes are half a minute of work
    file.write_text(yaml.safe_dump({"rule_files": rules, "evaluation_interval": every, "tests": [test]}))
    result = subprocess.run(["promtool", "test", "rules", str(file)], capture_output=True, text=True, timeout=240)
    assert result.returncode == 0, result.stdout + result.stderr


def promtool_test(name, case):
    rule = ALERTS[name]
    alert = {
        "exp_labels": {**rule["labels"], **case.labels},
        "exp_annotations": {key: rendered(text, case.labels) for key, text in rule["annotations"].items()},
    }
    moments = [(case.quiet_at_min, []), (case.fires_at_min, [alert]), (case.clear_at_min, [])]
    return {
        "interval": "1m",
        "input_series": [{"series": series, "values": values} for series, values in case.series.items()],
        "alert_rule_test": [
            {"eval_time": f"{minute}m", "alertname": name, "exp_alerts": expected} for minute, expected in moments
        ],
    }


def test_every_alert_has_a_case():
    assert set(CASES) == set(ALERTS)


needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None and os.environ.get("CI") != "true", reason="no promtool: run make tools"
)


@needs_promtool
@pytest.mark.parametrize(("name", "case"), [*CASES.items(), *NEW_POD.items()])
def test_it_fires_and_clears(name, case, tmp_path):
    promtool(tmp_path, promtool_test(name, case))


@needs_promtool
@pytest.mark.parametrize(("name", "case"), CASES.items())
def test_it_says_in_which_namespace(name, case, tmp_path):
    promtool(tmp_path, promtool_test(name, in_namespace(case, "staging")))


NEW_WITHIN = [name for name, rule in ALERTS.items() if re.search(r"\bunless\b.*\boffset\b", rule["expr"])]
GAPS = {"one failed scrape": "7x100 stale 7x120", "ten minutes away": "7x100 _x10 7x110"}


def test_most_counters_that_page_begin_with_their_first_event():
    assert set(NEW_POD) <= set(NEW_WITHIN)


@needs_promtool
@pytest.mark.parametrize("gap", GAPS)
@pytest.mark.parametrize("name", NEW_WITHIN)
def test_a_counter_that_was_not_read_for_a_while_is_not_taken_for_a_new_one(name, gap, tmp_path):
    """Else what it counted in its whole life fires once more, as long after the gap as the rule looks back."""
    test = {
        "interval": "1m",
        # A log cut off under us is no event that passes: it fires for as long as the process stands there.
        "input_series": [
            {"series": series, "values": GAPS[gap]} for series in CASES[name].series if '"truncated"' not in series
        ],
        "promql_expr_test": [
            {"expr": f'max_over_time(ALERTS{{alertname="{name}"}}[130m])', "eval_time": "210m", "exp_samples": []}
        ],
    }
    promtool(tmp_path, test)


@needs_promtool
@pytest.mark.parametrize("what", OUTAGES)
def test_an_outage_of_living_processes_is_told(what, tmp_path):
    series, names = OUTAGES[what]
    fires = [
        {"labels": f'{{alertname="{name}"{f", namespace={space!r}" if space else ""}}}'.replace("'", '"'), "value": 1}
        for space, _, name in (one.rpartition("/") for one in names)
    ]
    expression = 'group by (namespace, alertname) (ALERTS{alertstate="firing"})'
    test = {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [{"expr": expression, "eval_time": "150m", "exp_samples": fires}],
    }
    promtool(tmp_path, test)
