"""The service as a release with read models of another version: `python -m tests.projections.next_version serve`."""

from projections import read_models

VERSION = read_models.VERSION + 1
NAME = read_models.follower_of(VERSION)
MODULE = "tests.projections.next_version"

if __name__ == "__main__":
    # Before anything else takes them over.
    setattr(read_models, "VERSION", VERSION)  # noqa: B010
    setattr(read_models, "FOLLOWER", NAME)  # noqa: B010
    setattr(read_models, "REBUILD", f"{NAME}_rebuild")  # noqa: B010
    from service.cli import main

    main()
