"""The score table of class forecasts: networks beside the baselines on the same origins."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from forecast.evaluation.class_forecasts import classes_of, probability_columns
from forecast.evaluation.classification import (
    CLASS_METRICS,
    ClassOutcomes,
    confusion_matrix,
)
from forecast.evaluation.samples import ClassSample, losses_of
from forecast.evaluation.significance import (
    diebold_mariano,
    model_confidence_set,
    pesaran_timmermann,
    skill,
    skills_beside,
)

CLASS_REFERENCE = "majority"
CLASS_LOSSES = ("log_loss", "error")
"""What `skill_…` and `dm_p_…` end in: the log loss, and the share of wrong calls."""


def class_score_table(frame: pd.DataFrame) -> pd.DataFrame:
    """Scores of every model at every step; `docs/metrics.md` defines each column.

    Args:
        frame: Class forecasts of one ticker or several, networks and baselines, as `class_frame`
            gives them; rows whose outcome is not known are left out. It must hold `majority`.

    Returns:
        A row a model and step, models in the frame's order; columns `model`, `step`, `origins`,
        those of `CLASS_METRICS`, `direction_accuracy` and `pt_p` (for two classes), and for the log
        loss and the share of wrong calls beside `majority`: `skill_log_loss`, `dm_p_log_loss`,
        `skill_log_loss_low`, `skill_log_loss_high`, and the same for `error`; `mcs_p_log_loss`.

    Raises:
        ValueError: if the models do not share the same origins, or `majority` is missing.
    """
    rows: list[dict[str, object]] = []
    for step, samples in class_samples(frame):
        losses = {loss: losses_of(samples, loss) for loss in CLASS_LOSSES}
        # Not of wrong calls too: their means are often equal, which the test cannot rank.
        plausible = model_confidence_set(losses["log_loss"], step=step)
        beside = [
            skills_beside(of_models, CLASS_REFERENCE, loss, step=step)
            for loss, of_models in losses.items()
        ]
        for name, sample in samples.items():
            rows.append(
                {
                    "model": name,
                    "step": step,
                    "origins": len(sample.origins),
                    **{key: metric(sample.outcomes) for key, metric in CLASS_METRICS.items()},
                    **_of_direction(sample, step),
                    **{key: value for table in beside for key, value in table[name].items()},
                    "mcs_p_log_loss": float(plausible[name]),
                }
            )
    return pd.DataFrame(rows)


def class_samples(frame: pd.DataFrame) -> Iterator[tuple[int, dict[str, ClassSample]]]:
    """For each step every model's sample, of outcomes that are known."""
    classes = classes_of(frame)
    known = frame[frame["actual"] != ""].sort_values(["origin", "ticker"], kind="stable")
    for step, part in known.groupby("step"):
        samples = {
            str(name): _sample(own, classes) for name, own in part.groupby("model", sort=False)
        }
        ordered = {
            str(name): samples[str(name)]
            for name in frame["model"].unique()
            if str(name) in samples
        }
        if CLASS_REFERENCE not in ordered:
            raise ValueError(f"the frame must hold {CLASS_REFERENCE}. Received {list(ordered)}.")
        base = ordered[CLASS_REFERENCE]
        for name, sample in ordered.items():
            if not (
                np.array_equal(sample.origins, base.origins)
                and np.array_equal(sample.tickers, base.tickers)
            ):
                raise ValueError(
                    f"every model must forecast the same origins. {name} has "
                    f"{len(sample.origins)} at step {step}, {CLASS_REFERENCE} {len(base.origins)}."
                )
        yield int(str(step)), ordered


def class_scores_by_year(frame: pd.DataFrame, *, model: str, step: int) -> pd.DataFrame:
    """One model's scores for each calendar year of `session`; no tests.

    Args:
        frame: As `class_score_table`.
        model: Which.
        step: Which step.

    Returns:
        Columns `year`, `origins`, `accuracy`, `log_loss`, `skill_log_loss`, `skill_error`.
    """
    part = frame[(frame["step"] == step) & frame["model"].isin([model, CLASS_REFERENCE])]
    table = class_scores_by(part, part["session"].dt.year.rename("year"))
    own = table[table["model"] == model].reset_index(drop=True)
    return own[["year", "origins", "accuracy", "log_loss", "skill_log_loss", "skill_error"]]


def class_scores_by(frame: pd.DataFrame, groups: pd.Series) -> pd.DataFrame:
    """Metrics, skills and tests of every model and step within each group of origins.

    Args:
        frame: As `class_score_table`.
        groups: The group of each row of the frame; its name becomes a column.

    Returns:
        Columns of the groups' name, `model`, `step`, `origins`, those of `CLASS_METRICS`, and for
        the log loss and the share of wrong calls beside `majority` `skill_…` and `dm_p_…`.
    """
    rows = []
    for group, part in frame.groupby(groups):
        for step, samples in class_samples(part):
            base = samples[CLASS_REFERENCE]
            for name, sample in samples.items():
                row: dict[str, object] = {
                    str(groups.name): group,
                    "model": name,
                    "step": step,
                    "origins": len(sample.origins),
                    **{key: metric(sample.outcomes) for key, metric in CLASS_METRICS.items()},
                }
                for loss in CLASS_LOSSES:
                    own, other = getattr(sample, loss), getattr(base, loss)
                    row[f"skill_{loss}"] = skill(own, other)
                    row[f"dm_p_{loss}"] = diebold_mariano(own, other, step=step)
                rows.append(row)
    return pd.DataFrame(rows)


def confusion_of(frame: pd.DataFrame, *, model: str, step: int) -> np.ndarray:
    """One model's confusion matrix at one step: rows what came, columns what was named."""
    return confusion_matrix(dict(class_samples(frame))[step][model].outcomes)


def _sample(own: pd.DataFrame, classes: list[str]) -> ClassSample:
    number = {name: place for place, name in enumerate(classes)}
    return ClassSample(
        own["origin"].to_numpy(),
        own["ticker"].to_numpy("str"),
        ClassOutcomes(
            own[probability_columns(classes)].to_numpy(),
            own["called"].map(number).to_numpy("int64"),
            own["actual"].map(number).to_numpy("int64"),
        ),
    )


def _of_direction(sample: ClassSample, step: int) -> dict[str, float]:
    """What the table of prices also has, where a class is a direction."""
    one = sample.outcomes
    if one.probabilities.shape[1] != 2:
        return {"direction_accuracy": np.nan, "pt_p": np.nan}
    came, called = 2.0 * one.came - 1.0, 2.0 * one.called - 1.0
    return {
        "direction_accuracy": float((one.called == one.came).mean()),
        "pt_p": pesaran_timmermann(came, called)
        if step == 1 and len(set(sample.tickers)) == 1
        else np.nan,
    }
