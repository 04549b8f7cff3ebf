"""One part of the benchmark in a process of its own: ``python -m vaeviewer.bench PART OPTIONS``.

OPTIONS and the answer, on standard output, are JSON objects. The parent keeps standard input open; when that
ends, so does this process, in the middle of whatever it does.
"""

from __future__ import annotations

import faulthandler
import importlib
import json
import os
import signal
import sys
import threading
import traceback


def _end_with_parent() -> None:
    os.read(sys.stdin.fileno(), 1)
    os._exit(1)


def main() -> None:
    """Measure the part named on the command line."""
    faulthandler.enable()  # a crash says where
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # at once and without a traceback
    threading.Thread(target=_end_with_parent, daemon=True).start()
    code = 0
    try:
        part = importlib.import_module(f"vaeviewer.bench.{sys.argv[1]}")
        sys.stdout.write(json.dumps(part.measure(**json.loads(sys.argv[2]))))
    except Exception:
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    # As the program itself leaves: windows and training threads need not be taken down one by one.
    os._exit(code)


if __name__ == "__main__":
    main()
