"""The name under which a trace travels, for doors and for those who make spans."""

TRACEPARENT = "traceparent"
"""The header, in Kafka and in HTTP (https://www.w3.org/TR/trace-context/)."""
