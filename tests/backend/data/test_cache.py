import os
import shutil
import time
from pathlib import Path

import numpy as np
import pytest

from vaeviewer import paths
from vaeviewer.backend.data import Reading, decoded, stack
from vaeviewer.backend.data.base import ImageDataset, checksum_of
from vaeviewer.backend.data.cache import About, ImageCache
from vaeviewer.backend.data.decoded import Room
from vaeviewer.backend.data.names import Names
from vaeviewer.backend.data.opening import open_images
from vaeviewer.backend.data.report import LoadReport
from vaeviewer.errors import DataError

KEY = "0123456789" * 4


@pytest.fixture
def cache(tmp_path: Path) -> ImageCache:
    return ImageCache(tmp_path / "images")


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A cache folder of its own, and data sets that go there from a kilobyte on."""
    monkeypatch.setenv("VAEVIEWER_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(decoded, "MAX_IN_MEMORY_BYTES", 1024)
    return paths.cache_dir() / "images"


def keep(cache: ImageCache, key: str, count: int = 6) -> np.ndarray:
    images = np.random.default_rng(count).integers(0, 256, (count, 8, 9, 3), dtype=np.uint8)
    labels = np.arange(count) % 2
    report = LoadReport(images=count, held_out=1, height=8, width=9, channels=3)
    about = About(
        name="n",
        reading=Reading(),
        class_names=("a", "b"),
        train_count=count - 1,
        checksum=checksum_of(images, labels),
        report=report,
    )
    draft = cache.draft(images.shape)
    draft.images[:] = images
    draft.keep(key, labels, Names.of(f"é{number}.png" for number in range(count)), about)
    return images


def test_what_is_kept_is_found(cache: ImageCache) -> None:
    assert cache.find(KEY) is None
    images = keep(cache, KEY)
    found = cache.find(KEY)
    assert found is not None
    np.testing.assert_array_equal(found.images, images)
    assert not found.images.flags.writeable
    assert found.labels.tolist() == [0, 1, 0, 1, 0, 1]
    assert list(found.names) == [f"é{number}.png" for number in range(6)]
    assert found.about.class_names == ("a", "b")
    assert sorted(path.name for path in cache.folder.iterdir()) == [KEY]


@pytest.mark.parametrize("name", ["images.npy", "rows.npz", "about.json"])
@pytest.mark.parametrize("damage", ["cut", "flip", "gone", "empty"])
def test_damage_is_noticed_and_removed(cache: ImageCache, name: str, damage: str) -> None:
    keep(cache, KEY)
    path = cache.folder / KEY / name
    content = bytearray(path.read_bytes())
    if damage == "cut":
        path.write_bytes(content[:-1])
    elif damage == "flip":
        content[len(content) // 2] ^= 0x10
        path.write_bytes(content)
    elif damage == "empty":
        path.write_bytes(b"")
    else:
        path.unlink()
    if (name, damage) == ("about.json", "flip"):
        path.write_bytes(content.replace(b'"format":1', b'"format":2'))
    found = cache.find(KEY)
    assert found is None
    assert not (cache.folder / KEY).exists()


def test_a_link_out_of_the_cache_is_not_followed_for_an_alias(cache: ImageCache) -> None:
    keep(cache, KEY)
    cache.also("f" * 40, KEY)
    assert cache.find("f" * 40) is not None
    (cache.folder / f"{'f' * 40}.alias").write_text("../../elsewhere")
    assert cache.find("f" * 40) is None


def test_those_used_longest_ago_go_first(tmp_path: Path) -> None:
    cache = ImageCache(tmp_path / "images", limit=10_000)
    for number, age in enumerate((300, 100, 200)):
        keep(cache, f"{number}" * 40)
        past = time.time() - age
        os.utime(cache.folder / (f"{number}" * 40), (past, past))
    assert cache.find("0" * 40) is not None  # used just now
    cache.also("a" * 40, "2" * 40)
    cache.make_room(3_000)
    left = {path.name[0] for path in cache.folder.iterdir() if path.is_dir()}
    assert left == {"0", "1"}
    cache.make_room(0)
    assert not list(cache.folder.glob("*.alias"))


def test_what_a_crash_left_goes_after_a_day(cache: ImageCache) -> None:
    keep(cache, KEY)
    for name, age in (("unfinished-1-1", 2 * 86_400), ("unfinished-2-2", 60)):
        (cache.folder / name).mkdir()
        (cache.folder / name / "images.npy").write_bytes(b"half")
        past = time.time() - age
        os.utime(cache.folder / name, (past, past))
    cache.make_room(0)
    assert sorted(path.name for path in cache.folder.iterdir()) == [KEY, "unfinished-2-2"]


def test_large_arrays_go_through_the_cache_and_are_the_same(small: Path, tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (40, 10, 12, 3), dtype=np.uint8)
    np.savez_compressed(tmp_path / "a.npz", images=images, labels=np.arange(40) % 4)
    first = open_images(tmp_path / "a.npz")
    assert [path.name for path in small.glob("*/images.npy")] == ["images.npy"]
    again = open_images(tmp_path / "a.npz")
    assert again.source == first.source
    shutil.rmtree(small)

    def memory(path: Path) -> ImageDataset:
        decoded.MAX_IN_MEMORY_BYTES = 2**28  # put back by the fixture
        return open_images(path)

    plain = memory(tmp_path / "a.npz")
    assert not small.exists()
    assert plain.source == first.source
    np.testing.assert_array_equal(plain.train_images, first.train_images)
    np.testing.assert_array_equal(plain.held_out_labels, again.held_out_labels)


def test_two_readings_are_two_entries_and_new_bytes_a_third(small: Path, tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (40, 10, 12), dtype=np.uint8)
    np.save(tmp_path / "a.npy", images)
    open_images(tmp_path / "a.npy")
    open_images(tmp_path / "a.npy", Reading(size=(8, 8)))
    assert len(list(small.iterdir())) == 2
    np.save(tmp_path / "a.npy", images + np.uint8(1))
    np.testing.assert_array_equal(
        open_images(tmp_path / "a.npy", Reading(held_out=0)).train_images, images + np.uint8(1)
    )


def test_without_a_place_to_keep_them_images_stay_in_memory(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small.parent.mkdir(parents=True)
    small.write_bytes(b"a file where a folder belongs")
    images = np.zeros((40, 10, 12), np.uint8)
    np.save(tmp_path / "a.npy", images)
    assert len(open_images(tmp_path / "a.npy").train_images) == 36
    np.save(tmp_path / "b.npy", np.zeros((400, 10, 12), np.uint8))
    with pytest.raises(DataError, match=r"for which .* has no room"):
        open_images(tmp_path / "b.npy")


def test_a_full_disk_leaves_nothing_half_written(cache: ImageCache, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.posix_fallocate", full)
    room = Room((5, 8, 8), cache, keep=True)
    assert not isinstance(room.images, np.memmap)
    assert list(cache.folder.iterdir()) == []
    monkeypatch.undo()
    room = Room((5, 8, 8), cache, keep=True)
    assert isinstance(room.images, np.memmap)
    monkeypatch.setattr("os.fsync", full)
    report = LoadReport(images=5, held_out=0, height=8, width=8, channels=1)
    about = About(
        name="n", reading=Reading(), class_names=(), train_count=5, checksum="0" * 64, report=report
    )
    with pytest.raises(DataError, match=r"cannot be kept in .* make room"):
        room.finish([KEY], np.zeros(5, np.int64), Names.of(()), about)
    assert list(cache.folder.iterdir()) == []


def test_more_than_any_data_set_may_take_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoded, "MAX_DECODED_BYTES", 1000)
    np.save(tmp_path / "a.npy", np.zeros((40, 10, 12), np.uint8))
    with pytest.raises(DataError, match=r"40 images of 10×12 pixels take .* choose a smaller size"):
        open_images(tmp_path / "a.npy")


def test_rows_that_are_left_keep_their_images(cache: ImageCache) -> None:
    room = Room((6, 8, 8), cache, keep=True)
    room.images[:] = np.arange(6, dtype=np.uint8)[:, None, None]
    room.reorder(np.array([4, 0, 5]))
    assert room.images[:, 0, 0].tolist() == [4, 0, 5]
    room.drop()
    assert list(cache.folder.iterdir()) == []


def test_many_names_cost_little() -> None:
    names = Names.of(f"class {number % 100:03}/{number:06}.png" for number in range(200_000))
    assert names.text.nbytes + names.ends.nbytes < 7_000_000
    assert names[123_456] == "class 056/123456.png"
    assert names[-1] == "class 099/199999.png"
    assert list(names[10:12]) == ["class 010/000010.png", "class 011/000011.png"]
    assert list(names.taken(np.array([5, 3]))) == ["class 005/000005.png", "class 003/000003.png"]
    with pytest.raises(IndexError):
        names[200_000]


def test_blocks_are_small(tmp_path: Path) -> None:
    # What streams from a file must not be read whole first.
    np.save(tmp_path / "a.npy", np.zeros((3000, 64, 64, 3), np.uint8))
    from vaeviewer.backend.data.array_set import array_stack

    sizes = [block.nbytes for block in array_stack(tmp_path / "a.npy").blocks()]
    assert sum(sizes) == 3000 * 64 * 64 * 3
    assert max(sizes) <= 2**23
    assert isinstance(array_stack(tmp_path / "a.npy"), stack.Stack)
