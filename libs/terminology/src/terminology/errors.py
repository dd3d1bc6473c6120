"""What a user can cause, each as one line that says what to do."""


class TerminologyRefused(ValueError):
    """A table, a CSV or a system that cannot be used."""
