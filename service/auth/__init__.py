"""Signing in: from the `Authorization` header of a request to who it is, of which tenant, and what they may do."""
