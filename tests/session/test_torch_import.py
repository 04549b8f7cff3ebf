"""torch is imported as anywhere else, but for what would hold up a window. In fresh processes, which have no torch."""

from __future__ import annotations

import subprocess
import sys

import pytest


def output_of(script: str) -> str:
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="by Linux' loader")
def test_libraries_are_opened_before_any_module_and_by_a_thread_that_leaves_the_lock_to_others() -> None:
    script = """
import sys, threading
from vaeviewer.session.torch_import import open_libraries

opened = []
thread = threading.Thread(target=lambda: opened.append(open_libraries()))
sys.setswitchinterval(1000)  # so that this thread goes on only when the other one waits or gives the lock back
thread.start()
turns = 0
while thread.is_alive():
    turns += 1
    thread.join(0.001)
maps = open("/proc/self/maps").read()
print(opened, "libtorch_cpu.so" in maps, "torch" in sys.modules, turns > 3)
"""
    assert output_of(script) == "[True] True False True"


@pytest.mark.slow
def test_torch_works_and_its_modules_are_no_longer_searched_for_garbage() -> None:
    script = """
import gc
from vaeviewer.session.torch_import import import_beside_window

import_beside_window("vaeviewer.backend.training.trainer")
import torch

searched = any(owned is vars(torch) for owned in gc.get_objects())
print(gc.isenabled(), searched, torch.ones(2, 3).mm(torch.ones(3, 1)).flatten().tolist())
"""
    assert output_of(script) == "True False [3.0, 3.0]"


@pytest.mark.slow
def test_collections_go_on_after_an_import_that_failed_and_stay_off_where_they_were_off() -> None:
    script = """
import gc
from vaeviewer.session.torch_import import import_beside_window

for on in (True, False):
    gc.enable() if on else gc.disable()
    try:
        import_beside_window("vaeviewer.no_such_module")
    except ImportError as error:
        print(gc.isenabled(), error)
"""
    sentence = "No module named 'vaeviewer.no_such_module'"
    assert output_of(script) == f"True {sentence}\nFalse {sentence}"


@pytest.mark.parametrize("directory", ["", "/nowhere"])
def test_a_torch_without_these_libraries_is_left_to_the_import(directory: str) -> None:
    script = f"""
import importlib.machinery
from vaeviewer.session import torch_import

spec = importlib.machinery.ModuleSpec("torch", None, origin={directory + "/torch/__init__.py"!r})
for found in (None, spec):
    torch_import.find_spec = lambda name: found
    print(torch_import.open_libraries())
"""
    assert output_of(script) == "False\nFalse"
