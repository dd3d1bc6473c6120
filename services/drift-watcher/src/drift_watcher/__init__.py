"""Says when the language of the notes has moved, and asks for a new model."""
