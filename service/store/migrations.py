"""The versioned schema: numbered SQL files, applied in order under a lock, and refused when newer than the code."""

from importlib.resources import files


class SchemaTooNew(Exception):
    """The database was upgraded by a newer release; this one must not touch it."""

    def __init__(self, found: int, known: int) -> None:
        super().__init__(
            f"the database has schema version {found}, this release knows {known}: start the newer release instead"
        )


def steps(engine: str) -> list[str]:
    """The SQL of each version from 1, for `postgres` or `sqlite`."""
    folder = files("service.store").joinpath("schema", engine)
    return [file.read_text() for file in sorted(folder.iterdir(), key=lambda file: file.name)]


def rights() -> str:
    """What the service's role may do on PostgreSQL, told anew after each migration."""
    return files("service.store").joinpath("schema", "rights.sql").read_text()


def missing(engine: str, found: int) -> list[str]:
    """What a database of version `found` lacks. Raises SchemaTooNew."""
    known = steps(engine)
    if found > len(known):
        raise SchemaTooNew(found, len(known))
    return known[found:]
