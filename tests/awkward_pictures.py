"""A folder of pictures with everything in it that goes wrong, and what has to be said of each file."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

SIZE = (40, 40)


def scene(height: int = 40, width: int = 40) -> np.ndarray:
    """A smooth colour picture that differs from itself however it is turned, ``(height, width, 3)`` uint8."""
    y, x = np.mgrid[0 : 1 : complex(height), 0 : 1 : complex(width)]
    levels = np.stack((x, y, 1 - x * y), axis=-1) * 200 + 30
    return levels.astype(np.uint8)


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    """The bytes of a file."""
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_header(width: int, height: int) -> bytes:
    """A PNG that declares a size and has hardly any pixels."""
    header = struct.pack(">2I5B", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", header)
        + png_chunk(b"IDAT", zlib.compress(b"\0" * 100))
        + png_chunk(b"IEND", b"")
    )


def broken_files() -> dict[str, tuple[bytes, str]]:
    """Files that cannot be used: their bytes, and a part of the reason."""
    picture = Image.fromarray(scene())
    kinds = {
        "png": encoded(picture, "PNG"),
        "jpg": encoded(picture, "JPEG", quality=95),
        "bmp": encoded(picture, "BMP"),
        "gif": encoded(picture, "GIF"),
        "webp": encoded(picture, "WEBP"),
        "tif": encoded(picture, "TIFF", compression="tiff_lzw"),
        "tiff": encoded(picture, "TIFF"),
        "PNG": encoded(picture.convert("L"), "PNG"),
        "JPEG": encoded(picture, "JPEG", progressive=True),
    }
    files: dict[str, tuple[bytes, str]] = {}
    for suffix, whole in kinds.items():
        files[f"cut in half.{suffix}"] = (whole[: len(whole) // 2], "")
        files[f"cut at 12 bytes.{suffix}"] = (whole[:12], "")
        files[f"empty.{suffix}"] = (b"", "is empty")
        files[f"words.{suffix}"] = (b"This is a text about pictures.\n" * 20, "no picture of a known format")
        files[f"zeros.{suffix}"] = (bytes(5000), "no picture of a known format")
    files["bomb.png"] = (png_header(60_000, 60_000), "more than 64 million")
    files["just too large.png"] = (png_header(8192, 8193), "more than 64 million")
    files["lies.png"] = (png_header(300, 300), "")
    files["nothing wide.png"] = (png_header(0, 40), "")
    files["eps.png"] = (
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n",
        "no picture of a known format",
    )
    files["web page.jpg"] = (b"<html><body>404 Not Found</body></html>", "no picture of a known format")
    files["archive.png"] = (b"PK\x03\x04" + bytes(60), "no picture of a known format")
    wrong = bytearray(kinds["png"])
    wrong[len(wrong) // 2] ^= 0xFF
    files["one byte wrong.png"] = (bytes(wrong), "")
    nan = np.full(SIZE, np.nan, np.float32)
    files["nan.tif"] = (encoded(Image.fromarray(nan), "TIFF"), "NaN")
    files["floats of no range.tif"] = (
        encoded(Image.fromarray(np.full(SIZE, 5e6, np.float32)), "TIFF"),
        "fit no known range",
    )
    return files


def write_awkward(folder: Path) -> dict[str, str]:
    """Write all of them into a folder, with links and things that are no files; returns name and reason."""
    expected = {}
    for name, (content, reason) in broken_files().items():
        (folder / name).write_bytes(content)
        expected[name] = reason
    if hasattr(os, "mkfifo"):
        os.mkfifo(folder / "pipe.png")
        expected["pipe.png"] = "is not an ordinary file"
    if os.name != "nt":
        (folder / "nowhere.png").symlink_to(folder / "not there")
        (folder / "one.png").symlink_to(folder / "other.png")
        (folder / "other.png").symlink_to(folder / "one.png")
        (folder / "up").symlink_to("..")
        (folder / "here").symlink_to(".")
        expected |= {
            "nowhere.png": "leads nowhere",
            "one.png": "in a circle",
            "other.png": "in a circle",
            "up": "in a circle",
            "here": "in a circle",
        }
    return expected


def good_forms() -> dict[str, Callable[[Path], None]]:
    """The scene in all forms that have to be read: a name with its suffix, and what writes it."""
    rgb = Image.fromarray(scene())
    turned = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }

    def exif(orientation: int) -> Image.Exif:
        tags = Image.Exif()
        tags[0x0112] = orientation
        return tags

    def rgba(path: Path) -> None:
        picture = np.dstack((scene(), np.full(SIZE, 255, np.uint8)))
        Image.fromarray(picture).save(path)

    forms: dict[str, Callable[[Path], None]] = {
        "plain.png": rgb.save,
        "UPPER.PNG": rgb.save,
        "plain.jpg": lambda path: rgb.save(path, quality=95),
        "progressive.JPeG": lambda path: rgb.save(path, quality=95, progressive=True),
        "plain.bmp": rgb.save,
        "plain.webp": lambda path: rgb.save(path, lossless=True),
        "plain.tif": rgb.save,
        "packed.tiff": lambda path: rgb.save(path, compression="tiff_deflate"),
        "palette.png": lambda path: rgb.quantize(256).save(path),
        "plain.gif": lambda path: rgb.quantize(256).save(path),
        "rgba.png": rgba,
        "cmyk.jpg": lambda path: rgb.convert("CMYK").save(path, quality=95),
        "cmyk.tif": lambda path: rgb.convert("CMYK").save(path),
        "called.jpg.png": lambda path: path.write_bytes(encoded(rgb, "JPEG", quality=95)),
    }
    for orientation, method in turned.items():
        forms[f"orientation {orientation}.jpg"] = lambda path, o=orientation, m=method: rgb.transpose(m).save(
            path, quality=95, exif=exif(o)
        )
    forms["orientation 6.png"] = lambda path: rgb.transpose(turned[6]).save(path, exif=exif(6))
    forms["orientation 6.tif"] = lambda path: rgb.transpose(turned[6]).save(path, exif=exif(6))
    return forms
