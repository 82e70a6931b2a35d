"""`python -m service` is the same as `ims`."""

from service.cli import main

main()
