"""Does memory stay flat? Resident memory of one process, in MiB.

    python benchmarks/bench_memory.py [--model random] [--photos 50] [--explorers 50]

Three questions: what a kernel holds after it has looked at many photos, what it would hold if it
kept every activation, and whether explorers that are closed give everything back. What a cache has
dropped goes back to the system at once, but not again within ten seconds: so the first is measured
at once, and again when they are over.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
import threading
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import psutil
from measure import Row, setting, table

import resnet_widgets as rw
from resnet_widgets.engine.tensor_store import PAUSE

PROCESS = psutil.Process()
WARM_UP = 5


def resident() -> float:
    """MiB of memory this process has now."""
    gc.collect()
    return PROCESS.memory_info().rss / 2**20


def photo(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (300, 400, 3), dtype=np.uint8)


def look_around(cache: rw.ActivationCache, image: np.ndarray, seed: int) -> None:
    """The stages, the answer, and the insides of twenty layers."""
    cache.stages(image)
    cache.predictions(image)
    for index in np.random.default_rng(seed).integers(1, len(cache.layers), 20):
        cache.activation(image, cache.layers[index].path)


def open_and_close(model: object, image: np.ndarray) -> None:
    explorer = rw.explore(image, model)
    done = threading.Event()
    explorer.observe(lambda change: change.new and done.set(), "predictions")
    if not explorer.predictions:
        done.wait(60)
    assert explorer.predictions, explorer.error
    explorer.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="random", help="what load_model takes")
    parser.add_argument("--photos", type=int, default=50)
    parser.add_argument("--explorers", type=int, default=50)
    arguments = parser.parse_args()

    model = rw.load_model(arguments.model)
    rows = [Row("TensorFlow and the model", f"{resident():.0f}")]
    cache = rw.ActivationCache(model)
    for seen in range(1, arguments.photos + 1):
        look_around(cache, photo(seen), seen)
        if seen in (1, 5, arguments.photos):
            held = cache.info().nbytes / 2**20
            title = f"after {seen} photo{'s' if seen > 1 else ''}, {held:.0f} of them in the cache"
            rows.append(Row(title, f"{resident():.0f}", target="≤ 1024"))
            time.sleep(PAUSE + 1)
            rows.append(Row("… and a pause", f"{resident():.0f}", target="≤ 1024"))
    limit = cache.info().max_bytes / 2**20
    one = sum(
        a.nbytes for a in cache.activations(photo(0), [r.path for r in cache.layers]).values()
    )
    kept = one * arguments.photos / 2**20
    rows.append(Row(f"activations of {arguments.photos} photos if all were kept", f"{kept:.0f}"))
    cache.close()

    image = photo(0)
    for _ in range(WARM_UP):
        open_and_close(model, image)
    before = resident()
    for _ in range(arguments.explorers):
        open_and_close(model, image)
    drift = resident() - before
    title = f"more after {arguments.explorers} × explore, look, close"
    rows.append(Row(title, f"{drift:.0f}", target="≤ 20"))
    print(f"Model {arguments.model}; the cache may hold {limit:.0f} MiB.")
    print(setting(), end="\n\n")
    print(table(rows, unit="MiB"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
