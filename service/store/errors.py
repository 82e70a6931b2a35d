"""What can go wrong with the log, as types with facts.

Unavailable (of projections)     the database cannot be reached; nothing or something may have happened
├── Unreachable                  not even a connection: certainly nothing has happened
│   └── ReadOnly                 the server that is there takes no writes
├── RightMissing                 the database's user may not do this, until it is given the right (again)
└── TookTooLong                  a read took longer than it may; it was stopped
OutcomeUnknown                   whether the event was recorded could not be found out in time
Conflict                         another event took this version: decide again
Repeated                         the log knows this command already
NotEmpty                         only an empty log can be loaded
NotAnErasure                     more was to be rewritten than an erasure takes away
NotALog                          what was to be loaded contradicts itself
InUse                            another process uses the log, or what is made of it
LogReplaced                      another log is there than the one that this process began with
WritesRefused                    the database is not as it must be, until an operator has looked
├── Unsuitable                   what it is, or how it is reached
└── ClockBehind                  its clock, against the newest event
"""

from projections.database import Unavailable


class Unreachable(Unavailable):
    """No connection was made, so nothing was sent."""


class ReadOnly(Unreachable):
    """A standby, or a server that is set read-only."""


class RightMissing(Unavailable):
    """The database refused what its user has no right to; nothing was changed by it."""


class TookTooLong(Unavailable):
    """A read was not answered in time, and stopped."""


class WritesRefused(Exception):
    """Nothing was recorded; the text is for operators."""


class Unsuitable(WritesRefused):
    """A log cannot be kept in this database, or not in this way."""


class ClockBehind(WritesRefused):
    """The newest event is further ahead of the database's clock than it may be."""


class OutcomeUnknown(Exception):
    """The deadline passed before the database said whether the event was recorded."""


class Overloaded(Exception):
    """More commands wait for the log than may."""


class Conflict(Exception):
    """The aggregate has moved on since it was loaded."""


class Repeated(Exception):
    """An event of the same command id is in the log: the first answer is to be given again."""

    def __init__(self, position: int) -> None:
        super().__init__(f"repeats the command of position {position}")
        self.position = position


class NotEmpty(Exception):
    """The log has events already."""


class NoLog(Exception):
    """There is none where one was to be; nothing was made there."""


class InUse(Exception):
    """Another process is there that must not be."""


class LogReplaced(Exception):
    """All that this process keeps in memory is of a log that is not there any more."""
