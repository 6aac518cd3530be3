"""The score table: every model beside the baselines on the same origins, from a Forecast frame."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from forecast.evaluation.forecasts import QUANTILE_COLUMNS
from forecast.evaluation.metrics import METRICS, Outcomes, mae
from forecast.evaluation.samples import Sample, losses_of
from forecast.evaluation.significance import (
    model_confidence_set,
    pesaran_timmermann,
    skill,
    skills_beside,
)

PRICE_REFERENCE = "last_close"
SPREAD_REFERENCES = ("ewma", "garch")
REGIMES = ("calm", "normal", "stormy")


def score_table(
    frame: pd.DataFrame, *, naive_mae: Mapping[str, float] | None = None
) -> pd.DataFrame:
    """Scores of every model at every step; `docs/metrics.md` defines each column.

    Args:
        frame: Forecast frame; rows whose outcome is not known are left out. It must hold
            `last_close`, at every origin: its `predicted` is the close at the origin.
        naive_mae: For each ticker the scale of MASE, as from `naive_scale` [quote currency]; None
            leaves MASE empty.

    Returns:
        A row a model and step, models in the frame's order; columns `model`, `step`, `origins`,
        those of `METRICS`, `mase`, `pt_p`, `skill_mse`, `dm_p_mse`, `skill_mse_low`,
        `skill_mse_high`, `mcs_p_mse`, the same five for pinball, and `pinball_reference`. NaN where
        a model has no answer.

    Raises:
        ValueError: if the models do not share the same origins, or `last_close` is missing.
    """
    rows = [
        row
        for step, samples in samples_by_step(frame)
        for row in _score_step(samples, step, naive_mae)
    ]
    return pd.DataFrame(rows)


def naive_scale(close: pd.Series) -> float:
    """Mean absolute one-session change of the training part's closes, the scale of MASE.

    Source: R. Hyndman, A. Koehler (2006), Another look at measures of forecast accuracy,
    International Journal of Forecasting 22.
    """
    return float(close.diff().abs().mean())


def scores_by_year(frame: pd.DataFrame) -> pd.DataFrame:
    """Metrics and skills of every model and step for each calendar year of `session`.

    Args, Raises: as `score_table`.

    Returns:
        Columns `year`, `model`, `step`, `origins`, those of `METRICS`, `skill_mse`,
        `skill_pinball`.
    """
    return scores_by(frame, frame["session"].dt.year.rename("year"))


def scores_by_regime(frame: pd.DataFrame) -> pd.DataFrame:
    """Metrics and skills of every model and step in calm, normal and stormy markets.

    The regime of an origin is the tercile, among the ticker's origins at that step, of the
    width `p90 / p10` that `ewma` gave it; ties go to the calmer side. The width is known at the
    origin, the tercile once all of them are.

    Args, Raises: as `score_table`; `ewma` must be in the frame.

    Returns:
        Columns `regime` (`calm`, `normal`, `stormy`), `model`, `step`, `origins`, those of
        `METRICS`, `skill_mse`, `skill_pinball`.
    """
    keys = ["ticker", "step", "origin"]
    ewma = frame[(frame["model"] == "ewma") & frame["actual"].notna()]
    if ewma.empty:
        raise ValueError("the regimes come from ewma's spread; the frame has no such rows.")
    width = ewma["p90"] / ewma["p10"]
    rank = width.groupby([ewma["ticker"], ewma["step"]]).rank(method="min", pct=True)
    tercile = (rank > 1 / 3).astype(int) + (rank > 2 / 3).astype(int)
    regime = ewma[keys].assign(regime=[REGIMES[number] for number in tercile])
    return scores_by(frame, frame[keys].merge(regime, on=keys, how="left")["regime"])


def as_rows(table: pd.DataFrame) -> list[dict[str, object]]:
    """A score table as JSON's rows: NaN becomes None, numbers plain Python ones."""
    return [
        {str(name): None if pd.isna(value) else value for name, value in row.items()}
        for row in table.astype(object).to_dict("records")
    ]


def losses_by_origin(frame: pd.DataFrame, *, step: int, loss: str) -> pd.DataFrame:
    """Loss of every model at each origin (over the tickers: their sum, scaled to the mean).

    Args:
        frame: Forecast frame.
        step: Which step.
        loss: `squared` (price, quote currency squared) or `pinball` (log return).

    Returns:
        Index `origin`, increasing; a column a model.
    """
    return losses_of(dict(samples_by_step(frame))[step], loss)


def samples_by_step(frame: pd.DataFrame) -> Iterator[tuple[int, dict[str, Sample]]]:
    """For each step every model's sample."""
    codes, models = pd.factorize(frame["model"])
    if PRICE_REFERENCE not in models:
        raise ValueError(f"the frame must hold {PRICE_REFERENCE}. Received {list(models)}.")
    # Arrays from here on: a frame a model, step and group would take most of the time.
    tickers, names = pd.factorize(frame["ticker"], sort=True)
    origins, steps = frame["origin"].to_numpy(), frame["step"].to_numpy()
    actual, predicted = frame["actual"].to_numpy(), frame["predicted"].to_numpy()
    quantiles = frame[QUANTILE_COLUMNS].to_numpy()
    order = np.lexsort((tickers, origins))
    order = order[~np.isnan(actual[order])]
    for step in np.unique(steps[order]):
        at_step = order[steps[order] == step]
        parts = {str(name): at_step[codes[at_step] == code] for code, name in enumerate(models)}
        base = parts[PRICE_REFERENCE]
        close = predicted[base]
        for name, rows in parts.items():
            if not (
                np.array_equal(origins[rows], origins[base])
                and np.array_equal(tickers[rows], tickers[base])
            ):
                raise ValueError(
                    f"every model must forecast the same origins. {name} has {len(rows)} at step "
                    f"{step}, {PRICE_REFERENCE} {len(base)}."
                )
        yield (
            int(step),
            {
                name: Sample(
                    origins[rows],
                    np.asarray(names)[tickers[rows]],
                    Outcomes(
                        close, actual[rows], predicted[rows], np.asfortranarray(quantiles[rows])
                    ),
                )
                for name, rows in parts.items()
            },
        )


def _spread_reference(samples: Mapping[str, Sample]) -> str | None:
    """The better of ewma and garch by mean pinball; ewma when both are equal."""
    present = [name for name in SPREAD_REFERENCES if name in samples]
    return min(present, key=lambda name: float(samples[name].pinball.mean()), default=None)


def _metrics(model: str, step: int, sample: Sample) -> dict[str, object]:
    values = {name: metric(sample.outcomes) for name, metric in METRICS.items()}
    return {"model": model, "step": step, "origins": len(sample.origins), **values}


def _score_step(
    samples: Mapping[str, Sample], step: int, naive_mae: Mapping[str, float] | None
) -> Iterator[dict[str, object]]:
    """Rows of the score table for one step."""
    spread = _spread_reference(samples)
    columns: dict[str, dict[str, float]] = {name: {} for name in samples}
    for kind, loss, reference in (
        ("mse", "squared", PRICE_REFERENCE),
        ("pinball", "pinball", spread),
    ):
        losses = losses_of(samples, loss)
        beside = skills_beside(losses, reference, kind, step=step)
        plausible = model_confidence_set(losses, step=step)
        for name in samples:
            columns[name] |= {**beside[name], f"mcs_p_{kind}": float(plausible[name])}
    for name, sample in samples.items():
        outcomes = sample.outcomes
        returns = outcomes.actual - outcomes.close, outcomes.predicted - outcomes.close
        yield {
            **_metrics(name, step, sample),
            "mase": _mase(sample, naive_mae),
            # Of several tickers the outcomes of an origin are not independent either.
            "pt_p": pesaran_timmermann(*returns)
            if step == 1 and len(set(sample.tickers)) == 1
            else np.nan,
            **columns[name],
            "pinball_reference": spread,
        }


def _mase(sample: Sample, naive_mae: Mapping[str, float] | None) -> float:
    """Mean absolute error of the price over the ticker's scale; NaN without a scale."""
    if naive_mae is None:
        return float("nan")
    scales = np.array([naive_mae.get(ticker, np.nan) for ticker in sample.tickers])
    if not (scales > 0).all():
        return float("nan")
    return mae(sample.outcomes.actual / scales, sample.outcomes.predicted / scales)


def scores_by(frame: pd.DataFrame, groups: pd.Series) -> pd.DataFrame:
    """Metrics and skills of every model and step within each group of origins; no tests.

    Args:
        frame: As `score_table`.
        groups: The group of each row of the frame; its name becomes a column. NaN is left out.

    Returns:
        Columns of the groups' name, `model`, `step`, `origins`, those of `METRICS`, `skill_mse`,
        `skill_pinball`.
    """
    rows = []
    for group in sorted(groups.dropna().unique()):
        for step, samples in samples_by_step(frame[(groups == group).to_numpy()]):
            spread = _spread_reference(samples)
            for name, sample in samples.items():
                base = samples[spread].pinball if spread else np.full(len(sample.pinball), np.nan)
                rows.append(
                    {
                        str(groups.name): group,
                        **_metrics(name, step, sample),
                        "skill_mse": skill(sample.squared, samples[PRICE_REFERENCE].squared),
                        "skill_pinball": skill(sample.pinball, base),
                    }
                )
    return pd.DataFrame(rows)
