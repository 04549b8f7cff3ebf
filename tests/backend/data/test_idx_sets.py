import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from vaeviewer.backend.data import Reading, load_source
from vaeviewer.backend.data.idx import read_images, read_labels
from vaeviewer.backend.data.opening import open_images
from vaeviewer.errors import DataError

TYPES = {"uint8": 8, "int8": 9, "int16": 11, "int32": 12, "float32": 13, "float64": 14}
RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (12, 9, 8), dtype=np.uint8)
LABELS = np.arange(12) % 3


def encode(array: np.ndarray) -> bytes:
    header = struct.pack(f">2x2B{array.ndim}I", TYPES[array.dtype.name], array.ndim, *array.shape)
    return header + array.astype(array.dtype.newbyteorder(">")).tobytes()


def write(folder: Path, **files: np.ndarray) -> None:
    """Write idx files; ``__`` in a name stands for ``-``, and a name that ends in ``_gz`` is packed."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in files.items():
        content = encode(array)
        path = folder / name.replace("__", "-").replace("_gz", ".gz")
        path.write_bytes(gzip.compress(content) if name.endswith("_gz") else content)


def write_named(
    folder: Path, prefix: str, held_out: str = "test", labels: str = "idx1-ubyte", **more: np.ndarray
) -> None:
    numbers = more.get("numbers", LABELS.astype(np.uint8))
    for part, rows in (("train", slice(0, 8)), (held_out, slice(8, 12))):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{prefix}{part}-images-idx3-ubyte.gz").write_bytes(gzip.compress(encode(IMAGES[rows])))
        (folder / f"{prefix}{part}-labels-{labels}.gz").write_bytes(gzip.compress(encode(numbers[rows])))


@pytest.mark.slow
@given(
    array=st.sampled_from(sorted(TYPES)).flatmap(
        lambda name: hnp.arrays(
            np.dtype(name),
            hnp.array_shapes(min_dims=3, max_dims=4, max_side=5),
            elements={"allow_nan": False} if name.startswith("float") else None,
        )
    ),
    packed=st.booleans(),
)
@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_type_and_dimension_round_trips(tmp_path: Path, array: np.ndarray, packed: bool) -> None:
    path = tmp_path / "images"
    path.write_bytes(gzip.compress(encode(array)) if packed else encode(array))
    read = read_images(path)
    assert read.dtype == array.dtype
    np.testing.assert_array_equal(read, array)


def test_labels_in_columns_are_the_first(tmp_path: Path) -> None:
    columns = np.stack([LABELS.astype(np.int32) + 7 * column for column in range(8)], axis=1)
    write(tmp_path, labels=columns)
    assert read_labels(tmp_path / "labels").tolist() == LABELS.tolist()


def test_qmnist(tmp_path: Path) -> None:
    columns = np.stack([LABELS.astype(np.int32) + 100 * column for column in range(8)], axis=1)
    write_named(tmp_path / "QMNIST" / "raw", "qmnist-", labels="idx2-int", numbers=columns)
    data = open_images(tmp_path / "QMNIST")
    assert data.name == "QMNIST, 8 images"
    np.testing.assert_array_equal(data.train_images, IMAGES[:8])
    np.testing.assert_array_equal(data.held_out_labels, LABELS[8:])
    assert data.class_names == tuple("0123456789")


@pytest.mark.parametrize(
    ("split", "first", "names"),
    [
        ("balanced", 0, 47),
        ("bymerge", 0, 47),
        ("byclass", 0, 62),
        ("letters", 1, 26),
        ("digits", 0, 10),
        ("mnist", 0, 10),
    ],
)
def test_emnist_stands_upright_and_has_its_letters(
    tmp_path: Path, split: str, first: int, names: int
) -> None:
    write_named(tmp_path, f"emnist-{split}-", numbers=(LABELS + first).astype(np.uint8))
    data = open_images(tmp_path)
    np.testing.assert_array_equal(data.train_images, IMAGES[:8].swapaxes(1, 2))
    np.testing.assert_array_equal(data.held_out_labels, LABELS[8:])
    assert len(data.class_names) == names
    assert data.class_names[0] == ("a" if split == "letters" else "0")
    as_stored = open_images(tmp_path, Reading(transpose=True))
    np.testing.assert_array_equal(as_stored.train_images, IMAGES[:8])


def test_several_sets_in_a_folder_ask_for_a_file(tmp_path: Path) -> None:
    write_named(tmp_path, "emnist-letters-")
    write_named(tmp_path, "emnist-digits-")
    with pytest.raises(DataError, match=r"holds several data sets; choose a file, such as .*emnist-"):
        open_images(tmp_path)
    data = open_images(tmp_path / "emnist-digits-train-images-idx3-ubyte.gz")
    assert data.name == "EMNIST digits, 8 images"
    assert len(data.held_out_images) == 4
    assert load_source(data.source).source == data.source


@pytest.mark.parametrize("folder", ["KMNIST/raw", "kmnist", "Fashion-MNIST", "dataset"])
def test_names_of_classes_go_by_the_folder(tmp_path: Path, folder: str) -> None:
    write_named(tmp_path / folder, "", held_out="t10k")
    expected = {"KMNIST/raw": "ki", "kmnist": "ki", "Fashion-MNIST": "Trouser", "dataset": "1"}[folder]
    assert open_images(tmp_path / folder).class_names[1] == expected


def test_a_single_file_with_or_without_labels(tmp_path: Path) -> None:
    write(tmp_path, anything=IMAGES)
    data = open_images(tmp_path / "anything")
    assert (len(data.train_images), len(data.held_out_images)) == (11, 1)
    assert not data.labelled
    write(tmp_path, my__images__idx3_gz=IMAGES, my__labels__idx1=LABELS.astype(np.int16))
    data = open_images(tmp_path / "my-images-idx3.gz")
    assert data.class_names == ("0", "1", "2")
    assert sorted([*data.train_labels, *data.held_out_labels]) == sorted(LABELS)
    write(tmp_path, labels=LABELS.astype(np.uint8))
    with pytest.raises(DataError, match="holds labels where images belong"):
        open_images(tmp_path / "labels")


def test_floats_colour_and_negative_labels(tmp_path: Path) -> None:
    colour = RNG.random((5, 3, 8, 9)).astype(np.float32)
    write(tmp_path, c__images=colour, c__labels=np.array([-1, 5, 5, -1, 5], np.int8))
    data = open_images(tmp_path / "c-images", Reading(held_out=0))
    np.testing.assert_array_equal(
        data.train_images, np.rint(np.moveaxis(colour, 1, 3) * 255).astype(np.uint8)
    )
    assert data.class_names == ("-1", "5")
    colour[4, 1, 2, 3] = np.nan
    write(tmp_path, c__images=colour)
    with pytest.raises(DataError, match=r"holds NaN at index 4 \(row 2, column 3\)"):
        open_images(tmp_path / "c-images")


def test_cifar_10_in_its_binary_layout(tmp_path: Path) -> None:
    folder = tmp_path / "cifar-10-batches-bin"
    folder.mkdir()
    images = RNG.integers(0, 256, (60, 3, 32, 32), dtype=np.uint8)
    labels = (np.arange(60) % 10).astype(np.uint8)
    records = np.concatenate((labels[:, None], images.reshape(60, -1)), axis=1)
    for number in range(5):
        (folder / f"data_batch_{number + 1}.bin").write_bytes(
            records[10 * number : 10 * number + 10].tobytes()
        )
    (folder / "test_batch.bin").write_bytes(records[50:].tobytes())
    names = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
    (folder / "batches.meta.txt").write_text("\n".join(names) + "\n\n")
    for path in (tmp_path, folder):
        data = open_images(path)
        assert data.name == "CIFAR-10, 50 images"
        assert data.class_names == tuple(names)
        np.testing.assert_array_equal(data.train_images, np.moveaxis(images[:50], 1, 3))
        np.testing.assert_array_equal(data.held_out_images, np.moveaxis(images[50:], 1, 3))
        np.testing.assert_array_equal(data.train_labels, labels[:50])
        assert load_source(data.source).source == data.source
    (folder / "data_batch_2.bin").write_bytes(records[0].tobytes()[:-1])
    with pytest.raises(DataError, match=r"data_batch_2\.bin has 3,072 bytes, which are no whole records"):
        open_images(tmp_path)
