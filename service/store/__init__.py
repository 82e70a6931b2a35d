"""Where the log is kept: one asynchronous interface, PostgreSQL and SQLite behind it, a writer that commits groups."""
