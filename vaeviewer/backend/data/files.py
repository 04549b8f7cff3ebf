"""Opening files that a user names: ordinary ones only, with a sentence for whatever is wrong."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from vaeviewer.errors import DataError


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """An ordinary file, open for reading.

    Raises:
        DataError: It is missing, no ordinary file, cannot be read, or does not fit into memory; also where that turns
            out while it is read.
    """
    try:
        # Looked at before it is opened: opening a pipe would wait for ever.
        try:
            mode = path.stat().st_mode
        except ValueError:
            raise DataError(f"{str(path)!r} is not a possible file name; choose another file.") from None
        if stat.S_ISDIR(mode):
            raise DataError(f"{path} is a folder, not a file; choose the file itself.")
        if not stat.S_ISREG(mode):
            raise DataError(f"{path} is not an ordinary file; choose another one.")
        with path.open("rb") as file:
            yield file
    except FileNotFoundError:
        raise DataError(f"{path} does not exist; fetch it, or choose another folder.") from None
    except OSError as error:
        reason = error.strerror or "input/output error"
        raise DataError(f"{path} cannot be read ({reason}); check the file and its permissions.") from None
    except MemoryError:
        raise DataError(
            f"{path} does not fit into memory; close other programs or choose less data."
        ) from None


def absolute(path: Path) -> Path:
    """The path from the root on, without ``..`` but with its links.

    Raises:
        DataError: Its name is not text, or none that a file system can hold.
    """
    path = Path(os.path.abspath(path))  # noqa: PTH100 (removes "..", yet keeps links, which resolve() would not)
    try:
        str(path).encode()
        path.exists()
    except UnicodeEncodeError:
        raise DataError(f"{str(path)!r} has a name that is not valid text; rename the folder.") from None
    except ValueError:
        raise DataError(f"{str(path)!r} is not a possible file name; choose another file.") from None
    except OSError:
        pass  # whoever opens it says why not
    return path
