"""Cross-validation, search, curves and ablation, on notes so small that a fit takes an instant."""

from __future__ import annotations

import json
from dataclasses import replace

import optuna
import pytest
from clinical_ner.config import TrainingConfig
from clinical_ner.datasets import TooFewNotesError, folds
from clinical_ner.experiment import cross_validate, fit_and_predict, mean_sd, report
from clinical_ner.experiment_ablation import ablation, parts
from clinical_ner.experiment_curve import learning_curve
from clinical_ner.experiment_faults import ExperimentRefused
from clinical_ner.experiment_log import NoLog
from clinical_ner.experiment_search import SearchSettings, configuration, point_of, search


class ListLog(NoLog):
    """Remembers what was logged."""

    def __init__(self):
        self.children = []

    def child(self, name, params, metrics, tags):
        self.children.append((name, dict(params), dict(metrics), dict(tags)))


class TestCrossValidation:
    def test_each_note_is_predicted_by_a_model_that_did_not_see_it(self, small_notes, tiny):
        notes = small_notes(60)
        found = cross_validate(notes, tiny, 3, seed=1)
        rest, held_out = folds(notes, 3, 1)[0]
        alone = fit_and_predict([notes[i] for i in rest], [notes[i] for i in held_out], tiny, 1)
        assert [found.predicted[i] for i in held_out] == list(alone.predicted)

    def test_the_report_gives_mean_and_spread_of_the_folds(self, small_notes, tiny):
        notes = small_notes(60)
        told = []
        found = cross_validate(notes, tiny, 3, progress=lambda *step: told.append(step))
        made = report(notes, tiny, found)
        f1 = [scores["exact_span"]["DISEASE"]["f1"] for scores in found.scores]
        assert made["exact_span"]["DISEASE"]["f1"] == mean_sd(f1)
        assert made["exact_span"]["micro"]["support"] == sum(len(note.spans) for note in notes)
        assert made["exact_span"]["micro"]["f1"]["mean"] > 0.5
        assert 0 <= made["calibration"]["ece"] <= 1
        assert [step[:2] for step in told] == [(1, 3), (2, 3), (3, 3)]
        assert json.loads(json.dumps(made))["config"] == tiny.to_dict()

    def test_the_same_seed_gives_the_same_report(self, small_notes, tiny):
        notes = small_notes(30)
        first, second = (report(notes, tiny, cross_validate(notes, tiny, 2, 3)) for _ in range(2))
        assert first["exact_span"] == second["exact_span"]

    def test_one_label_and_ten_notes(self, small_notes, tiny):
        notes = small_notes(10, labels="D")
        made = report(notes, tiny, cross_validate(notes, tiny, 2))
        assert made["exact_span"]["TREATMENT"]["support"] == 0
        assert any("no TREATMENT" in remark for remark in made["remarks"])

    def test_too_few_notes(self, small_notes, tiny):
        with pytest.raises(TooFewNotesError, match="ask for 2 to 3"):
            cross_validate(small_notes(3), tiny, 5)
        with pytest.raises(TooFewNotesError, match="at least two are needed"):
            cross_validate(small_notes(1), tiny, 5)

    def test_mean_and_deviation(self):
        assert mean_sd([1.0, 2.0, 3.0]) == {"mean": 2.0, "sd": 1.0, "min": 1.0, "max": 3.0}
        assert mean_sd([4.0])["sd"] == 0.0


class TestCurve:
    def test_more_notes_help_and_smaller_parts_are_within_larger(self, small_notes, tiny):
        found = learning_curve(small_notes(120), tiny, 2, (0.05, 1.0))
        small, large = found["points"]
        assert small["notes"] < large["notes"] == 60
        assert small["exact_span_f1"]["micro"]["mean"] < large["exact_span_f1"]["micro"]["mean"]


class TestAblation:
    def test_what_matters_is_lost_without_it(self, small_notes, tiny):
        found = ablation(small_notes(80), tiny, 2)
        assert {row["without"] for row in found["rows"]} >= {"words", "suffixes", "neighbours"}
        losses = {row["without"]: row["loss"]["micro"]["mean"] for row in found["rows"]}
        assert found["rows"][0]["loss"]["micro"]["mean"] == max(losses.values())
        for row in found["rows"]:
            lost = found["whole"]["micro"]["mean"] - row["exact_span_f1"]["micro"]["mean"]
            assert row["loss"]["micro"]["mean"] == pytest.approx(lost)

    def test_every_part_of_the_default_configuration_can_be_left_out(self):
        default = TrainingConfig()
        for name, change in parts(default).items():
            changed = change(default)
            assert changed != default, name
            assert TrainingConfig.from_dict(changed.to_dict()) == changed

    def test_every_feature_group_belongs_to_a_part(self):
        default = TrainingConfig()
        for group in set(default.groups) - {"bias"}:
            assert any(group not in change(default).groups for change in parts(default).values()), group

    def test_an_unknown_part_is_refused(self, small_notes, tiny):
        with pytest.raises(ExperimentRefused, match="'gazetteer' is no part"):
            ablation(small_notes(20), tiny, 2, only=["gazetteer"])


@pytest.mark.slow
class TestSearch:
    def settings(self, tmp_path, **changes):
        return replace(SearchSettings(tmp_path / "study", trials=2, folds=2), **changes)

    def test_the_base_is_the_first_trial_and_a_config_is_written(self, small_notes, tiny, tmp_path):
        log, told = ListLog(), []
        settings = self.settings(tmp_path)
        found = search(small_notes(40), settings, tiny, log, lambda *step: told.append(step))
        assert found["trials"] == 2
        assert found["baseline"]["params"] == point_of(tiny)
        assert [name for name, *_ in log.children] == ["trial 0", "trial 1"]
        assert log.children[0][2]["f1/micro"] == found["baseline"]["f1"]["micro"]["mean"]
        written = json.loads((settings.folder / "best_config.json").read_text())
        assert TrainingConfig.from_dict(written).to_dict() == found["config"]
        assert told[-1][:2] == (4, 4)

    def test_a_second_run_goes_on_where_the_first_stopped(self, small_notes, tiny, tmp_path):
        notes, log = small_notes(40), ListLog()
        search(notes, self.settings(tmp_path), tiny, log)
        found = search(notes, self.settings(tmp_path, trials=3), tiny, log)
        assert found["trials"] == 3
        assert [name for name, *_ in log.children] == ["trial 0", "trial 1", "trial 2"]
        assert search(notes, self.settings(tmp_path, trials=3), tiny, log)["trials"] == 3
        assert len(log.children) == 3

    def test_a_trial_that_was_killed_is_run_again(self, small_notes, tiny, tmp_path):
        notes, settings = small_notes(40), self.settings(tmp_path, trials=1)
        search(notes, settings, tiny, ListLog())
        study = optuna.load_study(study_name="rxtract", storage=f"sqlite:///{settings.folder / 'study.db'}")
        killed = point_of(tiny) | {"c2": 1.25}
        study.enqueue_trial(killed)
        trial = study.ask()
        for name, value in killed.items():
            distribution = study.trials[0].distributions[name]
            if isinstance(distribution, optuna.distributions.FloatDistribution):
                trial.suggest_float(name, distribution.low, distribution.high, log=distribution.log)
            elif isinstance(distribution, optuna.distributions.IntDistribution):
                trial.suggest_int(name, distribution.low, distribution.high)
            else:
                trial.suggest_categorical(name, distribution.choices)
            assert trial.params[name] == value
        found = search(notes, replace(settings, trials=2), tiny, ListLog())
        assert found["trials"] == 2
        assert {row["params"]["c2"] for row in found["all"]} == {point_of(tiny)["c2"], 1.25}

    @pytest.mark.parametrize(("changes", "said"), [({"folds": 3}, "another folds"), ({"seed": 5}, "another seed")])
    def test_a_study_is_not_mixed_with_another(self, small_notes, tiny, tmp_path, changes, said):
        search(small_notes(40), self.settings(tmp_path, trials=1), tiny, ListLog())
        with pytest.raises(ExperimentRefused, match=said):
            search(small_notes(40), self.settings(tmp_path, **changes), tiny, ListLog())

    def test_other_notes_are_refused(self, small_notes, tiny, tmp_path):
        search(small_notes(40), self.settings(tmp_path, trials=1), tiny, ListLog())
        with pytest.raises(ExperimentRefused, match="another dataset digest"):
            search(small_notes(40, seed=9), self.settings(tmp_path), tiny, ListLog())

    def test_the_default_configuration_is_a_point_of_the_space(self):
        default = TrainingConfig()
        again = configuration(point_of(default), default)
        assert again == default
