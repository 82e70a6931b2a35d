"""Traces, where somebody collects them: request, command, batch and followers as spans of one trace."""
