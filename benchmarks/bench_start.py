"""How long until there is something to see? Fresh processes, medians.

    python benchmarks/bench_start.py [--model random] [--runs 5]

Each figure is from processes of their own, which take turns. A kernel has loaded IPython before
the first cell runs, and a photo is made by numpy, so neither is counted. The browser's part is in
`bench_browser.py`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys

from measure import Times, setting, table

PACKAGE = """
import json, sys, time
start = time.perf_counter()
import resnet_widgets
print(json.dumps({"import": time.perf_counter() - start}))
assert "tensorflow" not in sys.modules
"""

# What nobody can avoid: TensorFlow, the model, and one run of it.
PLAIN = """
import ipykernel.zmqshell
import json, sys, time
import numpy as np
start = time.perf_counter()
import tensorflow as tf, keras
if sys.argv[1] == "mini":
    from resnet_widgets.engine.mini import load_mini
    model = load_mini()
else:
    model = keras.applications.ResNet50(weights=None)
built = time.perf_counter() - start
forward = tf.function(lambda x: model(x, training=False), autograph=False)
np.asarray(forward(np.zeros((1, *model.input_shape[1:]), "float32")))
print(json.dumps({"plain": built, "plain run": time.perf_counter() - start}))
"""

EXPLORER = """
import ipykernel.zmqshell
import json, sys, time
import numpy as np
photo = np.random.default_rng(0).integers(0, 256, (300, 400, 3), dtype=np.uint8)
start = time.perf_counter()
import resnet_widgets as rw
explorer = rw.explore(photo, sys.argv[1])
status = time.perf_counter() - start
import threading
there = threading.Event()
explorer.observe(lambda change: change.new and there.set(), "layer")
explorer.layer or there.wait()
frame = explorer._serving.frame(explorer.photo, explorer.layer)
(frame.result() if hasattr(frame, "result") else frame).to_message()
print(json.dumps({"status": status, "first map": time.perf_counter() - start}))
explorer.close()
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="random", help="`random` or `mini`")
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    times = Times()
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    # Packages are compiled when they are installed, so this one may be, too.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    for _ in range(arguments.runs):
        for script in (PACKAGE, PLAIN, EXPLORER):
            command = [sys.executable, "-c", script, arguments.model]
            answer = subprocess.run(
                command, check=True, stdout=subprocess.PIPE, env=environment, text=True
            )
            for name, seconds in json.loads(answer.stdout.splitlines()[-1]).items():
                times.add(name, 1000 * seconds)
    after = (times.median("first map") - times.median("plain")) / 1000
    print(f"Model {arguments.model}, medians of {arguments.runs} processes.")
    print(f"The first map is there {after:.1f} s after TensorFlow and the model could be.")
    print(setting(), end="\n\n")
    print(table([
        times.row("`import resnet_widgets`", "import", "", "< 500, no TensorFlow"),
        times.row("`explore(photo)` returns, to be displayed", "status", "", "< 1000"),
        times.row("TensorFlow imported, model built", "plain", "plain"),
        times.row("the same, and one traced forward", "plain run", "plain"),
        times.row("first frame of the explorer", "first map", "plain", "≤ that + 1000"),
    ]))  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
