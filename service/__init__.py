"""How it runs: HTTP, the log's store, signing in, wiring, settings and the command line."""
