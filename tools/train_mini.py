"""Train the mini, a quarter-width ResNet50 for 10 classes, and export it for the package.

    python tools/train_mini.py train  --data cifar10.zip --run runs/mini
    python tools/train_mini.py export --data cifar10.zip --run runs/mini
    python tools/train_mini.py figure

`train` needs PyTorch (2.13.0 was used), a dependency of this tool only: on CPUs its channels-last
convolutions train faster than Keras'. `export` needs Keras too: it maps the weights to
`resnet_widgets.engine.mini`, checks that both networks give the same logits and writes
`resnet_widgets/weights/mini.npz`. Without `--data` CIFAR-10 comes from `keras.datasets.cifar10`.

The schedule is `STAGES`; every step draws its randomness from `SEED` and its own number, so a run
that was interrupted (start the same command again) sees the same batches as one that was not.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import re
import sys
import time
import zipfile
from datetime import timedelta
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
import torch.nn.functional as F
from torch import Tensor, nn

ROOT = Path(__file__).resolve().parent.parent
LABELS = (
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
)  # fmt: skip
CAFFE_MEAN = (103.939, 116.779, 123.68)  # BGR, ImageNet: what `preprocess_input` subtracts

SEED = 50
# Processes of one thread each, which share a batch: on a busy machine one meeting per step costs
# far less than threads that meet in every operation.
WORKERS = 2
BATCH = 256
# (side in pixels, epochs, learning rate at the start, at the end, share of pictures that are given
# foreign detail): the learning rate is linear in between.
STAGES = (
    (40, 1, 0.1, 1.0, 0.0),
    (40, 5, 1.0, 1.0, 0.0),
    (64, 1.75, 1.0, 0.75, 0.0),
    (64, 1.25, 0.75, 0.57, 0.5),
    (96, 1, 0.57, 0.2, 0.5),
    (96, 1, 0.45, 0.325, 0.5),
    (128, 0.54, 0.325, 0.17, 0.5),
    (128, 0.65, 0.2, 0.0, 0.5),
    (96, 1.6, 0.4, 0.1, 0.5),
    (128, 0.5, 0.1, 0.0, 0.5),
    (64, 9, 0.75, 0.35, 0.4),
    (96, 3, 0.4, 0.2, 0.4),
    (128, 2, 0.2, 0.0, 0.4),
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
        """One update; every worker makes a share of the matrices orthogonal."""
        rank = dist.get_rank()
        for group in self.param_groups:
            params = sorted(group["params"], key=lambda p: tuple(p.shape))
            stacks: dict[tuple[int, ...], list[tuple[int, Tensor]]] = {}
            updates = [torch.zeros(p.shape) for p in params]
            for i, p in enumerate(params):
                state = self.state[p]
                if not state:
                    state["momentum"] = torch.zeros_like(p)
                    state["norm"] = p.norm()
                buffer = state["momentum"].lerp_(p.grad, 1 - group["momentum"])
                if i % WORKERS == rank:
                    ahead = p.grad.lerp(buffer, group["momentum"])
                    stacks.setdefault(tuple(p.shape), []).append((i, ahead.flatten(1)))
            for shape, stack in stacks.items():
                results = orthogonalise(torch.stack([g for _, g in stack]))
                for (i, _), update in zip(stack, results, strict=True):
                    updates[i] = update.reshape(shape)
            for p, update in zip(params, sum_over_workers(updates), strict=True):
                norm = self.state[p]["norm"]
                p.sub_(update * (group["lr"] * norm / update.norm().clamp(min=1e-7)))
                p.mul_(norm / p.norm())


def orthogonalise(g: Tensor, steps: int = 3) -> Tensor:
    """Nearest matrices with equal singular values, roughly: Newton-Schulz on (B, rows, cols)."""
    tall = g.shape[1] > g.shape[2]
    x = g.mT if tall else g
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(steps):
        a = x @ x.mT
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
    return x.mT if tall else x


def sum_over_workers(tensors: list[Tensor]) -> list[Tensor]:
    """The sums over all workers, sent as one vector."""
    flat = torch.cat([t.flatten() for t in tensors])
    dist.all_reduce(flat)
    parts = flat.split([t.numel() for t in tensors])
    return [part.view(t.shape) for part, t in zip(parts, tensors, strict=True)]


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


def fine_detail(pixels: Tensor, side: int) -> Tensor:
    """Fine structure of natural pictures, (N, 3, side, side): thumbnails tiled at their own size.

    Every picture gets that of another, so that it tells nothing about the class.
    """
    tile = pixels.roll(1, 0).float()
    tile = torch.cat([tile, tile.flip(3)], 3)
    tile = torch.cat([tile, tile.flip(2)], 2)
    times = -(-side // 64)
    tile = tile.repeat(1, 1, times, times)[:, :, :side, :side]
    return tile - F.avg_pool2d(tile, 5, 1, 2, count_include_pad=False)


def augment(pixels: Tensor, side: int, rng: torch.Generator, detailed: float = 0.0) -> Tensor:
    """A training batch: uint8 (N, 3, 32, 32) to float32 (N, 3, side, side), 0…255.

    A thumbnail blown up has no fine detail and a photograph has: so crops vary from half the
    thumbnail to the whole of it mirrored around its edges, the upsampling kernel from soft to
    hard-edged, some batches are blurred, sharpened or given noise, and a share `detailed` of the
    pictures gets the fine structure of others, which the network has to look past.
    """
    n = len(pixels)

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return torch.rand(shape or (n,), generator=rng) * (high - low) + low

    def chance(p: float) -> bool:
        return torch.rand((), generator=rng).item() < p

    x = pixels.float()
    # One pass: flip, crop, stretch and a few degrees of rotation.
    scale = uniform(0.68, 1.08)
    far = uniform(0, 1) < 0.1
    scale = torch.where(far, uniform(1.0, 1.9), scale)
    stretch = torch.exp(uniform(-0.1, 0.1))
    angle = uniform(-0.1, 0.1)
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
    if chance(0.2):
        small = max(16, int(side * uniform(0.35, 0.8, 1).item()))
        x = F.interpolate(x, (small, small), mode="area")
        x = F.interpolate(x, (side, side), mode="bilinear")
    elif chance(0.25):
        soft = F.avg_pool2d(F.pad(x, (1, 1, 1, 1), mode="reflect"), 3, 1)
        x = x + uniform(0.3, 1.5, 1) * (x - soft)
    if chance(0.1):
        x = x + torch.randn(x.shape, generator=rng) * uniform(1, 8, 1)
    if detailed:
        gain = uniform(0.15, 1.0, n, 1, 1, 1) * (uniform(0, 1, n, 1, 1, 1) < detailed)
        x = x + gain * fine_detail(pixels, side)
    # Contrast, brightness and a colour cast, per picture.
    gain = uniform(0.8, 1.2, n, 1, 1, 1) * uniform(0.94, 1.06, n, 3, 1, 1)
    grey = x.mean((1, 2, 3), keepdim=True)
    x = (x - grey) * gain + grey + uniform(-15, 15, n, 1, 1, 1)
    return x.clamp_(0, 255).contiguous(memory_format=torch.channels_last)


def resize(pixels: Tensor, side: int) -> Tensor:
    """Bicubic upsampling of uint8 (N, 3, 32, 32), the kernel of Pillow and of the package."""
    x = F.interpolate(pixels.float(), (side, side), mode="bicubic", antialias=True)
    return x.clamp_(0, 255).round_().contiguous(memory_format=torch.channels_last)


# ------------------------------------------------------------------------------------ training
@torch.no_grad()
def accuracy(model: nn.Module, data: tuple[Tensor, Tensor], side: int) -> float:
    """Share of right answers on bicubically upsampled pictures."""
    model.eval()
    right = 0
    for pixels, labels in zip(data[0].split(100), data[1].split(100), strict=True):
        right += int((model(resize(pixels, side)).argmax(1) == labels).sum())
    return right / len(data[1])


@torch.no_grad()
def recalibrate(model: nn.Module, pixels: Tensor, side: int, batches: int = 40) -> None:
    """Set every moving mean and variance to the average over plain training pictures at `side`.

    Those kept during the training belong to other sizes, older weights and augmented pictures.
    """
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # None: a plain average over all batches
    rng = torch.Generator().manual_seed(SEED)
    model.train()
    for _ in range(batches):
        pick = torch.randint(len(pixels), (BATCH,), generator=rng)
        model(resize(pixels[pick], side))
    model.eval()


def schedule(steps_per_epoch: int) -> list[tuple[int, float, float]]:
    """Side, learning-rate factor and share of detailed pictures of every step."""
    plan = []
    for side, epochs, start, end, detailed in STAGES:
        steps = round(epochs * steps_per_epoch)
        plan += [(side, start + (end - start) * i / steps, detailed) for i in range(steps)]
    return plan


def train(rank: int, args: argparse.Namespace) -> None:
    """Worker `rank`: train, or go on from the last checkpoint in `args.run`."""
    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    dist.init_process_group(
        "gloo", f"file://{(args.run / 'meeting').resolve()}", timedelta(days=1), WORKERS, rank
    )
    data = read_data(args.data)
    pixels, labels = data["train"]
    watched = tuple(t[::25] for t in data["train"])  # test pictures are for the end
    model = Mini().to(memory_format=torch.channels_last)
    ema = Mini().to(memory_format=torch.channels_last)
    ema.load_state_dict(model.state_dict())
    parameters = list(model.parameters())
    muon = Muon([p for p in parameters if p.ndim == 4], MUON_LR)
    adam = torch.optim.AdamW(
        [p for p in parameters if p.ndim != 4], ADAM_LR, betas=(0.9, 0.99), weight_decay=0.01
    )
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

    started, loss_sum, right, seen = time.time(), 0.0, 0, 0
    while step < len(plan):
        side, factor, detailed = plan[step]
        epoch, index = divmod(step, per_epoch)
        order = torch.randperm(len(pixels), generator=torch.Generator().manual_seed(SEED + epoch))
        pick = order[index * BATCH : (index + 1) * BATCH][rank::WORKERS]
        rng = torch.Generator().manual_seed((SEED * 1_000_003 + step) * WORKERS + rank)
        model.train()
        logits = model(augment(pixels[pick], side, rng, detailed))
        loss = F.cross_entropy(logits, labels[pick], label_smoothing=LABEL_SMOOTHING)
        for optimizer, rate in ((muon, MUON_LR), (adam, ADAM_LR)):
            optimizer.zero_grad(set_to_none=True)
            optimizer.param_groups[0]["lr"] = rate * factor
        loss.backward()
        sums = sum_over_workers([p.grad for p in parameters])
        for p, total in zip(parameters, sums, strict=True):
            p.grad = total / WORKERS
        muon.step()
        adam.step()
        step += 1
        decay = min(EMA_DECAY, step / (step + 20))
        with torch.no_grad():
            pairs = zip(ema.state_dict().values(), model.state_dict().values(), strict=True)
            for mine, theirs in pairs:
                if mine.is_floating_point():
                    mine.lerp_(theirs, 1 - decay)
        loss_sum += loss.item() * len(pick)
        right += int((logits.argmax(1) == labels[pick]).sum())
        seen += len(pick)
        ended = step % per_epoch == 0 or step == len(plan)
        if rank == 0 and (step % 50 == 0 or ended):
            speed = seen * WORKERS / (time.time() - started)
            print(f"step {step}/{len(plan)} side {side} rate {factor:.3f} "
                  f"loss {loss_sum / seen:.4f} right {right / seen:.4f} "
                  f"{speed:.0f} images/s", flush=True)  # fmt: skip
        if ended:
            half = tuple(t[rank::WORKERS] for t in watched)
            share = torch.tensor(accuracy(ema, half, side))
            dist.all_reduce(share)
            history.append({
                "epoch": step / per_epoch, "side": side, "loss": round(loss_sum / seen, 4),
                "train": round(right / seen, 4), "plain": round(share.item() / WORKERS, 4),
                "seconds": round(time.time() - started),
            })  # fmt: skip
            if rank == 0:
                print(json.dumps(history[-1]), flush=True)
                (args.run / "history.json").write_text(json.dumps(history, indent=1))
            started, loss_sum, right, seen = time.time(), 0.0, 0, 0
        if rank == 0 and (ended or step % 50 == 0):
            state = {"model": model.state_dict(), "ema": ema.state_dict(),
                     "muon": muon.state_dict(), "adam": adam.state_dict(),
                     "step": step, "history": history}  # fmt: skip
            torch.save(state, last.with_suffix(".tmp"))
            last.with_suffix(".tmp").replace(last)


# -------------------------------------------------------------------------------------- export
def keras_arrays(model: Mini) -> dict[str, np.ndarray]:
    """The weights of `model` by the path of their Keras variable, kernels as float16."""
    arrays = {
        "predictions/kernel": model.predictions.weight.T.half().numpy(),
        "predictions/bias": model.predictions.bias.numpy(),
    }
    for path, module in model.named_modules():
        if not isinstance(module, ConvBN):
            continue
        name = path.replace(".p", "_")  # conv2_block1.p0 is conv2_block1_0 in Keras
        conv, norm = module
        kernel = conv.weight.permute(2, 3, 1, 0)
        arrays[f"{name}_conv/kernel"] = np.ascontiguousarray(kernel.half().numpy())
        arrays[f"{name}_conv/bias"] = np.zeros(conv.out_channels, np.float16)
        arrays[f"{name}_bn/gamma"] = norm.weight.numpy()
        arrays[f"{name}_bn/beta"] = norm.bias.numpy()
        arrays[f"{name}_bn/moving_mean"] = norm.running_mean.numpy()
        arrays[f"{name}_bn/moving_variance"] = norm.running_var.numpy()
    return arrays


@torch.no_grad()
def export(args: argparse.Namespace) -> None:
    """Write the averaged weights of `args.run` into the package, checked against Keras."""
    sys.path.insert(0, str(ROOT))
    import keras

    from resnet_widgets.engine import mini

    data = read_data(args.data)
    model = Mini().to(memory_format=torch.channels_last)
    model.load_state_dict(torch.load(args.run / "last.pt", weights_only=True)["ema"])
    recalibrate(model, data["train"][0], 128)
    print(f"test accuracy, float32: {accuracy(model, data['test'], 128):.4f}", flush=True)
    for module in model.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            module.weight.copy_(module.weight.half().float())
    print(f"test accuracy, float16 kernels: {accuracy(model, data['test'], 128):.4f}", flush=True)

    target = ROOT / "resnet_widgets" / "weights" / "mini.npz"
    np.savez_compressed(target, **keras_arrays(model))
    digest = hashlib.sha256(target.read_bytes()).hexdigest()
    source = Path(mini.__file__)
    source.write_text(
        re.sub(r'SHA256 = ".*"', f'SHA256 = "{digest}"', source.read_text("utf-8")), "utf-8"
    )
    print(f"{target.name}: {target.stat().st_size} bytes, {digest}")

    mini.SHA256 = digest
    theirs = mini.load_mini()
    theirs.layers[-1].activation = keras.activations.linear
    pixels = resize(data["test"][0][::625], 128)
    ours = model(pixels).numpy()
    # `preprocess_input` works in place.
    prepared = keras.applications.resnet50.preprocess_input(pixels.permute(0, 2, 3, 1).numpy())
    print(f"logits up to {np.abs(ours).max():.2f}; PyTorch and Keras differ by at most "
          f"{np.abs(ours - theirs.predict(prepared, verbose=0)).max():.1e}")  # fmt: skip


def figure() -> None:
    """Draw the first filters, and the strongest channels of every stage on one photo."""
    sys.path.insert(0, str(ROOT))
    import keras
    import skimage.data
    from matplotlib.figure import Figure

    from resnet_widgets.engine.images import load_image
    from resnet_widgets.engine.mini import load_mini

    model = load_mini()
    photo = load_image(skimage.data.chelsea(), size=(128, 128))
    names = ("conv1_relu", "conv2_block3_out", "conv3_block4_out", "conv4_block6_out",
             "conv5_block3_out")  # fmt: skip
    survey = keras.Model(model.input, [model.get_layer(name).output for name in names])
    prepared = keras.applications.resnet50.preprocess_input(photo.array.copy())
    activations = [a.numpy()[0] for a in survey(prepared, training=False)]
    filters = model.get_layer("conv1_conv").kernel.numpy()[:, :, ::-1]  # BGR to RGB

    canvas = Figure(figsize=(8, 7.2), dpi=90)
    grid = canvas.add_gridspec(7, 9, left=0.01, right=0.99, bottom=0.01, top=0.96,
                               hspace=0.28, wspace=0.05)  # fmt: skip
    for i in range(16):
        axes = canvas.add_subplot(grid[i // 8, i % 8 + 1])
        kernel = filters[..., i]
        axes.imshow(0.5 + kernel / (2 * np.abs(kernel).max()))
        axes.set_axis_off()
        if i == 0:
            axes.set_title("conv1_conv: 16 filters, each 7×7×3", fontsize=8, loc="left", pad=3)
    axes = canvas.add_subplot(grid[0:2, 0])
    axes.imshow(photo.pixels)
    axes.set_axis_off()
    for row, (name, activation) in enumerate(zip(names, activations, strict=True), start=2):
        strength = activation.mean((0, 1))
        for column, channel in enumerate(np.argsort(-strength)[:9]):
            axes = canvas.add_subplot(grid[row, column])
            axes.imshow(activation[..., channel], cmap="magma")
            axes.set_axis_off()
            axes.text(0.04, 0.94, channel, color="white", fontsize=6, va="top",
                      transform=axes.transAxes)  # fmt: skip
            if column == 0:
                title = f"{name}: the strongest 9 of {len(strength)} channels"
                axes.set_title(title, fontsize=8, loc="left", pad=3)
    target = ROOT / "docs" / "images" / "mini.png"
    target.parent.mkdir(parents=True, exist_ok=True)
    canvas.savefig(target)
    print(f"{target.name}: {target.stat().st_size} bytes")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("command", choices=("train", "export", "figure"))
    parser.add_argument("--data", help="zip of JPEGs; default: keras.datasets.cifar10")
    parser.add_argument("--run", type=Path, default=Path("runs/mini"), help="checkpoint folder")
    args = parser.parse_args()
    if args.command == "export":
        export(args)
        return
    if args.command == "figure":
        figure()
        return
    args.run.mkdir(parents=True, exist_ok=True)
    (args.run / "meeting").unlink(missing_ok=True)  # left behind by a run that was stopped
    mp.spawn(train, (args,), WORKERS)


if __name__ == "__main__":
    main()
