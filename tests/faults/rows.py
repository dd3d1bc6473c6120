"""The promises of docs/reliability.md, row by row: what is held by which tests, or why it is not."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Row:
    """A promise.

    Attributes:
        fault: What happens.
        goal: What must hold, and in which figures.
        tests: Those that assert it, as `file::name`; none where there is a reason.
        short: What of the goal they leave out; or why there is no test.
    """

    fault: str
    goal: str
    tests: tuple[str, ...] = ()
    short: str = ""


_F, _I = "tests/faults", "tests/integration"
_EXTRACTOR = f"{_F}/test_extractor_faults.py"
_GOALS = f"{_F}/test_goals.py"
_INGESTOR = f"{_I}/test_ingestor_stack.py"
_HTTP = "services/ingestor/tests/test_ingestor_http.py"
_HANDLER = "services/ingestor/tests/test_ingestor_handler.py"
_WIRE = "libs/contracts/tests/test_wire.py"
_LOOP = "libs/runtime/tests/test_loop.py"

ROWS: dict[str, Row] = {
    "R1": Row(
        "kill -9 of the extractor, 20 times in 100 s",
        "lost 0, double effects 0, at most 2 % of records twice, lag 0 within 60 s",
        (
            f"{_GOALS}::test_twenty_kills_in_a_hundred_seconds",
            f"{_F}/test_extractor_kill.py::test_kills_lose_nothing",
        ),
    ),
    "R2": Row(
        "10 restarts in good order, 2 replicas",
        "lost 0, at most 0.1 % of records twice, each exit within 20 s with code 0",
        (
            f"{_GOALS}::test_ten_restarts_in_good_order_of_two_replicas",
            f"{_EXTRACTOR}::test_a_restart_in_good_order_loses_and_repeats_nothing",
        ),
    ),
    "R3": Row("recovery after one kill -9", "p95 of 20 within 15 s", (f"{_GOALS}::test_recovery_after_a_kill",)),
    "R4": Row(
        "the broker killed 5 times for 10 s; of three brokers leaders move, and each is away in turn",
        "lost 0 by the ledger, no manual step, flows again within 30 s",
        (
            f"{_F}/test_brokers.py::test_a_broker_killed_five_times_for_ten_seconds_loses_nothing",
            f"{_F}/test_brokers.py::test_leaders_move_by_a_clean_and_a_hard_bounce_and_an_election",
            f"{_F}/test_brokers.py::test_each_of_three_brokers_is_away_in_turn",
        ),
    ),
    "R5": Row(
        "the broker frozen; the network slow, silent, cut and gone",
        "lost 0, 503 within 10 s, no hang",
        (
            f"{_INGESTOR}::test_a_frozen_broker_is_503_in_time_and_nothing_acknowledged_is_lost",
            f"{_INGESTOR}::test_a_broker_frozen_past_every_session_is_found_again",
            f"{_F}/test_network.py::test_latency_cuts_and_a_silent_network_lose_nothing",
            "tests/simulation/test_broker.py::test_what_went_while_it_was_paused_comes_back_paused",
        ),
    ),
    "R6": Row(
        "1 to 3 to 1 replicas, 5 cycles under load",
        "lost 0, double effects 0, each pause within 15 s",
        (
            f"{_GOALS}::test_five_cycles_of_one_to_three_replicas",
            f"{_EXTRACTOR}::test_two_workers_share_and_one_takes_over",
        ),
    ),
    "R7": Row(
        "an extractor frozen past its session, then awake",
        "lost 0, double effects 0, its late commits do no harm",
        (f"{_EXTRACTOR}::test_a_frozen_process_does_no_harm_when_it_wakes",),
    ),
    "R8": Row(
        "the tagger raises on 1 % of notes",
        "each in the DLQ after 3 attempts, all others tagged",
        (f"{_EXTRACTOR}::test_poison_among_notes_and_notes_that_break_the_tagger",),
    ),
    "R9": Row(
        "a note of 20 s, 100 behind it, a kill at 10 s",
        "the slow note has exactly one effect",
        (f"{_GOALS}::test_a_slow_note_with_a_hundred_behind_it_and_a_kill",),
    ),
    "R10": Row(
        "the output topic refuses records",
        "the input offset does not move, lost 0",
        (f"{_EXTRACTOR}::test_a_refused_delivery_moves_no_offset",),
    ),
    "R11": Row(
        "a part of the process crashes while a note is in hand",
        "the offset stays uncommitted, lost 0",
        (
            "libs/runtime/tests/test_faust_worker.py::test_an_exception_ends_the_process_and_nothing_behind_it_is_done",
            f"{_LOOP}::test_a_surprise_stops_the_loop_and_commits_only_what_was_before_it",
            "tests/simulation/test_simulation.py::test_every_world_keeps_its_promises",
        ),
    ),
    "R12": Row(
        "notes that kill the process",
        "each a dead letter after at most 4 deaths, all others have effects",
        (
            f"{_F}/test_extractor_killers.py::test_killers_are_dead_lettered_after_four_tries_and_all_others_have_effects",
            f"{_I}/test_ingestor_killers.py::test_killers_are_dead_lettered_after_four_tries_and_all_others_pass",
        ),
        "the p99 of the others is not measured",
    ),
    "R13": Row(
        "the DLQ takes nothing for 30 s",
        "nothing acknowledged past the note, lost 0, it resumes",
        (
            f"{_GOALS}::test_a_dead_letter_topic_that_takes_nothing_for_thirty_seconds",
            f"{_LOOP}::test_a_dead_letter_that_is_not_delivered_holds_the_offset",
        ),
    ),
    "R14": Row(
        "every note fails after a bad deploy",
        "it stops, at most 200 dead letters",
        (f"{_EXTRACTOR}::test_a_bad_deploy_stops_and_does_not_drain_the_topic_into_the_dlq",),
    ),
    "R15": Row(
        "dead letters replayed, twice",
        "one effect each, original bytes",
        (
            f"{_GOALS}::test_a_thousand_dead_letters_are_replayed_twice",
            f"{_I}/test_cli_topics.py::test_dead_letters_are_listed_shown_and_replayed_byte_for_byte",
        ),
    ),
    "R16": Row(
        "the registry frozen",
        "known schemas pass, unknown ones wait, 0 in the DLQ, resumed within 20 s",
        (f"{_INGESTOR}::test_a_silent_registry_makes_new_schemas_wait_and_known_ones_pass",),
        "some seconds instead of 120, and 20 s to resume instead of 10",
    ),
    "R17": Row(
        "Redis killed; Redis wiped",
        "lost 0, notes are accepted, one effect each",
        (
            f"{_INGESTOR}::test_without_redis_notes_are_accepted",
            "tests/desk/test_desk_api.py::test_a_wiped_redis_is_rebuilt_and_finished_notes_stay_finished",
        ),
        "the throughput meanwhile is not measured",
    ),
    "R18": Row(
        "MLflow down at the start, with and without a cached model",
        "cached: it serves; none: not ready, no crash loop",
        (
            f"{_I}/test_extractor.py::test_the_life_of_a_model",
            f"{_I}/test_extractor.py::test_without_mlflow_and_without_a_copy_it_waits_quietly",
        ),
        "served within 60 s, not 10, because test machines are busy",
    ),
    "R19": Row(
        "MLflow down while notes flow",
        "no effect on notes",
        (
            "libs/serving/tests/test_models.py::test_mlflow_failing_later_changes_nothing",
            f"{_I}/test_trainer.py::test_mlflow_that_goes_away_during_a_training_is_waited_for",
        ),
        "10 minutes on real servers were never run",
    ),
    "R20": Row(
        "a training longer than the poll interval",
        "it never leaves the group, 1 run",
        (f"{_I}/test_trainer.py::test_a_training_longer_than_the_poll_interval_never_leaves_the_group",),
    ),
    "R21": Row(
        "the trainer killed during a job",
        "taken over, exactly 1 registered version",
        (f"{_I}/test_trainer.py::test_ten_deliveries_and_a_kill_make_one_version",),
        "one point of the job on real servers; the others in the order handler's tests",
    ),
    "R22": Row(
        "the same order 10 times, 2 trainers",
        "1 run",
        (f"{_I}/test_trainer.py::test_ten_deliveries_and_a_kill_make_one_version",),
    ),
    "R23": Row(
        "kill -9 of the drift-watcher over 20,000 notes",
        "state, alarms and command ids equal an unbroken run's",
        (f"{_F}/test_drift_watcher_kill.py::test_kills_change_no_alarm_no_command_and_no_state",),
    ),
    "R24": Row(
        "partitions of the drift-watcher move",
        "as R23",
        (f"{_F}/test_drift_watcher_group.py::test_a_second_watcher_joins_and_leaves",),
        "the time to restore is shown, not asserted",
    ),
    "R25": Row(
        "a damaged drift state",
        "refused by its digest, counted, built anew",
        (f"{_F}/test_drift_watcher_kill.py::test_damaged_states_are_refused_counted_and_built_anew",),
    ),
    "R26": Row(
        "each note three times, shuffled within 1,000",
        "one effect a revision, the highest counts",
        (f"{_GOALS}::test_each_note_three_times_and_shuffled",),
    ),
    "R27": Row(
        "clocks an hour apart",
        "no false alarm, offsets decide the order",
        (f"{_F}/test_drift_watcher_group.py::test_clocks_an_hour_apart_change_times_and_no_decision",),
    ),
    "R28": Row(
        "the broker's disk full for 60 s",
        "503 to clients, no false 202, recovers untouched",
        (f"{_GOALS}::test_the_brokers_disk_is_full_for_a_minute",),
        "a full volume of a service's own state: in the simulation only",
    ),
    "R29": Row(
        "damaged model artifacts",
        "none loaded, the old model serves on, no exit",
        (
            f"{_I}/test_extractor_refusals.py::test_no_bad_artifact_replaces_a_good_model",
            "tests/fuzz/test_fuzz.py::test_a_short_turn_finds_nothing",
        ),
    ),
    "R30": Row(
        "a worse model; the alias moved back",
        "never served; a rollback is live; each event names its version",
        (
            "libs/lifecycle/tests/test_gate.py::test_a_worse_model_is_refused",
            f"{_I}/test_trainer.py::test_the_first_model_is_trained_once_by_two_trainers_and_can_be_rolled_back_to",
            f"{_I}/test_trainer_triggers.py::test_audited_quality_that_has_surely_fallen_rolls_back_by_itself",
        ),
    ),
    "R31": Row(
        "20 promotions in 100 s under load",
        "lost 0, no batch by two models",
        (
            f"{_F}/test_promotions.py::test_twenty_promotions_in_a_hundred_seconds",
            f"{_F}/test_promotions.py::test_five_promotions_under_load_lose_nothing_and_reach_three_extractors_by_event",
        ),
        "the p99 is not asserted",
    ),
    "R32": Row(
        "1,000,000 notes",
        "memory grows by less than 1 MB a 100,000 notes",
        (f"{_GOALS}::test_memory_does_not_grow_with_notes",),
    ),
    "R33": Row(
        "the tagger hangs",
        "not alive within 45 s, lost 0",
        (
            f"{_EXTRACTOR}::test_a_tagger_that_hangs_makes_the_process_not_alive",
            f"{_LOOP}::test_a_handler_that_hangs_makes_the_process_not_alive",
        ),
    ),
    "R34": Row(
        "the simulation",
        "1,000 worlds in CI, 100,000 each night, any failure replays from its seed",
        (
            "tests/simulation/test_simulation.py::test_every_world_keeps_its_promises",
            "tests/simulation/test_simulation.py::test_a_fault_put_back_is_found",
        ),
    ),
    "B1": Row(
        "wrong magic byte, no value, 1 to 4 bytes",
        "all in the DLQ with their reason, no crash",
        (
            f"{_WIRE}::test_a_wrong_magic_byte_is_refused",
            f"{_WIRE}::test_less_than_a_header_is_refused",
            f"{_EXTRACTOR}::test_poison_among_notes_and_notes_that_break_the_tagger",
        ),
    ),
    "B2": Row(
        "an unknown schema id against a registry that answers 500",
        "404 is a dead letter, 500 waits",
        (
            f"{_HANDLER}::test_unknown_schema_id",
            f"{_HANDLER}::test_a_registry_that_is_away_is_not_the_notes_fault",
            "tests/contract/test_registry.py::test_server_faults_are_not_taken_for_an_unknown_schema",
        ),
    ),
    "B3": Row(
        "Avro cut at every byte, and one byte more",
        "all in the DLQ, none accepted",
        (f"{_INGESTOR}::test_truncated_at_every_byte", f"{_WIRE}::test_a_trailing_byte_is_refused"),
    ),
    "B4": Row(
        "absurd lengths, long numbers, arrays of nothing, recursion",
        "refused at once, the process lives",
        (
            f"{_WIRE}::test_hostile_lengths_are_refused_at_once",
            f"{_WIRE}::test_hostile_string_lengths_and_array_counts_are_refused",
            f"{_WIRE}::test_a_bomb_is_refused_before_a_byte_is_read",
            "libs/contracts/tests/test_safety.py::test_dangerous_schemas_are_refused",
        ),
    ),
    "B5": Row(
        "a note of 10 MB, and the largest valid one",
        "413 at the door, DLQ on the topic; the valid one passes",
        (
            f"{_INGESTOR}::test_statuses_of_whole_requests",
            f"{_HANDLER}::test_a_ten_megabyte_note",
            f"{_WIRE}::test_the_largest_legal_record_passes_and_one_byte_more_does_not",
        ),
    ),
    "B6": Row(
        "invalid UTF-8, lone surrogates, NUL, BOM, marks, emoji, CRLF",
        "422 or DLQ where invalid; else the text comes out as it came in",
        (
            f"{_HANDLER}::test_invalid_utf8",
            f"{_HANDLER}::test_lone_surrogates_as_a_careless_producer_encodes_them",
            f"{_HTTP}::test_a_lone_surrogate_is_refused_wherever_it_stands",
            "services/ingestor/tests/test_ingestor_rules.py::test_legal_texts",
            "services/ingestor/tests/test_ingestor_rules.py::test_any_text_is_judged_and_what_is_accepted_can_be_written",
        ),
    ),
    "B7": Row(
        "compressed bombs, JSON 100,000 deep",
        "refused before it is built; memory bounded",
        (
            f"{_HTTP}::test_compressed_bodies_are_refused",
            f"{_HTTP}::test_what_is_nested_deep_is_refused_before_it_is_parsed",
            f"{_I}/test_ingestor_killers.py::test_the_memory_of_bombs_is_bounded_and_given_back",
            f"{_I}/test_swollen_batches.py::test_a_batch_too_large_to_be_fetched_costs_one_death_at_most_and_its_large_record",
        ),
    ),
    "B8": Row(
        "every parser fuzzed; the C code under address and undefined-behaviour sanitizers",
        "0 crashes, 0 other exceptions, none over 1 s",
        (
            "tests/fuzz/test_fuzz.py::test_a_short_turn_finds_nothing",
            "tests/fuzz/test_fuzz.py::test_what_was_found_once_is_refused_as_its_callers_know",
            "tests/fuzz/test_fuzz.py::test_the_c_code_under_both_sanitizers",
        ),
        "10 minutes in all each night, not for each parser",
    ),
    "B9": Row(
        "an empty note, a token of 1,000,000 characters, 100,000 tokens",
        "handled, or refused by rule",
        (
            "libs/clinical-ner/tests/test_tagger.py::test_a_million_characters_and_a_hundred_thousand_tokens",
            f"{_INGESTOR}::test_a_bad_note_is_answered_with_reasons_per_field",
        ),
    ),
}
