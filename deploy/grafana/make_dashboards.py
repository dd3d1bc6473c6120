"""Write deploy/grafana/dashboards/*.json from the tables below: ``python deploy/grafana/make_dashboards.py [--check]``.

A panel is one entry; its place follows from the order. Thresholds are those of the alerts.
"""  # noqa: INP001

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TARGET = Path(__file__).resolve().parent / "dashboards"
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
COLUMNS = 24
STAT_HEIGHT, GRAPH_HEIGHT = 5, 8


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel: what it shows and in which unit.

    Args:
        title: What a person reads.
        unit: Grafana's name of the unit.
        queries: Each expression with its legend.
        about: One sentence: what it means and when to worry.
        kind: `timeseries`, or `stat` for one number.
        width: Of 24 columns.
        limit: Where it turns red.
    """

    title: str
    unit: str
    queries: tuple[tuple[str, str], ...]
    about: str
    kind: str = "timeseries"
    width: int = 12
    limit: float | None = None


def quantiles(metric: str, by: str = "", selector: str = "") -> tuple[tuple[str, str], ...]:
    """The median, the 95th and the 99th percentile of a histogram."""
    labels, legend = (f"le, {by}", f" {{{{{by}}}}}") if by else ("le", "")
    return tuple(
        (
            f"histogram_quantile({share}, sum by ({labels}) (rate({metric}_bucket{selector}[$__rate_interval])))",
            f"p{share * 100:.0f}{legend}",
        )
        for share in (0.5, 0.95, 0.99)
    )


def rate(metric: str, by: str, selector: str = "") -> tuple[tuple[str, str], ...]:
    """A counter's rate, summed by labels."""
    legend = " ".join(f"{{{{{label.strip()}}}}}" for label in by.split(","))
    return ((f"sum by ({by}) (rate({metric}{selector}[$__rate_interval]))", legend),)


def grown(metric: str, window: str, selector: str = "") -> str:
    """How much each series of a counter grew. One with labels begins to exist with its first event, which `increase` does not see.

    New is what was in no scrape of a whole hour: with one moment, a failed scrape then would show all that it ever counted.
    """
    series = metric + selector
    return f"(({series} unless last_over_time({series}[1h] offset {window})) or increase({series}[{window}]))"


def events(metric: str, by: str, window: str, selector: str = "") -> str:
    """Events of a counter within a window, summed by labels."""
    return f"sum{f' by ({by}) ' if by else ''}({grown(metric, window, selector)})"


JOB = '{job=~"$job"}'
ENTITIES = '{job="extractor", topic=~".*entities.extracted.v1"}'
AUDITED, UNCHANGED = '{sample="AUDIT"}', '{sample="AUDIT", outcome="ACCEPTED"}'
OPERATIONS = (
    Panel("Services up", "none", (("sum by (job) (up)", "{{job}}"),), "Processes that Prometheus reads.", "stat", 8),
    Panel(
        "Late notes, last hour",
        "percentunit",
        (("rxtract:note_late:ratio1h", "late"),),
        "Share of live notes whose entities took longer than 5 s; the objective allows 0.1 %.",
        "stat",
        8,
        limit=0.001,
    ),
    Panel(
        "Records lost to retention, last day",
        "none",
        ((f"{events('rxtract_records_expired_total', '', '1d')} or vector(0)", "lost"),),
        "Anything but 0 means notes without entities.",
        "stat",
        8,
        limit=1,
    ),
    Panel(
        "Note to entity",
        "s",
        quantiles("rxtract_note_to_entity_seconds"),
        "From the acceptance of a live note to its entity event; the objective is 5 s for 99.9 %.",
        limit=5,
    ),
    Panel(
        "Accepted and come out, last hour",
        "short",
        (
            (events("rxtract_notes_accepted_total", "", "1h"), "accepted"),
            (events("rxtract_records_delivered_total", "", "1h", ENTITIES), "came out"),
            (events("rxtract_dead_letters_total", "", "1h", '{job="extractor"}'), "refused by the extractor"),
            (events("rxtract_live_notes_refused_total", "", "1h"), "refused by the extractor, live"),
        ),
        "What was accepted comes out or is refused; a gap that does not close is lag, or loss.",
    ),
    Panel(
        "Consumer lag",
        "short",
        (("rxtract:consumer_lag_records:sum", "{{job}} {{topic}}"),),
        "Records not committed yet. Growing: more replicas, or see the runbook of lag.",
        limit=10_000,
    ),
    Panel(
        "Commit age",
        "s",
        (("max by (job, topic) (rxtract_commit_age_seconds)", "{{job}} {{topic}}"),),
        "Seconds since the most delayed lagging partition last committed.",
        limit=60,
    ),
    Panel("Ready", "short", (("sum by (job) (rxtract_ready)", "{{job}}"),), "Processes that say they are ready."),
    Panel(
        "Every note accounted for",
        "short",
        (
            ("max(rxtract_notes_open)", "open"),
            ("max(rxtract_notes_lost_total) - max(rxtract_notes_late_total)", "lost"),
            ("max(rxtract_notes_open_oldest_seconds)", "seconds that the oldest has waited"),
        ),
        "Notes without an effect, by the ledger's own reading; none is lost.",
    ),
    Panel(
        "Notes and effects",
        "cps",
        (
            ("sum(rate(rxtract_ledger_submitted_total[$__rate_interval]))", "submitted"),
            ("sum by (by) (rate(rxtract_ledger_answered_total[$__rate_interval]))", "answered: {{by}}"),
        ),
        "As the ledger reads them: the two are one line a few seconds apart.",
    ),
    Panel(
        "Ledger's trouble",
        "short",
        (
            (events("rxtract_ledger_jumps_total", "kind", "1h"), "position: {{kind}}"),
            (events("rxtract_ledger_unread_total", "topic", "1h"), "names no note: {{topic}}"),
        ),
        "0: positions that moved by themselves, and effects that name no note.",
    ),
    Panel(
        "Start to ready",
        "s",
        (("max by (job) (rxtract_start_seconds)", "{{job}}"),),
        "How long the last start took: under 10 s with everything there and the model cached.",
        limit=10,
    ),
    Panel(
        "Records read", "cps", rate("rxtract_records_consumed_total", "job, topic", JOB), "Records handed to handlers."
    ),
    Panel(
        "Records written", "cps", rate("rxtract_records_delivered_total", "job, topic", JOB), "Acknowledged by Kafka."
    ),
    Panel("Batch handling", "s", quantiles("rxtract_handler_seconds", "job", JOB), "One batch in the handler."),
    Panel(
        "Delivery", "s", quantiles("rxtract_delivery_seconds", "job", JOB), "Until Kafka acknowledged a whole batch."
    ),
    Panel("Records in a batch", "short", quantiles("rxtract_batch_records", "job", JOB), "Larger under load."),
    Panel(
        "Batches held",
        "short",
        (
            (f"sum by (job) (rxtract_batches_held{JOB})", "{{job}} held"),
            (f"sum by (job) (rxtract_batches_in_flight{JOB})", "{{job}} in flight"),
        ),
        "Fetched and not done; at its bound a service takes no more.",
    ),
    Panel(
        "Memory of held batches", "bytes", ((f"sum by (job) (rxtract_batches_held_bytes{JOB})", "{{job}}"),), "Bytes."
    ),
    Panel(
        "Dead letters",
        "cps",
        (("rxtract:dead_letters:rate5m", "{{job}} {{reason}}"),),
        "Refused records by reason: `rxtract dlq list`.",
        limit=0.1,
    ),
    Panel("Retries", "cps", rate("rxtract_retries_total", "job, cause", JOB), "Something outside is away or slow."),
    Panel(
        "Consumer errors",
        "cps",
        rate("rxtract_consumer_errors_total", "job, kind", JOB),
        "What readers are told in place of records.",
    ),
    Panel(
        "Deaths with records in hand",
        "short",
        (
            (f"{events('rxtract_died_in_hand_total', '', '1d')} or vector(0)", "partitions"),
            (f"{events('rxtract_kafka_door_faults_total', '', '1d')} or vector(0)", "faults of the Kafka door"),
        ),
        "Over a day: partitions whose owner died at work, and faults that the Kafka door began again after.",
    ),
    Panel("Commits", "cps", rate("rxtract_commits_total", "job, result", JOB), "Failed ones mean repeated work later."),
    Panel(
        "Rebalances",
        "short",
        ((events("rxtract_rebalances_total", "job, kind", "10m", JOB), "{{job}} {{kind}}"),),
        "Lost partitions: a member died or took too long.",
    ),
    Panel(
        "Offset resets",
        "short",
        (("sum by (job, reason) (rxtract_offset_resets_total) or vector(0)", "{{job}} {{reason}}"),),
        "Positions that changed though nobody decided it; truncated: partitions that stand still.",
    ),
    Panel(
        "Assigned partitions", "short", ((f"rxtract_assigned_partitions{JOB}", "{{job}} {{instance}}"),), "By process."
    ),
    Panel(
        "HTTP requests",
        "reqps",
        rate("rxtract_http_requests_total", "job, status"),
        "Answers of POST /v1/notes and /v1/extract.",
    ),
    Panel(
        "HTTP latency",
        "s",
        quantiles("rxtract_http_request_seconds", "job"),
        "The ingestor's with Kafka's acknowledgement.",
    ),
    Panel(
        "Notes answered at once",
        "cps",
        rate("rxtract_notes_answered_total", "producer, result"),
        "By client and result, at the answerer.",
    ),
    Panel(
        "Mentions with and without a code",
        "cps",
        rate("rxtract_mentions_total", "label, result"),
        "At the enricher: coded, none (no code is sure enough), sealed.",
    ),
    Panel(
        "Notes coded anew",
        "short",
        (
            ("sum(rate(rxtract_recoded_notes_total[$__rate_interval]))", "a second"),
            ("sum(rxtract_recode_waiting_records)", "still to look at"),
            ("max(rxtract_table_newest_serial) - min(rxtract_table_serial)", "seconds that a table is older"),
        ),
        "After a change of the tables of codes.",
    ),
    Panel(
        "FHIR documents",
        "cps",
        rate("rxtract_fhir_documents_total", "result"),
        "At the enricher, for records.fhir.v1: made, sealed (no key is there), refused (a dead letter).",
    ),
    Panel(
        "Notes in an HTTP request", "short", quantiles("rxtract_http_request_notes"), "Larger arrays cost less a note."
    ),
    Panel(
        "HTTP notes that wait",
        "short",
        (("sum by (instance) (rxtract_http_waiting_notes)", "{{instance}}"),),
        "Notes of requests that wait for Kafka; above 10,000 clients get 503.",
        limit=8_000,
    ),
    Panel(
        "Deduplication",
        "bool_on_off",
        (("min(rxtract_deduplication_up)", "Redis"),),
        "Off: repeats pass, nothing is lost.",
    ),
    Panel(
        "Clients told to come later",
        "reqps",
        (
            (
                "sum by (producer, limit) (rate(rxtract_http_throttled_total[$__rate_interval]))",
                "{{producer}} {{limit}}",
            ),
        ),
        "By client and by the limit that it met.",
    ),
    Panel(
        "Bytes of bodies in hand",
        "bytes",
        (("sum by (instance) (rxtract_http_bytes_in_flight)", "{{instance}}"),),
        "From the first byte of a body to its answer.",
    ),
    Panel(
        "Connections ended",
        "cps",
        (
            (
                "sum by (job, cause) (rate(rxtract_http_connections_closed_total[$__rate_interval]))",
                "{{job}} {{cause}}",
            ),
            ("sum by (job) (rate(rxtract_http_busy_total[$__rate_interval]))", "{{job}} busy"),
        ),
        "What did not come in time, or had waited longest at a full door; busy: requests refused with 503.",
    ),
    Panel(
        "Token files",
        "short",
        (
            ("max by (job, file) (rxtract_token_lines_refused)", "{{job}} {{file}} lines refused"),
            ("max by (job, file) (rxtract_token_file_away_seconds)", "{{job}} {{file}} seconds away"),
        ),
        "Lines that let nobody in, and files that cannot be read: from 300 s on the door is closed.",
    ),
    Panel(
        "Access log",
        "short",
        (("sum by (job, result) (rate(rxtract_access_records_total[$__rate_interval]))", "{{job}} {{result}}"),),
        "Notes that were shown to people; failed: not shown, because it could not be logged.",
    ),
    Panel(
        "Webhooks",
        "cps",
        (
            ("sum by (source, result) (rate(rxtract_webhook_tries_total[$__rate_interval]))", "{{source}} {{result}}"),
            ("sum by (source) (rate(rxtract_webhook_given_up_total[$__rate_interval]))", "{{source}} given up"),
            ("sum by (source) (rate(rxtract_webhook_unreadable_total[$__rate_interval]))", "{{source}} unreadable"),
        ),
        "Tries to tell sources what became of their notes; given up: in the dead letters.",
    ),
    Panel(
        "Webhooks wait",
        "s",
        (
            ("max by (source) (rxtract_webhook_waiting_age_seconds)", "{{source}}"),
            *quantiles("rxtract_webhook_delivery_seconds", ""),
        ),
        "Age of the oldest outcome that a receiver was offered and has not taken; and from an outcome to the receiver's 2xx.",
    ),
    Panel(
        "Webhooks behind",
        "short",
        (
            ("max by (source) (rxtract_webhook_lag_records)", "{{source}} records"),
            ("max(rxtract_webhook_file_refused)", "file refused"),
        ),
        "Records that a source's reading has not passed; 1 while the file of endpoints cannot be used.",
    ),
)
MODEL = (
    Panel(
        "Served model",
        "none",
        (
            ("count by (name, version) (rxtract_model_info == 1)", "{{name}} {{version}}"),
            ("count by (name, version) (rxtract_rules_info == 1)", "{{name}} {{version}}"),
        ),
        "How many extractors serve which version.",
        "stat",
        8,
    ),
    Panel(
        "Champion's serial",
        "none",
        (("max(rxtract_champion_serial)", "model"), ("max(rxtract_rules_serving_serial)", "rules")),
        "Rises with each promotion and rollback.",
        "stat",
        8,
    ),
    Panel(
        "Labels that are missing",
        "none",
        (("max(rxtract_trainer_missing_labels)", "notes"),),
        "What a deferred training waits for.",
        "stat",
        8,
    ),
    Panel(
        "Distance from the reference",
        "short",
        (("max by (segment_kind, statistic) (rxtract_drift_score)", "{{segment_kind}} {{statistic}}"),),
        "In standard deviations of the model's own data, the worst segment of each kind.",
    ),
    Panel(
        "Worst segments",
        "short",
        (("topk(10, max by (segment, statistic) (rxtract_drift_segment_score))", "{{segment}} {{statistic}}"),),
        "The same by name, each segment with its worst statistic: which city or specialty moved.",
    ),
    Panel(
        "Drift alarms",
        "short",
        ((events("rxtract_drift_alarms_total", "level, segment_kind", "1h"), "{{level}} {{segment_kind}}"),),
        "Published events by level.",
    ),
    Panel(
        "Orders by drift",
        "short",
        ((events("rxtract_drift_commands_total", "action", "1h"), "{{action}}"),),
        "Commands that the drift-watcher published.",
    ),
    Panel(
        "Ranges seen before",
        "short",
        (
            (events("rxtract_drift_ranges_dropped_total", "", "1h"), "dropped"),
            (events("rxtract_drift_states_refused_total", "", "1h"), "states refused"),
            (events("rxtract_drift_records_unjudged_total", "", "1h"), "not judged"),
        ),
        "Repeats after a crash; a refused state is built anew from kept records; a model without a reference is not judged.",
    ),
    Panel("Drift state", "bytes", (("sum(rxtract_drift_state_bytes)", "all partitions"),), "Before compression."),
    Panel(
        "Drift restore",
        "s",
        (("max by (instance) (rxtract_drift_restore_seconds)", "{{instance}}"),),
        "The last restore after an assignment.",
    ),
    Panel(
        "Orders that ended",
        "short",
        ((events("rxtract_trainer_orders_total", "action, result", "1h"), "{{action}} {{result}}"),),
        "By the event that ended them.",
    ),
    Panel(
        "Open orders",
        "short",
        (
            ("max(rxtract_trainer_open_orders)", "open"),
            ("max(rxtract_trainer_deferred_orders)", "of them waiting for labels"),
            ("max by (for_what) (rxtract_trainer_waiting)", "waits for {{for_what}}"),
        ),
        "Orders without an end, and what the trainer waits for.",
    ),
    Panel(
        "Gate's decisions",
        "short",
        ((events("rxtract_gate_decisions_total", "decision", "1d"), "{{decision}}"),),
        "What the gate said on the last day.",
    ),
    Panel(
        "Repeated commands",
        "short",
        ((events("rxtract_trainer_duplicates_total", "", "1h"), "repeats"),),
        "Deliveries of a command beyond its first.",
    ),
    Panel("Last job", "s", (("max(rxtract_trainer_job_seconds)", "last job"),), "How long training and judging took."),
    Panel(
        "Reload",
        "s",
        (
            ("max by (instance) (rxtract_model_reload_seconds)", "model {{instance}}"),
            ("max by (instance) (rxtract_rules_reload_seconds)", "rules {{instance}}"),
        ),
        "From a promotion's event to serving it.",
    ),
    Panel(
        "Loads",
        "short",
        (
            (events("rxtract_model_loads_total", "result", "1h"), "model {{result}}"),
            (events("rxtract_rules_loads_total", "result", "1h"), "rules {{result}}"),
        ),
        "Refused: damaged, or not the promoted one.",
        limit=1,
    ),
    Panel(
        "Age of the last look at MLflow",
        "s",
        (
            ("max by (job) (rxtract_model_check_age_seconds)", "{{job}}"),
            ("max by (job) (rxtract_rules_check_age_seconds)", "{{job}}, rules"),
        ),
        "Old: a promotion would not be seen.",
        limit=600,
    ),
    Panel(
        "Tagger's failures",
        "cps",
        (("sum(rate(rxtract_tagger_failures_total[$__rate_interval]))", "failures"),),
        "Notes on which the model raised.",
        limit=0.01,
    ),
    Panel(
        "Serial by extractor",
        "short",
        (
            ("max by (instance) (rxtract_model_serial)", "model {{instance}}"),
            ("max by (instance) (rxtract_rules_serial)", "rules {{instance}}"),
        ),
        "All the same, but for a minute after a promotion or a release.",
    ),
)
BUSINESS = (
    Panel("Notes accepted, last day", "short", ((events("rxtract_notes_accepted_total", "", "1d"), "notes"),), "By both doors.", "stat", 6),
    Panel("Notes refused, last day", "percentunit", ((f"({events('rxtract_notes_refused_total', '', '1d')} or vector(0)) / ({events('rxtract_notes_accepted_total', '', '1d')} > 0)", "refused"),), "Refused for each accepted one.", "stat", 6),
    Panel("Entities, last day", "short", ((events("rxtract_entities_total", "", "1d"), "entities"),), "Diseases and treatments found.", "stat", 6),
    Panel("Entities a note", "none", ((f"{events('rxtract_entities_total', '', '1h')} / ({events('rxtract_notes_accepted_total', '', '1h')} > 0)", "entities"),), "In the last hour; a sudden change is a change of the notes or of the model.", "stat", 6),
    Panel("Notes accepted", "cps", rate("rxtract_notes_accepted_total", "producer, door"), "By producer and door."),
    Panel("Notes refused", "cps", rate("rxtract_notes_refused_total", "producer, reason"), "By producer and reason: whom to call."),
    Panel("Repeated notes", "cps", rate("rxtract_notes_repeated_total", "result"), "Sent again by clients; a conflict is another text under a known id."),
    Panel("Entities", "cps", rate("rxtract_entities_total", "label"), "By label."),
    Panel("Notes structured within 5 s", "percentunit", (("1 - rxtract:note_late:ratio1h", "last hour"), ("1 - rxtract:note_late:ratio6h", "last six hours")), "The promise is 99.9 %."),
    Panel("Notes to review", "cps", rate("rxtract_reviews_requested_total", "reason"), "By reason: unsure, audit, drift."),
    Panel("Notes that wait for a validator", "short", (("max by (queue) (rxtract_desk_waiting_notes)", "{{queue}}"),), "By queue."),
    Panel("Oldest note that waits", "s", (("max by (queue) (rxtract_desk_oldest_waiting_seconds)", "{{queue}}"),), "Since its request, by queue; after 30 days it leaves unseen.", limit=2_592_000),
    Panel("Validators' decisions", "short", ((events("rxtract_desk_decisions_total", "sample, outcome", "1h"), "{{sample}} {{outcome}}"),), "Accepted without a change, corrected, skipped, unreadable."),
    Panel("Audit notes accepted unchanged", "percentunit", ((f"{events('rxtract_desk_decisions_total', '', '1d', UNCHANGED)} / ({events('rxtract_desk_decisions_total', '', '1d', AUDITED)} > 0)", "last day"),), "A rough view of quality; the weighted estimate with its interval is the scorekeeper's."),
    Panel("Quality of the week", "percentunit", (('rxtract_kpi_validated_f1_ratio{window="week",city="",version=""}', "F1"), ('rxtract_kpi_validated_f1_low_ratio{window="week",city="",version=""}', "low"), ('rxtract_kpi_validated_f1_high_ratio{window="week",city="",version=""}', "high"), ('rxtract_kpi_estimated_f1_ratio{window="week",city="",version=""}', "expected by the model"), ('rxtract_kpi_validated_status_f1_ratio{window="week",city="",version=""}', "statuses")), "Audited F1 with its 95 % interval, beside what the model itself expects."),
    Panel("Precision and recall", "percentunit", (('rxtract_kpi_validated_precision_ratio{window="week",city="",version=""}', "precision"), ('rxtract_kpi_validated_recall_ratio{window="week",city="",version=""}', "recall")), "Of the audited notes of the week."),
    Panel("Quality by label", "percentunit", (('rxtract_quality_ratio{measure="f1",city="",version=""}', "{{label}}"),), "Audited F1 of each label."),
    Panel("Audited notes", "short", (('rxtract_quality_audited_notes{city="",version=""}', "notes"), (events("rxtract_quality_measurements_total", "", "1h"), "measurements published")), "What the quality rests on."),
    Panel("What showing the marks does", "percentunit", (("rxtract_quality_prefill_bias_ratio", "version {{version}}"),), "F1 of audit notes shown with the model's marks minus F1 of those without: above 0 people wave them through."),
    Panel("Straight through, refused, corrected", "percentunit", (('rxtract_kpi_straight_through_ratio{window="today",city="",version=""}', "needed nobody"), ('rxtract_kpi_refused_ratio{window="today",city="",version=""}', "refused"), ('rxtract_kpi_correction_ratio{window="today",city="",version=""}', "corrected, of those reviewed"), ('rxtract_kpi_availability_ratio{window="today",city="",version=""}', "in time")), "Shares of today's notes."),
    Panel("Facts", "short", (('rxtract_kpi_facts{window="today",city="",version=""}', "facts"),), "Diseases and treatments that the patients of today's notes have now."),
    Panel("Set apart", "percentunit", (('rxtract_kpi_set_apart_ratio{window="today",city="",version=""}', "set apart"),), "Of all names of today, the share that is negated, possible, past, planned or another's: it is not counted."),
    Panel("Work saved", "s", (('rxtract_kpi_person_time_saved_seconds{window="week",city="",version=""}', "typing saved, this week"),), "Less the time that validators spent."),
    Panel("A validator's pace", "short", (('rxtract_kpi_notes_per_validator_hour{window="week",city="",version=""}', "notes an hour"),), "Of the week."),
    Panel("Time to structured record", "s", (('rxtract_kpi_time_to_structured_p50_seconds{window="today",city="",version=""}', "p50"), ('rxtract_kpi_time_to_structured_p95_seconds{window="today",city="",version=""}', "p95")), "From acceptance to record, today."),
    Panel("Cost of 1,000 notes", "currencyINR", (('rxtract_kpi_cost_per_1000_notes_rupees{window="week",city="",version=""}', "people and machines"),), "At the rates that the settings assume."),
    Panel("Drift and recovery", "short", (('rxtract_kpi_drift_episodes{window="week",city="",version=""}', "episodes"), ('rxtract_kpi_time_to_recovery_seconds{window="week",city="",version=""} / 3600', "hours to recovery")), "Of the week."),
    Panel("Model age", "s", (('rxtract_kpi_model_age_seconds{window="week",city="",version=""}', "age"),), "Since the serving model was promoted."),
    Panel("Records at rest", "short", (("sum(rate(rxtract_sink_rows_total[$__rate_interval]))", "rows a second"), ("max(rxtract_sink_files)", "files"), ("max(rxtract_sink_waiting_rows)", "rows that wait"), ("max(rxtract_kpi_notes)", "notes of the widest window")), "What analysts query."),
    Panel("Scorekeeper's trouble", "short", ((events("rxtract_scorekeeper_records_gone_total", "", "1d"), "left Kafka before they were kept"), (events("rxtract_scorekeeper_unreadable_records_total", "", "1d"), "unreadable"), (events("rxtract_scorekeeper_notes_forgotten_total", "", "1d"), "beyond the notes that are remembered"), ("sum(rxtract_scorekeeper_leads)", "replicas that lead")), "The first three are 0; one replica leads."),
    Panel("Desk latency", "s", quantiles("rxtract_desk_request_seconds", "action"), "What a validator waits."),
    Panel("Not reviewed", "short", ((events("rxtract_reviews_unsent_total", "reason", "1d"), "too large: {{reason}}"), (events("rxtract_drift_unreviewed_total", "", "1d"), "beyond the drift budget"), (events("rxtract_desk_texts_gone_total", "", "1d"), "gone by age")), "Notes that were due for review and got none."),
    Panel("Desk's trouble", "short", ((events("rxtract_desk_unreadable_records_total", "topic", "1h"), "unreadable: {{topic}}"), (events("rxtract_desk_rebuilds_total", "", "1h"), "queue rebuilt"), (events("rxtract_desk_sealed_requests_total", "", "1h"), "sealed: passed over"), ("max(rxtract_desk_people_held)", "people held")), "Rare."),
)  # fmt: skip
DASHBOARDS = {
    "operations": ("Rxtract operations", OPERATIONS),
    "model": ("Rxtract drift and model", MODEL),
    "business": ("Rxtract business", BUSINESS),
}


def dashboard(name: str, title: str, panels: tuple[Panel, ...]) -> dict[str, Any]:
    """A dashboard as Grafana reads it."""
    job = {
        "name": "job",
        "label": "Service",
        "type": "query",
        "datasource": SOURCE,
        "query": {"query": "label_values(rxtract_records_consumed_total, job)", "refId": "job"},
        "refresh": 2,
        "includeAll": True,
        "allValue": ".*",
        "multi": True,
        "current": {"text": "All", "value": "$__all"},
    }
    source = {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"}
    uses_job = any("$job" in expression for panel in panels for expression, _ in panel.queries)
    return {
        "uid": f"rxtract-{name}",
        "title": title,
        "tags": ["rxtract"],
        "timezone": "browser",
        "schemaVersion": 41,
        "version": 1,
        "editable": False,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "templating": {"list": [source, *([job] if uses_job else [])]},
        "panels": placed(panels),
    }


def placed(panels: tuple[Panel, ...]) -> list[dict[str, Any]]:
    """The panels in rows, from left to right."""
    x = y = height = 0
    found = []
    for number, panel in enumerate(panels, start=1):
        tall = STAT_HEIGHT if panel.kind == "stat" else GRAPH_HEIGHT
        if x + panel.width > COLUMNS or (x and tall != height):
            x, y = 0, y + height
        height = tall
        found.append(_panel(number, panel, {"x": x, "y": y, "w": panel.width, "h": tall}))
        x += panel.width
    return found


def _panel(number: int, panel: Panel, place: dict[str, int]) -> dict[str, Any]:
    steps: list[dict[str, Any]] = [{"color": "green", "value": None}]
    if panel.limit is not None:
        steps.append({"color": "red", "value": panel.limit})
    targets = [
        {"refId": chr(ord("A") + place_in_panel), "datasource": SOURCE, "expr": expression, "legendFormat": legend}
        for place_in_panel, (expression, legend) in enumerate(panel.queries)
    ]
    custom = {"custom": {"thresholdsStyle": {"mode": "line" if panel.limit is not None else "off"}}}
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.about,
        "datasource": SOURCE,
        "gridPos": place,
        "targets": targets,
        "fieldConfig": {
            "defaults": {
                "unit": panel.unit,
                "thresholds": {"mode": "absolute", "steps": steps},
                **(custom if panel.kind == "timeseries" else {}),
            },
            "overrides": [],
        },
    }


def main() -> int:
    """Write what is out of date, or with --check only name it."""
    check = "--check" in sys.argv[1:]
    stale = []
    for name, (title, panels) in DASHBOARDS.items():
        path, text = TARGET / f"{name}.json", json.dumps(dashboard(name, title, panels), indent=1) + "\n"
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(path)
            print(f"{'out of date' if check else 'written'}: {path.name}")  # noqa: T201 - a command
            if not check:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
    return 1 if stale and check else 0


if __name__ == "__main__":
    sys.exit(main())
