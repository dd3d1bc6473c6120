"""Turns commands and annotations into gated models."""
