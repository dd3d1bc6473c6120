"""Bytes in, bytes out: records, deliveries, dead letters, positions and the readers without a group."""
