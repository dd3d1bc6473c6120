"""An order in, its events out, with a trainer that dies at the worst moments. The registry is a fake of its calls."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from contracts.records import AnnotationValidated, ModelAction, ModelCommand, ModelEventKind
from lifecycle.gate_config import GateConfig
from mlflow.exceptions import MlflowException, RestException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE, RESOURCE_DOES_NOT_EXIST
from model_registry.reading import RegistryAwayError, UnusableVersionError
from model_registry.version import Version
from model_registry.writing import MlflowRefusedError
from registry_fake import FakeModels
from runtime.errors import Recoverable
from runtime.service.metrics import Metrics
from trainer.adapters.models import JobRegistry
from trainer.domain.context import Drift, OrderContext, Waiting
from trainer.domain.job_runs import JobAbandonedError, JobFailedError
from trainer.executor import OrderExecutor
from trainer.jobs import JobSettings, Sources
from trainer.metrics import METRICS


class Died(BaseException):
    """Kill -9, as far as a test can."""


class World:
    def __init__(self, decision: str = "PASS", place: Path | None = None, approval: str = "auto") -> None:
        self.models = FakeModels()
        self.models.set_alias("champion", self.models.add(gate="first"))
        self.decision = decision
        self.said = []
        self.jobs = 0
        self.job_segments: list[str] = []
        self.job_since = -1
        self.annotations: list[AnnotationValidated] = []
        self.is_ours = True
        self.job_kinds: list[str] = []
        self.dies_at: ModelEventKind | None = None
        self.job_error: Exception | None = None
        settings = JobSettings("m", b"k" * 32, GateConfig(approval=approval))
        self.handler = OrderExecutor(
            self.models,
            Sources(lambda: self.annotations, list),
            self.job,
            settings,
            say=self.say,
            may_go_on=lambda: True,
            is_ours=lambda: self.is_ours,
            metrics=Metrics(METRICS),
            now_ms=lambda: 1,
            place=place,
        )

    def job(self, folder, go_on, progress):
        self.jobs += 1
        job = json.loads((folder / "job.json").read_text())
        self.job_kinds.append(job["kind"])
        self.job_segments, self.job_since = job["segments"], job["since"]
        if self.job_error is not None:
            raise self.job_error
        found = {"metrics": {"a": 1}, "datasets": [], "seconds": 1, "taught_by": {"v-1": 2}}
        return {"decision": self.decision, "reasons": ["numbers"], **found}

    def say(self, event) -> None:
        if event.kind is self.dies_at:
            self.dies_at = None
            raise Died
        self.said.append(event)

    def kinds(self):
        return [event.kind.value for event in self.said]


def command(action=ModelAction.RETRAIN, **more) -> ModelCommand:
    given = {"command_id": "c", "model_name": "m", "reason": "operator", "requested_by": "t", "requested_at": 0}
    return ModelCommand(action=action, **{**given, **more})


def test_what_passed_waits_for_a_person_where_one_is_asked():
    world = World(approval="person")
    world.handler(command())
    assert world.kinds() == ["MODEL_TRAINED", "APPROVAL_AWAITED"]
    assert world.models.aliases == {"champion": "1", "challenger": "2"}
    assert "`rxtract model approve 2`" in world.said[-1].reasons[0]
    assert world.said[-1].serial is None  # it does not serve
    world.models._tag(world.models.version("2"), **{"gate.champion": "1"})
    world.handler(command(ModelAction.PROMOTE, command_id="approved", target_version="2"))
    assert world.kinds()[-1] == "PROMOTED"
    assert world.models.aliases == {"champion": "2", "previous": "1"}


def test_a_trainer_that_dies_before_it_could_say_that_it_waits_is_followed_by_one_that_says_it():
    world = World(approval="person")
    world.dies_at = ModelEventKind.APPROVAL_AWAITED
    with pytest.raises(Died):
        world.handler(command())
    world.models._tag(world.models.version("2"), **{"gate.champion": "1"})
    world.handler(command())
    assert world.kinds()[-1] == "APPROVAL_AWAITED"
    assert (world.jobs, world.models.aliases) == (1, {"champion": "1", "challenger": "2"})


def test_a_version_that_waits_is_void_once_another_champion_serves():
    world = World(approval="person")
    world.handler(command())
    world.models._tag(world.models.version("2"), **{"gate.champion": "1"})
    other = world.models.add(gate="pass", **{"gate.champion": "1"})
    world.handler(command(ModelAction.PROMOTE, command_id="other", target_version=other.version))
    world.handler(command(ModelAction.PROMOTE, command_id="late", target_version="2"))
    assert world.kinds()[-1] == "REJECTED"
    assert world.models.aliases["champion"] == other.version


def test_a_first_model_and_a_refused_one_wait_for_nobody():
    first = World("FIRST", approval="person")
    first.models.aliases.clear()
    first.handler(command())
    assert first.kinds() == ["MODEL_TRAINED", "PROMOTED"]
    refused = World("REJECT", approval="person")
    refused.handler(command())
    assert refused.kinds() == ["MODEL_TRAINED", "REJECTED"]


def test_a_good_model_is_promoted_with_a_rising_serial():
    world = World()
    world.handler(command())
    assert world.kinds() == ["MODEL_TRAINED", "PROMOTED"]
    assert world.models.aliases == {"champion": "2", "previous": "1"}
    assert world.said[-1].previous_version == "1"
    assert world.said[-1].serial > 1
    assert [event.taught_by for event in world.said] == [{"v-1": 2}, {}]


@pytest.mark.parametrize("moment", [ModelEventKind.MODEL_TRAINED, ModelEventKind.PROMOTED])
def test_a_trainer_that_dies_before_it_could_say_is_followed_by_one_that_says_it(moment):
    world = World()
    world.dies_at = moment
    with pytest.raises(Died):
        world.handler(command())
    world.handler(command())
    assert set(world.kinds()) == {"MODEL_TRAINED", "PROMOTED"}
    assert world.kinds()[-1] == "PROMOTED"
    assert world.models.registrations == 1
    assert world.jobs == 1
    assert world.models.aliases["champion"] == "2"


AWAY = [Recoverable("MLflow: ConnectionError"), JobAbandonedError("the lease ran out while Redis was away")]


@pytest.mark.parametrize("away", AWAY, ids=["MLflow", "Redis"])
def test_a_server_that_is_away_at_the_end_costs_no_training(away, tmp_path):
    world = World(place=tmp_path)
    world.annotations = labelled("Pune", 3)
    world.models.fails_once = away
    with pytest.raises(type(away)):
        world.handler(command())
    assert list(tmp_path.iterdir()), "what was trained is kept"
    world.annotations = labelled("Pune", 9)  # came meanwhile: nobody has learnt from them
    world.handler(command())
    assert world.kinds() == ["MODEL_TRAINED", "PROMOTED"]
    assert world.jobs == 1
    assert world.said[0].metrics["annotations_read"] == 3
    assert world.models.versions["2"].tags["annotations_read"] == "3"
    assert not list(tmp_path.iterdir())


def test_a_server_that_is_away_after_a_judgement_costs_no_second_one(tmp_path):
    world = World(place=tmp_path)
    world.models.add()
    evaluate = command(ModelAction.EVALUATE, target_version="2")
    world.models.fails_once = AWAY[0]
    with pytest.raises(Recoverable):
        world.handler(evaluate)
    world.models._tag(world.models.versions["2"], half="noted")  # as far as the failed call came
    world.handler(evaluate)
    assert world.kinds() == ["PROMOTED"]
    assert world.jobs == 1
    assert not list(tmp_path.iterdir())


def test_what_was_kept_counts_against_its_champion_and_for_its_order_alone(tmp_path):
    world = World(place=tmp_path)
    world.models.fails_once = AWAY[0]
    with pytest.raises(Recoverable):
        world.handler(command())
    world.handler(command(command_id="other"))
    assert world.jobs == 2
    assert not list(tmp_path.iterdir()), "nothing of the first is left"
    world.handler(command())
    assert world.jobs == 3


def test_what_was_kept_for_an_order_that_is_not_open_any_more_is_dropped(tmp_path):
    world = World(place=tmp_path)
    world.models.fails_once = AWAY[0]
    with pytest.raises(Recoverable):
        world.handler(command())
    world.handler.keep_only({"c"})
    assert list(tmp_path.iterdir())
    world.handler.keep_only({"other"})
    assert not list(tmp_path.iterdir())
    world.handler(command())
    assert world.jobs == 2


def test_a_registration_whose_answer_was_lost_leaves_nothing_behind(tmp_path):
    world = World(place=tmp_path)
    register = world.models.register

    def lost(*given):
        register(*given)
        raise AWAY[0]

    world.models.register = lost
    with pytest.raises(Recoverable):
        world.handler(command())
    world.handler(command())
    assert world.kinds() == ["MODEL_TRAINED", "PROMOTED"]
    assert (world.jobs, world.models.registrations) == (1, 1)
    assert not list(tmp_path.iterdir())


def test_nothing_is_kept_for_an_order_that_is_void(tmp_path):
    world = World(place=tmp_path)
    order = command(champion_version="1")
    world.models.fails_once = AWAY[0]
    with pytest.raises(Recoverable):
        world.handler(order)
    world.models.set_alias("champion", world.models.add(gate="pass"))
    world.handler(order)
    assert world.kinds() == ["REJECTED"]
    assert not list(tmp_path.iterdir())


def test_what_mlflow_refuses_is_not_kept(tmp_path):
    world = World(place=tmp_path)
    world.models.fails_once = MlflowRefusedError("MLflow refuses")
    world.handler(command())
    assert world.kinds() == ["TRAINING_FAILED"]
    assert not list(tmp_path.iterdir())


def test_a_trainer_that_dies_after_a_rollback_does_not_roll_back_twice():
    world = World()
    world.handler(command())
    world.dies_at = ModelEventKind.ROLLED_BACK
    back = command(ModelAction.ROLLBACK, command_id="back")
    with pytest.raises(Died):
        world.handler(back)
    assert world.models.aliases["champion"] == "1"
    world.handler(back)
    assert world.models.aliases["champion"] == "1"
    assert world.said[-1].kind is ModelEventKind.ROLLED_BACK


@pytest.mark.parametrize(
    ("more", "goes"),
    [
        ({}, True),
        ({"target_version": "1"}, True),
        ({"target_version": "2"}, False),
        ({"target_version": "3"}, False),
        ({"target_version": "9"}, False),
        ({"target_version": "1", "champion_version": "2"}, True),
        ({"target_version": "1", "champion_version": "1"}, False),
    ],
)
def test_whether_a_rollback_would_be_carried_out_is_known_before(more, goes):
    world = World()
    world.handler(command())  # 2 serves, 1 did
    world.models.add(gate="pass")
    back = command(ModelAction.ROLLBACK, command_id="back", **more)
    assert world.handler.would_roll_back(back) is goes
    world.handler(back)
    assert (world.said[-1].kind is ModelEventKind.ROLLED_BACK) is goes


def test_neither_a_second_rollback_without_a_name_nor_one_without_a_past_would_be_carried_out():
    world = World()
    assert not world.handler.would_roll_back(command(ModelAction.ROLLBACK))
    world.handler(command())
    world.handler(command(ModelAction.ROLLBACK, command_id="back"))
    assert not world.handler.would_roll_back(command(ModelAction.ROLLBACK, command_id="again"))
    assert world.handler.would_roll_back(command(ModelAction.ROLLBACK, command_id="named", target_version="2"))
    world.models.aliases.clear()
    assert not world.handler.would_roll_back(command(ModelAction.ROLLBACK, command_id="nobody"))


def test_a_refused_model_never_serves():
    world = World("REJECT")
    world.handler(command())
    assert world.kinds() == ["MODEL_TRAINED", "REJECTED"]
    assert world.models.aliases == {"champion": "1"}


def test_a_deferral_is_said_once_for_each_number():
    world = World()
    drift = command(reason="drift", segment="city=Pune")
    world.handler(drift, OrderContext(drift=PUNE))
    missing = world.said[0].missing_labels
    assert missing
    world.handler(drift, OrderContext(missing, PUNE))
    assert world.kinds() == ["TRAINING_DEFERRED"]
    assert world.jobs == 0


NOW = 1_000
PUNE = Drift(("city=Pune",), NOW)


def labelled(city: str, count: int, at: int = NOW) -> list[AnnotationValidated]:
    def word(number: int) -> AnnotationValidated:
        return AnnotationValidated.from_dict(
            {
                "annotation_id": f"{city}{number}", "source": "clinic", "note_id": f"{city}{number}", "revision": 1,
                "text": f"fever number {number} {city}", "segment": {"city": city, "specialty": "x"},
                "patient_ref": f"{city}{number}", "doctor_ref": "d", "written_at": 1, "predicted_entities": [],
                "predicted_relations": [], "entities": [], "relations": [], "sample": "DRIFT",
                "predictions_shown": True, "outcome": "ACCEPTED", "annotator": "v1", "sequence": 1,
                "changes": {"kept": 0, "added": 0, "removed": 0, "moved": 0, "relabelled": 0},
                "seconds_spent": 1.0, "annotated_at": at + number,
            }
        )  # fmt: skip

    return [word(number) for number in range(count)]


def test_a_deferral_waits_for_the_segment_that_lacks_least_and_judges_all():
    world = World()
    drift, segments = command(reason="drift", segment="city=Pune"), ("city=Pune", "city=Delhi", "all")
    all_three = Drift(segments, NOW)
    world.annotations = labelled("Delhi", 20)
    world.handler(drift, OrderContext(drift=all_three))
    assert "of city=Delhi are missing" in world.said[0].reasons[0]
    world.annotations = labelled("Delhi", 400)
    world.handler(drift, OrderContext(world.said[0].missing_labels, all_three))
    assert world.kinds() == ["TRAINING_DEFERRED", "MODEL_TRAINED", "PROMOTED"]
    assert world.job_segments == list(segments)


def test_labels_from_before_the_drift_do_not_answer_it():
    world = World()
    world.annotations = labelled("Pune", 400, at=NOW - 500)
    world.handler(command(reason="drift", segment="city=Pune"), OrderContext(drift=PUNE))
    assert world.kinds() == ["TRAINING_DEFERRED"]
    world.annotations += labelled("Pune", 800, at=NOW)[400:]
    world.handler(command(reason="drift", segment="city=Pune"), OrderContext(drift=PUNE))
    assert world.kinds()[1:] == ["MODEL_TRAINED", "PROMOTED"]
    assert world.job_since == NOW


def test_after_a_refusal_only_new_labels_answer_and_all_of_the_drift_judge():
    world = World()
    world.annotations = labelled("Pune", 400)
    refused = Drift(("city=Pune",), NOW, {"city=Pune": NOW + 10_000})
    drift = command(reason="drift", segment="city=Pune")
    world.handler(drift, OrderContext(drift=refused))
    assert world.kinds() == ["TRAINING_DEFERRED"]
    world.annotations = labelled("Pune", 800, at=NOW + 10_000)
    world.handler(drift, OrderContext(drift=refused))
    assert world.kinds()[1:] == ["MODEL_TRAINED", "PROMOTED"]
    assert world.job_since == NOW


def test_a_drift_that_is_over_ends_its_order():
    world = World()
    world.handler(command(reason="drift", segment="city=Pune"), OrderContext(40))
    assert world.kinds() == ["REJECTED"]
    assert "the drift of city=Pune is over" in world.said[0].reasons[0]
    assert world.jobs == 0


def test_an_operators_order_runs_at_once_and_answers_the_drifts_whose_labels_are_there():
    world = World()
    world.annotations = labelled("Pune", 400)
    ready = command(reason="drift", segment="city=Pune", command_id="ready")
    lacking = command(reason="drift", segment="city=Delhi", command_id="lacking")
    world.handler(
        command(), OrderContext(waiting=(Waiting(ready, PUNE), Waiting(lacking, Drift(("city=Delhi",), NOW))))
    )
    assert world.kinds() == ["MERGED_INTO", "MODEL_TRAINED", "PROMOTED"]
    assert (world.said[0].command_id, world.said[0].merged_into) == ("ready", "c")
    assert world.job_segments == ["city=Pune"]


def test_an_operators_order_of_a_segment_is_judged_on_it_at_once_or_refused():
    world = World()
    asked = OrderContext(drift=Drift(("city=Pune",)))
    world.annotations = labelled("Delhi", 400)
    world.handler(command(segment="city=Pune"), asked)
    assert world.kinds() == ["REJECTED"]  # nobody is kept waiting
    assert "labelled notes of city=Pune are missing" in world.said[0].reasons[0]
    assert world.jobs == 0
    world.annotations += labelled("Pune", 400)
    world.handler(command(segment="city=Pune", command_id="d"), asked)
    assert world.kinds()[1:] == ["MODEL_TRAINED", "PROMOTED"]
    assert (world.job_segments, world.job_since) == (["city=Pune"], 0)


def test_an_order_of_a_segment_that_the_gate_cannot_judge_is_refused_and_trains_once():
    world = World("DEFER")
    world.annotations = labelled("Pune", 400)
    world.handler(command(segment="city=Pune"), OrderContext(drift=Drift(("city=Pune",))))
    assert world.kinds() == ["REJECTED"], "it would else wait, and train at each new label"
    assert world.said[0].reasons == ("there is too little to judge by", "numbers")
    assert world.jobs == 1
    world.handler(command(command_id="drift", reason="drift", segment="city=Pune"), OrderContext(drift=PUNE))
    assert world.kinds() == ["REJECTED", "TRAINING_DEFERRED"]


def test_a_version_of_a_segments_order_that_cannot_be_judged_anew_is_refused_too():
    world = World()
    world.annotations = labelled("Pune", 400)
    context, order = OrderContext(drift=Drift(("city=Pune",))), command(segment="city=Pune")
    world.dies_at = ModelEventKind.MODEL_TRAINED
    with pytest.raises(Died):
        world.handler(order, context)
    world.models.set_alias("champion", world.models.add(gate="pass", **{"gate.champion": "1"}))
    world.decision = "DEFER"
    world.handler(order, context)
    assert world.kinds() == ["MODEL_TRAINED", "REJECTED"]


def test_a_version_that_was_not_judged_is_not_promoted():
    world = World()
    world.models.add()
    world.handler(command(ModelAction.PROMOTE, target_version="2"))
    assert world.kinds() == ["REJECTED"]
    assert "has not passed the gate" in world.said[0].reasons[0]


def test_the_champion_is_looked_at_and_not_promoted_over_itself():
    """A new serial would end every episode of drift, and leave nothing to go back to."""
    world = World()
    before = dict(world.models.versions)
    world.handler(command(ModelAction.EVALUATE, target_version="1"))
    assert world.job_kinds == ["evaluate"]
    assert world.kinds() == ["REJECTED"]
    assert "version 1 is the champion already" in world.said[0].reasons[0]
    assert world.said[0].reasons[1:] == ("numbers",)
    assert world.said[0].metrics == {"a": 1.0}
    assert world.models.aliases == {"champion": "1"}
    assert world.models.versions == before


def test_a_version_that_an_operator_promoted_meanwhile_is_not_promoted_over_itself():
    world = World()
    world.dies_at = ModelEventKind.MODEL_TRAINED
    with pytest.raises(Died):
        world.handler(command())
    world.handler(command(ModelAction.PROMOTE, target_version="2", command_id="up"))
    serial = world.models.version("2").serial
    world.handler(command())
    assert world.kinds() == ["PROMOTED", "MODEL_TRAINED", "REJECTED"]
    assert "version 2 is the champion already" in world.said[-1].reasons[0]
    assert world.models.version("2").serial == serial
    assert world.models.aliases == {"champion": "2", "previous": "1"}


def test_a_champion_that_changed_meanwhile_stops_a_promotion():
    world = World()
    other = world.models.add(gate="pass")

    def job(folder, go_on, progress):
        world.models.aliases["champion"] = other.version
        return World.job(world, folder, go_on, progress)

    world.handler._jobs._run_job = job
    world.handler(command())
    assert world.kinds()[-1] == "REJECTED"
    assert "meanwhile" in world.said[-1].reasons[0]
    assert world.models.aliases["champion"] == other.version


def test_a_verdict_against_a_former_champion_does_not_promote_after_a_restart():
    """A trainer died before the alias moved, and another version became champion meanwhile."""
    world = World()
    world.dies_at = ModelEventKind.MODEL_TRAINED
    with pytest.raises(Died):
        world.handler(command())
    world.models.set_alias("champion", world.models.add(gate="pass", **{"gate.champion": "1"}))
    world.decision = "REJECT"
    world.handler(command())
    assert world.job_kinds == ["train", "evaluate"]
    assert world.kinds()[-1] == "REJECTED"
    assert world.models.aliases["champion"] == "3"
    assert world.models.version("2").tags["gate.champion"] == "3"
    assert world.models.registrations == 1


@pytest.mark.parametrize("tags", [{"gate": "pass", "gate.champion": "7"}, {"gate": "pass"}])
def test_a_version_judged_against_another_champion_is_not_promoted(tags):
    world = World()
    world.models.add(**tags)
    world.handler(command(ModelAction.PROMOTE, target_version="2"))
    assert world.kinds() == ["REJECTED"]
    assert "`rxtract model evaluate 2` first" in world.said[0].reasons[0]
    assert world.models.aliases == {"champion": "1"}


def test_a_version_that_passed_against_this_champion_or_has_served_is_promoted():
    world = World()
    world.models.add(gate="pass", **{"gate.champion": "1"})
    world.models.add(gate="reject", served="true", **{"gate.champion": "9"})
    world.handler(command(ModelAction.PROMOTE, target_version="2"))
    world.handler(command(ModelAction.PROMOTE, target_version="3", command_id="again"))
    assert world.kinds() == ["PROMOTED", "PROMOTED"]
    assert world.models.aliases["champion"] == "3"


def test_a_move_that_nobody_said_is_said_before_a_rollback_undoes_it():
    """Else the promotion would be carried out again after the rollback: its verdict counts against the old champion."""
    world = World()
    world.dies_at = ModelEventKind.PROMOTED
    with pytest.raises(Died):
        world.handler(command())
    world.handler(command(ModelAction.ROLLBACK, command_id="back"))
    assert world.kinds() == ["MODEL_TRAINED", "PROMOTED", "ROLLED_BACK"]
    assert [one.command_id for one in world.said] == ["c", "c", "back"]
    assert world.models.aliases["champion"] == "1"


def test_a_trainer_that_stood_still_registers_nothing_and_moves_nothing():
    world = World()

    def job(folder, go_on, progress):
        world.is_ours = False  # stopped here; another has the lease when it wakes up
        return World.job(world, folder, go_on, progress)

    world.handler._jobs._run_job = job
    with pytest.raises(JobAbandonedError):
        world.handler(command())
    assert (world.models.registrations, world.said, world.models.aliases) == (0, [], {"champion": "1"})


def test_what_another_trainer_registered_meanwhile_is_not_registered_again():
    world = World()

    def job(folder, go_on, progress):
        world.models.add(command_id="c", gate="pass", **{"gate.champion": "1"})
        return World.job(world, folder, go_on, progress)

    world.handler._jobs._run_job = job
    with pytest.raises(JobAbandonedError):
        world.handler(command())
    assert world.models.registrations == 0
    world.handler(command())
    assert world.models.aliases["champion"] == "2"
    assert world.models.registrations == 0


def test_a_failed_job_is_said_and_mlflow_being_away_is_waited_for():
    world = World()
    world.job_error = JobFailedError("the job ended with code 1 and no result")
    world.handler(command())
    assert world.kinds() == ["TRAINING_FAILED"]
    world.models.by_alias = lambda alias: (_ for _ in ()).throw(Recoverable("MLflow: away"))
    with pytest.raises(Recoverable):
        world.handler(command(command_id="d"))
    assert world.kinds() == ["TRAINING_FAILED"]


def test_what_mlflow_will_never_do_ends_the_order_and_says_why():
    world = World()

    def refuse(folder, result, tags, trigger, check):
        raise MlflowRefusedError("MLflow refuses (register): INVALID_PARAMETER_VALUE: a tag is too long")

    world.models.register = refuse
    world.handler(command())
    assert world.kinds() == ["TRAINING_FAILED"]
    assert "a tag is too long" in world.said[0].reasons[0]
    assert world.models.aliases == {"champion": "1"}


REFUSED = [
    RestException({"error_code": "INVALID_PARAMETER_VALUE", "message": "a tag\nis too long"}),
    RestException({"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "no such run"}),
    RestException({"error_code": "RESOURCE_ALREADY_EXISTS", "message": "twice"}),
    MlflowException("a name with a slash", error_code=INVALID_PARAMETER_VALUE),
    UnusableVersionError("version 3 of m lacks the tag artifact_sha256 or serial"),
]
WAITED_FOR = [
    RestException({"error_code": "INTERNAL_ERROR", "message": "oh"}),
    RestException({"error_code": "TEMPORARILY_UNAVAILABLE", "message": "later"}),
    RestException({"error_code": "REQUEST_LIMIT_EXCEEDED", "message": "slowly"}),
    RestException({"error_code": "PERMISSION_DENIED", "message": "who are you"}),
    RestException({"error_code": "UNAUTHENTICATED", "message": "who are you"}),
    MlflowException("API request failed with error code 404 != 200", error_code=RESOURCE_DOES_NOT_EXIST),
    MlflowException("API request failed with exception ConnectionError"),
    RegistryAwayError("MLflow cannot be reached"),
    ConnectionResetError(),
]


@pytest.mark.parametrize(
    ("error", "kind"), [*((one, MlflowRefusedError) for one in REFUSED), *((one, Recoverable) for one in WAITED_FOR)]
)
def test_a_refusal_is_told_from_a_server_that_is_away(error, kind, monkeypatch):
    registry = JobRegistry("http://127.0.0.1:1", "m", None)

    def client(*_):
        raise error

    monkeypatch.setattr(registry._client, "set_registered_model_alias", client)
    with pytest.raises(kind) as raised:
        registry.set_alias("champion", Version("m", "1"))
    assert "\n" not in str(raised.value)


def test_no_folder_with_notes_is_left_behind(tmp_path):
    world = World()
    world.handler._jobs._place = tmp_path
    world.handler(command())
    assert list(tmp_path.iterdir()) == []
