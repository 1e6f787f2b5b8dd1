"""Feed damaged image files to `load_image`: each must end as a picture or as an `ImageError`.

    python tools/fuzz_images.py --count 100000
    python tools/fuzz_images.py --only 4711 --save 4711.bin

Valid files of every supported format are cut, spliced, and changed by bits, bytes and numbers;
checksums of PNGs are put right again half of the time, so that decoders see what is behind them.
Input `n` is always the same. A child process does the work, so that a crash or a hang costs one
input and is counted. The exit status is 1 if anything but a picture or an `ImageError` came out, an
input took more than `--seconds` of processor time, or memory grew by more than `--mebibytes`.
"""

from __future__ import annotations

import argparse
import io
import multiprocessing
import os
import random
import re
import resource
import signal
import struct
import sys
import time
import traceback
import warnings
import zlib
from collections import Counter
from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
from PIL import Image

from resnet_widgets.engine.images import MAX_PIXELS, ImageError, load_image

# Seconds of processor time after which an input counts as hanging and its process is ended.
PATIENCE = 30.0
# Numbers that sizes, counts and offsets in headers are set to.
TELLING = (0, 1, 2, 3, 7, 8, 127, 128, 255, 256, 32767, 65535, 2**24, 2**31 - 1, 2**31, 2**32 - 1)


@cache
def seeds() -> dict[str, bytes]:
    """Small valid files of all formats, by name."""
    rng = np.random.default_rng(0)
    rgb = Image.fromarray(rng.integers(0, 256, (20, 24, 3), np.uint8))
    rgba = Image.fromarray(rng.integers(0, 256, (20, 24, 4), np.uint8))
    sixteen = Image.fromarray(rng.integers(0, 65536, (20, 24), np.uint16))
    floats = Image.fromarray(rng.random((20, 24), np.float32))
    grey, palette, bits = rgb.convert("L"), rgb.quantize(16), rgb.convert("1")
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010E] = "a picture"
    several: dict[str, Any] = {"save_all": True, "append_images": [rgb.rotate(90), rgba]}

    def file(image: Image.Image, kind: str, **options: Any) -> bytes:
        buffer = io.BytesIO()
        image.save(buffer, kind, **options)
        return buffer.getvalue()

    return {
        "jpeg": file(rgb, "JPEG", exif=exif),
        "jpeg progressive": file(rgb, "JPEG", progressive=True, quality=50),
        "jpeg grey": file(grey, "JPEG"),
        "jpeg cmyk": file(rgb.convert("CMYK"), "JPEG"),
        "png": file(rgb, "PNG"),
        "png rgba": file(rgba, "PNG", exif=exif),
        "png palette": file(palette, "PNG", transparency=3),
        "png bits": file(bits, "PNG"),
        "png 16": file(sixteen, "PNG"),
        "png animated": file(rgb, "PNG", **several),
        "webp": file(rgb, "WEBP", exif=exif),
        "webp lossless": file(rgba, "WEBP", lossless=True),
        "webp animated": file(rgb, "WEBP", **several),
        "gif": file(palette, "GIF", transparency=2),
        "gif animated": file(rgb, "GIF", **several),
        "bmp": file(rgb, "BMP"),
        "bmp rgba": file(rgba, "BMP"),
        "bmp palette": file(palette, "BMP"),
        "bmp bits": file(bits, "BMP"),
        "tiff": file(rgb, "TIFF", exif=exif),
        "tiff deflate": file(rgba, "TIFF", compression="tiff_adobe_deflate"),
        "tiff lzw": file(palette, "TIFF", compression="tiff_lzw"),
        "tiff packbits": file(grey, "TIFF", compression="packbits"),
        "tiff jpeg": file(rgb, "TIFF", compression="jpeg"),
        "tiff fax": file(bits, "TIFF", compression="group4"),
        "tiff 16": file(sixteen, "TIFF"),
        "tiff float": file(floats, "TIFF"),
        "tiff several": file(rgb, "TIFF", **several),
    }


def damaged(number: int) -> tuple[str, bytes]:
    """Name of a seed, and what became of it."""
    rng = random.Random(number)
    name = rng.choice(list(seeds()))
    data = bytearray(seeds()[name])
    for _ in range(rng.choice((1, 1, 1, 2, 2, 4, 8))):
        _damage(data, rng)
    if name.startswith("png") and rng.random() < 0.5:
        _mend_checksums(data)
    return name, bytes(data)


def _damage(data: bytearray, rng: random.Random) -> None:
    if not data:
        return
    # Most of what can go wrong is in the first bytes.
    end = len(data) if rng.random() < 0.5 else min(len(data), 96)
    at = rng.randrange(end)
    length = min(rng.choice((1, 2, 4, 16, 64, 256)), len(data) - at)
    match rng.randrange(9):
        case 0:
            data[at] ^= 1 << rng.randrange(8)
        case 1:
            data[at] = rng.randrange(256)
        case 2 | 3:
            size = rng.choice((1, 2, 4))
            order = rng.choice(("little", "big"))
            telling = rng.choice(TELLING) % (1 << 8 * size)
            data[at : at + size] = telling.to_bytes(size, order)
        case 4:
            del data[at : at + length]
        case 5:
            data[at:at] = data[at : at + length] * rng.choice((1, 1, 50))
        case 6:
            data[at:at] = rng.randbytes(length)
        case 7:
            del data[at:]
        case 8:
            other = rng.choice(list(seeds().values()))
            start = rng.randrange(len(other))
            data[at:] = other[start:]


def _mend_checksums(data: bytearray) -> None:
    """Makes the checksums of a PNG's chunks right as far as their lengths lead to them."""
    at = 8
    while at + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        end = at + 8 + length
        if end + 4 > len(data):
            return
        struct.pack_into(">I", data, end, zlib.crc32(data[at + 4 : end]))
        at = end + 4


def outcome(data: bytes) -> str:
    """What `load_image` makes of `data`: `picture`, `refused`, or what should not be."""
    try:
        image = load_image(data)
    except ImageError as error:
        return "refused" if "Received: " in str(error) else f"no Received in {error}"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    height, width = image.original.shape[:2]
    left, top, right, bottom = image.box
    good = (
        image.pixels.shape == (224, 224, 3)
        and image.pixels.dtype == image.original.dtype == np.uint8
        and 0 < height * width <= MAX_PIXELS
        and 0 <= left < right <= width
        and 0 <= top < bottom <= height
    )
    return "picture" if good else f"not a good picture: {image!r}"


def _work(numbers: range, report: Any) -> None:
    # The decoders' own complaints, from C.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    warnings.simplefilter("ignore")
    outcome(seeds()["png"])
    base = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for number in numbers:
        name, data = damaged(number)
        report.send(("begins", number))
        signal.setitimer(signal.ITIMER_PROF, PATIENCE)  # ends the process, whatever it is doing
        since = time.process_time()
        came = outcome(data)
        seconds = time.process_time() - since
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - base
        report.send(("ends", number, name.split()[0], came, seconds, grown / 1024))
    report.close()


def results(numbers: range) -> Iterator[tuple[int, str, str, float, float]]:
    """`(number, format, outcome, seconds, MiB)` of each input, whatever it does to the process."""
    context = multiprocessing.get_context("spawn")
    while numbers:
        mine, theirs = context.Pipe(duplex=False)
        child = context.Process(target=_work, args=(numbers, theirs), daemon=True)
        child.start()
        theirs.close()
        number = numbers.start
        try:
            while True:
                kind, number, *rest = mine.recv()
                if kind == "ends":
                    yield number, *rest
        except EOFError:
            child.join()
        if not child.exitcode:
            return
        hangs = child.exitcode == -signal.SIGPROF
        came = "hang" if hangs else f"crash, exit code {child.exitcode}"
        yield number, damaged(number)[0].split()[0], came, 0.0, 0.0
        numbers = range(number + 1, numbers.stop)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=100_000, help="how many inputs")
    parser.add_argument("--start", type=int, default=0, help="number of the first one")
    parser.add_argument("--seconds", type=float, default=1.0, help="processor time for one input")
    parser.add_argument("--mebibytes", type=float, default=700, help="growth of the process")
    parser.add_argument("--only", type=int, help="run this input alone, and show its error")
    parser.add_argument("--save", help="with --only: write the input to this file")
    options = parser.parse_args()
    if options.only is not None:
        name, data = damaged(options.only)
        print(f"{name}, {len(data)} bytes")
        if options.save:
            with open(options.save, "wb") as file:
                file.write(data)
        try:
            print(load_image(data))
        except Exception:
            traceback.print_exc()
        return 0
    counts: Counter[tuple[str, str]] = Counter()
    bad: list[str] = []
    slowest, peak, began = (0.0, 0), (0.0, 0), time.monotonic()
    for number, kind, came, seconds, grown in results(
        range(options.start, options.start + options.count)
    ):
        known = came if came in ("picture", "refused") else "other"
        counts[kind, known] += 1
        slowest = max(slowest, (seconds, number))
        peak = max(peak, (grown, -number))
        if known == "other" or seconds > options.seconds:
            bad.append(f"input {number}, {kind}, {seconds:.2f} s: {came}")
        if sum(counts.values()) % 10_000 == 0:
            print(f"{sum(counts.values())} …", file=sys.stderr, flush=True)
    print("| format | pictures | refused | other |\n|---|---:|---:|---:|")
    for kind in dict.fromkeys(re.match(r"\w+", name)[0] for name in seeds()):  # type: ignore[index]
        row = [counts[kind, came] for came in ("picture", "refused", "other")]
        print(f"| {kind} | {' | '.join(map(str, row))} |")
    print(f"{sum(counts.values())} inputs in {time.monotonic() - began:.0f} s")
    print(f"slowest: {slowest[0]:.3f} s of processor time, input {slowest[1]}")
    print(f"memory grew by {peak[0]:.0f} MiB at most, first at input {-peak[1]}")
    print(f"{len(bad)} bad", *bad[:50], sep="\n")
    return int(bool(bad) or peak[0] > options.mebibytes)


if __name__ == "__main__":
    sys.exit(main())
