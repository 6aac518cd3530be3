"""What a setting does to the validation loss, over tickers and seeds: no test part is looked at.

    python benchmarks/validation_loss.py FOLDER [--together] [--seeds 3] [--every 1]
        learning_rate=0.003 learning_rate=0.008 learning_rate=0.008,batch=32

`FOLDER` holds a CSV file a ticker, such as `benchmarks/long_histories.py` writes. Each word is one
choice of settings; the first is what the others are compared with.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from forecast.config import load_settings
from forecast.pipeline.every import FailedRun
from forecast.pipeline.train import train


def main() -> None:
    """Print a line for each choice."""
    parser = argparse.ArgumentParser(description="What a setting does to the validation loss.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("choices", nargs="+", help="NAME=VALUE[,NAME=VALUE…]")
    parser.add_argument("--together", action="store_true", help="one network over all tickers")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--every", type=int, default=1, help="of the tickers every so many, one")
    wanted = parser.parse_args()
    names = {path.name.split(".csv")[0] for path in wanted.folder.glob("*.csv*")}
    tickers = sorted(names)[:: wanted.every]
    jobs = [tickers] if wanted.together else [[ticker] for ticker in tickers]
    with tempfile.TemporaryDirectory() as home:
        first = None
        for choice in wanted.choices:
            began = time.monotonic()
            losses = np.array(
                [
                    [
                        lowest(
                            job,
                            Path(home),
                            source=f"csv:{wanted.folder.absolute()}",
                            seed=seed,
                            together=wanted.together,
                            **dict(part.split("=", 1) for part in choice.split(",")),
                        )
                        for seed in range(1, wanted.seeds + 1)
                    ]
                    for job in jobs
                ]
            )
            first = losses if first is None else first
            change = 100 * (losses / first - 1)
            # Seeds of one ticker are no new evidence, unless there is nothing else.
            apart = change[0] if len(jobs) == 1 else change.mean(axis=1)
            error = apart.std() / len(apart) ** 0.5
            print(
                f"{choice:40} loss {losses.mean():.6f}, {change.mean():+.3f} % "
                f"± {error:.3f}, {time.monotonic() - began:.0f} s",
                flush=True,
            )


def lowest(tickers: list[str], home: Path, *, together: bool, **settings: Any) -> float:
    """The validation loss of the weights that one training keeps."""
    said = load_settings(home, **settings)
    run, *_ = train(tickers, home=home, settings=said, together=together, untuned=True)
    if isinstance(run, FailedRun):
        raise run.error
    (manifest,) = (home / "models").glob(f"*/{run.document['run']}/manifest.json")
    return float(min(json.loads(manifest.read_text())["training"]["val_loss"]))


if __name__ == "__main__":
    main()
