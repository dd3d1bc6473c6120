"""What the release before this one left behind is refused with one line that says what to do."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from contracts.files import NAMESPACE, OLD_NAMESPACE, schema_text
from contracts.registry import InMemoryRegistry
from embedded_stack.errors import StackError
from rxtract import bringup
from rxtract.commands import schemas
from rxtract.errors import UserError


@pytest.fixture
def old() -> InMemoryRegistry:
    registry = InMemoryRegistry()
    text = schema_text("EntitiesExtracted").replace(f'"{NAMESPACE}"', f'"{OLD_NAMESPACE}"')
    registry.register("entities.extracted.v1-value", text)
    return registry


@pytest.mark.parametrize("command", [schemas.apply, schemas.check])
def test_schemas_apply_and_check_refuse_a_cluster_of_the_old_namespace(
    command: Any, old: InMemoryRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schemas, "_registry", lambda _: (old, ""))
    with pytest.raises(
        UserError, match=r"^entities\.extracted\.v1-value holds schemas of the old namespace"
    ) as refused:
        command()
    assert "\n" not in str(refused.value)


def test_up_refuses_a_data_folder_of_the_old_namespace_and_touches_no_topic(
    old: InMemoryRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object) -> None:
        raise AssertionError("topics were applied")

    monkeypatch.setattr(bringup, "ConfluentRegistry", lambda _: old)
    monkeypatch.setattr(bringup, "apply_topics", never)
    running: Any = SimpleNamespace(data_dir=Path("data"), addresses=SimpleNamespace(schema_registry_url=""))
    with pytest.raises(StackError) as refused:
        bringup._apply_contract(running)
    assert str(refused.value) == (
        "data holds records of the old namespace in.behealthy.rxtract, which this release cannot read: "
        "give another folder with --data, or delete this one"
    )
