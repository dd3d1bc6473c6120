"""What a submission is, and what becomes of it: no client is made here."""
