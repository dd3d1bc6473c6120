"""The page: server-rendered templates and small scripts of our own."""
