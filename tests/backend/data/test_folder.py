import gzip
import os
import struct
from pathlib import Path

import numpy as np
import pytest

from vaeviewer.backend.data import load_dataset, load_source
from vaeviewer.backend.data.folder import load_folder
from vaeviewer.backend.data.known_sets import KNOWN_SETS
from vaeviewer.errors import DataError

NAMES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
DOTTED = tuple(name.replace("-idx", ".idx") for name in NAMES)


def encode(array: np.ndarray) -> bytes:
    return struct.pack(f">2x2B{array.ndim}I", 8, array.ndim, *array.shape) + array.astype(np.uint8).tobytes()


def write_set(
    folder: Path,
    names: tuple[str, ...] = NAMES,
    classes: int = 10,
    seed: int = 0,
    shapes: tuple[tuple[int, int], tuple[int, int]] = ((4, 5), (4, 5)),
) -> list[np.ndarray]:
    """Write 30 training and 12 held-out images; returns what was written."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    arrays = []
    for count, shape in zip((30, 12), shapes, strict=True):
        arrays += [rng.integers(0, 256, (count, *shape)), np.arange(count) % classes]
    for name, array in zip(names, arrays, strict=True):
        content = encode(array)
        (folder / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    return arrays


def refusal(path: Path, key: str = "folder") -> str:
    with pytest.raises(DataError) as error:
        load_folder(path, key)
    text = str(error.value)
    assert text.endswith(".")
    assert "; " in text
    assert "\n" not in text
    return text


@pytest.mark.parametrize(
    "names", [NAMES, DOTTED, tuple(n + ".gz" for n in NAMES), tuple(n + ".gz" for n in DOTTED)]
)
def test_every_spelling(tmp_path: Path, names: tuple[str, ...]) -> None:
    written = write_set(tmp_path / "shapes", names, classes=3)
    data = load_folder(tmp_path / "shapes")
    read = (data.train_images, data.train_labels, data.held_out_images, data.held_out_labels)
    for got, expected in zip(read, written, strict=True):
        np.testing.assert_array_equal(got, expected)
        assert not got.flags.writeable
    assert data.name == "shapes, 30 images"
    assert data.class_names == ("0", "1", "2")
    assert data.image_shape == (4, 5)
    assert data.source.key == "folder"
    assert data.source.path == str(tmp_path / "shapes")
    assert len(data.source.checksum) == 64


@pytest.mark.parametrize("key", ["mnist", "fashion-mnist"])
@pytest.mark.parametrize("below", [".", "{}", "{}/raw"])
def test_torchvision_layout_with_a_key(tmp_path: Path, key: str, below: str) -> None:
    for number, known in enumerate(KNOWN_SETS.values()):
        write_set(tmp_path / known.subfolder / "raw", seed=number)
    wanted = KNOWN_SETS[key]
    data = load_folder(tmp_path / below.format(wanted.subfolder), key)
    assert data.source.path == str(tmp_path / wanted.subfolder / "raw")
    assert data.source.key == key
    assert data.class_names == wanted.class_names
    assert data.name == f"{wanted.title}, 30 images"


def test_torchvision_layout_without_a_key(tmp_path: Path) -> None:
    write_set(tmp_path / "FashionMNIST" / "raw")
    data = load_folder(tmp_path)
    assert data.class_names[9] == "Ankle boot"
    assert data.source.path == str(tmp_path / "FashionMNIST" / "raw")
    assert load_source(data.source).source == data.source  # the folder named there is found as it is

    write_set(tmp_path / "MNIST" / "raw")
    assert "holds several data sets; choose" in refusal(tmp_path)


def test_fashion_named_folder_with_more_classes_has_numbers(tmp_path: Path) -> None:
    write_set(tmp_path / "FashionMNIST", classes=12)
    assert load_folder(tmp_path / "FashionMNIST").class_names == tuple(map(str, range(12)))


def test_the_other_known_set_is_refused(tmp_path: Path) -> None:
    write_set(tmp_path / "FashionMNIST" / "raw")
    assert "holds Fashion-MNIST, not MNIST" in refusal(tmp_path / "FashionMNIST", "mnist")


def test_known_sets_in_a_folder_of_any_name(tmp_path: Path) -> None:
    write_set(tmp_path / "digits", classes=4)
    assert load_folder(tmp_path / "digits", "mnist").class_names == KNOWN_SETS["mnist"].class_names
    write_set(tmp_path / "letters", classes=12)
    assert "labels up to 11, but MNIST has 10 classes" in refusal(tmp_path / "letters", "mnist")


def test_the_packed_file_is_preferred(tmp_path: Path) -> None:
    write_set(tmp_path, tuple(name + ".gz" for name in NAMES))
    (tmp_path / NAMES[0]).write_bytes(b"unpacked halfw")
    assert len(load_folder(tmp_path).train_images) == 30


def test_missing_files_are_named(tmp_path: Path) -> None:
    assert "holds no data set" in refusal(tmp_path)
    write_set(tmp_path)
    (tmp_path / NAMES[1]).unlink()
    assert refusal(tmp_path).startswith(f"{tmp_path} lacks {NAMES[1]} (or")
    (tmp_path / NAMES[2]).unlink()
    assert f"lacks {NAMES[1]} and {NAMES[2]} " in refusal(tmp_path)
    (tmp_path / NAMES[3]).unlink()
    assert f"lacks {NAMES[1]}, {NAMES[2]} and {NAMES[3]} " in refusal(tmp_path)


def test_not_a_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "is not a folder" in refusal(tmp_path / "file")
    assert "is not a folder" in refusal(tmp_path / "missing")
    assert "cannot be searched (File name too long)" in refusal(tmp_path / ("x" * 300))


@pytest.mark.skipif(os.name == "nt", reason="names are text there")
def test_a_name_that_is_not_text(tmp_path: Path) -> None:
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff"))
    write_set(folder)
    assert "not valid text" in refusal(folder)


def test_a_folder_that_may_not_be_searched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "is_file", denied)
    assert "cannot be searched (Permission denied)" in refusal(tmp_path)


def test_files_that_do_not_belong_together(tmp_path: Path) -> None:
    write_set(tmp_path, shapes=((4, 5), (5, 4)))
    assert "training images of 5x4 and held-out images of 4x5 pixels" in refusal(tmp_path)
    write_set(tmp_path)
    (tmp_path / NAMES[3]).write_bytes(encode(np.zeros(11)))
    assert "11 labels for 12 images" in refusal(tmp_path)


def test_a_relative_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_set(tmp_path / "digits")
    monkeypatch.chdir(tmp_path / "digits")
    data = load_folder(Path())
    assert data.name == "digits, 30 images"
    assert data.source.path == str(tmp_path / "digits")


def test_a_folder_of_pictures_says_what_it_holds(tmp_path: Path) -> None:
    for number in range(20):
        (tmp_path / f"{number}.PNG").write_bytes(b"picture")
    (tmp_path / "more.jpg").write_bytes(b"picture")
    (tmp_path / "readme.txt").write_bytes(b"words")
    assert refusal(tmp_path) == (
        f"{tmp_path} holds 20 PNG files; choose a folder with the files "
        f"{', '.join(NAMES)} (or the same with .gz)."
    )


def test_the_checksum_sees_every_array(tmp_path: Path) -> None:
    seen = set()
    write_set(tmp_path)
    seen.add(load_folder(tmp_path).source.checksum)
    assert load_dataset("folder", tmp_path).source.checksum in seen
    for name in NAMES:
        write_set(tmp_path)
        content = bytearray((tmp_path / name).read_bytes())
        content[-1] ^= 1
        (tmp_path / name).write_bytes(content)
        seen.add(load_folder(tmp_path).source.checksum)
    write_set(tmp_path, shapes=((5, 4), (5, 4)))  # the same bytes as other images
    seen.add(load_folder(tmp_path).source.checksum)
    assert len(seen) == 6


@pytest.mark.needs_mnist
@pytest.mark.skipif("VAEVIEWER_TEST_MNIST" not in os.environ, reason="VAEVIEWER_TEST_MNIST names no folder")
def test_all_of_mnist() -> None:
    data = load_dataset("mnist", os.environ["VAEVIEWER_TEST_MNIST"])
    assert data.train_images.shape == (60_000, 28, 28)
    assert data.held_out_images.shape == (10_000, 28, 28)
    assert data.train_labels[:5].tolist() == [5, 0, 4, 1, 9]
    assert np.bincount(data.held_out_labels).tolist() == [
        980,
        1135,
        1032,
        1010,
        982,
        892,
        958,
        1028,
        974,
        1009,
    ]

    bundled = load_dataset()
    first = {image.tobytes() for image in data.train_images[:10_000]}
    assert {image.tobytes() for image in (*bundled.train_images, *bundled.held_out_images)} == first
