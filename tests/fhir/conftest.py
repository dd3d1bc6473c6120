"""What HAPI's validator needs. A person without it skips its tests; in CI they fail."""

import pytest
from embedded_stack.errors import StackError

from tests.clients import jvm
from tests.deploy.found import IN_CI
from tests.fhir import hapi


@pytest.fixture(scope="session")
def validator():
    """The jars, downloaded once."""
    try:
        jvm.jars("compiler")
        hapi.jars()
    except StackError as error:
        if IN_CI:
            raise
        pytest.skip(f"no HAPI validator: {error}")
