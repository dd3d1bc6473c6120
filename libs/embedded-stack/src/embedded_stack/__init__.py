"""Real Kafka, schema registry, Redis and MLflow as child processes."""

from embedded_stack.addresses import Addresses, read_stack_json, write_stack_json
from embedded_stack.errors import DamagedDownloadError, StackError
from embedded_stack.stack import ALL_COMPONENTS, EmbeddedStack

__all__ = [
    "ALL_COMPONENTS",
    "Addresses",
    "DamagedDownloadError",
    "EmbeddedStack",
    "StackError",
    "read_stack_json",
    "write_stack_json",
]
