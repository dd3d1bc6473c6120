"""What an experiment refuses, each with one line that says what to do."""

from __future__ import annotations


class ExperimentRefused(ValueError):
    """An experiment that was asked for with what does not fit together: folder and data, or configuration and part."""
