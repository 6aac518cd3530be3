"""docs/metrics.md says how to recompute the figures: its code does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from forecast.baselines import BASELINES
from forecast.evaluation.forecasts import forecast_frame, outcomes, write_forecasts
from forecast.evaluation.metrics import TAIL
from forecast.evaluation.scores import score_table
from forecast.evaluation.significance import diebold_mariano

DOCUMENT = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text(encoding="utf-8")


def test_the_code_in_the_document_gives_the_score_table(aapl, tmp_path, monkeypatch):
    import numpy as np
    import pandas as pd

    origins = aapl.index[-400:-1]
    sessions, actual = outcomes(aapl, origins, horizon=1)
    features = pd.DataFrame({"return": np.log(aapl["close"]).diff()}).dropna()
    frame = pd.concat(
        [
            forecast_frame(
                baseline(
                    aapl, origins, horizon=1, fitted_until=aapl.index[2500], features=features
                ),
                ticker="AAPL",
                model=name,
                close=aapl["close"].loc[origins].to_numpy(),
                origins=origins,
                sessions=sessions,
                actual=actual,
            )
            for name, baseline in BASELINES.items()
        ]
    )
    write_forecasts(tmp_path / "forecasts.csv", frame)
    monkeypatch.chdir(tmp_path)
    (code,) = re.findall(r"```python\n(.*?)```", DOCUMENT, flags=re.DOTALL)
    found = {}
    exec(code, found)
    row = score_table(frame).set_index("model").loc["ridge"]
    assert len(found["scores"]) == 6
    for name, value in found["scores"].items():
        assert value == pytest.approx(row[name], abs=1e-9), name
    for step in (2, 20):
        losses = found["squared"], found["naive"]
        p = diebold_mariano(*losses, step=step)
        assert found["p_value"](*losses, step) == pytest.approx(p, abs=1e-12)


def test_every_column_is_defined(aapl):
    origins = aapl.index[-30:-1]
    sessions, actual = outcomes(aapl, origins, horizon=1)
    frame = forecast_frame(
        BASELINES["last_close"](aapl, origins, horizon=1, fitted_until=aapl.index[2500]),
        ticker="AAPL",
        model="last_close",
        close=aapl["close"].loc[origins].to_numpy(),
        origins=origins,
        sessions=sessions,
        actual=actual,
    )
    for column in score_table(frame).columns:
        general = re.sub(r"_(mse|pinball)_(low|high)$", r"_*_\2", column)
        assert f"`{general}`" in DOCUMENT, column


def test_the_constant_of_coverage_95():
    assert f"{TAIL:.10f}" in DOCUMENT
