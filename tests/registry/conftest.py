from __future__ import annotations

import pytest

from forecast.registry import run_folder, save_run


@pytest.fixture
def save(tmp_path):
    """Saves a run whose network is a few bytes."""

    def save(run, *tickers, **manifest):
        tickers = tickers or ("AAPL",)
        folder = run_folder(tmp_path, list(tickers), run)
        save_run(
            folder,
            save_network=lambda path: path.write_bytes(b"network"),
            inputs={ticker: {"inputs": 1} for ticker in tickers},
            manifest={
                "run": run,
                "network": "lstm",
                "target": "return",
                "horizon": 1,
                "tickers": {
                    ticker: {"snapshot": f"s-{run}", "last": "2026-11-20"} for ticker in tickers
                },
                **manifest,
            },
            metrics={
                "runs": [
                    {
                        "ticker": ticker,
                        "scores": [
                            {"model": "lstm", "step": 1, "pinball": 0.004, "skill_pinball": 0.01},
                            {"model": "ewma", "step": 1, "pinball": 0.005, "skill_pinball": 0.0},
                        ],
                        "verdict": {"price": "ties", "uncertainty": "beats", "text": "Good."},
                    }
                    for ticker in tickers
                ]
            },
        )
        return folder

    return save


@pytest.fixture
def damage():
    """Changes the last byte of a file, read-only or not."""

    def damage(path):
        content = path.read_bytes()
        path.chmod(0o644)
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))

    return damage
