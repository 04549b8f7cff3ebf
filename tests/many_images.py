"""Measures opening and training at full size: ``python tests/many_images.py FOLDER``; FOLDER is made and kept.

120,000 PNG pictures of 64×64 in 100 folders are listed and decoded, then opened again from the cache; an array of
200,000 RGB images of 64×64 (2.4 GB) is opened and trained on for one epoch. Prints one JSON object for each step, with
seconds and the peak memory of its process in MB.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

SIDE = 64


def draw(count: int, seed: int) -> np.ndarray:
    """Blurred colour noise, ``(count, 64, 64, 3)`` uint8: compresses about as photographs do."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (count, 8, 8, 3), dtype=np.uint8)
    fine = rng.integers(0, 24, (count, SIDE, SIDE, 3), dtype=np.uint8)
    return np.minimum(coarse.repeat(8, 1).repeat(8, 2), 231) + fine


def write_pictures(folder: Path, count: int, classes: int) -> None:
    """Write PNG files, as many in each of some folders."""

    def write(label: int) -> None:
        place = folder / f"class {label:03}"
        place.mkdir(parents=True)
        for number, levels in enumerate(draw(count // classes, label)):
            Image.fromarray(levels).save(place / f"{number:05}.png", compress_level=1)

    with ThreadPoolExecutor() as pool:
        list(pool.map(write, range(classes)))


def write_array(path: Path, count: int) -> None:
    """Write an .npy file of RGB images."""
    images = np.lib.format.open_memmap(path, "w+", np.uint8, (count, SIDE, SIDE, 3))
    for start in range(0, count, 5000):
        images[start : start + 5000] = draw(len(images[start : start + 5000]), start)
    images.flush()


def measured(step: str, *words: str | Path) -> None:
    """Run a command of the program and print how long it took and the most memory it had."""
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "vaeviewer", *map(str, words)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    answer = json.loads(process.stdout.read() or "{}")
    _, status, usage = os.wait4(process.pid, 0)
    kept = {key: answer[key] for key in ("images", "held_out", "images_per_s", "seconds") if key in answer}
    figures = {"command_s": round(time.perf_counter() - start, 2), "peak_MB": usage.ru_maxrss // 1024}
    print(
        json.dumps({"step": step, "exit": os.waitstatus_to_exitcode(status), **figures, **kept}), flush=True
    )


def main() -> None:
    """Measure all of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pictures", type=int, default=120_000)
    parser.add_argument("--classes", type=int, default=100)
    parser.add_argument("--array", type=int, default=200_000)
    parser.add_argument(
        "--write-only", action="store_true", help="write what is missing, and measure nothing"
    )
    options = parser.parse_args()
    folder = options.folder.absolute()
    os.environ["VAEVIEWER_HOME"] = str(folder / "home")
    pictures, array = folder / "pictures", folder / "array.npy"
    if options.write_only:
        if not pictures.exists():
            write_pictures(pictures, options.pictures, options.classes)
        if not array.exists():
            write_array(array, options.array)
        return
    # By another process: the peak of a child is never less than what this one takes as it starts it.
    subprocess.run([sys.executable, *sys.argv, "--write-only"], check=True)
    measured("pictures, first opening", "inspect", pictures, "--json")
    measured("pictures, second opening", "inspect", pictures, "--json")
    measured("array, first opening", "inspect", array, "--json")
    measured("array, second opening", "inspect", array, "--json")
    run = folder / f"run {time.time_ns()}"
    measured("array, one epoch", "train", "--out", run, "--data", array, "--epochs", "1", "--json")


if __name__ == "__main__":
    main()
