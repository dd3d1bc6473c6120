"""What the tests of other people's clients need beside the stack. A person without it skips them; in CI it fails."""

import pytest
from embedded_stack.errors import StackError

from tests.clients import jvm
from tests.deploy.found import IN_CI


@pytest.fixture(scope="session")
def java():
    """The jars, downloaded once."""
    try:
        for section in ("compiler", "clients"):
            jvm.jars(section)
    except StackError as error:
        if IN_CI:
            raise
        pytest.skip(f"no Java clients: {error}")
