"""The engine of the consumers: batches, attempts, retries, what stops."""
