"""Scores as tables that a person reads: which figures, in which unit, in which words."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from forecast.evaluation.verdict import outcome
from forecast.report.wording import ahead, finite, fixed, number, p_value, percent, whole

_STANDINGS = {"beats": "up", "ties": "even", "loses": "down"}


@dataclass(frozen=True)
class Metric:
    """How one figure of the scores is shown: heading, unit, and the text of a value."""

    label: str
    unit: str
    show: Callable[[Any], str]


def _percent(digits: int) -> Callable[[Any], str]:
    return lambda value: percent(value, digits).removesuffix(" %")


def _signed(digits: int) -> Callable[[Any], str]:
    return lambda value: percent(value, digits, signed=True).removesuffix(" %")


def _hundredfold(value: Any) -> str:
    known = finite(value)
    return number(None if known is None else known * 100)


METRICS: dict[str, Metric] = {
    "origins": Metric("Forecasts", "", whole),
    "accuracy": Metric("Right", "%", _percent(1)),
    "usual": Metric("Commonest class", "%", _percent(1)),
    "balanced_accuracy": Metric("Right, classes alike", "%", _percent(1)),
    "precision": Metric("Precision", "%", _percent(1)),
    "recall": Metric("Recall", "%", _percent(1)),
    "f1": Metric("F1", "", fixed),
    "roc_auc": Metric("ROC AUC", "", lambda value: fixed(value, 3)),
    "log_loss": Metric("Log loss", "", number),
    "brier": Metric("Brier", "", number),
    "mse_price": Metric("MSE", "¤²", number),
    "rmse_price": Metric("RMSE", "¤", number),
    "mae_price": Metric("MAE", "¤", number),
    "mape": Metric("MAPE", "%", lambda value: number(value, 3)),
    "mase": Metric("MASE", "", number),
    "mse_return": Metric("MSE of returns", "log²", number),
    "mae_return": Metric("MAE of returns", "%", _hundredfold),
    "r2_return": Metric("R² of returns", "%", _signed(2)),
    "direction_accuracy": Metric("Direction right", "%", _percent(1)),
    "pt_p": Metric("p of direction", "", p_value),
    "pinball": Metric("Pinball", "% of price", _hundredfold),
    "crps": Metric("CRPS", "% of price", _hundredfold),
    "winkler_80": Metric("Winkler 80", "% of price", _hundredfold),
    "coverage_50": Metric("In 50 % band", "%", _percent(1)),
    "coverage_80": Metric("In 80 % band", "%", _percent(1)),
    "coverage_90": Metric("In 90 % band", "%", _percent(1)),
    "coverage_95": Metric("In 95 % band", "%", _percent(1)),
    "skill_mse": Metric("Skill, price", "%", _signed(2)),
    "skill_mse_low": Metric("from", "%", _signed(2)),
    "skill_mse_high": Metric("to", "%", _signed(2)),
    "dm_p_mse": Metric("p, price", "", p_value),
    "mcs_p_mse": Metric("Model set p, price", "", p_value),
    "skill_pinball": Metric("Skill, spread", "%", _signed(2)),
    "skill_pinball_low": Metric("from", "%", _signed(2)),
    "skill_pinball_high": Metric("to", "%", _signed(2)),
    "dm_p_pinball": Metric("p, spread", "", p_value),
    "mcs_p_pinball": Metric("Model set p, spread", "", p_value),
    "seeds_skill": Metric("Single seeds", "%", str),
    "skill_log_loss": Metric("Skill, odds", "%", _signed(2)),
    "skill_log_loss_low": Metric("from", "%", _signed(2)),
    "skill_log_loss_high": Metric("to", "%", _signed(2)),
    "dm_p_log_loss": Metric("p, odds", "", p_value),
    "mcs_p_log_loss": Metric("Model set p, odds", "", p_value),
    "skill_error": Metric("Skill, calls", "%", _signed(2)),
    "skill_error_low": Metric("from", "%", _signed(2)),
    "skill_error_high": Metric("to", "%", _signed(2)),
    "dm_p_error": Metric("p, calls", "", p_value),
    "not_up": Metric("not up", "", whole),
    "down": Metric("down", "", whole),
    "flat": Metric("flat", "", whole),
    "up": Metric("up", "", whole),
    "forecasts": Metric("Forecasts", "", whole),
    "said": Metric("Said", "%", _percent(1)),
    "came": Metric("Came", "%", _percent(1)),
    "expected": Metric("Expected", "%", _percent(1)),
    "observed": Metric("Observed", "%", _percent(1)),
    "low": Metric("95 % interval from", "%", _percent(1)),
    "high": Metric("to", "%", _percent(1)),
    "total_return": Metric("Return in all", "%", _signed(1)),
    "annual_return": Metric("Return a year", "%", _signed(1)),
    "volatility": Metric("Volatility a year", "%", _percent(1)),
    "sharpe": Metric("Sharpe ratio", "", fixed),
    "sharpe_range": Metric("95 % interval", "", str),
    "deflated_sharpe": Metric("Deflated Sharpe", "probability", fixed),
    "max_drawdown": Metric("Deepest fall", "%", _signed(1)),
    "turnover": Metric("Turnover a year", "× capital", lambda value: number(value, 3)),
    "break_even_cost": Metric("Break-even cost", "bp", lambda value: number(value, 3)),
    "parameters": Metric("Weights", "", whole),
    "seconds": Metric("Training", "s", lambda value: number(value, 3)),
}

MODELS = {
    "last_close": "stays at the last close",
    "drift": "goes on growing as it has",
    "ewma": "exponentially weighted spread",
    "garch": "GARCH(1,1), Student t",
    "har": "daily, weekly, monthly range",
    "ridge": "linear, the same features",
    "majority": "the training part’s shares",
    "momentum": "the last direction goes on",
}

_REFERENCES = {"log_loss": "majority", "error": "majority"}


@dataclass(frozen=True)
class Cell:
    """One cell: its text, a smaller second line, its standing (`up`, `down`, `even`, none)."""

    text: str
    note: str = ""
    standing: str = ""


@dataclass(frozen=True)
class Row:
    """One model's row, or one ticker's; `link` is where its name leads to."""

    name: str
    note: str
    own: bool
    cells: list[Cell]
    link: str = ""


@dataclass(frozen=True)
class Table:
    """A table with a caption; `groups` are `(heading, rows)`, a single one without heading.

    Attributes:
        caption: Above it.
        columns: Heading and unit of each, without the rows' names.
        groups: The rows.
        note: Below it.
        ident: For links.
        names: Heading of the rows' names.
        words: Headings of the columns that hold words, which begin on the left.
    """

    caption: str
    columns: list[tuple[str, str]]
    groups: list[tuple[str, list[Row]]]
    note: str = ""
    ident: str = ""
    names: str = ""
    words: Collection[str] = ()


def score_table(
    scores: Sequence[Mapping[str, Any]],
    network: str,
    currency: str,
    metrics: Iterable[str],
    loss: str,
    *,
    caption: str,
    note: str,
) -> Table | None:
    """Some metrics of every model at the first and the last step, with a skill.

    Args:
        scores: Rows of the score table.
        network: Its name, which is set apart.
        currency: Quote currency.
        metrics: Keys of `METRICS`; those without a value are left out.
        loss: As `skill_cells`.
        caption: Of the table.
        note: Below it.
    """
    keys = [key for key in metrics if any(finite(row.get(key)) is not None for row in scores)]
    if not keys:
        return None
    groups = []
    for step in _ends(scores):
        rows = [
            Row(
                str(row.get("model")),
                MODELS.get(
                    str(row.get("model")), "the network" if row.get("model") == network else ""
                ),
                row.get("model") == network,
                [*(Cell(METRICS[key].show(row.get(key))) for key in keys), *skill_cells(row, loss)],
            )
            for row in _ordered(scores, network)
            if row.get("step") == step and any(finite(row.get(key)) is not None for key in keys)
        ]
        groups.append((ahead(step).capitalize() if len(_ends(scores)) > 1 else "", rows))
    columns = [(METRICS[key].label, METRICS[key].unit.replace("¤", currency)) for key in keys]
    return Table(caption, [*columns, ("Skill", "%"), ("p", "")], groups, note, loss, "Model")


def skill_cells(row: Mapping[str, Any], loss: str) -> list[Cell]:
    """Skill with its interval and standing, and its p, of a model's row.

    Args:
        row: Of the score table.
        loss: What the columns `skill_…` and `dm_p_…` end in; those of prices but `pinball` are
            compared with `last_close`.
    """
    reference = row.get("pinball_reference") if loss == "pinball" else _REFERENCES.get(loss)
    if row.get("model") == (reference or "last_close"):
        return [Cell("reference"), Cell("–")]
    skill, p = finite(row.get(f"skill_{loss}")), finite(row.get(f"dm_p_{loss}"))
    low, high = (finite(row.get(f"skill_{loss}_{end}")) for end in ("low", "high"))
    note = (
        f"{_signed(1)(low)} to {_signed(1)(high)}" if low is not None and high is not None else ""
    )
    return [Cell(_signed(2)(skill), note, standing_of(skill, p)), Cell(p_value(p))]


def standing_of(skill: float | None, p: float | None) -> str:
    """`up`, `even` or `down`, where the verdict says beats, ties or loses; empty without a test.

    Args:
        skill: None where the reference never errs.
        p: Of the test, None without one.
    """
    return "" if p is None else _STANDINGS[outcome(math.nan if skill is None else skill, p)]


def every_figure(
    scores: Sequence[Mapping[str, Any]], *, network: str, currency: str
) -> Table | None:
    """All metrics of all models and steps."""
    keys = [key for key in METRICS if any(key in row for row in scores)]
    keys += sorted(
        {key for row in scores for key, value in row.items() if finite(value) is not None}
        - {"step"}
        - set(keys)
    )
    if not keys:
        return None
    groups = []
    for step in sorted({row.get("step") or 0 for row in scores}):
        rows = [
            Row(
                str(row.get("model")),
                "",
                row.get("model") == network,
                [Cell(_show(key, row.get(key))) for key in keys],
            )
            for row in _ordered(scores, network)
            if (row.get("step") or 0) == step
        ]
        groups.append((ahead(step).capitalize(), rows))
    columns = [
        (METRICS[key].label, METRICS[key].unit.replace("¤", currency))
        if key in METRICS
        else (key, "")
        for key in keys
    ]
    return Table("All models, all metrics", columns, groups, "", "all", "Model")


def plain_table(
    rows: Sequence[Mapping[str, Any]], *, caption: str, currency: str, ident: str
) -> Table | None:
    """A table of equal mappings, such as one a year; the first key heads each row."""
    if not rows:
        return None
    first, *keys = list(rows[0])
    columns = [
        (METRICS[key].label, METRICS[key].unit.replace("¤", currency))
        if key in METRICS
        else (_heading(key), "")
        for key in keys
    ]
    body = [
        Row(str(row.get(first)), "", False, [Cell(_show(key, row.get(key))) for key in keys])
        for row in rows
    ]
    words = {
        _heading(key)
        for key in keys
        if key not in METRICS and all(_show(key, row.get(key))[:1].isalpha() for row in rows)
    }
    return Table(caption, columns, [("", body)], "", ident, _heading(first), words)


def _heading(key: str) -> str:
    text = key.replace("_", " ")
    return text[:1].upper() + text[1:]


def _show(key: str, value: Any) -> str:
    if key in METRICS:
        return METRICS[key].show(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return number(value) if value is None or finite(value) is not None else str(value)


def _ends(scores: Sequence[Mapping[str, Any]]) -> list[int]:
    """The first and the last step."""
    steps = sorted({int(row["step"]) for row in scores if finite(row.get("step")) is not None})
    return sorted({steps[0], steps[-1]}) if steps else []


def _ordered(scores: Sequence[Mapping[str, Any]], network: str) -> list[Mapping[str, Any]]:
    return sorted(scores, key=lambda row: row.get("model") != network)
