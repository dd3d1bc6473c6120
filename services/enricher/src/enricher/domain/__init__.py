"""What is decided of a record, without a client."""
