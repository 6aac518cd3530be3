"""Forecasts of the test part, of the network and of every baseline, and what they are worth."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from forecast.baselines import BASELINES
from forecast.evaluation import intervals
from forecast.evaluation.coverage import coverage_text, pit_histogram
from forecast.evaluation.forecasts import forecast_frame, outcomes, write_forecasts
from forecast.evaluation.lag import LagTest, lag_test
from forecast.evaluation.pooled import losses_by_day
from forecast.evaluation.scores import (
    PRICE_REFERENCE,
    SPREAD_REFERENCES,
    as_rows,
    naive_scale,
    score_table,
    scores_by_regime,
    scores_by_year,
)
from forecast.evaluation.verdict import Verdict, verdict
from forecast.features.inputs import Inputs, feature_rows
from forecast.features.targets import Prediction
from forecast.features.windows import Windows
from forecast.networks.training import Fitted, infer
from forecast.pipeline.preparing import Prepared, Ready


@dataclass(frozen=True)
class Judged:
    """What a network's forecasts are worth, of prices or of classes.

    Attributes:
        scores: Rows of the score table.
        verdict: On the network.
        detail: What the page shows besides, as JSON.
    """

    scores: list[dict[str, object]]
    verdict: Verdict
    detail: dict[str, Any]


@dataclass(frozen=True)
class Scored:
    """What came of one ticker.

    Attributes:
        forecasts: Forecast frame of the test part: the network, then every baseline.
        judged: What they are worth.
        calibration: How the intervals were adjusted, as far as outcomes are known.
    """

    forecasts: pd.DataFrame
    judged: Judged
    calibration: intervals.Calibration

    def write(self, folder: Path) -> None:
        """Write `forecasts.csv`.

        Raises:
            ArtifactError: if the folder cannot be written.
        """
        write_forecasts(folder / "forecasts.csv", self.forecasts)

    def report(
        self,
        folder: Path,
        *,
        document: Mapping[str, Any],
        bars: pd.DataFrame,
        history: Mapping[str, Any],
        pictures: bool,
    ) -> list[Path]:
        """Write pictures and page; arguments and result as `report.run_page.write_report`."""
        from forecast.report.run_page import write_report

        return write_report(
            folder,
            document=document,
            forecasts=self.forecasts,
            bars=bars,
            history=history,
            pictures=pictures,
        )

    def losses(self, step: int) -> pd.DataFrame:
        """What the ticker adds to each day's losses, as `losses_by_day` gives it."""
        return losses_by_day(self.forecasts, step=step)


def score_outputs(one: Prepared, outputs: np.ndarray, *, network: str) -> Scored:
    """Score what the network gave, beside every baseline.

    Args:
        one: The ticker; of its windows only the origins are read.
        outputs: Of the windows of the validation part and the test part, shape (n, horizon, 8).
        network: Its name.
    """
    prediction, calibration = _calibrated(one, outputs)
    own = frame_of(one, network, prediction)
    forecasts = pd.concat([own, baseline_forecasts(one)], ignore_index=True)
    return Scored(forecasts, judge(forecasts, one, network), calibration)


def judge(forecasts: pd.DataFrame, one: Prepared, network: str) -> Judged:
    """What the forecasts are worth, with the lag test, by year, by regime, the intervals' shares.

    Args:
        forecasts: Forecast frame: the network and every baseline.
        one: The ticker; its training part gives MASE its scale.
        network: Its name.
    """
    table, step = price_scores(forecasts, one), one.inputs.horizon
    detail = {
        "lag": lag_of(lag_test(forecasts, model=network, step=step)),
        **_detail(forecasts, network, step),
    }
    return Judged(as_rows(table), verdict(table, model=network), detail)


def price_scores(forecasts: pd.DataFrame, one: Prepared) -> pd.DataFrame:
    """The score table of a forecast frame; arguments as `judge`."""
    scale = naive_scale(one.bars["close"].loc[: one.fitted_until])
    return score_table(forecasts, naive_mae={one.ticker: scale})


def baseline_forecasts(one: Prepared, *, among: Collection[str] = BASELINES) -> pd.DataFrame:
    """Forecast frame of the test part by every baseline, each fitted on the training part.

    Args:
        one: The ticker.
        among: Only baselines of these names.
    """
    origins = one.part("test").origin
    features = feature_rows(one.bars, one.inputs.feature_names, ticker=one.ticker)
    frames = [
        frame_of(
            one,
            name,
            baseline(
                one.bars,
                origins,
                horizon=one.inputs.horizon,
                fitted_until=one.fitted_until,
                features=features,
            ),
        )
        for name, baseline in BASELINES.items()
        if name in among
    ]
    return pd.concat(frames, ignore_index=True)


def calibrated(one: Prepared, fitted: Fitted) -> tuple[Prediction, intervals.Calibration]:
    """The network's forecasts of the test part, and the calibration after the last known outcome.

    The calibration starts with the validation part, which neither fitted the weights nor is scored,
    and goes on through the test part from outcomes known at each origin.
    """
    return _calibrated(one, infer(fitted.model, scored_windows(one), head=fitted.head))


def scored_windows(one: Prepared | Ready) -> Windows:
    """The windows of the validation part, which starts the calibration, and of the test part."""
    return one.windows.take(np.r_[one.split.validation, one.split.test])


def _calibrated(one: Prepared, outputs: np.ndarray) -> tuple[Prediction, intervals.Calibration]:
    windows = scored_windows(one)
    prediction, state = adjust(
        one.inputs,
        outputs,
        one.bars,
        windows,
        intervals.start(windows.horizon),
    )
    own = slice(len(one.split.validation), None)
    return Prediction(prediction.point[own], prediction.quantiles[own]), state


def adjust(
    inputs: Inputs,
    outputs: np.ndarray,
    bars: pd.DataFrame,
    windows: Windows,
    state: intervals.Calibration,
    *,
    coming: pd.DatetimeIndex | None = None,
) -> tuple[Prediction, intervals.Calibration]:
    """Network outputs as calibrated log returns, and the calibration after them.

    Args:
        inputs: The ticker's.
        outputs: Of the windows, shape (n, horizon, 8).
        bars: The ticker's.
        windows: In the order of time.
        state: The calibration before them.
        coming: The sessions after the last bar, where some outcomes are not known yet.
    """
    sessions, actual = outcomes(bars, windows.origin, horizon=windows.horizon, coming=coming)
    close = bars["close"].loc[windows.origin].to_numpy()
    return intervals.calibrate(
        inputs.decode(outputs, bars, windows.origin),
        np.log(actual / close[:, None]),
        origins=windows.origin,
        sessions=sessions,
        state=state,
    )


def frame_of(one: Prepared, model: str, prediction: Prediction) -> pd.DataFrame:
    """A model's forecasts of the test part as a Forecast frame."""
    test = one.part("test")
    sessions, actual = outcomes(one.bars, test.origin, horizon=test.horizon)
    return forecast_frame(
        prediction,
        ticker=one.ticker,
        model=model,
        close=one.bars["close"].loc[test.origin].to_numpy(),
        origins=test.origin,
        sessions=sessions,
        actual=actual,
    )


def _detail(forecasts: pd.DataFrame, network: str, step: int) -> dict[str, Any]:
    """By year, by regime, and how the intervals held, as JSON for the page."""
    needed = forecasts["model"].isin([network, PRICE_REFERENCE, *SPREAD_REFERENCES])
    part = forecasts[needed & (forecasts["step"] == step)]

    def own(table: pd.DataFrame) -> list[dict[str, object]]:
        return as_rows(table[table["model"] == network])

    return {
        "by_year": own(scores_by_year(part)),
        "by_regime": own(scores_by_regime(part)),
        "calibration": {
            "text": coverage_text(forecasts, model=network, step=step),
            "rows": as_rows(pit_histogram(forecasts, model=network, step=step)),
        },
    }


def lag_of(test: LagTest) -> dict[str, Any]:
    """The lag test as JSON."""
    table = test.correlations.rename_axis("lag").reset_index()
    numbers = pd.DataFrame([{"slope": test.slope, "intercept": test.intercept, "r2": test.r2}])
    return {
        "text": test.text,
        "persistence": bool(test.persistence),
        **as_rows(numbers)[0],
        "correlations": as_rows(table),
    }
