"""What the audit's commands end with, beside what the log raises."""


class ExportDamaged(Exception):
    """The file is no export, or not as it was written; the text names the line or the position."""


class WouldHaveHoles(Exception):
    """A database was to be filled with a part of the log that is not its beginning."""
