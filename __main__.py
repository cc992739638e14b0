"""``python -m facelm`` and ``facelm``: the command, started so that Ctrl-C is one line from the first moment on."""

import atexit
import contextlib
import os
import sys


def entry() -> None:
    """Console-script entry point; exit code 130 when stopped by Ctrl-C."""
    try:
        from .cli.main import entry as command  # half a second of imports

        command()
    except KeyboardInterrupt:
        print("facelm: stopped", file=sys.stderr)
    except SystemExit as end:
        if end.code != 130:
            raise
    # an interrupt within exec() (dataclasses do that on import) makes Python end by the signal, even where it was caught
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(130)


if __name__ == "__main__":
    entry()
