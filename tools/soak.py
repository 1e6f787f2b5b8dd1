"""Use the explorer at random for a long time, and draw how much memory the process has.

    python tools/soak.py --minutes 30 --plot soak.png

No browser: a page that wants frames is played by its messages. Photos, layers, channels, batches,
new weights and new explorers come in random order; now and then a frame is compared with the
model's own numbers. The exit status is 1 if one was wrong, if the cache went over its limit, or if
memory in the last quarter of the time is more than `--growth` MiB above that in the second.
"""

from __future__ import annotations

import argparse
import random
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import resnet_widgets as rw
from resnet_widgets.frame import Frame

LONG = 300.0  # seconds in which anything must be answered


def resident() -> float:
    """MiB of memory that this process has."""
    with open("/proc/self/status") as status:
        return next(int(s.split()[1]) for s in status if s.startswith("VmRSS")) / 1024


class User:
    """Somebody who never stops."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.numpy = np.random.default_rng(seed)
        self.cache = rw.ActivationCache("mini")
        self.explorer = rw.Explorer(self.photo(), cache=self.cache)
        self.layers = [row.path for row in self.cache.layers]
        self.wait()

    def photo(self) -> np.ndarray:
        height, width = self.numpy.integers(20, 900, 2)
        return self.numpy.integers(0, 256, (height, width, 3), np.uint8)

    def wait(self) -> None:
        """Until the explorer has computed what it was asked for."""
        self.explorer.wait(LONG)

    def new_photo(self) -> None:
        self.explorer.image = self.photo()
        self.wait()

    def many_photos(self) -> None:
        for _ in range(5):
            self.explorer.image = self.photo()
        self.wait()

    def layer(self) -> None:
        self.explorer.layer = self.random.choice(self.layers)
        self.frame(self.explorer.layer)

    def slide(self) -> None:
        for _ in range(100):
            self.explorer.set_state({"channel": self.random.randrange(512)})

    def frame(self, layer: str) -> None:
        """The page wants a frame, and gets it."""
        answered, answers = threading.Event(), []

        def send(content: dict, buffers: object = None) -> None:
            # That old frames are worth nothing any longer can be said at any time.
            if content.get("kind") != "forget":
                answers.append((content, buffers))
                answered.set()

        self.explorer.store.send = send
        want = {"kind": "want", "id": 1, "photo": self.explorer.photo, "layer": layer}
        self.explorer.store._handle_custom_msg(want, [])
        assert answered.wait(LONG), f"no answer for {layer}"
        content, buffers = answers[-1]
        assert content["kind"] == "frame", content
        if self.random.random() < 0.05:
            image = self.explorer.image.fit(self.cache.input_size)
            expected = Frame.from_activation(self.cache.activation(image, layer)).to_message()[1]
            assert buffers[0] == expected, f"{layer} is not what the model computes"

    def batch(self) -> None:
        photos = [self.photo() for _ in range(self.random.randint(1, 4))]
        self.cache.activation(photos, self.random.choice(self.layers))

    def new_weights(self) -> None:
        weight = self.random.choice(self.cache.model.trainable_weights)
        weight.assign(weight * (1 + 1e-3 * self.random.choice((-1, 1))))
        self.layer()

    def new_explorer(self) -> None:
        self.explorer.close()
        self.explorer = rw.Explorer(self.photo(), cache=self.cache)
        self.wait()

    def act(self) -> str:
        """Does something; returns its name."""
        what = self.random.choices(
            [
                self.layer,
                self.slide,
                self.new_photo,
                self.batch,
                self.many_photos,
                self.new_weights,
                self.new_explorer,
            ],
            [60, 20, 10, 3, 3, 2, 2],
        )[0]
        what()
        info = self.cache.info()
        assert info.nbytes <= info.max_bytes, info
        assert not self.explorer.error, self.explorer.error
        return what.__name__


def draw(minutes: list[float], megabytes: list[float], cached: list[float], path: Path) -> None:
    figure = Figure(figsize=(8, 3.2), layout="constrained")
    axes = figure.subplots()
    axes.plot(minutes, megabytes, label="process")
    axes.plot(minutes, cached, label="cached activations")
    axes.set(xlabel="minutes", ylabel="MiB", ylim=(0, None), xlim=(0, None))
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=120)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--growth", type=float, default=50, help="MiB")
    parser.add_argument("--plot", type=Path)
    options = parser.parse_args()
    user = User(options.seed)
    began, done = time.monotonic(), Counter[str]()
    minutes, megabytes, cached = [], [], []
    while (now := (time.monotonic() - began) / 60) < options.minutes:
        done[user.act()] += 1
        if not minutes or now - minutes[-1] > options.minutes / 500:
            minutes.append(now)
            megabytes.append(resident())
            cached.append(user.cache.info().nbytes / 2**20)
    print(f"{sum(done.values())} acts in {now:.1f} minutes:", dict(done))
    print(f"cache: {user.cache.info()}")
    user.explorer.close()
    quarter = max(1, len(megabytes) // 4)
    second, last = (np.mean(megabytes[i * quarter : (i + 1) * quarter]) for i in (1, 3))
    print(f"memory: {megabytes[0]:.0f} MiB at first, {max(megabytes):.0f} at most;")
    print(f"{second:.0f} in the second quarter, {last:.0f} in the last")
    if options.plot:
        draw(minutes, megabytes, cached, options.plot)
    return int(last - second > options.growth)


if __name__ == "__main__":
    sys.exit(main())
