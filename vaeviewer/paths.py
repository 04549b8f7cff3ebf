"""Where things lie: what is bundled with the program, and what belongs to the user.

The environment variable ``VAEVIEWER_HOME`` moves everything of the user's under one folder. Nothing here
creates a folder; whoever writes does.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from vaeviewer.errors import UserError

_APP = "vaeviewer"


def resource(*parts: str) -> Path:
    """A bundled file or folder, such as ``resource("mnist-10k")``.

    Raises:
        UserError: The installation lacks it.
    """
    package = Path(__file__).parent
    # A wheel carries the resources inside the package; a checkout keeps them beside it.
    for root in (package / "resources", package.parent / "resources"):
        path = root.joinpath(*parts)
        if path.exists():
            return path
    raise UserError(f"{'/'.join(parts)} is missing from this installation of vaeviewer; install it again.")


def data_dir() -> Path:
    """Folder of downloaded data sets, in the layout of torchvision (``MNIST/raw``, ``FashionMNIST/raw`` …)."""
    return _user_folder("data")


def runs_dir() -> Path:
    """Folder that holds one folder per training run."""
    return _user_folder("runs")


def cache_dir() -> Path:
    """Folder of what can be made again at any time: machine code compiled for this processor."""
    home = _home()
    if home is not None:
        return home / "cache"
    import platformdirs

    return platformdirs.user_cache_path(_APP, appauthor=False)


def new_run_folder() -> Path:
    """A folder of its own for a run, named by the time, in the user's runs folder; not made yet."""
    name = time.strftime("%Y-%m-%d %H.%M.%S")
    folder, number = runs_dir() / name, 1
    while folder.exists():
        number += 1
        folder = runs_dir() / f"{name} ({number})"
    return folder


def nearest_folder(folder: Path) -> Path:
    """The folder, or the nearest one above it that is there: where a file dialog can start."""
    while not folder.is_dir() and folder != folder.parent:
        folder = folder.parent
    return folder


def settings_file() -> Path:
    """The window's settings, an ini file."""
    home = _home()
    if home is not None:
        return home / "settings.ini"
    import platformdirs

    return platformdirs.user_config_path(_APP, appauthor=False) / "settings.ini"


def log_dir() -> Path:
    """Folder of log files."""
    home = _home()
    if home is not None:
        return home / "logs"
    import platformdirs

    return platformdirs.user_log_path(_APP, appauthor=False)


def _user_folder(name: str) -> Path:
    home = _home()
    if home is not None:
        return home / name
    import platformdirs

    return platformdirs.user_data_path(_APP, appauthor=False) / name


def _home() -> Path | None:
    """The folder named by ``VAEVIEWER_HOME``; an empty value counts as not set."""
    value = os.environ.get("VAEVIEWER_HOME", "")
    return Path(os.path.abspath(os.path.expanduser(value))) if value else None  # noqa: PTH100, PTH111
