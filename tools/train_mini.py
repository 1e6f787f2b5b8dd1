"""Train the mini, a quarter-width ResNet50 for 10 classes, and export it for the package.

    python tools/train_mini.py train  --data cifar10.zip --run runs/mini
    python tools/train_mini.py export --data cifar10.zip --run runs/mini

`train` needs PyTorch (2.13.0 was used), a dependency of this tool only: on CPUs its channels-last
convolutions train faster than Keras'. `export` needs Keras too: it maps the weights to
`resnet_widgets.engine.mini`, checks that both networks give the same logits and writes
`resnet_widgets/weights/mini.npz`. Without `--data` CIFAR-10 comes from `keras.datasets.cifar10`.

The schedule is `STAGES`; every step draws its randomness from `SEED` and its own number, so a run
that was interrupted (start the same command again) sees the same batches as one that was not.
"""

from __future__ import annotations

import argparse
import io
import json
import math
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

ROOT = Path(__file__).resolve().parent.parent
LABELS = (
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
)  # fmt: skip
CAFFE_MEAN = (103.939, 116.779, 123.68)  # BGR, ImageNet: what `preprocess_input` subtracts

SEED = 50
BATCH = 256
# (side in pixels, epochs, learning rate at the start, at the end): linear in between.
STAGES = (
    (40, 1, 0.1, 1.0),
    (40, 11, 1.0, 1.0),
    (64, 11, 1.0, 0.4),
    (128, 2, 0.4, 0.0),
)
MUON_LR = 0.03  # fraction of a matrix' norm that one step turns it by
ADAM_LR = 3e-3
LABEL_SMOOTHING = 0.05
EMA_DECAY = 0.997


# ------------------------------------------------------------------------------------ network
class ConvBN(nn.Sequential):
    """Convolution without bias (batch normalisation would cancel it), then batch norm."""

    def __init__(self, cin: int, cout: int, kernel: int, stride: int = 1) -> None:
        super().__init__(
            nn.Conv2d(cin, cout, kernel, stride, kernel // 2, bias=False),
            nn.BatchNorm2d(cout, eps=1.001e-5),
        )


class Block(nn.Module):
    """Bottleneck block of Keras' ResNet50 v1: the stride sits in the first 1x1 convolution."""

    def __init__(self, cin: int, width: int, stride: int, shortcut: bool) -> None:
        super().__init__()
        if shortcut:
            self.p0 = ConvBN(cin, 4 * width, 1, stride)
        self.p1 = ConvBN(cin, width, 1, stride)
        self.p2 = ConvBN(width, width, 3)
        self.p3 = ConvBN(width, 4 * width, 1)
        self.shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        y = self.p3(F.relu(self.p2(F.relu(self.p1(x)))))
        return F.relu(y + (self.p0(x) if self.shortcut else x))


class Mini(nn.Module):
    """The mini in PyTorch. Input: float32 (N, 3, H, W), RGB 0…255; output: logits (N, 10)."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(CAFFE_MEAN).view(1, 3, 1, 1))
        self.conv1 = ConvBN(3, 16, 7, 2)
        cin = 16
        for stage, (width, blocks) in enumerate(zip((16, 32, 64, 128), (3, 4, 6, 3), strict=True)):
            for block in range(blocks):
                stride = 2 if block == 0 and stage else 1
                name = f"conv{stage + 2}_block{block + 1}"
                self.add_module(name, Block(cin, width, stride, block == 0))
                cin = 4 * width
        self.predictions = nn.Linear(cin, len(LABELS))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            if isinstance(module, Block):
                # Every block starts as the identity: deep nets then learn from the first step.
                nn.init.zeros_(module.p3[1].weight)
        nn.init.zeros_(self.predictions.weight)

    def forward(self, x: Tensor) -> Tensor:
        x = x.flip(1) - self.mean
        # Zero padding of a pooled ReLU equals Keras' pool1_pad.
        x = F.max_pool2d(F.relu(self.conv1(x)), 3, 2, 1)
        for name, module in self.named_children():
            if "_block" in name:
                x = module(x)
        return self.predictions(x.mean((2, 3)))


# ----------------------------------------------------------------------------------- optimiser
class Muon(torch.optim.Optimizer):
    """Momentum whose update is made orthogonal, on weights of constant norm.

    https://kellerjordan.github.io/posts/muon/: the singular values of the momentum are pushed
    towards 1 by a polynomial in matrix products only. Batch norm makes a convolution's scale
    meaningless, so its norm is kept and `lr` is the fraction of the norm that a step moves it by.
    """

    def __init__(self, params: list[Tensor], lr: float, momentum: float = 0.9) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self) -> None:
        for group in self.param_groups:
            shapes: dict[tuple[int, ...], list[Tensor]] = {}
            for p in group["params"]:
                shapes.setdefault(tuple(p.shape), []).append(p)
            for same in shapes.values():
                grads = []
                for p in same:
                    state = self.state[p]
                    if not state:
                        state["momentum"] = torch.zeros_like(p)
                        state["norm"] = p.norm()
                    buffer = state["momentum"].lerp_(p.grad, 1 - group["momentum"])
                    grads.append(p.grad.lerp(buffer, group["momentum"]).flatten(1))
                for p, update in zip(same, orthogonalise(torch.stack(grads)), strict=True):
                    norm = self.state[p]["norm"]
                    update = update.view(p.shape) * (norm / update.norm())
                    p.sub_(update, alpha=group["lr"])
                    p.mul_(norm / p.norm())


def orthogonalise(g: Tensor, steps: int = 4) -> Tensor:
    """Nearest matrices with equal singular values, roughly: Newton-Schulz on (B, rows, cols)."""
    tall = g.shape[1] > g.shape[2]
    x = g.mT if tall else g
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(steps):
        a = x @ x.mT
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
    return x.mT if tall else x


# ---------------------------------------------------------------------------------------- data
def read_data(path: str | None) -> dict[str, tuple[Tensor, Tensor]]:
    """CIFAR-10 as `{"train": (pixels, labels), "test": …}`.

    Pixels are uint8 (N, 3, 32, 32) RGB; labels int64 (N,).
    """
    if path is None:
        from keras.datasets import cifar10

        parts = dict(zip(("train", "test"), cifar10.load_data(), strict=True))
        return {
            part: (torch.from_numpy(x).permute(0, 3, 1, 2).contiguous(),
                   torch.from_numpy(y.astype("int64")).flatten())
            for part, (x, y) in parts.items()
        }  # fmt: skip
    from PIL import Image

    pixels: dict[str, list[np.ndarray]] = {"train": [], "test": []}
    labels: dict[str, list[int]] = {"train": [], "test": []}
    with zipfile.ZipFile(path) as archive:
        for name in sorted(archive.namelist()):
            if name.endswith(".jpg"):
                part, label, _ = name.split("/")
                image = Image.open(io.BytesIO(archive.read(name))).convert("RGB")
                pixels[part].append(np.asarray(image))
                labels[part].append(LABELS.index(label))
    return {
        part: (torch.from_numpy(np.stack(pixels[part])).permute(0, 3, 1, 2).contiguous(),
               torch.tensor(labels[part]))
        for part in pixels
    }  # fmt: skip


def augment(pixels: Tensor, side: int, rng: torch.Generator) -> Tensor:
    """A training batch: uint8 (N, 3, 32, 32) to float32 (N, 3, side, side), 0…255.

    A thumbnail blown up has no fine detail and a photograph has: so crops vary from half the
    thumbnail to the whole of it mirrored around its edges, the upsampling kernel from soft to
    hard-edged, and some batches are blurred, sharpened or given noise.
    """
    n = len(pixels)

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return torch.rand(shape or (n,), generator=rng) * (high - low) + low

    def chance(p: float) -> bool:
        return torch.rand((), generator=rng).item() < p

    x = pixels.float()
    # One pass: flip, crop, stretch and a few degrees of rotation.
    scale = uniform(0.62, 1.08)
    far = uniform(0, 1) < 0.1
    scale = torch.where(far, uniform(1.0, 1.9), scale)
    stretch = torch.exp(uniform(-0.12, 0.12))
    angle = uniform(-0.12, 0.12)
    flip = torch.where(uniform(0, 1) < 0.5, -1.0, 1.0)
    room = torch.maximum(1 - scale, torch.full_like(scale, 0.12))
    theta = torch.stack(
        [
            torch.stack([flip * scale * stretch * angle.cos(), -scale * angle.sin(),
                         room * uniform(-1, 1)], 1),
            torch.stack([flip * scale * angle.sin(), scale / stretch * angle.cos(),
                         room * uniform(-1, 1)], 1),
        ], 1,
    )  # fmt: skip
    grid = F.affine_grid(theta, [n, 3, side, side], align_corners=False)
    kernel = ("bilinear", "bicubic", "nearest")[
        int(torch.multinomial(torch.tensor([0.6, 0.3, 0.1]), 1, generator=rng))
    ]
    x = F.grid_sample(x, grid, kernel, padding_mode="reflection", align_corners=False)
    if chance(0.25):
        small = max(16, int(side * uniform(0.35, 0.8, 1).item()))
        x = F.interpolate(x, (small, small), mode="area")
        x = F.interpolate(x, (side, side), mode="bilinear")
    elif chance(0.3):
        soft = F.avg_pool2d(F.pad(x, (1, 1, 1, 1), mode="reflect"), 3, 1)
        x = x + uniform(0.3, 1.5, 1) * (x - soft)
    if chance(0.15):
        x = x + torch.randn(x.shape, generator=rng) * uniform(1, 8, 1)
    # Contrast, brightness and a colour cast, per picture.
    gain = uniform(0.75, 1.25, n, 1, 1, 1) * uniform(0.94, 1.06, n, 3, 1, 1)
    grey = x.mean((1, 2, 3), keepdim=True)
    x = (x - grey) * gain + grey + uniform(-20, 20, n, 1, 1, 1)
    return x.clamp_(0, 255).contiguous(memory_format=torch.channels_last)


def resize(pixels: Tensor, side: int) -> Tensor:
    """Bicubic upsampling of uint8 (N, 3, 32, 32), as pictures are shown to the network later."""
    x = F.interpolate(pixels.float(), (side, side), mode="bicubic", align_corners=False)
    return x.clamp_(0, 255).round_().contiguous(memory_format=torch.channels_last)


# ------------------------------------------------------------------------------------ training
@torch.no_grad()
def accuracy(model: nn.Module, data: tuple[Tensor, Tensor], side: int) -> float:
    """Share of right answers on bicubically upsampled pictures."""
    model.eval()
    right = 0
    for pixels, labels in zip(data[0].split(250), data[1].split(250), strict=True):
        right += int((model(resize(pixels, side)).argmax(1) == labels).sum())
    return right / len(data[1])


@torch.no_grad()
def recalibrate(model: nn.Module, pixels: Tensor, side: int, batches: int = 40) -> None:
    """Set every moving mean and variance to the average over training batches at `side`."""
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # None: a plain average over all batches
    rng = torch.Generator().manual_seed(SEED)
    model.train()
    for _ in range(batches):
        pick = torch.randint(len(pixels), (BATCH,), generator=rng)
        model(augment(pixels[pick], side, rng))
    model.eval()


def schedule(steps_per_epoch: int) -> list[tuple[int, float]]:
    """Side and learning-rate factor of every step."""
    plan = []
    for side, epochs, start, end in STAGES:
        steps = round(epochs * steps_per_epoch)
        plan += [(side, start + (end - start) * i / steps) for i in range(steps)]
    return plan


def save(path: Path, state: dict) -> None:
    torch.save(state, path.with_suffix(".tmp"))
    path.with_suffix(".tmp").replace(path)


def train(args: argparse.Namespace) -> None:
    """Train, or go on from the last checkpoint in `args.run`."""
    torch.manual_seed(SEED)
    args.run.mkdir(parents=True, exist_ok=True)
    data = read_data(args.data)
    pixels, labels = data["train"]
    watched = tuple(t[:: len(t) // 2000] for t in data["test"])  # progress only, never a choice
    model = Mini().to(memory_format=torch.channels_last)
    ema = Mini().to(memory_format=torch.channels_last)
    ema.load_state_dict(model.state_dict())
    matrices = [p for p in model.parameters() if p.ndim == 4]
    others = [p for p in model.parameters() if p.ndim != 4]
    muon = Muon(matrices, MUON_LR)
    adam = torch.optim.AdamW(others, ADAM_LR, betas=(0.9, 0.99), weight_decay=0.01)
    per_epoch = len(pixels) // BATCH
    plan = schedule(per_epoch)
    history: list[dict] = []
    step, last = 0, args.run / "last.pt"
    if last.exists():
        saved = torch.load(last, weights_only=True)
        model.load_state_dict(saved["model"])
        ema.load_state_dict(saved["ema"])
        muon.load_state_dict(saved["muon"])
        adam.load_state_dict(saved["adam"])
        step, history = saved["step"], saved["history"]
        print(f"resumed at step {step}", flush=True)

    started, losses, right, seen = time.time(), 0.0, 0, 0
    while step < len(plan):
        side, factor = plan[step]
        epoch, index = divmod(step, per_epoch)
        order = torch.randperm(len(pixels), generator=torch.Generator().manual_seed(SEED + epoch))
        pick = order[index * BATCH : (index + 1) * BATCH]
        batch = augment(pixels[pick], side, torch.Generator().manual_seed(SEED * 1_000_003 + step))
        model.train()
        logits = model(batch)
        loss = F.cross_entropy(logits, labels[pick], label_smoothing=LABEL_SMOOTHING)
        for optimizer, rate in ((muon, MUON_LR), (adam, ADAM_LR)):
            optimizer.zero_grad(set_to_none=True)
            optimizer.param_groups[0]["lr"] = rate * factor
        loss.backward()
        muon.step()
        adam.step()
        step += 1
        decay = min(EMA_DECAY, step / (step + 20))
        with torch.no_grad():
            for mine, theirs in zip(ema.state_dict().values(), model.state_dict().values(),
                                    strict=True):  # fmt: skip
                if mine.is_floating_point():
                    mine.lerp_(theirs, 1 - decay)
        losses += loss.item() * len(pick)
        right += int((logits.argmax(1) == labels[pick]).sum())
        seen += len(pick)
        ended = step % per_epoch == 0 or step == len(plan)
        if step % 50 == 0 or ended:
            print(f"step {step}/{len(plan)} side {side} lr x{factor:.3f} loss {losses / seen:.4f} "
                  f"train {right / seen:.4f} {seen / (time.time() - started):.0f} images/s",
                  flush=True)  # fmt: skip
        if ended:
            row = {"epoch": step / per_epoch, "side": side, "loss": round(losses / seen, 4),
                   "train": round(right / seen, 4), "test": accuracy(ema, watched, side),
                   "seconds": round(time.time() - started)}  # fmt: skip
            history.append(row)
            print(json.dumps(row), flush=True)
            (args.run / "history.json").write_text(json.dumps(history, indent=1))
        if ended or (side > 64 and step % 50 == 0):
            save(last, {"model": model.state_dict(), "ema": ema.state_dict(),
                        "muon": muon.state_dict(), "adam": adam.state_dict(),
                        "step": step, "history": history})  # fmt: skip
        if ended:
            started, losses, right, seen = time.time(), 0.0, 0, 0
    recalibrate(ema, pixels, 128)
    save(args.run / "final.pt", {"ema": ema.state_dict()})
    print(f"test accuracy at 128: {accuracy(ema, data['test'], 128):.4f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("command", choices=("train",))
    parser.add_argument("--data", help="zip of JPEGs; default: keras.datasets.cifar10")
    parser.add_argument("--run", type=Path, default=Path("runs/mini"), help="checkpoint folder")
    args = parser.parse_args()
    train(args)


if __name__ == "__main__":
    main()
