"""Versions of models and rules in MLflow: what a version is, a client that reads, and one that writes."""
