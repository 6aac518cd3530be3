"""An evaluation as plain lines, for a terminal."""

from __future__ import annotations

from typing import Any

from forecast.features.targets import CLASSES
from forecast.report.run_text import asked, score_table
from forecast.report.text import P_VALUE, aligned, shown
from forecast.report.wording import count, wrapped

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


def evaluation_lines(document: dict[str, Any]) -> list[str]:
    """Heading, pooled scores, folds and seeds, backtest, verdict, and where the report is.

    Args:
        document: An evaluation as `evaluate --json` prints it.
    """
    folds, trades = document["folds"], document["backtest"]
    again = " (evaluated before: nothing was done again)" if document["status"] == "current" else ""
    columns = _CLASS_FOLD if document["target"] in CLASSES else _FOLD
    return [
        f"{document['ticker']}: {document['network']}, {asked(document)}, retrained in "
        f"{len(folds)} folds, {count(sum(fold['origins'] for fold in folds), 'forecast')}, "
        f"{folds[0]['first']} to {folds[-1]['last']} ({document['source']}){again}",
        "",
        *score_table(document),
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
