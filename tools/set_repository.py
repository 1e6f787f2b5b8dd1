"""Writes the address of a published copy into every file that links to it.

    python tools/set_repository.py NAME/REPOSITORY

Links to Binder need to know where on GitHub the notebooks are. The one place that says so is
`repository` under `[tool.resnet_widgets]` in pyproject.toml; this keeps all links equal to it.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

LINKED = ("README.md", "CONTRIBUTING.md", "docs/*.md", "notebooks/*.ipynb")


def set_repository(root: Path, new: str) -> list[Path]:
    """Puts `new` in the place of the repository that `pyproject.toml` names.

    Args:
        root: Folder of the clone.
        new: Owner and name on GitHub, such as `"ada/resnet_widgets"`.

    Returns:
        The files that were changed.

    Raises:
        ValueError: If `new` is no such name.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9-]*/[\w.-]+", new):
        raise ValueError(
            "The repository should be OWNER/NAME as on GitHub, such as ada/resnet_widgets. "
            f"Received: {new!r}"
        )
    pyproject = root / "pyproject.toml"
    old = tomllib.loads(pyproject.read_text(encoding="utf-8"))["tool"]["resnet_widgets"][
        "repository"
    ]
    changed = []
    for path in [pyproject, *(path for pattern in LINKED for path in sorted(root.glob(pattern)))]:
        text = path.read_text(encoding="utf-8")
        written = text.replace(old, new)
        if written != text:
            path.write_text(written, encoding="utf-8")
            changed.append(path)
    return changed


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    for file in set_repository(Path(__file__).parents[1], sys.argv[1]):
        print(file)
