"""Results as plain lines, for a terminal."""

from __future__ import annotations

import re
from typing import Any

from forecast.features.targets import CLASSES
from forecast.report.wording import ahead, around, count, narrowest, p_value, price, wrapped

P_VALUE = "p"
"""In place of a form: `wording.p_value`."""
_DATES = 3
_COLUMNS = [
    ("model", "model", "{}"),
    ("MSE", "mse_price", "{:.6g}"),
    ("MAE", "mae_price", "{:.5g}"),
    ("skill MSE", "skill_mse", "{:+.2%}"),
    ("p", "dm_p_mse", P_VALUE),
    ("direction", "direction_accuracy", "{:.1%}"),
    ("pinball", "pinball", "{:.6f}"),
    ("skill spread", "skill_pinball", "{:+.2%}"),
    ("p", "dm_p_pinball", P_VALUE),
    ("in 80 % band", "coverage_80", "{:.1%}"),
]
_CLASS_COLUMNS = [
    ("model", "model", "{}"),
    ("right", "accuracy", "{:.1%}"),
    ("classes alike", "balanced_accuracy", "{:.1%}"),
    ("F1", "f1", "{:.3f}"),
    ("skill calls", "skill_error", "{:+.2%}"),
    ("p", "dm_p_error", P_VALUE),
    ("ROC AUC", "roc_auc", "{:.3f}"),
    ("Brier", "brier", "{:.4f}"),
    ("log loss", "log_loss", "{:.4f}"),
    ("skill odds", "skill_log_loss", "{:+.2%}"),
    ("p", "dm_p_log_loss", P_VALUE),
]
_FOLD = [
    ("skill MSE", "skill_mse", "{:+.2%}"),
    ("skill spread", "skill_pinball", "{:+.2%}"),
    ("in 80 % band", "coverage_80", "{:.1%}"),
]
_CLASS_FOLD = [
    ("right", "accuracy", "{:.1%}"),
    ("commonest", "usual", "{:.1%}"),
    ("p", "dm_p_error", P_VALUE),
    ("ROC AUC", "roc_auc", "{:.3f}"),
    ("log loss", "log_loss", "{:.4f}"),
    ("skill odds", "skill_log_loss", "{:+.2%}"),
    ("p", "dm_p_log_loss", P_VALUE),
]
_IN_GROUP = {
    *("skill_mse", "dm_p_mse", "direction_accuracy", "skill_pinball", "dm_p_pinball"),
    "coverage_80",
}
_CLASSES_IN_GROUP = {
    *("accuracy", "skill_error", "dm_p_error", "log_loss", "skill_log_loss", "dm_p_log_loss"),
}
_POOLED = [
    ("all together", "model", "{}"),
    ("MSE of returns", "mse_return", "{:.6g}"),
    ("skill MSE", "skill_mse_return", "{:+.2%}"),
    ("p", "dm_p_mse_return", P_VALUE),
    *_COLUMNS[5:],
]
_RULES = [
    ("rule", "strategy", "{}"),
    ("a year", "annual_return", "{:+.1%}"),
    ("volatility", "volatility", "{:.1%}"),
    ("Sharpe", "sharpe", "{:.2f}"),
    ("from", "sharpe_low", "{:.2f}"),
    ("to", "sharpe_high", "{:.2f}"),
    ("deflated", "deflated_sharpe", "{:.2f}"),
    ("deepest fall", "max_drawdown", "{:.1%}"),
    ("turnover", "turnover", "{:.0f}"),
    ("break-even bp", "break_even_cost", "{:.1f}"),
]

_UNSEEN = "no score vouches for this forecast, and how often its bands hold is not verified."


def score_lines(document: dict[str, Any]) -> list[str]:
    """Heading, score table of the last step, verdict, and where the report is.

    Args:
        document: A run as `train --json` prints it.
    """
    test = document["split"]["test"]
    return [
        f"{document['ticker']}: {document['network']}, {_asked(document)}, "
        f"{count(test['origins'], 'forecast')} made from {test['first']} to {test['last']}, "
        f"whose outcomes it never saw ({document['source']})",
        "",
        *_score_table(document),
        "",
        *wrapped(document["verdict"]["text"]),
        "",
        f"Report: {document['report']}",
    ]


def group_lines(pooled: dict[str, Any], documents: list[dict[str, Any]]) -> list[str]:
    """A line a ticker, the best spread first; the pooled scores, the verdict, the report.

    Args:
        pooled: As `train --together --json` prints it.
        documents: The runs beside it.
    """
    classes = pooled["target"] in CLASSES
    columns = [
        column
        for column in (_CLASS_COLUMNS if classes else _COLUMNS)
        if column[1] in (_CLASSES_IN_GROUP if classes else _IN_GROUP)
    ]
    best = "skill_log_loss" if classes else "skill_pinball"
    together = [("all together", "model", "{}"), *columns] if classes else _POOLED
    rows = []
    for document in documents:
        own = next(
            row
            for row in document["scores"]
            if row["model"] == document["network"] and row["step"] == document["horizon"]
        )
        rows.append((own[best], document["ticker"], own))
    rows.sort(key=lambda row: float("-inf") if row[0] is None else row[0], reverse=True)
    return [
        f"{len(documents)} tickers, one {pooled['network']}, {_asked(pooled)}",
        "",
        *aligned(
            [["ticker", *(heading for heading, _, _ in columns)]]
            + [
                [ticker, *(shown(own.get(key), form) for _, key, form in columns)]
                for _, ticker, own in rows
            ]
        ),
        "",
        *aligned(
            [[heading for heading, _, _ in together]]
            + [[shown(row.get(key), form) for _, key, form in together] for row in pooled["scores"]]
        ),
        "",
        *wrapped(pooled["verdict"]["text"]),
        "",
        f"Report: {pooled['report']}",
    ]


def evaluation_lines(document: dict[str, Any]) -> list[str]:
    """Heading, pooled scores, folds and seeds, backtest, verdict, and where the report is.

    Args:
        document: An evaluation as `evaluate --json` prints it.
    """
    folds, trades = document["folds"], document["backtest"]
    again = " (evaluated before: nothing was done again)" if document["status"] == "current" else ""
    columns = _CLASS_FOLD if document["target"] in CLASSES else _FOLD
    return [
        f"{document['ticker']}: {document['network']}, {_asked(document)}, retrained in "
        f"{len(folds)} folds, {count(sum(fold['origins'] for fold in folds), 'forecast')}, "
        f"{folds[0]['first']} to {folds[-1]['last']} ({document['source']}){again}",
        "",
        *_score_table(document),
        "",
        *aligned(
            [["fold", "from", "to", *(heading for heading, _, _ in columns)]]
            + [
                [
                    str(fold["fold"]),
                    fold["first"],
                    fold["last"],
                    *(shown(fold[key], form) for _, key, form in columns),
                ]
                for fold in folds
            ]
        ),
        "",
        *aligned(
            [[heading for heading, _, _ in _RULES]]
            + [[shown(row[key], form) for _, key, form in _RULES] for row in trades["rows"]]
        ),
        "",
        *wrapped(document["verdict"]["text"]),
        "",
        *wrapped(document["seeds"]["text"]),
        "",
        *wrapped(trades["text"]),
        "",
        f"Report: {document['report']}",
    ]


def comparison_lines(document: dict[str, Any]) -> list[str]:
    """Heading, networks and baselines from the best spread to the worst, and the answer.

    Args:
        document: A comparison as `compare --json` prints it.
    """
    test, seeds = document["split"]["test"], document["seeds"]
    again = " (compared before: nothing was done again)" if document["status"] == "current" else ""
    networks, loss = document["networks"], document["losses"][0]
    order = [row["model"] for row in document["scores"] if row["step"] == document["horizon"]]
    return [
        f"{document['ticker']}: {_asked(document)}, {count(test['origins'], 'forecast')} made from "
        f"{test['first']} to {test['last']}, whose outcomes no model saw ({document['source']})"
        f"{again}",
        "",
        *_score_table(document),
        "",
        *aligned(
            [["network", "weights", "training a seed", "start-up", "skill of single seeds"]]
            + [_took(name, networks[name], loss) for name in order if name in networks]
        ),
        f"Scores above are of the mean of {len(seeds)} seeds' forecasts." if len(seeds) > 1 else "",
        *(
            f"! {name} failed: {error_text(one['error'])}"
            for name, one in networks.items()
            if one["error"]
        ),
        "",
        *wrapped(document["answer"]),
        "",
        f"Report: {document['report']}",
    ]


def _took(name: str, one: dict[str, Any], loss: str) -> list[str]:
    """What a network took, and its seeds' skill with their spread."""
    return [
        name,
        f"{one['parameters']:,}",
        f"{one['seconds']:.1f} s",
        shown(one["startup"], "{:.1f} s"),
        f"{around(one['mean'][f'skill_{loss}'], one['spread'][f'skill_{loss}'])} %",
    ]


def _asked(document: dict[str, Any]) -> str:
    """What was forecast: a class by its name, and how far ahead."""
    far = ahead(document["horizon"])
    return f"{document['target']} {far}" if document["target"] in CLASSES else far


def _score_table(document: dict[str, Any]) -> list[str]:
    """The scores of the last step."""
    rows = [row for row in document["scores"] if row["step"] == document["horizon"]]
    columns = _CLASS_COLUMNS if document.get("target") in CLASSES else _COLUMNS
    return aligned(
        [[heading for heading, _, _ in columns]]
        + [[shown(row.get(key), form) for _, key, form in columns] for row in rows]
    )


def shown(value: Any, form: str) -> str:
    """A figure in the form given, or `P_VALUE`; an en dash where there is none."""
    if form == P_VALUE:
        return p_value(value)
    if value is None:
        return "–"
    text = form.format(value)
    # What is rounded to zero has no minus.
    zero = text.startswith("-") and not re.search("[1-9]", text)
    return form.format(abs(value)) if zero else text


def aligned(cells: list[list[str]]) -> list[str]:
    """Lines of a table, the first column to the left, the others to the right."""
    widths = [max(len(line[i]) for line in cells) for i in range(len(cells[0]))]
    return [
        "  ".join(
            [
                line[0].ljust(widths[0]),
                *(cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True)),
            ]
        )
        for line in cells
    ]


def forecast_lines(document: dict[str, Any]) -> list[str]:
    """The coming sessions as a table.

    Args:
        document: A forecast as `predict --json` prints it.
    """
    steps = document["steps"]
    close = price(document["last_close"], narrowest(steps))
    lines = [
        f"{document['ticker']}: {document['network']} from {document['origin']}, last close "
        f"{close} ({document['source']}, run {document['run']})",
        "",
        *(_odds if document["target"] in CLASSES else _prices)(steps),
    ]
    if not document["in_training"]:
        lines += ["", f"Run {document['run']} never saw {document['ticker']}: {_UNSEEN}"]
    return [*lines, "", f"Plot: {document['plot']}"] if document["plot"] else [*lines, ""]


def _prices(steps: list[dict[str, Any]]) -> list[str]:
    within = narrowest(steps)

    def band(step: dict[str, Any], low: str, high: str) -> str:
        return f"{price(step[low], within)} – {price(step[high], within)}"

    return aligned(
        [["session", "forecast", "80 % band", "90 % band", "up"]]
        + [
            [
                step["session"],
                price(step["predicted"], within),
                band(step, "p10", "p90"),
                band(step, "p05", "p95"),
                f"{step['probability_up']:.0%}",
            ]
            for step in steps
        ]
    )


def _odds(steps: list[dict[str, Any]]) -> list[str]:
    """The probability of each class beside its usual share."""
    classes = list(steps[0]["usual"])
    head = "".join(f"{name:>10}{'usually':>10}" for name in classes)
    return [
        f"{'session':<12}{head}",
        *(
            f"{step['session']:<12}"
            + "".join(
                f"{step[f'probability_{name}']:>10.1%}{step['usual'][name]:>10.1%}"
                for name in classes
            )
            for step in steps
        ),
    ]


def fetch_lines(documents: list[dict[str, Any]]) -> list[str]:
    """A line a ticker, its findings below it, and a summary of many.

    Args:
        documents: Entries of `fetch --json`.
    """
    lines = []
    width = max(len(one["ticker"]) for one in documents)
    for one in documents:
        if one["error"]:
            lines.append(f"{one['ticker']:<{width}}  failed   {error_text(one['error'])}")
            continue
        lines.append(
            f"{one['ticker']:<{width}}  {one['status']:<7}  {one['sessions']:,} sessions  "
            f"{one['first']} to {one['last']}  {one['source']}"
            + (f"  {one['change']}" if one["change"] else "")
        )
        for finding in one["findings"]:
            told = f"{finding['severity']}: {finding['did']}{_when(finding['sessions'])}"
            lines.append(f"{'':<{width}}  {told}")
    if len(documents) > 1:
        failed = sum(one["error"] is not None for one in documents)
        lines.append(f"{len(documents) - failed} of {len(documents)} tickers are in the store.")
    return lines


def _when(sessions: list[str]) -> str:
    """The first sessions that a finding concerns; how many they are it says itself."""
    if not sessions:
        return ""
    return f" ({', '.join(sessions[:_DATES])}{', …' if len(sessions) > _DATES else ''})"


def error_text(error: dict[str, Any]) -> str:
    """An error as JSON has it, in one line with its hint."""
    hint = f" Try: {error['hint']}" if error["hint"] else ""
    return f"{error['type']}: {error['message']}{hint}"
