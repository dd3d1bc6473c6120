"""What the trainer decides. Pure: no client, no clock, no file."""
