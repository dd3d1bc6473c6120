"""Annotated notes in the formats that other tools write, each read into the same plain findings and judged by one set of rules."""
