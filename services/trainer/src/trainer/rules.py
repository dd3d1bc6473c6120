"""Orders about rules, carried out as those about models are, and who carries out which."""

from collections.abc import Container
from typing import Protocol

from contracts.records import ModelCommand
from model_registry.version import Version

from trainer import metrics as m
from trainer.domain.context import NO_CONTEXT, OrderContext
from trainer.executor import OrderExecutor


class Executes(Protocol):
    """Carries orders out; `OrderExecutor`, `Executors` and a test's fake."""

    def __call__(self, command: ModelCommand, context: OrderContext = NO_CONTEXT) -> None: ...  # noqa: D102
    def keep_only(self, open_orders: Container[str]) -> None: ...  # noqa: D102
    def would_roll_back(self, command: ModelCommand) -> bool: ...  # noqa: D102


class RulesExecutor(OrderExecutor):
    """Orders about rules: they are offered to the gate, promoted and rolled back, and never trained."""

    words = "rules"
    serves_under = m.RULES_SERIAL

    def _retrain(self, command: ModelCommand, _champion: Version | None, _story: OrderContext) -> None:
        self._events.fail(command, "rules are not trained: `rxtract rules release` offers a set of tables to the gate")


class Executors:
    """Gives each order to who keeps what it names.

    Args:
        model: Takes every order that is not of rules.
        rules: Takes those of the rules.
        rules_name: Their registered model.
    """

    def __init__(self, model: OrderExecutor, rules: RulesExecutor, rules_name: str) -> None:
        self._model = model
        self._rules = rules
        self._rules_name = rules_name

    def __call__(self, command: ModelCommand, context: OrderContext = NO_CONTEXT) -> None:
        """Carry one order out."""
        self._of(command)(command, context)

    def keep_only(self, open_orders: Container[str]) -> None:
        """Drop what was kept for any other order; not to be called while one is carried out."""
        self._model.keep_only(open_orders)
        self._rules.keep_only(open_orders)

    def would_roll_back(self, command: ModelCommand) -> bool:
        """Whether a rollback would be carried out as things stand."""
        return self._of(command).would_roll_back(command)

    def _of(self, command: ModelCommand) -> OrderExecutor:
        return self._rules if command.model_name == self._rules_name else self._model
