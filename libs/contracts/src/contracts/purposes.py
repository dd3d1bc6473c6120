"""What a note may be used for, by the purpose that its patient agreed to."""

CARE_ONLY = frozenset({"care", "care-only", "treatment", "no-training"})
"""Purposes that leave training out. A purpose may name several uses, separated by commas, semicolons, `+` or blanks."""
TRAINING = frozenset({"training", "research", "model-training", "improvement"})
"""Uses that training belongs to."""
_SEPARATORS = str.maketrans(",;+|/", "     ")


def allows_training(purpose: str | None) -> bool:
    """Whether a note may teach a model.

    A note without a purpose may: consent is then held by whoever runs the system (docs/security/threats.md). One that names uses may
    when a use of training is among them, or when none of them is known here to be of care alone.

    >>> allows_training(None), allows_training("care"), allows_training("care, training"), allows_training("No-Training")
    (True, False, True, False)
    """
    if not purpose or not (uses := set(purpose.lower().translate(_SEPARATORS).split())):
        return True
    if "no-training" in uses:
        return False
    return bool(uses & TRAINING) or not uses & CARE_ONLY
