"""`load_model` and `describe`, and the download behind them against networks of every kind."""

from __future__ import annotations

import contextlib
import errno
import gc
import hashlib
import http.server
import os
import random
import socket
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path
from urllib.parse import urlparse

import h5py
import keras
import numpy as np
import pytest

from resnet_widgets import WeightsError
from resnet_widgets.engine import download, models
from resnet_widgets.engine import mini as mini_module
from resnet_widgets.engine.download import FILE_NAME, HDF5_MAGIC
from resnet_widgets.engine.models import describe, load_model

pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ impl:DeprecationWarning"
)  # Keras, on saving

PUBLISHED = HDF5_MAGIC + bytes(range(256)) * 2000  # plays the weights file
OTHERS = HDF5_MAGIC + b"somebody's own weights"


# ------------------------------------------------------------------------------------- network
class Network:
    """One server on this machine; `answer(handler)` decides how it behaves."""

    def __init__(self) -> None:
        self.answer = whole
        self.requests: list[str] = []
        network = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                network.requests.append(self.headers.get("Range") or "all")
                with contextlib.suppress(ConnectionError):
                    network.answer(self)
                self.close_connection = True

            def log_message(self, *args) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()


def send(handler, body: bytes, *, length: int | None = None, status: int = 200) -> None:
    handler.send_response(status)
    if length is not None:
        handler.send_header("Content-Length", str(length))
    handler.end_headers()
    handler.wfile.write(body)


def whole(handler) -> None:
    send(handler, PUBLISHED, length=len(PUBLISHED))


def without_length(handler) -> None:
    send(handler, PUBLISHED)


def in_small_parts(handler) -> None:
    send(handler, PUBLISHED[:3], length=len(PUBLISHED))
    for start in range(3, len(PUBLISHED), 50_000):
        handler.wfile.flush()
        threading.Event().wait(0.02)  # the network's delay, in its own thread
        handler.wfile.write(PUBLISHED[start : start + 50_000])


def proxy_page(handler) -> None:
    page = b"\n <html><title>Please log in</title></html>"
    send(handler, page, length=len(page))


def wrong_hash(handler) -> None:
    send(handler, OTHERS, length=len(OTHERS))


def not_hdf5(handler) -> None:
    send(handler, b"PK\x03\x04", length=4)


def truncated(handler) -> None:
    send(handler, PUBLISHED[:200_000], length=len(PUBLISHED))


def empty(handler) -> None:
    send(handler, b"", length=0)


def not_there(handler) -> None:
    send(handler, b"<html>", length=6, status=404)


def silent(handler) -> None:
    """Accepts and never answers, until the other side has gone."""
    while handler.rfile.read(1):
        pass


def silent_halfway(handler) -> None:
    send(handler, PUBLISHED[:100_000], length=len(PUBLISHED))
    silent(handler)


def trickle(handler) -> None:
    """Never silent for long, and never done."""
    send(handler, HDF5_MAGIC, length=len(PUBLISHED))
    while True:
        handler.wfile.write(b"x")
        threading.Event().wait(0.02)


def garbage(handler) -> None:
    handler.wfile.write(b"SSH-2.0-OpenSSH\r\n")


def hang_up(handler) -> None:
    pass


@pytest.fixture(scope="module")
def server():
    network = Network()
    yield network
    network.server.shutdown()
    network.server.server_close()


@pytest.fixture
def network(server, tmp_path, monkeypatch):
    """`server` as the internet, an empty home, and a small file that is the published one."""
    server.answer = whole
    server.requests.clear()
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "RESNET_WIDGETS_MODEL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setattr(download.tempfile, "gettempdir", lambda: str(tmp_path / "tmp"))
    monkeypatch.setattr(download, "BASE_URL", server.url)
    monkeypatch.setattr(download, "MD5", hashlib.md5(PUBLISHED).hexdigest())
    return server


@pytest.fixture
def folder(tmp_path) -> Path:
    return tmp_path / "keras" / "models"


def nobody(monkeypatch) -> None:
    """An address where nothing listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setattr(download, "BASE_URL", f"http://127.0.0.1:{free.getsockname()[1]}/")


def all_files(tmp_path: Path) -> list[str]:
    return sorted(str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file())


@pytest.mark.parametrize("answer", [whole, without_length, in_small_parts])
def test_download(network, folder, tmp_path, answer):
    network.answer = answer
    seen = []
    path = download.imagenet_weights(lambda share, text: seen.append((share, text)))
    assert path == folder / FILE_NAME
    assert path.read_bytes() == PUBLISHED
    assert all_files(tmp_path) == [f"keras/models/{FILE_NAME}"]
    assert seen[-1] == (1.0, seen[-1][1])
    assert "MB" in seen[-1][1]
    shares = [share for share, _ in seen if share is not None]
    assert shares == sorted(shares)
    assert download.imagenet_weights() == path  # found now
    assert len(network.requests) == 1


def test_progress_is_printed_by_default(network, capsys):
    download.imagenet_weights()
    assert "Downloading ImageNet weights: " in capsys.readouterr().err


# Seconds until these are given up. All else has the real ones, or a busy machine would be silence.
PATIENCE = {silent: 0.3, silent_halfway: 0.3, trickle: 1.0}

FAILURES = {
    proxy_page: "a web page came instead, as from a proxy or a login page",
    wrong_hash: "not the published file",
    not_hdf5: "not an HDF5 file",
    truncated: "cut short",
    empty: "not the published file",
    not_there: "answered HTTP 404",
    silent: "did not answer within 0.3 s",
    silent_halfway: "did not answer within 0.3 s",
    trickle: "too slow",
    garbage: "failed",
    hang_up: "failed",
}


@pytest.mark.parametrize("answer", FAILURES, ids=lambda answer: answer.__name__)
def test_failures_are_explained_and_leave_nothing(network, folder, tmp_path, answer, monkeypatch):
    monkeypatch.setattr(download, "TIMEOUT", PATIENCE.get(answer, download.TIMEOUT))
    network.answer = answer
    started = time.monotonic()
    with pytest.raises(WeightsError, match=FAILURES[answer]) as info:
        download.imagenet_weights(lambda share, text: None)
    assert time.monotonic() - started < 5
    message = str(info.value)
    assert FAILURES[answer] in info.value.why
    assert str(folder / FILE_NAME) in message
    assert "load_model('mini')" in message
    assert message.endswith("Received: 'imagenet'")
    assert all_files(tmp_path) == []


def test_connection_refused(network, monkeypatch):
    nobody(monkeypatch)
    with pytest.raises(WeightsError, match="refuses connections"):
        download.imagenet_weights()
    assert "refuses connections" in download.probe()


def test_offline(network, monkeypatch):
    def no_name(*args, **kwargs):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", no_name)
    with pytest.raises(WeightsError, match="offline"):
        download.imagenet_weights()
    assert download.probe().startswith("offline")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.ENETUNREACH, "Network is unreachable"), "offline ({} cannot be reached)"),
        (OSError(errno.EHOSTUNREACH, "No route to host"), "offline ({} cannot be reached)"),
        (
            ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"),
            "the connection to {} failed (Connection reset by peer)",
        ),
    ],
)
def test_no_way_to_the_server_is_said_in_plain_words(network, monkeypatch, error, said):
    def fail(*args, **kwargs):
        raise error

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    assert download.probe() == said.format(urlparse(download.BASE_URL).netloc)
    # The error itself is there for whoever has asked for these weights.
    with pytest.raises(WeightsError) as info:
        download.imagenet_weights()
    assert str(error) in str(info.value.__cause__)


def test_somebodys_file_is_left_alone(network, folder, tmp_path):
    folder.mkdir(parents=True)
    (folder / FILE_NAME).write_bytes(OTHERS)
    said = []
    path = download.imagenet_weights(lambda share, text: said.append(text))
    assert path == folder / "resnet_widgets" / FILE_NAME
    assert path.read_bytes() == PUBLISHED
    assert (folder / FILE_NAME).read_bytes() == OTHERS
    assert said[0] == f"Not the published weights, left alone: {folder / FILE_NAME}"
    assert download.find_weights() == path


def test_somebodys_file_is_named_when_the_download_fails_too(network, folder):
    network.answer = truncated
    folder.mkdir(parents=True)
    (folder / FILE_NAME).write_bytes(OTHERS)
    with pytest.raises(WeightsError, match="cut short.*is not the published file; it was left"):
        download.imagenet_weights()
    assert (folder / FILE_NAME).read_bytes() == OTHERS


def test_a_file_that_appears_during_the_download_is_left_alone(network, folder):
    def late(handler) -> None:
        (folder / FILE_NAME).write_bytes(OTHERS)
        whole(handler)

    network.answer = late
    with pytest.raises(WeightsError, match="appeared meanwhile"):
        download.imagenet_weights()
    assert (folder / FILE_NAME).read_bytes() == OTHERS
    assert [path.name for path in folder.iterdir()] == [FILE_NAME]


def test_a_folder_that_cannot_be_written(network, tmp_path):
    # A file where the folder should be: that stops root, too.
    (tmp_path / "keras").write_text("")
    path = download.imagenet_weights()
    assert path == tmp_path / "tmp" / "resnet_widgets" / FILE_NAME
    assert download.find_weights() == path


def test_no_folder_can_be_written(network, tmp_path):
    (tmp_path / "keras").write_text("")
    (tmp_path / "tmp").write_text("")
    with pytest.raises(WeightsError, match="no folder to write"):
        download.imagenet_weights()


def test_a_full_disk(network, tmp_path, monkeypatch):
    def full(file, progress):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(download, "_download", full)
    with pytest.raises(WeightsError, match="could not be written.*No space left"):
        download.imagenet_weights()
    assert all_files(tmp_path) == []


@pytest.mark.skipif(sys.platform == "win32", reason="has no such limit")
def test_a_disk_that_is_full_half_way_poisons_no_later_start(network, folder, tmp_path):
    """The system itself refuses the write, as it does on a full disk, after 200 kB of 512."""
    script = (
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, -1))\n"
        "from resnet_widgets.engine import download as d\n"
        f"d.BASE_URL = {network.url!r}; d.MD5 = {download.MD5!r}\n"
        "try: d.imagenet_weights(lambda share, text: None)\n"
        "except d.WeightsError as error: print(error)"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert "could not be written" in run.stdout, run.stderr
    assert all_files(tmp_path) == []
    assert download.imagenet_weights(lambda share, text: None).read_bytes() == PUBLISHED


def test_a_machine_without_md5_for_security_downloads_and_finds(network, monkeypatch):
    real = hashlib.md5

    def strict(data=b"", *, usedforsecurity=True):
        assert not usedforsecurity, "disabled for security"
        return real(data, usedforsecurity=False)

    monkeypatch.setattr(hashlib, "md5", strict)
    assert download.imagenet_weights(lambda share, text: None) == download.find_weights()


def test_progress_can_end_the_download(network, tmp_path):
    class Cancelled(Exception):
        pass

    def cancel(share, text):
        raise Cancelled

    with pytest.raises(Cancelled):
        download.imagenet_weights(cancel)
    assert all_files(tmp_path) == []


def test_two_processes_at_once(network, folder, tmp_path):
    both = threading.Barrier(2)

    def together(handler) -> None:
        both.wait(60)
        whole(handler)

    network.answer = together
    script = (
        "from resnet_widgets.engine import download as d;"
        f"d.BASE_URL = {network.url!r}; d.MD5 = {download.MD5!r}; print(d.imagenet_weights())"
    )
    processes = [
        subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    for process in processes:
        assert process.communicate(timeout=60)[0].strip() == str(folder / FILE_NAME)
        assert process.returncode == 0
    assert len(network.requests) == 2
    assert (folder / FILE_NAME).read_bytes() == PUBLISHED
    assert all_files(tmp_path) == [f"keras/models/{FILE_NAME}"]


def test_a_download_that_is_killed_poisons_no_later_start(network, folder, tmp_path):
    half = threading.Event()

    def stop_half_way(handler) -> None:
        send(handler, PUBLISHED[:100_000], length=len(PUBLISHED))
        half.set()
        silent(handler)

    network.answer = stop_half_way
    script = (
        "from resnet_widgets.engine import download as d;"
        f"d.BASE_URL = {network.url!r}; d.imagenet_weights()"
    )
    process = subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.PIPE)
    assert half.wait(60)
    assert process.stderr.readline(), "the first words are said when the first bytes are written"
    process.kill()
    process.communicate()
    [left] = all_files(tmp_path)
    assert left.endswith(".part")
    network.answer = whole
    assert download.imagenet_weights(lambda share, text: None).read_bytes() == PUBLISHED
    assert len(all_files(tmp_path)) == 2, "it could be that of a process that lives"
    (folder / FILE_NAME).unlink()
    os.utime(tmp_path / left, (0, time.time() - 2 * download.LEFT_ALONE))
    download.imagenet_weights(lambda share, text: None)
    assert all_files(tmp_path) == [f"keras/models/{FILE_NAME}"]


def test_a_download_that_becomes_slow_is_given_up(network, monkeypatch):
    """However fast it was before: half of 103 MB would make up for hours of 1 kB/s."""

    def slows_down(handler) -> None:
        send(handler, PUBLISHED[:400_000], length=len(PUBLISHED))
        while True:
            handler.wfile.write(b"x")
            threading.Event().wait(0.02)

    monkeypatch.setattr(download, "TIMEOUT", PATIENCE[trickle])
    network.answer = slows_down
    began = time.monotonic()
    with pytest.raises(WeightsError, match="too slow"):
        download.imagenet_weights(lambda share, text: None)
    assert time.monotonic() - began < 10, "400 kB at the slowest speed that is allowed are 40 s"


def test_probe_asks_for_a_few_bytes_only(network):
    assert download.probe() == ""
    assert network.requests == [f"bytes=0-{len(HDF5_MAGIC) - 1}"]


@pytest.mark.parametrize(
    ("answer", "why"),
    [(proxy_page, "a web page"), (not_there, "HTTP 404"), (silent, "within 0.3 s"),
     (empty, "not an HDF5 file"), (hang_up, "failed")],
    ids=["proxy", "404", "silent", "empty", "hang_up"],
)  # fmt: skip
def test_probe_says_why_not(network, answer, why):
    network.answer = answer
    assert why in download.probe(PATIENCE.get(answer))


def test_probe_does_not_wait_for_a_name_server(network, monkeypatch):
    release = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: release.wait(30) and [])
    started = time.monotonic()
    assert "did not answer within 0.2 s" in download.probe(0.2)
    assert time.monotonic() - started < 5
    release.set()


# --------------------------------------------------------------------------------- load_model
@pytest.fixture(scope="module")
def saved(tmp_path_factory, random_resnet50) -> Path:
    """ResNet50 in a legacy HDF5 file, as the published weights are."""
    path = tmp_path_factory.mktemp("saved") / "resnet50.h5"
    random_resnet50.save(path)
    return path


@pytest.fixture
def stub_mini(monkeypatch):
    """Where only the way to the mini matters."""
    monkeypatch.setattr(mini_module, "load_mini", small_model)


@pytest.fixture
def in_cache(network, folder, saved, monkeypatch):
    """The published weights, in Keras' cache."""
    folder.mkdir(parents=True)
    (folder / FILE_NAME).symlink_to(saved)
    with saved.open("rb") as file:
        monkeypatch.setattr(download, "MD5", hashlib.file_digest(file, "md5").hexdigest())


def assert_same_weights(a: keras.Model, b: keras.Model) -> None:
    assert [w.shape for w in a.weights] == [w.shape for w in b.weights]
    for left, right in zip(a.weights, b.weights, strict=True):
        np.testing.assert_array_equal(left.value.numpy(), right.value.numpy())


def test_imagenet_from_the_cache_without_a_network(in_cache, network, random_resnet50):
    state = random.getstate()
    model = load_model("imagenet")
    assert random.getstate() == state
    assert network.requests == []
    assert_same_weights(model, random_resnet50)
    about = describe(model)
    assert (about.title, about.note, about.input_size) == ("ResNet50, ImageNet", "", (224, 224))
    assert about.labels[0] == "tench"


def test_auto_takes_the_cache_without_a_probe(network, folder, monkeypatch):
    folder.mkdir(parents=True)
    (folder / FILE_NAME).write_bytes(PUBLISHED)
    monkeypatch.setattr(models, "_load_imagenet", lambda progress: "ImageNet")
    assert load_model("auto") == "ImageNet"
    assert network.requests == []


def test_auto_downloads_when_the_server_answers(network, folder, monkeypatch):
    loaded = []
    monkeypatch.setattr(models, "_load_imagenet", lambda progress: loaded.append(progress))
    progress = lambda share, text: None  # noqa: E731
    load_model("auto", progress=progress)
    assert loaded == [progress]


@pytest.mark.parametrize("answer", [proxy_page, silent, not_there, truncated])
def test_auto_falls_back_to_the_mini_and_says_why(network, stub_mini, monkeypatch, answer):
    monkeypatch.setattr(download, "PROBE_SECONDS", PATIENCE.get(answer, download.PROBE_SECONDS))
    network.answer = answer
    said = []
    about = describe(load_model("auto", progress=lambda share, text: said.append(text)))
    assert said[0] == "Asking for the ImageNet weights …"
    why = FAILURES[answer]
    assert about.note.startswith(
        "embedded mini ResNet50, 10 classes. ImageNet weights were not reachable: "
    )
    assert why in about.note
    assert about.title == "mini ResNet50, CIFAR-10"


def test_auto_can_be_set_by_the_environment(network, stub_mini, monkeypatch):
    monkeypatch.setenv("RESNET_WIDGETS_MODEL", "mini")
    model = load_model()
    assert describe(model).title == "mini ResNet50, CIFAR-10"
    assert network.requests == []
    monkeypatch.setenv("RESNET_WIDGETS_MODEL", "nonsense")
    with pytest.raises(ValueError, match="Received: 'nonsense'"):
        load_model()


def test_mini(mini):
    about = describe(mini)
    assert about.note == "embedded mini ResNet50, 10 classes"
    assert about.labels == mini_module.MINI_LABELS
    assert about.input_size == (128, 128)
    x = np.full((1, 2, 2, 3), 100, np.float32)
    np.testing.assert_array_equal(
        about.preprocess(x), keras.applications.resnet50.preprocess_input(x.copy())
    )


def numbers() -> list[float]:
    """The next number of every global generator that a person may have seeded."""
    import tensorflow as tf

    return [
        random.random(),
        np.random.random_sample(),  # noqa: NPY002  (the global one is the point)
        float(keras.random.uniform(())),
        float(tf.random.uniform(())),
    ]


def test_random_is_always_the_same_and_leaves_other_random_numbers_alone():
    keras.utils.set_random_seed(1)
    expected = numbers()
    keras.utils.set_random_seed(1)
    first = load_model("random")
    assert numbers() == expected
    assert_same_weights(first, load_model("random"))
    assert (
        len({float(np.std(w.value.numpy())) for w in first.trainable_weights if len(w.shape) == 4})
        > 20
    )
    assert describe(first).note == "random weights: activations are noise"
    for name in ("conv1_conv", "conv3_block1_2_conv", "predictions"):
        ours = np.asarray(first.get_layer(name).kernel)
        theirs = np.asarray(keras.initializers.GlorotUniform(seed=0)(ours.shape))
        np.testing.assert_allclose(ours.std(), theirs.std(), rtol=0.02)
        np.testing.assert_allclose([ours.min(), ours.max()], [-theirs.max(), theirs.max()], 0.01)


def test_a_thread_does_not_undo_the_seed_of_a_running_cell(monkeypatch):
    def build(weights):
        model = small_model()
        random.seed(7)  # a cell that runs meanwhile
        return model

    monkeypatch.setattr(keras.applications, "ResNet50", build)
    thread = threading.Thread(target=load_model, args=("random",))
    thread.start()
    thread.join()
    assert random.random() == random.Random(7).random()


def test_no_cycles_are_looked_for_while_a_model_is_built(network, folder, tmp_path, monkeypatch):
    folder.mkdir(parents=True)
    (folder / FILE_NAME).write_bytes(PUBLISHED)
    saved = tmp_path / "model.keras"
    zipfile.ZipFile(saved, "w").close()
    enabled = []

    def build(*args, **kwargs):
        enabled.append(gc.isenabled())
        return small_model()

    monkeypatch.setattr(keras.applications, "ResNet50", build)
    monkeypatch.setattr(keras.models, "load_model", build)
    monkeypatch.setattr(mini_module, "load_mini", build)
    for name in ("random", "mini", "imagenet", saved):
        load_model(name)
        assert enabled.pop() is False
        assert gc.isenabled()


def test_a_model_is_returned_as_it_is_and_not_changed(random_resnet50):
    before = dict(vars(random_resnet50))
    assert load_model(random_resnet50) is random_resnet50
    describe(random_resnet50)
    assert vars(random_resnet50) == before


def test_what_is_known_about_a_model_does_not_keep_it_alive(stub_mini):
    gc.collect()
    before = len(models._origins)
    model = load_model("mini")
    assert len(models._origins) == before + 1
    del model
    gc.collect()
    assert len(models._origins) == before


@pytest.mark.parametrize("name", ["resnet", "", "model.onnx", 3, None, "http://x/y.bin", ["mini"]])
def test_names_that_are_none(name):
    accepted = "'auto', 'imagenet', 'mini', 'random', the path of a .keras or .h5 file"
    with pytest.raises(ValueError, match=accepted) as info:
        load_model(name)
    assert "Received: " in str(info.value)


# --------------------------------------------------------------------------------------- files
def small_model() -> keras.Model:
    inputs = keras.Input((32, 48, 3))
    x = keras.layers.Conv2D(4, 3, name="conv")(inputs)
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, keras.layers.Dense(2)(x), name="small")


@pytest.mark.parametrize("name", ["model.keras", "model.h5", "model.hdf5"])
@pytest.mark.parametrize("kind", [str, Path])
def test_a_saved_model(name, kind, tmp_path):
    model = small_model()
    model.compile("adam", "mse")
    path = tmp_path / name
    model.save(path)
    loaded = load_model(kind(path))
    assert_same_weights(loaded, model)
    assert not loaded.compiled  # a loss of one's own would have to be found for that
    assert describe(loaded).title == f"small, {name}"
    assert describe(loaded).input_size == (32, 48)


def test_weights_of_resnet50(tmp_path):
    model = keras.applications.ResNet50(weights=None, include_top=False)
    model.save_weights(tmp_path / "some.weights.h5")
    loaded = load_model(tmp_path / "some.weights.h5")
    assert_same_weights(loaded, model)
    assert describe(loaded).title == "resnet50, some.weights.h5"


@pytest.mark.parametrize(
    ("attributes", "groups", "top"),
    [
        ({"layer_names": np.array([b"conv1_conv", b"predictions"])}, (), True),
        ({"layer_names": np.array([b"conv1_conv", b"conv5_block3_out"])}, (), False),
        ({}, ("layers/conv2d", "layers/dense"), True),
        ({}, ("layers/conv1_conv", "layers/predictions"), True),
        ({}, ("layers/conv2d", "layers/conv2d_1"), False),
    ],
)
def test_weights_say_whether_they_have_a_top(tmp_path, monkeypatch, attributes, groups, top):
    path = tmp_path / "some.h5"
    with h5py.File(path, "w") as file:
        file.attrs.update(attributes)
        for group in groups:
            file.create_group(group)
    asked = []

    def build(weights, include_top):
        asked.append(include_top)
        return small_model()

    monkeypatch.setattr(keras.applications, "ResNet50", build)
    load_model(path)
    assert asked == [top]


@pytest.mark.filterwarnings("ignore:Skipping nested container")
def test_weights_of_another_network(tmp_path):
    path = tmp_path / "small.weights.h5"
    small_model().save_weights(path)
    with pytest.raises(ValueError, match="weights of ResNet50.*pass the model.*small.weights.h5"):
        load_model(path)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-3000])


@pytest.mark.parametrize("name", ["model.keras", "model.h5"])
@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (cut, "cut short"),
        (lambda path: path.write_bytes(b""), r"is empty \(0 bytes\)"),
        (lambda path: path.write_bytes(b"\n<!doctype html>"), "is a web page"),
        (lambda path: path.write_bytes(b"\0" * 3000), "is something else"),
    ],
    ids=["cut", "empty", "html", "zeros"],
)
def test_damaged_files(name, damage, message, tmp_path):
    path = tmp_path / name
    small_model().save(path)
    damage(path)
    with pytest.raises(ValueError, match=message) as info:
        load_model(path)
    assert "whole .keras (zip) or .h5 (HDF5) file" in str(info.value)
    assert name in str(info.value)


def test_a_file_with_the_wrong_ending(tmp_path):
    small_model().save(tmp_path / "model.keras")
    (tmp_path / "model.keras").rename(tmp_path / "model.h5")
    with pytest.raises(ValueError, match="wrong ending"):
        load_model(tmp_path / "model.h5")


@pytest.mark.parametrize("name", ["gone.keras", "gone.h5", "folder/gone.weights.h5"])
def test_a_missing_file(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError) as info:
        load_model(name)
    assert f"Received: {name!r}" in str(info.value)
    assert str(tmp_path) in str(info.value)


def test_home_is_expanded(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    (tmp_path / "mine.keras").write_text("found, but no model")
    with pytest.raises(ValueError, match=r"mine\.keras', which is something else"):
        load_model("~/mine.keras")


def test_a_folder(tmp_path):
    with pytest.raises(ValueError, match="SavedModel"):
        load_model(tmp_path)


@pytest.mark.parametrize("name", ["evil.keras", "evil.h5"])
def test_code_in_a_file_is_not_run(name, tmp_path):
    inputs = keras.Input((4, 4, 3))
    outputs = keras.layers.Lambda(lambda x: x * 2)(inputs)
    keras.Model(inputs, outputs).save(tmp_path / name)
    with pytest.raises(Exception, match="[Ll]ambda"):
        load_model(tmp_path / name)


# -------------------------------------------------------------------------------- requirements
@pytest.mark.parametrize("version", ["3.13.1", "3.9.0", "2.15.0"])
def test_an_old_keras_is_refused(version, monkeypatch):
    monkeypatch.setattr(keras, "__version__", version)
    with pytest.raises(ImportError, match=f"pip install -U keras.*Received: Keras {version}"):
        load_model("mini")


@pytest.mark.parametrize("version", ["3.13.2", "3.14.0.dev2026", "4.0.0"])
def test_newer_ones_are_not(version, monkeypatch, random_resnet50):
    monkeypatch.setattr(keras, "__version__", version)
    assert load_model(random_resnet50) is random_resnet50


def test_another_backend_is_refused(monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(RuntimeError, match="KERAS_BACKEND=tensorflow.*Received: backend 'jax'"):
        load_model("mini")


@pytest.mark.parametrize("missing", ["keras", "tensorflow"])
def test_without_tensorflow_the_message_says_how_to_get_it(missing):
    script = f"import sys; sys.modules[{missing!r}] = None; import resnet_widgets.engine.models"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert result.returncode == 1
    assert "pip install tensorflow" in result.stderr.splitlines()[-1]


def test_without_tensorflow_the_explorer_says_how_to_get_it():
    script = (
        "import sys, threading; sys.modules['tensorflow'] = None\n"
        "import numpy as np, resnet_widgets as rw\n"
        "explorer = rw.explore(np.zeros((9, 9, 3), np.uint8), 'mini')\n"
        "said = threading.Event()\n"
        "explorer.observe(lambda change: said.set(), 'error')\n"
        "assert explorer.error or said.wait(60)\n"
        "print(explorer.error)"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert "pip install tensorflow" in result.stdout


# ------------------------------------------------------------------------------------ describe
APPS = keras.applications
SMALL = {"weights": None, "include_top": False, "input_shape": (64, 64, 3)}
FAMILIES = {
    "ResNet50V2": (lambda: APPS.ResNet50V2(**SMALL), APPS.resnet_v2.preprocess_input),
    "MobileNet": (lambda: APPS.MobileNet(alpha=0.25, **SMALL), APPS.mobilenet.preprocess_input),
    "MobileNetV2": (
        lambda: APPS.MobileNetV2(alpha=0.35, **SMALL),
        APPS.mobilenet_v2.preprocess_input,
    ),
    "DenseNet121": (lambda: APPS.DenseNet121(**SMALL), APPS.densenet.preprocess_input),
    "VGG16": (lambda: APPS.VGG16(**SMALL), APPS.vgg16.preprocess_input),
    "MobileNetV3Small": (lambda: APPS.MobileNetV3Small(**SMALL), lambda x: x),
}


@pytest.mark.parametrize("family", ["ResNet50", *FAMILIES])
def test_preprocessing_equals_that_of_keras(family, request):
    if family == "ResNet50":
        model = request.getfixturevalue("random_resnet50")
        expected = APPS.resnet50.preprocess_input
    else:
        build, expected = FAMILIES[family]
        model = build()
    about = describe(model)
    assert (about.note, about.input_size) == ("", model.input_shape[1:3])
    assert about.title == model.name
    x = np.random.default_rng(0).integers(0, 256, (2, 6, 5, 3)).astype(np.float32)
    x.setflags(write=False)
    ours = about.preprocess(x)
    np.testing.assert_array_equal(ours, expected(x.copy()))
    assert ours.dtype == np.float32
    assert ours.flags.c_contiguous
    assert not np.shares_memory(ours, x)
    # The same inside of another model.
    wrapped = keras.Sequential([keras.Input(model.input_shape[1:]), model])
    np.testing.assert_array_equal(describe(wrapped).preprocess(x), ours)
    assert describe(wrapped).note == ""


def behind(first) -> keras.Model:
    """A small network with ResNet's layer names, nested, behind something of one's own."""
    inputs = keras.Input((16, 16, 3))
    x = keras.layers.Conv2D(4, 3, name="conv1_conv")(inputs)
    x = keras.layers.BatchNormalization(name="conv1_bn")(x) * 2.0  # arithmetic, no preprocessing
    network = keras.Model(inputs, keras.layers.Activation("relu", name="conv2_block1_out")(x))
    inputs = keras.Input((16, 16, 3))
    return keras.Model(inputs, network(first(inputs)))


@pytest.mark.parametrize(
    "first",
    [
        keras.layers.Rescaling(1 / 255),
        keras.layers.Normalization(mean=[1, 2, 3], variance=[1, 1, 1]),
        keras.layers.Lambda(lambda x: x / 255),
        keras.Sequential([keras.layers.RandomFlip(), keras.layers.Rescaling(1 / 127.5, -1)]),
        APPS.resnet50.preprocess_input,
        lambda x: x / 255.0,
    ],
    ids=["Rescaling", "Normalization", "Lambda", "nested", "preprocess_input", "operations"],
)
def test_a_model_that_preprocesses_gets_the_picture_as_it_is(first):
    about = describe(behind(first))
    x = np.full((1, 2, 2, 3), 100, np.float32)
    np.testing.assert_array_equal(about.preprocess(x), x)
    assert not np.shares_memory(about.preprocess(x), x)
    assert about.note == ""


def test_augmentation_in_front_is_no_preprocessing():
    about = describe(behind(keras.layers.RandomFlip()))
    x = np.zeros((1, 1, 1, 3), np.float32)
    assert about.preprocess(x).ravel().tolist() == pytest.approx([-103.939, -116.779, -123.68])


def test_an_unknown_family_is_fed_as_it_is_and_says_so():
    about = describe(small_model())
    assert about.note == "preprocessing unknown: the model is fed 0…255 as they are"
    assert about.labels is None
    x = np.full((1, 2, 2, 3), 100, np.float32)
    np.testing.assert_array_equal(about.preprocess(x), x)


@pytest.mark.parametrize(
    ("shape", "size"),
    [
        ((3, 40, 3), (3, 40)),
        ((None, None, 3), (224, 224)),
        ((64, 96, 3), (64, 96)),
        ((None, 96, 3), (224, 96)),
        ((28, 28, 1), (28, 28)),
        ((3, 64, 96), (64, 96)),
        ((None, None, None), (224, 224)),
    ],
)
def test_input_size(shape, size):
    inputs = keras.Input(shape)
    model = keras.Model(inputs, keras.layers.Activation("relu")(inputs))
    assert describe(model).input_size == size


def test_grey_and_channels_first_models_get_what_they_take():
    x = np.zeros((2, 4, 5, 3), np.float32)
    x[..., 1] = 100
    x[1] = 255
    grey = keras.Sequential([keras.Input((4, 5, 1)), keras.layers.Activation("relu")])
    grey_x = describe(grey).preprocess(x)
    assert grey_x.shape == (2, 4, 5, 1)
    np.testing.assert_allclose(grey_x[:, 0, 0, 0], [58.7, 255], rtol=1e-5)
    first = keras.Sequential([keras.Input((3, 4, 5)), keras.layers.Activation("relu")])
    np.testing.assert_array_equal(describe(first).preprocess(x), x.transpose(0, 3, 1, 2))


def test_a_grey_network_of_a_family_that_takes_colours_is_fed_grey_as_it_is():
    """ResNet's means are those of three colours."""
    x = inputs = keras.Input((4, 5, 1))
    for name in ("conv1_conv", "conv1_bn", "conv2_block1_out"):
        x = keras.layers.Activation("relu", name=name)(x)
    about = describe(keras.Model(inputs, x))
    grey = about.preprocess(np.full((2, 4, 5, 3), [0, 100, 0], np.float32))
    np.testing.assert_allclose(grey, np.full((2, 4, 5, 1), 58.7), rtol=1e-5)
    assert "preprocessing unknown" in about.note


def test_other_numbers_of_channels_are_an_error_when_used():
    model = keras.Sequential([keras.Input((4, 5, 7)), keras.layers.Activation("relu")])
    with pytest.raises(ValueError, match="takes 7 channels.*preprocess=False"):
        describe(model).preprocess(np.zeros((1, 4, 5, 3), np.float32))


class Subclassed(keras.Model):
    def call(self, x):
        return x


def two_inputs() -> keras.Model:
    inputs = [keras.Input((8, 8, 3)), keras.Input((8, 8, 3))]
    return keras.Model(inputs, keras.layers.Add()(inputs))


def vector_input() -> keras.Model:
    return keras.Sequential([keras.Input((5,)), keras.layers.Dense(2)])


@pytest.mark.parametrize("make", [Subclassed, two_inputs, vector_input, keras.Sequential, list])
def test_models_that_take_no_single_picture(make):
    with pytest.raises(ValueError, match="`model` should be .*Received"):
        describe(make())


def test_labels():
    labels = models.imagenet_labels()
    assert (len(labels), labels[0], labels[281], labels[999]) == (
        1000, "tench", "tabby", "toilet tissue",
    )  # fmt: skip
    thousand = keras.Sequential(
        [keras.Input((4, 4, 3)), keras.layers.Flatten(), keras.layers.Dense(1000)]
    )
    assert describe(thousand).labels == labels
