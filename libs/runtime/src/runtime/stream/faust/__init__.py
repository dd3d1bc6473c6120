"""The engine under Faust: one list of records for each partition and poll."""
