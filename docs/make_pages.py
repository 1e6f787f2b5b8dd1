"""What the site shows and no one should have to draw or keep up to date by hand.

Sphinx calls `make_all` before it reads the pages: pictures of concepts, from the network that comes
with the package; live pages for the gallery; the list of all public names.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from types import ModuleType

import matplotlib
import numpy as np
from matplotlib.figure import Figure

import resnet_widgets as rw

PHOTOS = {
    "chelsea": "A cat",
    "astronaut": "An astronaut",
    "coffee": "A cup of coffee",
    "rocket": "A rocket",
}

# Where a public name lives → the heading it comes under.
GROUPS = {
    ".explorer": "The explorer",
    ".engine.activations": "Activations",
    ".engine.classes": "Classes",
    ".engine.graph": "Layers",
    ".engine.graph_reader": "Layers of any model",
    ".engine.regions": "Regions",
    ".engine.models": "Models",
    ".engine.images": "Photos",
    ".frame": "Frames",
    ".widgets": "Widgets",
    ".plots": "Figures",
    ".archive": "Files of numbers",
}


def make_all(folder: Path) -> None:
    """Writes everything into `folder`, which is emptied first."""
    shutil.rmtree(folder, ignore_errors=True)
    pictures, live = folder / "pictures", folder / "site" / "live"
    for place in (pictures, live):
        place.mkdir(parents=True)
    (folder / "api.md").write_text(api_page(), encoding="utf-8")
    cache = rw.ActivationCache("mini")
    for name, draw in {
        "stages": _stages,
        "channels": _channels,
        "receptive_fields": _receptive_fields,
        "block": _block,
        "colours": _colours,
    }.items():
        _save(draw(cache), pictures / f"{name}.png")
    (folder / "gallery.md").write_text(_gallery(cache, pictures, live), encoding="utf-8")


# ---------------------------------------------------------------------------------------- API
def api_page() -> str:
    """Markdown with every public name, by the module it lives in."""
    homes: dict[str, list[str]] = {}
    for name, home in rw._HOMES.items():
        homes.setdefault(home, []).append(name)
    known = [home for home in GROUPS if home in homes]
    parts = ["# API\n\nEverything here is imported from `resnet_widgets` itself.\n"]
    for home in (*known, *(home for home in homes if home not in GROUPS)):
        title = GROUPS.get(home, home.lstrip(".").replace("_", " ").capitalize())
        parts.append(f"## {title}\n\n```{{eval-rst}}")
        parts += [_directive(rw, name) for name in sorted(homes[home], key=str.lower)]
        parts.append("```\n")
    parts.append("## Reasons\n\n```{eval-rst}\n.. automodule:: resnet_widgets.explain\n")
    parts += [_directive(rw.explain, name) for name in rw.explain.__all__]
    parts.append("```\n")
    return "\n".join(parts)


def _directive(module: ModuleType, name: str) -> str:
    if not isinstance(getattr(module, name), type):
        return f".. autofunction:: {module.__name__}.{name}\n"
    return f".. autoclass:: {module.__name__}.{name}\n   :members:\n"


# ----------------------------------------------------------------------------------- pictures
def _photo(name: str) -> Path:
    import skimage

    data = Path(skimage.__file__).parent / "data"
    return next(path for path in data.glob(f"{name}.*") if path.suffix in (".png", ".jpg"))


def _save(figure: Figure, path: Path) -> None:
    figure.savefig(path, dpi=110, bbox_inches="tight", facecolor="white")


def _stages(cache: rw.ActivationCache) -> Figure:
    return rw.plot_stages(cache, _photo("chelsea"))


def _channels(cache: rw.ActivationCache) -> Figure:
    return rw.plot_channels(cache, _photo("chelsea"), "conv2_block3_out", n=6, order="strength")


def _receptive_fields(cache: rw.ActivationCache) -> Figure:
    """The photo once for each stage; what the middle cell does not see is dark."""
    picture = rw.load_image(_photo("chelsea"), cache.input_size)
    layers = {layer.path: layer for layer in cache.layers}
    stages = cache.stages(picture)
    figure = Figure(figsize=(1.9 * len(stages), 2.3))
    panels = figure.subplots(1, len(stages))
    for panel, (path, activation) in zip(panels, stages.items(), strict=True):
        field = layers[path].receptive_field
        assert field is not None
        starts = (
            start + count // 2 * stride
            for start, count, stride in zip(
                field.start, activation.shape[:2], field.stride, strict=True
            )
        )
        rows, columns = (
            slice(max(0, start), start + size)
            for start, size in zip(starts, field.size, strict=True)
        )
        seen = np.full(picture.pixels.shape, 0.3)
        seen[rows, columns] = 1
        panel.imshow((picture.pixels * seen).astype(np.uint8))
        panel.set_title(f"{path}\n{field.size[0]} × {field.size[1]} px", fontsize=8)
        panel.set_axis_off()
    return figure


def _block(cache: rw.ActivationCache) -> Figure:
    """Shortcut, branch, sum and output of a block, in one range around zero."""
    layers = {layer.path: layer for layer in cache.layers}
    paths = [*layers["conv2_block2_add"].inputs, "conv2_block2_add", "conv2_block2_out"]
    arrays = cache.activations(_photo("chelsea"), paths)
    channel = int(np.abs(arrays[paths[1]]).mean(axis=(0, 1)).argmax())
    planes = {path: array[..., channel] for path, array in arrays.items()}
    widest = max(float(np.abs(plane).max()) for plane in planes.values())
    figure = Figure(figsize=(9, 2.7))
    panels = figure.subplots(1, 4)
    words = ("shortcut", "+ branch", "= sum", "output, after the ReLU")
    for panel, word, (path, plane) in zip(panels, words, planes.items(), strict=True):
        drawn = panel.imshow(plane, cmap="coolwarm", vmin=-widest, vmax=widest)
        panel.set_title(word, fontsize=10)
        panel.set_xlabel(path, fontsize=7)
        panel.set_xticks([])
        panel.set_yticks([])
    figure.colorbar(drawn, ax=list(panels), shrink=0.75)
    return figure


def _colours(cache: rw.ActivationCache) -> Figure:
    """One channel in the range of the channel, of the layer, and around zero."""
    values = cache.activation(_photo("chelsea"), "conv2_block2_add")
    plane = values[..., int(values.mean(axis=(0, 1)).argmax())]
    widest = float(np.abs(plane).max())
    ranges: dict[str, tuple[str, float, float]] = {
        "blend = 0": ("viridis", float(plane.min()), float(plane.max())),
        "blend = 1": ("viridis", float(values.min()), float(values.max())),
        "symmetric = True": ("coolwarm", -widest, widest),
    }
    figure = Figure(figsize=(9, 2.7))
    for panel, (name, (colours, low, high)) in zip(
        figure.subplots(1, 3), ranges.items(), strict=True
    ):
        drawn = panel.imshow(plane, cmap=matplotlib.colormaps[colours], vmin=low, vmax=high)
        panel.set_title(name, fontsize=10)
        panel.set_axis_off()
        figure.colorbar(drawn, ax=panel, shrink=0.8).ax.tick_params(labelsize=7)
    return figure


# ------------------------------------------------------------------------------------ gallery
def _gallery(cache: rw.ActivationCache, pictures: Path, live: Path) -> str:
    """Markdown: a picture of each photo's stages, and the live page it leads to."""
    parts = []
    for name, title in PHOTOS.items():
        path = _photo(name)
        _save(rw.plot_stages(cache, path), pictures / f"gallery-{name}.png")
        explorer = rw.Explorer(path, cache=cache)
        try:
            explorer.to_html(live / f"{name}.html")
        finally:
            explorer.close()
        size = (live / f"{name}.html").stat().st_size / 1e6
        parts.append(
            f"## {title}\n\n"
            f"![Strongest channel of each stage](pictures/gallery-{name}.png)\n\n"
            f'<a class="reference external" href="live/{name}.html">Open it live</a> '
            f"({size:.1f} MB)\n"
        )
    return "\n".join(parts)
