"""Drift of the notes' language: the statistics that are observed, and when they have moved. Pure: no client, no clock."""
