"""What makes a note acceptable, and what becomes of it. Pure: no client, no clock, no setting is read here."""
