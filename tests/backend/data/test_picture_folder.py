from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.awkward_pictures import broken_files, encoded, good_forms, scene, write_awkward
from vaeviewer.backend.data import DataSource, Reading, load_source
from vaeviewer.backend.data.base import Cancelled, ImageDataset
from vaeviewer.backend.data.opening import open_images
from vaeviewer.errors import DataError


def all_images(data: ImageDataset) -> dict[str, np.ndarray]:
    """The images of a data set by the names of their files."""
    names = [*data.train_files, *data.held_out_files]
    return dict(zip(names, [*data.train_images, *data.held_out_images], strict=True))


def save(path: Path, levels: np.ndarray, **options: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(levels).save(path, **options)


def noise(seed: int, height: int = 16, width: int = 16, channels: int = 3) -> np.ndarray:
    shape = (height, width, 3) if channels == 3 else (height, width)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def test_every_bad_file_is_named_with_its_reason_and_stops_nothing(tmp_path: Path) -> None:
    for number in range(20):
        save(tmp_path / "good" / f"{number}.png", noise(number))
    (tmp_path / "bad").mkdir()
    expected = write_awkward(tmp_path / "bad")
    assert len(expected) >= 60
    report = open_images(tmp_path).report
    assert report is not None
    assert report.images == 20, [n for n in expected if n not in {e.file[4:] for e in report.skipped}]
    assert report.classes == {"bad": 0, "good": 20}
    found = {entry.file.removeprefix("bad/"): entry.why for entry in report.skipped}
    assert found.keys() == expected.keys()
    for name, reason in expected.items():
        assert reason in found[name], (name, found[name])
        assert 5 < len(found[name]) < 200
        assert "\n" not in found[name]


def test_every_form_of_a_picture_gives_the_same_image(tmp_path: Path) -> None:
    for name, write in good_forms().items():
        write(tmp_path / name)
    data = open_images(tmp_path, Reading(held_out=0.0))
    assert data.report is not None
    assert not data.report.skipped
    for name, image in all_images(data).items():
        assert image.shape == (40, 40, 3)
        difference = np.abs(image.astype(float) - scene()).mean()
        assert difference < 0.03 * 255, name


def test_deep_pictures_are_scaled_by_their_types_range(tmp_path: Path) -> None:
    grey = scene()[..., 0]
    deep = grey.astype(np.uint16) * 257
    forms = {
        "16 bits.png": deep,
        "16 bits.tif": deep,
        "32 bits.tif": grey.astype(np.int32) * (2**31 // 256),
        "floats to 1.tif": grey.astype(np.float32) / 255,
        "floats to 255.tif": grey.astype(np.float32),
        "floats around 0.tif": grey.astype(np.float32) / 127.5 - 1,
        "8 bits.png": grey,
    }
    for name, levels in forms.items():
        save(tmp_path / name, levels)
    images = all_images(open_images(tmp_path))
    assert images.keys() == forms.keys()
    for name, image in images.items():
        expected = grey.astype(float) / 2 + 128 if name.startswith("32") else grey.astype(float)
        assert np.abs(image - expected).max() <= 1, name


def test_stretching_takes_the_range_of_all_files(tmp_path: Path) -> None:
    ramp = np.linspace(1000, 1500, 256).reshape(16, 16)
    save(tmp_path / "dark.png", ramp.astype(np.uint16))
    save(tmp_path / "bright.png", (ramp + 500).astype(np.uint16))
    images = all_images(open_images(tmp_path, Reading(levels="data")))
    assert (images["dark.png"].min(), images["bright.png"].max()) == (0, 255)
    assert images["dark.png"].max() == pytest.approx(127.5, abs=1)
    assert images["bright.png"].min() == pytest.approx(127.5, abs=1)


def test_transparency_shows_the_background(tmp_path: Path) -> None:
    half = np.zeros((16, 16, 4), np.uint8)
    half[:, 8:] = (200, 0, 0, 255)
    save(tmp_path / "rgba.png", half)
    save(tmp_path / "palette.gif", half)
    grey = np.zeros((16, 16, 2), np.uint8)
    grey[:, 8:] = (77, 255)
    Image.fromarray(grey, "LA").save(tmp_path / "la.png")
    Image.fromarray(np.arange(256, dtype=np.uint8).reshape(16, 16)).save(tmp_path / "key.png", transparency=0)
    white = all_images(open_images(tmp_path))
    green = all_images(open_images(tmp_path, Reading(background="#00ff00")))
    for name in ("rgba.png", "palette.gif", "la.png"):
        assert (white[name][:, :8] == 255).all()
        assert (green[name][:, :8] == (0, 255, 0)).all()
    np.testing.assert_array_equal(white["rgba.png"][:, 8:], half[:, 8:, :3])
    assert (white["la.png"][:, 8:] == 77).all()
    assert white["key.png"][0, 0].tolist() == [255, 255, 255]
    assert white["key.png"][0, 1].tolist() == [1, 1, 1]


def test_grey_stays_grey_until_one_picture_has_colour(tmp_path: Path) -> None:
    for number in range(4):
        save(tmp_path / f"{number}.png", noise(number, channels=1))
    Image.fromarray(noise(9, channels=1)).convert("P").save(tmp_path / "grey palette.png")
    Image.fromarray(noise(8, channels=1) > 127).save(tmp_path / "one bit.png")
    grey = open_images(tmp_path)
    assert grey.image_shape == (16, 16)
    np.testing.assert_array_equal(all_images(grey)["grey palette.png"], noise(9, channels=1))
    assert set(np.unique(all_images(grey)["one bit.png"])) == {0, 255}
    save(tmp_path / "colour.png", noise(5))
    mixed = open_images(tmp_path)
    assert mixed.image_shape == (16, 16, 3)
    assert mixed.report is not None
    assert any("Files in colour: 1, in grey: 6;" in note for note in mixed.report.notes)
    assert open_images(tmp_path, Reading(channels="grey")).image_shape == (16, 16)


def test_pages_frames_and_their_names(tmp_path: Path) -> None:
    pages = [Image.fromarray(noise(number)) for number in range(5)]
    pages[0].save(tmp_path / "stack.tif", save_all=True, append_images=pages[1:])
    pages[0].quantize(256).save(tmp_path / "moving.gif", save_all=True, append_images=pages[1:])
    data = open_images(tmp_path)
    images = all_images(data)
    assert set(images) == {"moving.gif", *(f"stack.tif, page {n}" for n in range(1, 6))}
    for number in range(5):
        np.testing.assert_array_equal(images[f"stack.tif, page {number + 1}"], noise(number))
    assert data.report is not None
    assert "1 TIFF file has several pages, 5 in all; each page is an image." in data.report.notes


def test_a_stack_that_breaks_off_is_left_out_whole(tmp_path: Path) -> None:
    pages = [Image.fromarray(noise(number)) for number in range(5)]
    pages[0].save(tmp_path / "stack.tif", save_all=True, append_images=pages[1:])
    whole = (tmp_path / "stack.tif").read_bytes()
    (tmp_path / "stack.tif").write_bytes(whole[:-300])
    save(tmp_path / "good.png", noise(7))
    data = open_images(tmp_path)
    assert set(all_images(data)) == {"good.png"}
    assert data.report is not None
    assert [entry.file for entry in data.report.skipped] == ["stack.tif"]


def test_sizes_crop_pad_and_turn(tmp_path: Path) -> None:
    wide = np.zeros((20, 60), np.uint8)
    wide[:, 20:40] = 200
    save(tmp_path / "wide.png", wide)
    crop = open_images(tmp_path, Reading(size=(20, 20))).train_images[0]
    np.testing.assert_array_equal(crop, wide[:, 20:40])
    pad = open_images(tmp_path, Reading(size=(60, 60), fit="pad", background="#646464")).train_images[0]
    np.testing.assert_array_equal(pad[20:40], wide)
    assert (pad[:20] == 100).all()
    assert (pad[40:] == 100).all()
    turned = open_images(tmp_path, Reading(transpose=True))
    np.testing.assert_array_equal(turned.train_images[0], wide.T)


def test_scaling_down_does_not_alias(tmp_path: Path) -> None:
    stripes = np.tile(np.array([0, 255], np.uint8), (256, 128))
    for name in ("stripes.png", "stripes.bmp", "stripes.tif"):
        save(tmp_path / name, stripes)
    for image in all_images(open_images(tmp_path, Reading(size=(32, 32)))).values():
        assert np.abs(image[2:-2, 2:-2].astype(float) - 127.5).max() < 3


def test_large_jpegs_are_decoded_at_a_part_of_their_size_without_a_difference(tmp_path: Path) -> None:
    for orientation in (1, 6):
        tags = Image.Exif()
        tags[0x0112] = orientation
        picture = Image.fromarray(scene(1600, 1200) if orientation == 1 else np.rot90(scene(1600, 1200)))
        (tmp_path / f"{orientation}.jpg").write_bytes(encoded(picture, "JPEG", quality=95, exif=tags))
    expected = np.asarray(Image.fromarray(scene(1600, 1200)).resize((48, 64), Image.Resampling.BOX))
    for image in all_images(open_images(tmp_path, Reading(size=(64, 48)))).values():
        assert np.abs(image.astype(float) - expected).mean() < 2


def test_folders_are_classes_and_hidden_ones_are_not(tmp_path: Path) -> None:
    for number, name in enumerate(
        ["b/1.png", "b/deep/er/2.PNG", "a/1.jpg", "top.png", ".hidden.png", ".git/3.png"]
    ):
        save(tmp_path / name, noise(number))
    for name in ("Thumbs.db", "a/notes.txt", "__MACOSX/a/._1.jpg", ".ipynb_checkpoints/1.png", "desktop.ini"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"anything")
    (tmp_path / "empty").mkdir()
    data = open_images(tmp_path)
    assert data.class_names == ("a", "b", "empty", "(top level)")
    assert data.labelled
    assert data.report is not None
    assert data.report.classes == {"a": 1, "b": 2, "empty": 0, "(top level)": 1}
    assert not data.report.skipped
    # Each counts once: two hidden folders, a hidden picture, __MACOSX, and three other files.
    assert data.report.passed_over == 7
    by_name = dict(
        zip(
            [*data.train_files, *data.held_out_files],
            [*data.train_labels, *data.held_out_labels],
            strict=True,
        )
    )
    assert by_name == {"a/1.jpg": 0, "b/1.png": 1, "b/deep/er/2.PNG": 1, "top.png": 3}


def test_a_flat_folder_has_no_labels(tmp_path: Path) -> None:
    for number in range(12):
        save(tmp_path / f"{number}.png", noise(number))
    data = open_images(tmp_path)
    assert data.class_names == ()
    assert not data.labelled
    assert not data.train_labels.any()
    assert (len(data.train_images), len(data.held_out_images)) == (11, 1)
    assert data.report is not None
    assert data.report.classes == {}


def test_links_to_folders_are_followed_once(tmp_path: Path) -> None:
    for number in range(3):
        save(tmp_path / "elsewhere" / f"{number}.png", noise(number))
    root = tmp_path / "root"
    save(root / "own" / "9.png", noise(9))
    (root / "linked").symlink_to(tmp_path / "elsewhere")
    (root / "own" / "again").symlink_to("../linked")
    report = open_images(root).report
    assert report is not None
    assert report.classes == {"linked": 3, "own": 1}
    assert [(entry.file, entry.why) for entry in report.skipped] == [
        ("own/again", "is a link to a folder that is read already")
    ]


def test_names_of_any_bytes_are_shown_readable(tmp_path: Path) -> None:
    import os

    odd = Path(os.fsdecode(os.fsencode(tmp_path / "class") + b"\xff\n"))
    odd.mkdir()
    save(odd / "1.png", noise(1))
    (odd / "bad\x1b.png").write_bytes(b"no")
    data = open_images(tmp_path)
    assert data.class_names == (r"class\udcff\n",)
    assert data.train_files[0] == r"class\udcff\n/1.png"
    assert data.report is not None
    assert data.report.skipped[0].file == r"class\udcff\n/bad\x1b.png"


def test_a_split_that_the_folder_brings(tmp_path: Path) -> None:
    for number in range(6):
        save(tmp_path / "train" / "ab"[number % 2] / f"{number}.png", noise(number))
    save(tmp_path / "val" / "a" / "v.png", noise(10))
    save(tmp_path / "test" / "c" / "t.png", noise(11))
    data = open_images(tmp_path)
    assert data.class_names == ("a", "b", "c")
    assert set(data.held_out_files) == {"test/c/t.png", "val/a/v.png"}
    assert len(data.train_files) == 6
    save(tmp_path / "trucks" / "x.png", noise(12))
    assert open_images(tmp_path).class_names == ("test", "train", "trucks", "val")


def test_the_split_is_stratified_and_goes_by_the_seed(tmp_path: Path) -> None:
    for number in range(60):
        save(tmp_path / ("rare" if number % 6 == 0 else "often") / f"{number}.png", noise(number, 8, 8))
    data = open_images(tmp_path, Reading(held_out=0.2))
    assert np.bincount(data.held_out_labels).tolist() == [10, 2]
    other = open_images(tmp_path, Reading(held_out=0.2, split_seed=1))
    assert set(data.held_out_files) != set(other.held_out_files)
    assert set(other.held_out_files) | set(other.train_files) == set(data.held_out_files) | set(
        data.train_files
    )
    # No bad file among them changes the shares.
    (tmp_path / "often" / "bad.png").write_bytes(broken_files()["cut in half.png"][0])
    assert np.bincount(open_images(tmp_path, Reading(held_out=0.2)).held_out_labels).tolist() == [10, 2]


def test_labels_of_a_csv(tmp_path: Path) -> None:
    for number in range(4):
        save(tmp_path / f"{number}.png", noise(number))
    (tmp_path / "labels.csv").write_text("label,file\n10,0.png\n9,./1.png\n10,2.png\n7,gone.png\n", "utf-8")
    data = open_images(tmp_path)
    assert data.class_names == ("9", "10", "(no label)")
    assert data.report is not None
    assert data.report.classes == {"9": 1, "10": 2, "(no label)": 1}
    assert any("labels.csv names, 1 is not there" in note for note in data.report.notes)
    (tmp_path / "labels.csv").write_bytes(b"\xff\xfe\x00")
    broken = open_images(tmp_path)
    assert broken.class_names == ()
    assert broken.report is not None
    assert [(entry.file, entry.why) for entry in broken.report.skipped] == [
        ("labels.csv", "is not UTF-8 text")
    ]


def test_the_second_opening_comes_from_the_cache_and_a_change_does_not(tmp_path: Path) -> None:
    for number in range(12):
        save(tmp_path / "ab"[number % 2] / f"{number}.png", noise(number))
    told: list[tuple[int, int]] = []
    first = open_images(tmp_path, progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (24, 24)
    told.clear()
    second = open_images(tmp_path, progress=lambda done, total: told.append((done, total)))
    assert not told
    assert second.source == first.source
    assert second.report == first.report
    assert list(second.train_files) == list(first.train_files)
    np.testing.assert_array_equal(second.train_images, first.train_images)
    assert not second.train_images.flags.writeable
    save(tmp_path / "a" / "0.png", noise(100))
    third = open_images(tmp_path)
    assert third.source.checksum != first.source.checksum


def test_a_run_finds_its_pictures_as_they_were_read(tmp_path: Path) -> None:
    for number in range(12):
        save(tmp_path / f"{number}.png", noise(number, 24, 40))
    data = open_images(tmp_path, Reading(channels="grey", split_seed=3))
    written = data.source.model_dump_json()
    again = load_source(DataSource.model_validate_json(written))
    assert again.same_images(data)
    assert again.source == data.source
    # Pictures that come later would suggest another size; the run's data keep theirs.
    for number in range(100, 140):
        save(tmp_path / f"{number}.png", noise(number, 50, 50))
    assert load_source(data.source).image_shape == (24, 40)
    assert open_images(tmp_path).image_shape != (24, 40)


def test_cancelling_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAEVIEWER_HOME", str(tmp_path / "home"))
    folder = tmp_path / "pictures"
    for number in range(200):
        save(folder / f"{number}.png", noise(number, 8, 8))
    done: list[int] = []
    with pytest.raises(Cancelled, match="Opening pictures was cancelled"):
        open_images(
            folder, progress=lambda n, _: done.append(n), cancelled=lambda: bool(done) and done[-1] > 250
        )
    assert 250 < done[-1] < 400
    assert not list((tmp_path / "home").rglob("*.npy"))


def test_a_folder_without_a_usable_picture(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds no images that can be opened; choose"):
        open_images(tmp_path)
    (tmp_path / "notes.txt").write_text("words")
    with pytest.raises(DataError, match=r"but 1 \.txt file; choose"):
        open_images(tmp_path)
    (tmp_path / "a.png").write_bytes(b"")
    (tmp_path / "b.png").write_bytes(b"words")
    with pytest.raises(
        DataError, match=r"no picture that can be used \(a\.png is empty, and 1 more\); choose"
    ):
        open_images(tmp_path)
    (tmp_path / "a.png").write_bytes(broken_files()["cut in half.png"][0])
    with pytest.raises(DataError, match=r"\(a\.png .*, and 1 more\)"):
        open_images(tmp_path)
