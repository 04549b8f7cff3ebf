"""``python -m vaeviewer``."""

import sys

from vaeviewer.cli import main

if __name__ == "__main__":
    sys.exit(main())
