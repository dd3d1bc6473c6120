import pytest
from terminology import Coder


@pytest.fixture(scope="session")
def coder():
    """The base table of this environment, which `make test` and `make setup` build."""
    return Coder.open()
