"""What every session on PostgreSQL relies on, whatever its server, database or role has set.

It is set by a statement and not while connecting: a pooler refuses or drops what it does not know at that time.
"""

from collections.abc import Mapping
from typing import Final

SETTINGS: Final = {
    # Texts and literals mean what they say.
    "standard_conforming_strings": "on",
    "backslash_quote": "safe_encoding",
    "transform_null_equals": "off",
    "array_nulls": "on",
    "bytea_output": "hex",
    "DateStyle": "ISO, MDY",
    "IntervalStyle": "postgres",
    "TimeZone": "UTC",
    "extra_float_digits": "1",
    "quote_all_identifiers": "off",
    # Whoever waited for the append's lock must see what its last holder committed.
    "default_transaction_isolation": "read committed",
    "default_transaction_deferrable": "off",
    "row_security": "on",
    # A commit that stopped waiting for its standby says so in a warning, and nowhere else.
    "client_min_messages": "warning",
    "exit_on_error": "off",
    # What is acknowledged is on disk, and on the standby where there is a synchronous one.
    "synchronous_commit": "on",
    # A process that is paused in a transaction must not hold up whoever takes over from it; the other waits are bounded
    # by this side.
    "idle_in_transaction_session_timeout": "2000",
    "statement_timeout": "0",
    "transaction_timeout": "0",
    "idle_session_timeout": "0",
    # A warning would be taken for one about the commit.
    "plpgsql.extra_warnings": "none",
    "plpgsql.extra_errors": "none",
    # The same plans everywhere.
    "jit": "off",
    "plan_cache_mode": "auto",
    "from_collapse_limit": "8",
    "join_collapse_limit": "8",
}
"""In the form and the unit (milliseconds) that `pg_settings` has them. What a server does not know is left out."""

# A server that is read-only as a whole stays so: it may be full, or fenced off. For its own database and user it is the
# service that says what it does.
WRITABLE: Final = """SELECT pg_catalog.set_config(name, 'off', false) FROM pg_catalog.pg_settings
                     WHERE name = 'default_transaction_read_only' AND setting = 'on'
                       AND source NOT IN ('configuration file', 'command line', 'environment variable')"""

# The limit first: the rest may take longer than somebody set for a statement. An operator who wants more of a commit
# keeps that.
_SET = """SET statement_timeout = 0;
          SELECT pg_catalog.set_config(name, value, false) FROM (VALUES {wanted}) AS wanted (name, value)
          WHERE pg_catalog.current_setting(name, true) IS NOT NULL
            AND NOT (name = 'synchronous_commit' AND value = 'on'
                     AND pg_catalog.current_setting(name) IN ('remote_write', 'remote_apply'))"""


def prepare(settings: Mapping[str, str]) -> str:
    """The statement that sets them, names and values of our own. It has no parameters, so that no pooler parts it."""
    return _SET.format(wanted=", ".join(f"('{name}', '{value}')" for name, value in settings.items()))
