"""What can go wrong here, as one line a person can act on."""


class StackError(Exception):
    """The stack cannot do what was asked. The message is one line: what is wrong and what to do."""


class DamagedDownloadError(StackError):
    """A downloaded file does not match its pinned SHA-256 digest."""
