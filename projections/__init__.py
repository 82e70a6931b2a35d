"""What is derived: the read models that answer lists and gets, and the followers that build them from the log."""
