import gzip
import os
import random
import struct
import subprocess
import sys
import textwrap
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from vaeviewer.backend.data import idx
from vaeviewer.backend.data.idx import read_images, read_labels
from vaeviewer.errors import DataError
from vaeviewer.limits import MAX_IDX_COUNT

per_example_file = settings(
    deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def encode(array: np.ndarray) -> bytes:
    header = struct.pack(f">2x2B{array.ndim}I", 8, array.ndim, *array.shape)
    return header + array.astype(np.uint8).tobytes()


IMAGES = np.arange(5 * 4 * 3, dtype=np.uint8).reshape(5, 4, 3)
LABELS = np.array([3, 0, 255, 1, 2], dtype=np.int64)


def refusal(path: Path, content: bytes | None = None, labels: bool = False) -> str:
    """The sentence the file is refused with; checks that it is one, about this file, with advice."""
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError) as error:
        (read_labels if labels else read_images)(path)
    text = str(error.value)
    assert text.startswith(str(path))
    assert text.endswith(".")
    assert ";" in text
    assert "\n" not in text
    return text.removeprefix(str(path))


@pytest.mark.slow
@given(
    images=hnp.arrays(np.uint8, hnp.array_shapes(min_dims=3, max_dims=3, max_side=9)),
    packed=st.booleans(),
)
@per_example_file
def test_images_round_trip(tmp_path: Path, images: np.ndarray, packed: bool) -> None:
    path = tmp_path / "images"
    path.write_bytes(gzip.compress(encode(images)) if packed else encode(images))
    read = read_images(path)
    assert read.dtype == np.uint8
    np.testing.assert_array_equal(read, images)


@pytest.mark.slow
@given(labels=hnp.arrays(np.uint8, st.integers(1, 300)), packed=st.booleans())
@per_example_file
def test_labels_round_trip(tmp_path: Path, labels: np.ndarray, packed: bool) -> None:
    path = tmp_path / "labels.gz"  # the content says whether it is packed, not the name
    path.write_bytes(gzip.compress(encode(labels)) if packed else encode(labels))
    read = read_labels(path)
    assert read.dtype == np.int64
    np.testing.assert_array_equal(read, labels)


def accepts_or_refuses(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    for read in (read_images, read_labels):
        try:
            array = read(path)
        except DataError:
            continue
        assert array.size > 0
        assert array.size <= 1032 * len(content)


@given(content=st.binary(max_size=64))
@per_example_file
def test_any_bytes_are_read_or_refused(tmp_path: Path, content: bytes) -> None:
    accepts_or_refuses(tmp_path / "file", content)
    accepts_or_refuses(tmp_path / "file", gzip.compress(content))
    accepts_or_refuses(tmp_path / "file", b"\0\0\x08" + content)
    accepts_or_refuses(tmp_path / "file", b"\x1f\x8b\x08" + content)


@given(seed=st.integers(0, 2**32), packed=st.booleans(), whole=st.booleans(), changes=st.integers(0, 4))
@per_example_file
def test_mutated_files_are_read_or_refused(
    tmp_path: Path, seed: int, packed: bool, whole: bool, changes: int
) -> None:
    rng = random.Random(seed)
    content = bytearray(gzip.compress(encode(IMAGES)) if packed else encode(IMAGES))
    for _ in range(changes):
        content[rng.randrange(len(content))] = rng.randrange(256)
    accepts_or_refuses(tmp_path / "file", bytes(content if whole else content[: rng.randrange(len(content))]))


@pytest.mark.parametrize("packed", [False, True])
def test_every_truncation_is_refused(tmp_path: Path, packed: bool) -> None:
    content = gzip.compress(encode(IMAGES)) if packed else encode(IMAGES)
    for end in range(len(content)):
        refusal(tmp_path / "cut", content[:end])


def test_truncated_says_how_far_it_goes(tmp_path: Path) -> None:
    whole = encode(IMAGES)
    assert refusal(tmp_path / "a", whole[:50]) == " ends after 50 of 76 bytes; fetch it again."
    assert refusal(tmp_path / "b", gzip.compress(whole[:50])) == " ends after 50 of 76 bytes; fetch it again."


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_trailing_bytes(tmp_path: Path, pack) -> None:
    assert "goes on after the 76 bytes" in refusal(tmp_path / "long", pack(encode(IMAGES) + b"\0"))


def test_trailing_bytes_after_the_packed_part(tmp_path: Path) -> None:
    packed = gzip.compress(encode(IMAGES))
    assert "damaged gzip" in refusal(tmp_path / "garbage", packed + b"garbage")
    assert "goes on after" in refusal(tmp_path / "twice", packed + packed)


def test_gzip_checksum_is_compared(tmp_path: Path) -> None:
    content = bytearray(gzip.compress(encode(IMAGES)))
    content[-8] ^= 1
    assert "damaged gzip" in refusal(tmp_path / "crc", bytes(content))


def test_other_kinds_of_file(tmp_path: Path) -> None:
    assert "is not an idx file" in refusal(tmp_path / "png", b"\x89PNG\r\n\x1a\n" + bytes(50))
    for nothing in (b"", gzip.compress(b"")):
        assert " is empty; fetch it again" in refusal(tmp_path / "nothing", nothing)
    unknown = b"\0\0\x0a\x03" + encode(IMAGES)[4:]
    assert "is not an idx file" in refusal(tmp_path / "unknown", unknown)
    assert "holds labels where images belong" in refusal(tmp_path / "labels", encode(LABELS))
    assert "holds images where labels belong" in refusal(tmp_path / "images", encode(IMAGES), labels=True)
    volumes = encode(np.zeros((2, 4, 4, 3, 1)))
    assert "holds values in 5 dimensions where images" in refusal(tmp_path / "volumes", volumes)
    assert "ends inside its header" in refusal(tmp_path / "header", encode(IMAGES)[:10])


@pytest.mark.parametrize("shape", [(0, 28, 28), (5, 0, 3), (5, 4, 0)])
def test_empty_images(tmp_path: Path, shape: tuple[int, ...]) -> None:
    assert "is empty, it holds no images" in refusal(tmp_path / "empty", encode(np.zeros(shape)))


def test_no_labels(tmp_path: Path) -> None:
    assert "holds no labels" in refusal(tmp_path / "empty", encode(np.zeros(0)), labels=True)


def test_large_images_are_refused(tmp_path: Path) -> None:
    text = refusal(tmp_path / "large", encode(np.zeros((1, 2, 4097))))
    assert "2x4,097 values, more than 4096x4096" in text
    (tmp_path / "fits").write_bytes(encode(np.zeros((1, 2, 4096))))
    assert read_images(tmp_path / "fits").shape == (1, 2, 4096)


def test_the_caps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idx, "MAX_IDX_BYTES", 59)
    assert "declares 60 bytes, more than 59" in refusal(tmp_path / "bytes", encode(IMAGES))
    monkeypatch.setattr(idx, "MAX_IDX_COUNT", 4)
    assert "declares 5 entries, more than 4" in refusal(tmp_path / "count", encode(LABELS), labels=True)


def test_what_the_header_declares_is_not_believed(tmp_path: Path) -> None:
    lie = struct.pack(">4I", 0x803, 16_000, 256, 256) + bytes(1000)
    assert "ends after 1,016 of 1,048,576,016 bytes" in refusal(tmp_path / "plain", lie)
    assert "more than a gzip file of" in refusal(tmp_path / "packed", gzip.compress(lie))


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="limits memory the Linux way")
def test_a_bomb_costs_no_memory(tmp_path: Path) -> None:
    # 600 MB of zeros behind a header that declares 60 MB, read by a process that may not have 600.
    packer = zlib.compressobj(1, wbits=31)
    content = packer.compress(struct.pack(">4I", 0x803, 60_000, 32, 32))
    piece = bytes(2**20)
    content += b"".join(packer.compress(piece) for _ in range(600)) + packer.flush()
    (tmp_path / "bomb").write_bytes(content)
    code = textwrap.dedent("""
        import resource, sys
        from pathlib import Path
        from vaeviewer.backend.data.idx import read_images
        from vaeviewer.errors import DataError
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        try:
            read_images(Path(sys.argv[1]))
        except DataError as error:
            print(error)
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # kilobytes
    """)
    out = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "bomb")], capture_output=True, text=True, check=True
    )
    assert "goes on after the 61,440,016 bytes" in out.stdout


def test_the_most_labels_cost_no_more_than_any_file(tmp_path: Path) -> None:
    path = tmp_path / "labels"
    path.write_bytes(gzip.compress(encode(np.zeros(MAX_IDX_COUNT)), compresslevel=1))
    tracemalloc.start()
    assert len(read_labels(path)) == MAX_IDX_COUNT
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak <= 64 * 2**20 + 3 * path.stat().st_size


def test_missing_folder_and_pipe(tmp_path: Path) -> None:
    assert "does not exist" in refusal(tmp_path / "missing")
    assert "is a folder" in refusal(tmp_path)
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        assert "is not an ordinary file" in refusal(tmp_path / "pipe")
    with pytest.raises(DataError, match="not a possible file name"):
        read_images(tmp_path / "nul\0")
    assert "cannot be read (File name too long)" in refusal(tmp_path / ("x" * 300))


def test_permission_denied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "images"
    path.write_bytes(encode(IMAGES))

    def denied(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", denied)
    assert "cannot be read (Permission denied)" in refusal(path)


def test_out_of_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise MemoryError

    (tmp_path / "images").write_bytes(encode(IMAGES))
    monkeypatch.setattr(idx.np, "empty", full)
    assert "does not fit into memory" in refusal(tmp_path / "images")
