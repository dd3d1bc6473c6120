"""Why a decision is not taken; each message is shown to the person."""


class Conflict(Exception):
    """The note is not this person's to decide on any more; the message says why and is shown."""


class Unsendable(Exception):
    """A decision that no record can hold, however often it is sent; the message says what to do and is shown."""

    def __init__(self, message: str, *, too_large: bool) -> None:
        super().__init__(message)
        self.too_large = too_large
