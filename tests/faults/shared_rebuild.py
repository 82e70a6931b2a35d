"""The service as one to which short logs are long: `python -m tests.faults.shared_rebuild projections rebuild`."""

from service import shares

MODULE = "tests.faults.shared_rebuild"

if __name__ == "__main__":
    setattr(shares, "LONG", 1_000)  # noqa: B010
    from service.cli import main

    main()
