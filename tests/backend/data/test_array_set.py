import io
import struct
import subprocess
import sys
import textwrap
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from vaeviewer.backend.data import Reading
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.data.opening import open_images
from vaeviewer.errors import DataError

per_example_file = settings(
    deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (20, 12, 10), dtype=np.uint8)
COLOUR = RNG.integers(0, 256, (20, 12, 10, 3), dtype=np.uint8)


def opened(tmp_path: Path, reading: Reading | None = None, **arrays: np.ndarray) -> ImageDataset:
    np.savez_compressed(tmp_path / "a.npz", **arrays)
    return open_images(tmp_path / "a.npz", reading)


def together(data: ImageDataset) -> np.ndarray:
    """All images of a data set without a split, in the order of the file."""
    assert not len(data.held_out_images)
    return data.train_images


ALL = Reading(held_out=0.0)


def refusal(tmp_path: Path, reading: Reading | None = None, **arrays: np.ndarray) -> str:
    return sentence(lambda: opened(tmp_path, reading, **arrays), tmp_path)


def sentence(call, tmp_path: Path) -> str:
    with pytest.raises(DataError) as error:
        call()
    text = str(error.value)
    assert "\n" not in text
    assert str(tmp_path) in text
    assert text.endswith(".")
    assert "; " in text
    return text


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (GREY, GREY),
        (GREY[..., None], GREY),
        (GREY[:, None], GREY),
        (COLOUR, COLOUR),
        (np.moveaxis(COLOUR, 3, 1), COLOUR),
        (np.asfortranarray(COLOUR), COLOUR),
        (GREY > 127, np.where(GREY > 127, 255, 0)),
        (GREY.astype(np.uint16) * 257, GREY),
        (GREY.astype(">u2") * 257, GREY),
        (GREY.astype(np.int64), GREY),
        (GREY.astype(np.float32) / 255, GREY),
        (GREY.astype(np.float64) / 127.5 - 1, GREY),
        (GREY.astype(np.float16), GREY),
        (GREY.astype(">f8"), GREY),
    ],
)
@pytest.mark.parametrize("packed", [True, False])
def test_every_form_opens_as_the_same_images(
    tmp_path: Path, array: np.ndarray, expected: np.ndarray, packed: bool
) -> None:
    if packed:
        data = opened(tmp_path, ALL, anything=array)
    else:
        np.save(tmp_path / "a.npy", array)
        data = open_images(tmp_path / "a.npy", ALL)
    np.testing.assert_array_equal(together(data), expected)
    assert data.train_images.dtype == np.uint8
    assert data.class_names == ()


def test_what_was_recognised_is_said(tmp_path: Path) -> None:
    def notes(array: np.ndarray) -> str:
        report = opened(tmp_path, images=array).report
        assert report is not None
        return " ".join(report.notes)

    assert "taken as 0 to 1." in notes(GREY / 255)
    assert "taken as −1 to 1." in notes(GREY / 127.5 - 1)
    assert "taken as 0 to 255." in notes(GREY.astype(float))
    assert "type's range 0 to 65,535" in notes(GREY.astype(np.uint16) * 200)
    assert "stretching them helps" in notes(GREY.astype(np.uint16))
    assert "20×3×12×10 is read as N×C×H×W." in notes(np.moveaxis(COLOUR, 3, 1))
    assert notes(COLOUR) == "20×12×10×3 is read as N×H×W×C."
    both = COLOUR[:, :3]
    assert "the last dimension is taken as the channels" in notes(both)
    assert opened(tmp_path, ALL, images=both).image_shape == (3, 10, 3)


def test_stretched_levels(tmp_path: Path) -> None:
    dark = GREY.astype(np.uint16)
    stretched = together(opened(tmp_path, Reading(held_out=0, levels="data"), images=dark))
    low, high = int(GREY.min()), int(GREY.max())
    np.testing.assert_allclose(stretched, (GREY - float(low)) / (high - low) * 255, atol=0.51)
    wild = opened(tmp_path, Reading(held_out=0, levels="data"), images=GREY * 1e6 - 3e7)
    np.testing.assert_array_equal(together(wild), stretched)
    flat = opened(tmp_path, Reading(held_out=0, levels="data"), images=np.full((3, 8, 8), 7.0))
    assert not together(flat).any()


def test_alpha_grey_size_and_transpose(tmp_path: Path) -> None:
    alpha = np.concatenate((COLOUR, np.zeros((20, 12, 10, 1), np.uint8)), axis=3)
    alpha[:, 6:, :, 3] = 255
    data = opened(tmp_path, Reading(held_out=0, background="#102030"), images=alpha)
    np.testing.assert_array_equal(together(data)[:, 6:], COLOUR[:, 6:])
    assert (together(data)[:, :6] == (16, 32, 48)).all()
    grey = together(opened(tmp_path, Reading(held_out=0, channels="grey"), images=COLOUR))
    luma = COLOUR.astype(float) @ (0.299, 0.587, 0.114)
    np.testing.assert_allclose(grey, luma, atol=1)
    colour = together(opened(tmp_path, Reading(held_out=0, channels="colour"), images=GREY))
    np.testing.assert_array_equal(colour, GREY[..., None].repeat(3, axis=3))
    turned = opened(tmp_path, Reading(held_out=0, transpose=True), images=COLOUR)
    np.testing.assert_array_equal(together(turned), COLOUR.swapaxes(1, 2))
    smaller = opened(tmp_path, Reading(size=(8, 9), fit="pad"), images=COLOUR)
    assert smaller.image_shape == (8, 9, 3)
    assert opened(tmp_path, images=np.zeros((3, 300, 100), np.uint8)).image_shape == (64, 24)
    assert opened(tmp_path, images=np.zeros((3, 256, 100), np.uint8)).image_shape == (256, 100)


def test_labels_of_every_kind(tmp_path: Path) -> None:
    def classes(labels: np.ndarray) -> tuple[tuple[str, ...], list[int]]:
        data = opened(tmp_path, ALL, images=GREY[:4], labels=labels)
        return data.class_names, data.train_labels.tolist()

    assert classes(np.array([3, 0, 3, 7])) == (("0", "3", "7"), [1, 0, 1, 2])
    assert classes(np.array([[1], [0], [1], [1]], np.uint8)) == (("0", "1"), [1, 0, 1, 1])
    assert classes(np.array([1.0, 2.0, 2.0, 1.0])) == (("1", "2"), [0, 1, 1, 0])
    assert classes(np.array(["b", "a", "ä", "b"])) == (("a", "b", "ä"), [1, 0, 2, 1])
    assert classes(np.array([b"b", b"a", b"a", b"b"])) == (("a", "b"), [1, 0, 0, 1])
    assert classes(np.array([True, False, True, True])) == (("False", "True"), [1, 0, 1, 1])
    assert classes(np.eye(4)[[2, 0, 1, 2]]) == (("0", "1", "2"), [2, 0, 1, 2])
    named = opened(
        tmp_path, ALL, images=GREY[:4], labels=np.array([1, 0, 1, 1]), class_names=np.array(["cat", "dog"])
    )
    assert named.class_names == ("cat", "dog")
    for names in (["cat", "cat"], ["cat", ""]):  # which would not tell the classes apart
        kept = opened(tmp_path, ALL, images=GREY[:2], labels=np.array([1, 0]), class_names=np.array(names))
        assert kept.class_names == ("0", "1")


def test_the_split_of_medmnist_and_of_keras(tmp_path: Path) -> None:
    parts = {"train": GREY[:10], "val": GREY[10:14], "test": GREY[14:]}
    arrays = {f"{part}_images": images for part, images in parts.items()}
    arrays |= {f"{part}_labels": np.arange(len(images))[:, None] % 2 for part, images in parts.items()}
    data = opened(tmp_path, **arrays)
    np.testing.assert_array_equal(data.train_images, GREY[:10])
    np.testing.assert_array_equal(data.held_out_images, GREY[10:])
    assert data.held_out_labels.tolist() == [0, 1, 0, 1, 0, 1, 0, 1, 0, 1]
    assert data.report is not None
    assert any("val_images and test_images are held out" in note for note in data.report.notes)

    keras = opened(tmp_path, x_train=GREY[:15], y_train=np.arange(15), x_test=GREY[15:], y_test=np.arange(5))
    assert (len(keras.train_images), len(keras.held_out_images)) == (15, 5)
    assert keras.class_names == tuple(map(str, range(15)))


def test_refusals_are_one_sentence_each(tmp_path: Path) -> None:
    objects = np.array([{"a": 1}, None], dtype=object)
    assert "holds Python objects, which only running code could read" in refusal(tmp_path, images=objects)
    assert "holds complex numbers" in refusal(tmp_path, images=GREY * 1j)
    assert "holds dates" in refusal(tmp_path, images=GREY.astype("M8[s]"))
    assert "holds records" in refusal(tmp_path, images=np.zeros((3, 8, 8), [("a", "u1"), ("b", "u1")]))
    assert "which is no image" in refusal(tmp_path, images=np.full((3, 8, 8), "x"))
    broken = GREY / 255
    broken[3, 4, 5] = np.nan
    assert "holds NaN at index 3 (row 4, column 5)" in refusal(tmp_path, images=broken)
    broken = np.moveaxis(COLOUR, 3, 1) / 255
    broken[19, 2, 7, 8] = -np.inf
    assert "holds an infinite value at index 19 (row 7, column 8)" in refusal(tmp_path, images=broken)
    assert "from 0 to 1e+06, which fit no range" in refusal(
        tmp_path, images=np.linspace(0, 1e6, 192).reshape(3, 8, 8)
    )
    assert "from -1 to 190, which fit no range" in refusal(
        tmp_path, images=np.arange(-1, 191).reshape(3, 8, 8)
    )
    assert "has the shape 20×120, which is none of images" in refusal(tmp_path, images=GREY.reshape(20, -1))
    assert "has no array of three or four dimensions" in refusal(tmp_path, vectors=GREY.reshape(20, -1))
    assert "neither the second nor the last dimension" in refusal(tmp_path, images=np.zeros((2, 9, 9, 9)))
    assert "several arrays that could be images" in refusal(tmp_path, a=GREY, b=GREY)
    assert "holds no images" in refusal(tmp_path, images=np.zeros((0, 8, 8)))
    assert "holds no images" in refusal(tmp_path, images=np.zeros((5, 8, 0), np.uint8))
    assert "has images of 1×4097 pixels" in refusal(tmp_path, images=np.zeros((1, 1, 4097), np.uint8))
    assert "has 19 labels for 20 images" in refusal(tmp_path, images=GREY, labels=np.arange(19))
    assert "is a single value where labels belong" in refusal(tmp_path, images=GREY, labels=np.array(3))
    for odd in (np.arange(20) / 2, np.full(20, np.nan), np.full(20, 1e300), 2.0**53 + 2 * np.arange(20)):
        assert "labels that are no whole numbers" in refusal(tmp_path, images=GREY, labels=odd)
    assert "has 3 labels for each image" in refusal(tmp_path, images=GREY, labels=np.ones((20, 3)))
    objects = np.array([None] * 20, dtype=object)
    assert "labels in" in refusal(tmp_path, images=GREY, labels=objects)
    assert "train_images of 20×12×10 of uint8 but test_images" in refusal(
        tmp_path, train_images=GREY, test_images=COLOUR
    )
    assert "no labels for test_images" in refusal(
        tmp_path, train_images=GREY, test_images=GREY, train_labels=np.arange(20)
    )
    assert "has no images to train on" in refusal(tmp_path, train_images=GREY[:0], test_images=GREY)


def header(shape: str, descr: str = "|u1", extra: bytes = b"") -> bytes:
    text = f"{{'descr': {descr!r}, 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + extra


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (header("(100000, 256, 256)"), "declares 6,553,600,"),
        (header("(2, 8, 8)", extra=bytes(127)), "declares"),
        (header("(2, 8, 8)", extra=bytes(129)), "declares"),
        (header("(-2, 8, -8)", extra=bytes(128)), "damaged"),
        (header("(2, 8, 8)", "|O", extra=bytes(1024)), "Python objects"),
        (header(f"({2**62}, 1, 1)"), "declares"),
        (header(f"({2**62}, {2**62}, 4)"), "damaged"),
        (header(f"({'9' * 4000}, 8, 8)"), "has a damaged header"),
        (header("__import__('os')"), "is damaged"),
        (header("(2, 8, 8)", "nonsense"), "is damaged"),
        (b"\x93NUMPY\x01", "is damaged"),
        (b"\x93NUMPY\x07\x00" + bytes(200), "holds records"),
        (b"\x93NUMPY\x01\x00\xff\xff" + b"(" * 70000, "is damaged"),
        (b"PK\x03\x04" + bytes(40), "is damaged"),
        (b"PK", "is damaged"),
        (b"", "is empty"),
        (b"\x80\x04\x95 a pickle", "holds no images that can be opened"),
        (b"\x89PNG\r\n\x1a\n", "is a single picture; choose the folder"),
    ],
)
def test_lying_and_damaged_files(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "a.npy").write_bytes(content)
    assert said in sentence(lambda: open_images(tmp_path / "a.npy"), tmp_path)
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("images.npy", content)
    if said not in (
        "is empty",
        "holds no images that can be opened",
        "is a single picture; choose the folder",
    ):
        said = said if content.startswith(b"\x93") else "is damaged"
        assert said in sentence(lambda: open_images(tmp_path / "a.npz"), tmp_path)


@pytest.mark.parametrize(
    "packing", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
)
def test_damage_inside_an_archive(tmp_path: Path, packing: int) -> None:
    file, array = io.BytesIO(), io.BytesIO()
    np.save(array, GREY)
    with zipfile.ZipFile(file, "w", packing) as archive:
        archive.writestr("images.npy", array.getvalue())
    whole, refused = bytearray(file.getvalue()), list[str]()
    for place in range(34, len(whole), 211):
        damaged = bytearray(whole)
        damaged[place] ^= 0x55
        (tmp_path / "a.npz").write_bytes(damaged)
        try:
            # Where it opens all the same, the damage was in what nobody reads.
            np.testing.assert_array_equal(open_images(tmp_path / "a.npz", ALL).train_images, GREY)
        except DataError as error:
            refused.append(str(error))
    assert refused
    assert all("a.npz" in said and "permissions" not in said for said in refused)


def test_other_archives(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("cat/1.png", b"picture")
    assert "a zip file without NumPy arrays; unpack it" in sentence(
        lambda: open_images(tmp_path / "a.zip"), tmp_path
    )


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="limits memory the Linux way")
def test_bombs_cost_no_memory(tmp_path: Path) -> None:
    # 300 MB of zeros that a zip file packs into 1 MB, and a header that declares 6 GB.
    with (
        zipfile.ZipFile(tmp_path / "bomb.npz", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("images.npy", "w") as member,
    ):
        member.write(header("(4608, 256, 256)"))
        for _ in range(9):
            member.write(bytes(2**25))
    (tmp_path / "lie.npy").write_bytes(header("(100000, 256, 256)"))
    code = textwrap.dedent("""
        import resource, sys
        from vaeviewer.backend.data.opening import open_images
        from vaeviewer.errors import DataError
        for path in sys.argv[1:]:
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            try:
                open_images(path)
            except DataError as error:
                print(error)
            assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 60_000  # kilobytes
    """)
    paths = [str(tmp_path / name) for name in ("bomb.npz", "lie.npy")]
    out = subprocess.run([sys.executable, "-c", code, *paths], capture_output=True, text=True, check=True)
    bomb, lie = out.stdout.splitlines()
    assert "packed ones may hold" in bomb
    assert "declares 6,553,600," in lie


def accepts_or_refuses(path: Path, reading: Reading) -> None:
    try:
        data = open_images(path, reading)
    except DataError:
        return
    images = [data.train_images, data.held_out_images]
    assert data.report is not None
    assert sum(map(len, images)) == data.report.images
    for array in images:
        assert array.dtype == np.uint8
        assert array.shape[1:] == data.image_shape
    assert len(data.train_images) >= 1


dtypes = st.one_of(
    hnp.boolean_dtypes(),
    hnp.unsigned_integer_dtypes(),
    hnp.integer_dtypes(),
    hnp.floating_dtypes(),
    hnp.complex_number_dtypes(),
    hnp.unicode_string_dtypes(),
    hnp.datetime64_dtypes(),
)


@pytest.mark.slow
@given(
    array=hnp.arrays(dtypes, hnp.array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=6)),
    labels=hnp.arrays(dtypes, hnp.array_shapes(min_dims=0, max_dims=2, min_side=0, max_side=6)),
    with_labels=st.booleans(),
    levels=st.sampled_from(["type", "data"]),
)
@example(array=np.zeros((0, 0, 0), bool), labels=np.zeros((0, 0), bool), with_labels=True, levels="type")
@per_example_file
def test_any_array_is_read_or_refused(
    tmp_path: Path, array: np.ndarray, labels: np.ndarray, with_labels: bool, levels: str
) -> None:
    arrays = {"images": array} | ({"labels": labels} if with_labels else {})
    np.savez(tmp_path / "a.npz", **arrays)
    accepts_or_refuses(tmp_path / "a.npz", Reading(levels=levels))
    np.save(tmp_path / "a.npy", array)
    accepts_or_refuses(tmp_path / "a.npy", Reading(levels=levels))


@given(place=st.integers(0, 127), byte=st.integers(0, 255), cut=st.integers(0, 300))
@per_example_file
def test_mutated_headers_are_read_or_refused(tmp_path: Path, place: int, byte: int, cut: int) -> None:
    file = io.BytesIO()
    np.save(file, GREY[:2])
    content = bytearray(file.getvalue())
    content[place] = byte
    (tmp_path / "a.npy").write_bytes(content[: len(content) - max(0, cut - 100)])
    accepts_or_refuses(tmp_path / "a.npy", Reading())


@pytest.mark.slow
@given(
    array=hnp.arrays(np.uint8, hnp.array_shapes(min_dims=3, max_dims=3, max_side=9)), seed=st.integers(0, 9)
)
@per_example_file
def test_no_image_is_lost_or_changed(tmp_path: Path, array: np.ndarray, seed: int) -> None:
    np.save(tmp_path / "a.npy", array)
    data = open_images(tmp_path / "a.npy", Reading(split_seed=seed, held_out=0.3))
    both = sorted(image.tobytes() for part in (data.train_images, data.held_out_images) for image in part)
    assert both == sorted(image.tobytes() for image in array)
    assert len(data.held_out_images) == min(round(0.3 * len(array) + 1e-9), len(array) - 1)
