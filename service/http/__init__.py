"""The API: routes parse, call one thing and render; nothing is decided here."""
