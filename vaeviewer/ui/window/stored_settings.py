"""Where the window's choices are kept between starts, whatever stands in the file there."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Any

from PySide6.QtCore import QSettings

from vaeviewer.limits import MAX_SETTINGS_BYTES

log = logging.getLogger(__name__)


class ForgetfulSettings(QSettings):
    """Settings that are kept in memory alone: a window reads back what it wrote, and no file is touched."""

    def __init__(self) -> None:
        super().__init__("", QSettings.Format.IniFormat)
        self._values: dict[str, Any] = {}

    def value(self, key: str, defaultValue: Any = None, type: Any = None) -> Any:  # noqa: A002, N803
        """What was written under ``key`` before."""
        return self._values.get(key, defaultValue)

    def setValue(self, key: str, value: Any) -> None:
        """Keep a value until the program ends."""
        self._values[key] = value

    def remove(self, key: str) -> None:
        """Forget a value."""
        self._values.pop(key, None)


_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]+)|([0-7]+)|[\r\n]{1,2}|.)|\"", re.DOTALL)
"""What QSettings reads in an ini file as another character, as none, or as a mark around a value."""

_BINARY = ("@Variant(", "@DateTime(")
"""How texts begin that QSettings reads with QDataStream, as any kind of value."""


def _has_binary(ini: bytes) -> bool:
    """Whether there is a binary value, as the window writes none: PySide reads objects in these with pickle."""

    def letter(escape: re.Match[str]) -> str:
        if escape[1] or escape[2]:
            return chr(0xFFFF & (int(escape[1], 16) if escape[1] else int(escape[2], 8)))
        return ""

    text = _ESCAPE.sub(letter, ini.decode("latin-1"))
    return any(start in text for start in _BINARY)


def open_settings(path: Path) -> QSettings:
    """The settings in an ini file; what can be none, such as a pipe or something huge, is left alone."""
    try:
        usable = not path.exists() or (
            path.is_file()
            and path.stat().st_size <= MAX_SETTINGS_BYTES
            and not _has_binary(path.read_bytes())
        )
    except OSError:
        usable = False
    if usable:
        return QSettings(str(path), QSettings.Format.IniFormat)
    log.warning("%s is no file of settings; the window begins without and remembers nothing", path)
    return ForgetfulSettings()
