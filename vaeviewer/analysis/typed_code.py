"""A code as text: written so that it can be copied, read as people type and paste it."""

from __future__ import annotations

import math
import re

import numpy as np

from vaeviewer.analysis.latent_plane import Array
from vaeviewer.errors import UserError

MOST = 1000.0
"""No number of z that is typed may be farther from 0: decoders give nothing but noise long before."""

_MINUS = str.maketrans("−–", "--")
_AROUND = re.compile(r"^\s*(z\s*=)?[\s(\[{]*|[\s)\]},;]*$")
_APART = re.compile(r"\s*[,;]\s*|\s+")
_SHOWN = 24


def code_text(code: Array) -> str:
    """All numbers of a code ``(d,)`` with as many decimals as matter, such as ``"0.3, −1.25"``."""
    return ", ".join(_number(float(value)) for value in code)


def read_code(text: str, latent_dim: int) -> Array:
    """The code that a text stands for, float32 ``(latent_dim,)``.

    Numbers are separated by commas, semicolons or spaces; brackets and ``z =`` around them are passed over.

    Raises:
        UserError: It is none; a sentence says why.
    """
    parts = [part for part in _APART.split(_AROUND.sub("", text.translate(_MINUS))) if part]
    numbers = []
    for part in parts:
        try:
            value = float(part) if "_" not in part else math.nan
        except ValueError:
            value = math.nan
        if not abs(value) <= MOST:
            shown = part if len(part) <= _SHOWN else f"{part[:_SHOWN]}…"
            raise UserError(f"z is made of numbers from −1,000 to 1,000, but “{shown}” is none.")
        numbers.append(value)
    if len(numbers) != latent_dim:
        wanted = "1 number" if latent_dim == 1 else f"{latent_dim} numbers separated by commas"
        raise UserError(f"z takes {wanted} here, but there {_count(len(numbers))}.")
    return np.array(numbers, np.float32)


def _count(count: int) -> str:
    return "is 1" if count == 1 else f"are {count:,}" if count else "is none"


def _number(value: float) -> str:
    return f"{value:z.4f}".rstrip("0").rstrip(".").replace("-", "−")
