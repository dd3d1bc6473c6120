"""What an extractor decides. Pure: no client, no clock, no file."""
