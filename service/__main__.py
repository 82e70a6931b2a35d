"""`python -m service` and the console script `ims`.

Nothing that imports make is garbage: the collector is off until they are done, which saves a fifth of the start.
Who interrupts them just ends the process: there is nothing to end in order yet.
"""

import gc
import signal

gc.disable()
raised = signal.getsignal(signal.SIGINT) is signal.default_int_handler  # who starts it may have SIGINT ignored
if raised:
    signal.signal(signal.SIGINT, signal.SIG_DFL)

from service.cli import main  # noqa: E402

if raised:
    signal.signal(signal.SIGINT, signal.default_int_handler)
gc.freeze()
gc.enable()

if __name__ == "__main__":
    main()
