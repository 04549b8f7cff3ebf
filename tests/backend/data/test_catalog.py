"""Data sets of the catalogue, made small in the layouts of the real ones and fetched from a server on this machine."""

from __future__ import annotations

import bz2
import gzip
import io
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from download_server import Server, idx, serving
from hypothesis import given, settings
from hypothesis import strategies as st

from vaeviewer import paths
from vaeviewer.backend.data import CATALOG, Cancelled, load_dataset, load_source
from vaeviewer.backend.data.archives import take_out
from vaeviewer.backend.data.known_sets import EMNIST_SPLITS
from vaeviewer.backend.data.opening import open_images
from vaeviewer.backend.data.usps import usps_stack
from vaeviewer.errors import DataError

SPLITS = tuple(f"emnist-{split}" for split in EMNIST_SPLITS)
SIDE = 28


def leaning(count: int) -> np.ndarray:
    """Images with a bright first row and a half bright last column, as they are meant to be seen."""
    images = np.zeros((count, SIDE, SIDE), np.uint8)
    images[:, 0, :] = 200
    images[:, 5:, -1] = 100
    return images


def emnist_zip() -> bytes:
    """EMNIST's archive: all splits in a folder, gzipped idx files, images on their side, letters from 1 on."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("gzip/readme.txt", "made for a test")
        for split, names in EMNIST_SPLITS.items():
            for part, count in (("train", 2 * len(names)), ("test", len(names))):
                stem = f"gzip/emnist-{split}-{part}"
                labels = np.arange(count) % len(names) + int(split == "letters")
                packed.writestr(
                    f"{stem}-images-idx3-ubyte.gz", gzip.compress(idx(leaning(count).swapaxes(1, 2)))
                )
                packed.writestr(f"{stem}-labels-idx1-ubyte.gz", gzip.compress(idx(labels)))
    return buffer.getvalue()


def qmnist_files() -> dict[str, bytes]:
    """QMNIST's files: labels are rows of eight numbers, the digit first."""
    files = {}
    for part, count in (("train", 20), ("test", 10)):
        labels = np.full((count, 8), 77, np.int32)
        labels[:, 0] = np.arange(count) % 10
        files[f"qmnist-{part}-images-idx3-ubyte.gz"] = gzip.compress(idx(leaning(count)))
        files[f"qmnist-{part}-labels-idx2-int.gz"] = gzip.compress(idx(labels))
    return files


def cifar_tar(*, per_file: int = 10, extra: Callable[[tarfile.TarFile], None] | None = None) -> bytes:
    """CIFAR-10's archive of binary records: image i of each file is all of level i, in red."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as packed:

        def add(name: str, data: bytes) -> None:
            member = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            member.size = len(data)
            packed.addfile(member, io.BytesIO(data))

        if extra is not None:
            extra(packed)
        add("readme.html", b"made for a test")
        add("batches.meta.txt", b"airplane\nautomobile\nbird\ncat\ndeer\ndog\nfrog\nhorse\nship\ntruck\n\n")
        records = np.zeros((per_file, 3073), np.uint8)
        records[:, 0] = np.arange(per_file) % 10
        records[:, 1:1025] = np.arange(per_file)[:, None]
        for name in (*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin"):
            add(name, records.tobytes())
    return buffer.getvalue()


def usps_line(digit: int, values: np.ndarray) -> str:
    return f"{digit + 1} " + " ".join(f"{i + 1}:{value:.6g}" for i, value in enumerate(values)) + " \n"


def usps_file(count: int) -> bytes:
    """A file of USPS: image i is white where its number is below i, black elsewhere."""
    lines = [usps_line(i % 10, np.where(np.arange(256) < i, 1.0, -1.0)) for i in range(count)]
    return bz2.compress("".join(lines).encode())


def usps_files() -> dict[str, bytes]:
    return {"usps.bz2": usps_file(20), "usps.t.bz2": usps_file(10)}


@pytest.fixture
def emnist(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    with serving(monkeypatch, {"gzip.zip": emnist_zip()}, keys=SPLITS) as server:
        yield server


def test_catalog() -> None:
    keys = [entry.key for entry in CATALOG]
    assert keys[:3] == ["mnist-10k", "mnist", "fashion-mnist"]
    assert keys[-1] == "folder"
    assert {"cifar-10", "kmnist", "qmnist", "usps", *SPLITS} < set(keys)
    assert len(keys) == len(set(keys))
    assert all(entry.title and entry.note.endswith(".") for entry in CATALOG)


def test_what_is_not_offered_says_why() -> None:
    with pytest.raises(DataError, match=r"^SVHN comes as MATLAB files, .*; save .* as an \.npz file"):
        load_dataset("svhn")


@pytest.mark.parametrize("key", SPLITS)
def test_each_split_of_emnist_is_upright_and_has_its_classes(emnist: Server, key: str) -> None:
    names = EMNIST_SPLITS[key.removeprefix("emnist-")]
    data = load_dataset(key)
    assert data.class_names == names
    assert data.train_images.shape == (2 * len(names), SIDE, SIDE)
    assert np.array_equal(data.train_images, leaning(2 * len(names)))
    assert np.array_equal(data.held_out_images, leaning(len(names)))
    assert np.array_equal(data.train_labels, np.arange(2 * len(names)) % len(names))
    assert data.source.key == key
    assert data.source.path is None
    assert data.name.startswith("EMNIST ")


def test_another_split_of_emnist_is_read_from_the_same_archive(emnist: Server) -> None:
    load_dataset("emnist-letters")
    folder = paths.data_dir() / "EMNIST" / "raw"
    assert {file.name for file in folder.iterdir()} == {
        "gzip.zip",
        *(
            f"emnist-letters-{part}-{what}-ubyte.gz"
            for part in ("train", "test")
            for what in ("images-idx3", "labels-idx1")
        ),
    }
    data = load_dataset("emnist-digits")
    assert data.class_names == tuple("0123456789")
    assert emnist.asked == ["gzip.zip"]
    # What got damaged is taken out again, and the folder of a run that moved is one with all splits.
    damaged = folder / "emnist-digits-test-labels-idx1-ubyte.gz"
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"x")
    assert load_source(data.source).source.checksum == data.source.checksum
    assert load_source(data.source, folder).source.checksum == data.source.checksum
    assert emnist.asked == ["gzip.zip"]


def test_a_split_that_is_not_there_is_missed(tmp_path: Path, emnist: Server) -> None:
    load_dataset("emnist-letters")
    with pytest.raises(
        DataError, match=r"choose a folder with the files emnist-digits-train-images-idx3-ubyte"
    ):
        load_dataset("emnist-digits", paths.data_dir())


def test_qmnist(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(monkeypatch, qmnist_files(), keys=("qmnist",)):
        data = load_dataset("qmnist")
    assert data.class_names == tuple("0123456789")
    assert np.array_equal(data.train_images, leaning(20))
    assert np.array_equal(data.held_out_labels, np.arange(10))


def test_kmnist_by_its_name_and_its_classes(monkeypatch: pytest.MonkeyPatch) -> None:
    content = {
        f"{part}-{what}-ubyte.gz": gzip.compress(idx(array))
        for part, count in (("train", 20), ("t10k", 10))
        for what, array in (("images-idx3", leaning(count)), ("labels-idx1", np.arange(count) % 10))
    }
    with serving(monkeypatch, content):
        data = load_dataset("kmnist")
    assert data.class_names == ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo")
    assert data.name == "KMNIST, 20 images"


def test_cifar_10(monkeypatch: pytest.MonkeyPatch) -> None:
    def escape(packed: tarfile.TarFile) -> None:
        """What no honest archive holds: a way out of the folder, and a link in place of a file."""
        for name, kind in (("../outside.bin", tarfile.REGTYPE), ("x/data_batch_1.bin", tarfile.SYMTYPE)):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, "/etc/passwd"
            packed.addfile(member, io.BytesIO())

    content = {"cifar-10-binary.tar.gz": cifar_tar(extra=escape)}
    with serving(monkeypatch, content, keys=("cifar-10",)) as server:
        data = load_dataset("cifar-10")
        again = load_dataset("cifar-10")
        assert server.asked == ["cifar-10-binary.tar.gz"], "and no second time"
    assert data.name == "CIFAR-10, 50 images"
    assert data.class_names[:3] == ("airplane", "automobile", "bird")
    assert data.train_images.shape == (50, 32, 32, 3)
    assert np.array_equal(data.train_images[:, 3, 4, 0], np.arange(50) % 10)
    assert not data.train_images[..., 1:].any()
    assert np.array_equal(data.held_out_labels, np.arange(10))
    assert again.source == data.source
    files = {str(f.relative_to(paths.data_dir())) for f in paths.data_dir().rglob("*") if f.is_file()}
    batches = [*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin", "batches.meta.txt"]
    assert files == {*(f"cifar-10-batches-bin/{name}" for name in batches), ".cifar-10-batches-bin.lock"}


def test_an_archive_that_lacks_something_leaves_nothing_behind(tmp_path: Path) -> None:
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("gzip/one", b"1" * 100)
    with pytest.raises(DataError, match=r"a\.zip lacks two; remove it and fetch it again"):
        take_out(archive, tmp_path, ["one", "two"], lambda: None)
    data = bytearray(archive.read_bytes())
    data[data.index(b"111")] = 50  # its checksum is of other bytes now
    archive.write_bytes(data)
    (tmp_path / "one").unlink()
    with pytest.raises(DataError, match=r"a\.zip is damaged"):
        take_out(archive, tmp_path, ["one"], lambda: None)
    assert [file.name for file in tmp_path.iterdir()] == ["a.zip"]


def test_taking_out_can_be_cancelled(tmp_path: Path) -> None:
    archive = tmp_path / "a.tar.gz"
    archive.write_bytes(cifar_tar())

    def stop() -> None:
        if (tmp_path / "data_batch_1.bin.part").exists():
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        take_out(archive, tmp_path, ["data_batch_1.bin"], stop)
    assert [file.name for file in tmp_path.iterdir()] == ["a.tar.gz"]


def test_usps(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(monkeypatch, usps_files(), keys=("usps",)):
        data = load_dataset("usps")
    assert data.name == "USPS, 20 images"
    assert data.train_images.shape == (20, 16, 16)
    assert data.class_names == tuple("0123456789")
    assert np.array_equal(data.train_labels, np.arange(20) % 10)
    seventeenth = data.train_images[17]
    assert (seventeenth[0] == 255).all()
    assert seventeenth[1].tolist() == [255] + 15 * [0]
    assert not seventeenth[2:].any()
    opened = open_images(paths.data_dir())  # found there by its content, too
    assert opened.source.checksum == data.source.checksum
    assert opened.source.key == "folder"


GOOD = usps_line(3, np.linspace(-1, 1, 256))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        (GOOD + "\n", r"line 2, is no image of USPS"),
        (GOOD.replace("4 ", "11 ", 1), "line 1, is no image of USPS"),
        (GOOD.replace(" 2:", " 3:", 1), "is no image of USPS"),
        (GOOD[: len(GOOD) // 2], "is no image of USPS"),
        (GOOD.replace(":1 ", ":1.01 "), "a value that is not from −1 to 1"),
        (GOOD.replace(":1 ", ":nan "), "a value that is not from −1 to 1"),
        (GOOD.replace(":1 ", ":x "), "a value that is not from −1 to 1"),
        ("4 " + "x" * 100_000, "is no image of USPS"),
    ],
)
def test_what_is_no_file_of_usps(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "usps.bz2").write_bytes(bz2.compress(text.encode()))
    with pytest.raises(DataError, match=words) as error:
        load_dataset("usps", tmp_path)
    assert str(tmp_path / "usps.bz2") in str(error.value)
    assert len(str(error.value)) < 400


def test_a_file_of_usps_that_ends_early_or_unpacks_to_too_much(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "usps.bz2"
    file.write_bytes(usps_file(20)[:-20])
    with pytest.raises(DataError, match="ends too early"):
        load_dataset("usps", tmp_path)
    file.write_bytes(b"no bzip2")
    with pytest.raises(DataError, match="damaged bzip2"):
        load_dataset("usps", tmp_path)
    monkeypatch.setattr("vaeviewer.backend.data.usps.MAX_USPS_BYTES", 10_000)
    file.write_bytes(usps_file(20))
    with pytest.raises(DataError, match="larger than USPS can be"):
        load_dataset("usps", tmp_path)


@settings(max_examples=60, deadline=None)
@given(place=st.integers(0, 10**6), byte=st.binary(min_size=1, max_size=3))
def test_a_damaged_file_of_usps_is_refused_or_holds_images(
    tmp_path_factory: pytest.TempPathFactory, place: int, byte: bytes
) -> None:
    folder = tmp_path_factory.mktemp("usps")
    text = bytearray(bz2.decompress(usps_file(3)))
    text[place % len(text) : place % len(text) + len(byte)] = byte
    (folder / "usps.bz2").write_bytes(bz2.compress(bytes(text)))
    try:
        stack = usps_stack(folder)
    except DataError:
        return
    assert stack.labels.max() < 10


@pytest.mark.parametrize("key", ["usps", "cifar-10"])
def test_a_folder_of_something_else(tmp_path: Path, key: str) -> None:
    with pytest.raises(DataError, match=r"does not hold .*; choose a folder with the files "):
        load_dataset(key, tmp_path)
