"""The examples in docstrings of the pure libraries run as written."""

import doctest
import importlib

import pytest

MODULES = (
    "annotations.trust",
    "annotations.verdicts",
    "annotations.watch",
    "clinical_ner.schemes",
    "contracts.identity",
    "contracts.segments",
    "drift.direction",
    "drift.ranges",
    "lifecycle.roles",
    "lifecycle.segments",
    "model_registry.version",
    "outcomes.days",
    "outcomes.planning",
)


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings_are_true(name: str) -> None:
    found = doctest.testmod(importlib.import_module(name))
    assert found.attempted > 0
    assert found.failed == 0
