"""What a user can cause, each as one line that says what to do."""


class FhirRefused(ValueError):
    """A note or a setting of which no document can be made; never shows what the note holds."""
