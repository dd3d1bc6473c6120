"""Records, topics and the wire format of Rxtract."""
