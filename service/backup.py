"""What `ims backup` does: copy the embedded database while the service runs.

Each file as of one moment, the log's the later one: so what was built is never ahead of what it was built from.
"""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from service.private_files import close_file, create_file, make_folder
from service.settings import InvalidSettings, Settings

_HEAD = "SELECT coalesce(max(notification_id), 0) FROM log"


def back_up(settings: Settings, folder: Path) -> int:
    """Returns how many events the copy has. Raises InvalidSettings, FileExistsError, OSError."""
    if settings.postgres:
        raise InvalidSettings("IMS_DATABASE_URL is a PostgreSQL: deploy/BACKUP.md says how that is backed up")
    log = settings.sqlite_path
    if not log.exists():
        raise FileNotFoundError(f"{log} is not there: nothing to copy")
    sources = [path for path in (settings.read_models_path, log) if path.exists()]
    targets = [folder / path.name for path in sources]
    for target in targets:
        if target.exists():
            raise FileExistsError(f"{target} is there already: nothing was copied")
    make_folder(folder)
    for source, target in zip(sources, targets, strict=True):
        _copy(source, target)
    with closing(sqlite3.connect(folder / log.name)) as copy:
        return int(copy.execute(_HEAD).fetchone()[0])


def _copy(source: Path, target: Path) -> None:
    """Under its name it is whole, checked and on disk; before that it has another."""
    draft = target.with_name(f"{target.name}.draft")
    close_file(source)
    draft.unlink(missing_ok=True)
    create_file(draft)
    try:
        with closing(sqlite3.connect(source)) as live, closing(sqlite3.connect(draft)) as copy:
            live.backup(copy)
            (verdict,) = copy.execute("PRAGMA quick_check").fetchone()
    except sqlite3.DatabaseError as error:
        verdict = str(error)
    if verdict != "ok":
        draft.unlink()
        raise OSError(f"{source} cannot be copied whole: {verdict}")
    for path in (draft, target.parent):
        descriptor = os.open(path, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)
    draft.rename(target)
