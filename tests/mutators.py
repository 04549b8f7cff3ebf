"""Damage as crashes, worn disks and hostile hands do it. Every choice comes from the generator given."""

from __future__ import annotations

import copy
import hashlib
import json
import math
import os
import pickle
import random
import re
import struct
from pathlib import Path
from typing import Any

ODD_NUMBERS = (
    *(-1, 0, 1, 2, 255, 256, 2**31 - 1, 2**31, 2**32, 2**53, 2**63, 2**64, 10**40, -(10**40)),
    *(-0.0, 0.5, 1e-320, 1e308, -1e308, math.nan, math.inf, -math.inf),
)
ODD_TEXTS = (
    *(
        "",
        " ",
        "0",
        "1e999",
        "nan",
        "true",
        "null",
        "ünïcode",
        "\u202e",
        "\ud800",
        "a\nb",
        "nul\0",
        "x" * 100_000,
    ),
    *("..", "../x", "a/b", "/etc/passwd", "C:x", "~", "2026-01-01T00:00:00", "0" * 64, "cpu", "__proto__"),
)
ODD_FLOATS = (math.nan, math.inf, -math.inf, 3.4e38, -3.4e38, 1e30, 1e-45, -1.0)


def odd_value(rng: random.Random) -> Any:
    """A value that JSON can hold and hardly anybody expects."""
    match rng.randrange(8):
        case 0:
            return rng.choice((None, True, False))
        case 1:
            return rng.choice(ODD_TEXTS)
        case 2:
            return [odd_value(rng) for _ in range(rng.randrange(4))]
        case 3:
            return {rng.choice(ODD_TEXTS): odd_value(rng) for _ in range(rng.randrange(3))}
        case 4:
            return nested(rng.choice((10, 100, 300)))
        case 5:
            return [0] * rng.choice((1, 10, 30_000))
        case _:
            return rng.choice(ODD_NUMBERS)


def nested(depth: int) -> list[Any]:
    """Lists in lists."""
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


def damaged_values(rng: random.Random, values: dict[str, Any]) -> dict[str, Any]:
    """Nested plain values with one to three of them replaced, removed, added or put elsewhere."""
    values = copy.deepcopy(values)
    for _ in range(rng.randint(1, 3)):
        parent = rng.choice(_containers(values))
        keys = list(parent) if isinstance(parent, dict) else list(range(len(parent)))
        what = rng.randrange(4)
        if what == 0 or not keys:
            value = odd_value(rng)
            if isinstance(parent, dict):
                parent[rng.choice(ODD_TEXTS)] = value
            else:
                parent.append(value)
        elif what == 1:
            del parent[rng.choice(keys)]
        elif what == 2:
            parent[rng.choice(keys)] = copy.deepcopy(rng.choice(_containers(values)))
        else:
            parent[rng.choice(keys)] = odd_value(rng)
    return values


def damaged_json(rng: random.Random, original: bytes) -> bytes:
    """Still JSON, as Python writes it, NaN and lone surrogates included, but of wrong values."""
    text = json.dumps(damaged_values(rng, json.loads(original)))
    if rng.randrange(4) == 0:  # a name given twice
        names = list(re.finditer(r'"[a-z_]+": ', text))
        if names:
            name = rng.choice(names)
            text = f"{text[: name.start()]}{name[0]}{json.dumps(odd_value(rng))}, {text[name.start() :]}"
    if rng.randrange(20) == 0:
        depth = rng.choice((100, 1000, 100_000))
        text = rng.choice(("[" * depth, '{"a":' * depth, "[" * depth + text + "]" * depth))
    return text.encode()


def damaged_bytes(rng: random.Random, original: bytes) -> bytes:
    """Truncated, flipped, spliced, turned, or with a huge number or other bytes somewhere."""
    start, end = sorted(rng.randrange(len(original) + 1) for _ in range(2))
    match rng.randrange(8):
        case 0:
            return original[:start]
        case 1:
            return original[:start] + original[end:]
        case 2:
            return original[:end] + original[start:]
        case 3:
            return original[start:] + original[:start]
        case 4:
            return original[:start] + rng.randbytes(rng.randint(1, 20)) + original[start:]
        case 5:
            huge = struct.pack(rng.choice(("<Q", ">Q", ">I")), rng.choice((0, 1, 2**31, 2**32 - 1)))
            at = rng.choice((0, 4, 8, 12, start))
            return original[:at] + huge + original[at + len(huge) :]
        case 6:
            return original + rng.randbytes(rng.randint(1, 100))
        case _:
            changed = bytearray(original)
            for _ in range(rng.randint(1, 8)):
                changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
            return bytes(changed)


def damaged_tensors(rng: random.Random, original: bytes) -> bytes:
    """A safetensors file whose header or numbers are wrong while its own lengths are right."""
    length = int.from_bytes(original[:8], "little")
    header, numbers = original[8 : 8 + length], bytearray(original[8 + length :])
    if rng.randrange(2):
        header = damaged_json(rng, header)
    if rng.randrange(2):
        for _ in range(rng.randint(1, 5)):
            at = 4 * rng.randrange(len(numbers) // 4)
            numbers[at : at + 4] = struct.pack("<f", rng.choice(ODD_FLOATS))
    return len(header).to_bytes(8, "little") + header + bytes(numbers)


def put_something_else(rng: random.Random, path: Path) -> None:
    """Put what is no such file in a file's place: nothing, a folder, a link, a pipe, a giant, a pickle."""
    path.unlink()
    match rng.randrange(7):
        case 0:
            path.mkdir()
        case 1:
            path.symlink_to(path.name)  # to itself
        case 2:
            path.symlink_to(rng.choice(("/dev/zero", "/etc/passwd", ".", "nowhere")))
        case 3:
            os.mkfifo(path)
        case 4:
            with path.open("wb") as file:
                file.truncate(rng.choice((2**20, 2**34, 2**40)))
        case 5:
            path.write_bytes(pickle.dumps({"a": [1.0] * 100}))
        case _:
            pass  # it is missing


def damage_run(rng: random.Random, folder: Path) -> None:
    """Damage one or two files of a run folder; half of the time signed, so that checksums do not tell."""
    for path in rng.sample(sorted(folder.iterdir()), rng.randint(1, 2)):
        data = path.read_bytes()
        if rng.randrange(10) == 0:
            put_something_else(rng, path)
        elif rng.randrange(3) == 0:
            path.write_bytes(damaged_bytes(rng, data))
        elif path.suffix == ".json":
            path.write_bytes(damaged_json(rng, data))
        else:
            path.write_bytes(damaged_tensors(rng, data))
    if rng.randrange(2):
        sign_again(folder)


def sign_again(folder: Path) -> None:
    """Write each file's length and checksum into the manifest, where that still can be read."""
    path = folder / "manifest.json"
    try:
        manifest = json.loads(_content(path))
        for checkpoint in manifest["checkpoints"]:
            for entry in checkpoint["files"].values():
                data = _content(folder / entry["name"])
                entry |= {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        path.write_text(json.dumps(manifest))
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return  # beyond signing: it stays as it is


def _content(path: Path) -> bytes:
    """The bytes of a plain file of sensible size, else none."""
    return path.read_bytes() if path.is_file() and path.stat().st_size < 2**20 else b""


def _containers(value: Any) -> list[Any]:
    """Every dictionary and list inside a value, itself included."""
    found, waiting = [], [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict | list):
            found.append(item)
            waiting += item.values() if isinstance(item, dict) else item
    return found
