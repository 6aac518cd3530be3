"""Compiles the loop of the LSTM when the package is installed, where there is a compiler."""

from __future__ import annotations

import os
import runpy
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class Loop(BuildHookInterface):  # type: ignore[type-arg]
    """Without a compiler, or on another system, the package is installed all the same."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile; a wheel then is for this system alone."""
        if self.target_name != "wheel":
            return
        folder = Path(self.root) / "forecast" / "networks" / "fast"
        place = runpy.run_path(str(folder / "library.py"))
        if not place["FITS"]:
            return
        library: Path = place["PATH"]
        # For any processor that has these two, not for this one alone: a wheel may travel.
        flags = ["-O3", "-mavx2", "-mfma", "-fno-math-errno", "-fno-trapping-math"]
        compiler = shlex.split(os.environ.get("CC", "cc"))
        made = [*compiler, *flags, "-fPIC", "-shared", str(place["SOURCE"]), "-o", str(library)]
        try:
            for old in folder.glob(library.name.replace(place["MARK"], "*")):
                old.unlink()
            subprocess.run(made, check=True, capture_output=True, text=True)
        except (OSError, subprocess.CalledProcessError) as error:
            said = getattr(error, "stderr", "") or error
            print(f"The LSTM's loop was not compiled: {said}", file=sys.stderr)
            return
        build_data["artifacts"].append(str(library.relative_to(self.root)))
        build_data["pure_python"] = False
        build_data["infer_tag"] = True
