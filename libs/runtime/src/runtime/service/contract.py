"""Bring a cluster and its registry up to schemas/ from a service's own image: ``python -m runtime.service.contract topics schemas``.

It does what `rxtract topics apply` and `rxtract schemas apply` do. An image of a fifth of the command line's weight holds all that it
needs, and it has to be pulled before the first install can go on.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar, Literal

from contracts.apply import Change, apply_schemas, apply_topics
from contracts.cluster import ClusterError
from contracts.registry import ConfluentRegistry, IncompatibleSchema, OldNamespace, Registry, RegistryUnavailable
from contracts.topics import load_topics
from pydantic import Field

from runtime.errors import SettingsError
from runtime.service.core_dumps import forbid_core_dumps
from runtime.service.kafka_login import check_login
from runtime.service.known_variables import refuse_misspelt
from runtime.service.run import NOT_STARTED, OK
from runtime.service.settings import ServiceSettings, own_variables

FAILED = 1
STEPS = ("topics", "schemas")


class ContractSettings(ServiceSettings):
    """What the job is told: the shared settings, of which it reads Kafka, the registry and the prefix."""

    service: ClassVar[str] = "contract"

    sealing: Literal["off", "on"] = Field(
        "off",
        description="on: submitted notes, which are in clear, are kept for a day; the same for all services of a cluster",
    )


def topics(settings: ContractSettings) -> list[Change]:
    """Make the cluster's topics what schemas/topics says.

    Raises:
        ClusterError: The cluster cannot be reached or refuses.
    """
    config = {**settings.kafka_client_config(), "log_level": 0}
    return apply_topics(config, load_topics(), prefix=settings.topic_prefix, sealing=settings.sealing == "on")


def schemas(settings: ContractSettings, registry: Registry | None = None) -> list[Change]:
    """Register every record's schema.

    Raises:
        IncompatibleSchema: A schema breaks an earlier version.
        RegistryUnavailable: The registry gave no usable answer.
    """
    return apply_schemas(registry or ConfluentRegistry(settings.schema_registry_url), prefix=settings.topic_prefix)


DOES: Mapping[str, Callable[[ContractSettings], list[Change]]] = {"topics": topics, "schemas": schemas}


def main(steps: Sequence[str]) -> int:
    """Do the named steps in order; returns the exit code. Running it again changes nothing."""
    forbid_core_dumps()
    if not steps or set(steps) - set(STEPS):
        sys.stderr.write(f"contract: say what to apply: {' '.join(STEPS)}\n")
        return NOT_STARTED
    try:
        unknown = refuse_misspelt(own_variables(ContractSettings))
        settings = ContractSettings.load()
        check_login(settings.kafka_client_config())
    except SettingsError as error:
        sys.stderr.write(f"contract: {error}\n")
        return NOT_STARTED
    for one in unknown:
        sys.stderr.write(f"contract: {one}\n")
    return OK if all(_done(step, settings) for step in steps) else FAILED


def _done(step: str, settings: ContractSettings) -> bool:
    try:
        changes = DOES[step](settings)
    except ClusterError as error:
        where = settings.bootstrap_servers
        sys.stderr.write(
            f"contract: Kafka at {where}: {error}; is it up, and do RXTRACT_SECURITY_PROTOCOL and its kin fit it?\n"
        )
        return False
    except RegistryUnavailable as error:
        sys.stderr.write(f"contract: the schema registry does not answer: {error}\n")
        return False
    except (IncompatibleSchema, OldNamespace) as error:
        sys.stderr.write(f"contract: {error}\n")
        return False
    for change in changes:
        sys.stdout.write(f"{change.action} {change.name} {change.detail}".rstrip() + "\n")
    sys.stdout.write(f"{step}: {len(changes)} changed\n" if changes else f"{step}: nothing to change\n")
    return True


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
