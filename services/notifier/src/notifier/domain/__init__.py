"""Endpoints, messages, signatures and verdicts: pure."""
