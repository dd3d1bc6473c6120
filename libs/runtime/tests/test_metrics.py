"""Metrics are data: what is declared is what is measured and documented."""

import pytest
from prometheus_client.exposition import generate_latest
from runtime.service.metrics import COMMITS, METRICS, Kind, Metrics, MetricSpec
from runtime.service.metrics_reference import markdown, sections_of


def test_every_declared_metric_can_be_built_and_is_shown() -> None:
    metrics = Metrics()
    metrics.build_all()
    shown = generate_latest(metrics.registry).decode()
    for spec in METRICS:
        assert f"# HELP {spec.name}" in shown


def test_names_follow_the_convention() -> None:
    assert len({spec.name for spec in METRICS}) == len(METRICS)
    for spec in METRICS:
        assert spec.name.startswith("rxtract_")
        assert spec.name.endswith("_total") == (spec.kind is Kind.COUNTER)
        assert spec.sentence.endswith(".")


def test_what_is_not_declared_cannot_be_measured() -> None:
    with pytest.raises(KeyError):
        Metrics([]).counter(COMMITS)
    with pytest.raises(AssertionError):
        Metrics().gauge(COMMITS)


def test_the_reference_page_names_every_metric() -> None:
    page = markdown(sections_of([]))
    assert all(f"`{spec.name}`" in page for spec in METRICS)


def test_the_reference_page_has_a_section_for_each_service(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys
    from types import SimpleNamespace

    own = MetricSpec("rxtract_own_total", Kind.COUNTER, "", (), "Own.")
    monkeypatch.setitem(sys.modules, "own.metrics", SimpleNamespace(METRICS=(*METRICS, own)))
    page = markdown(sections_of(["own.metrics"]))
    assert page.count("`rxtract_commits_total`") == 1
    assert "## own\n" in page
    assert "`rxtract_own_total`" in page
