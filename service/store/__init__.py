"""Where the log is kept: one asynchronous interface, PostgreSQL and SQLite behind it, and the writer that commits groups."""
