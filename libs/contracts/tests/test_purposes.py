"""Which purposes let a note teach a model."""

import pytest
from contracts.purposes import allows_training


@pytest.mark.parametrize(
    ("purpose", "allowed"),
    [
        (None, True), ("", True), ("  ", True), ("care", False), ("CARE", False), ("treatment", False), ("care-only", False),
        ("care, training", True), ("care+research", True), ("care;model-training", True), ("no-training", False),
        ("training no-training", False), ("CAREMGT", True), ("care/improvement", True), ("care,billing", False),
    ],
)  # fmt: skip
def test_a_purpose_is_honoured(purpose, allowed):
    assert allows_training(purpose) is allowed
