"""The log as evidence: taken out, put back, looked at, compared."""
