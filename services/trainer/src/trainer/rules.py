"""Orders about rules, carried out as those about models are, and who carries out which."""

from collections.abc import Container
from typing import Protocol

from contracts.records import ModelCommand

from trainer import metrics as m
from trainer.adapters.models import Version
from trainer.domain.story import UNTOLD, Story
from trainer.handler import OrderHandler


class Handles(Protocol):
    """Carries orders out; `OrderHandler`, `Handlers` and a test's fake."""

    def __call__(self, command: ModelCommand, story: Story = UNTOLD) -> None: ...  # noqa: D102
    def keep_only(self, open_orders: Container[str]) -> None: ...  # noqa: D102
    def would_roll_back(self, command: ModelCommand) -> bool: ...  # noqa: D102


class RulesHandler(OrderHandler):
    """Orders about rules: they are offered to the gate, promoted and rolled back, and never trained."""

    words = "rules"
    serves_under = m.RULES_SERIAL

    def _retrain(self, command: ModelCommand, _champion: Version | None, _story: Story) -> None:
        self._teller.fail(command, "rules are not trained: `rxtract rules release` offers a set of tables to the gate")


class Handlers:
    """Gives each order to who keeps what it names.

    Args:
        model: Takes every order that is not of rules.
        rules: Takes those of the rules.
        rules_name: Their registered model.
    """

    def __init__(self, model: OrderHandler, rules: RulesHandler, rules_name: str) -> None:
        self._model = model
        self._rules = rules
        self._rules_name = rules_name

    def __call__(self, command: ModelCommand, story: Story = UNTOLD) -> None:
        """Carry one order out."""
        self._of(command)(command, story)

    def keep_only(self, open_orders: Container[str]) -> None:
        """Drop what was kept for any other order; not to be called while one is carried out."""
        self._model.keep_only(open_orders)
        self._rules.keep_only(open_orders)

    def would_roll_back(self, command: ModelCommand) -> bool:
        """Whether a rollback would be carried out as things stand."""
        return self._of(command).would_roll_back(command)

    def _of(self, command: ModelCommand) -> OrderHandler:
        return self._rules if command.model_name == self._rules_name else self._model
