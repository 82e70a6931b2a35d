"""What the audit's commands end with, beside what the log raises."""


class ExportDamaged(Exception):
    """The file is no export, or not as it was written; the text names the line or the position."""


class WouldHaveHoles(Exception):
    """A database was to be filled with a part of the log that is not its beginning."""


class CheckpointPending(Exception):
    """No checkpoint covers it yet."""


class SizeUnknown(Exception):
    """The tree does not have so many leaves."""

    def __init__(self, size: int) -> None:
        super().__init__(f"the tree has {size} leaves")
        self.size = size


class TreeDiverged(Exception):
    """The tree contradicts a checkpoint or the log, so nothing is signed or proven with it: run `ims audit verify`."""


class OtherHistory(TreeDiverged):
    """The tree was built from another log, or from another history of this one, than the one that is there."""


class Disturbed(Exception):
    """Something was erased while the log was exported: the file lacks the order for what it lacks."""


class Unknown(Exception):
    """The log has not what was asked for."""
