"""Turns accepted notes into Disease and Treatment entity events."""
