"""A run as plain lines, for a terminal: the scores of one ticker, or of many together."""

from __future__ import annotations

from typing import Any

from forecast.features.targets import CLASSES
from forecast.report.text import P_VALUE, aligned, shown
from forecast.report.wording import ahead, count, wrapped

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


def score_lines(document: dict[str, Any]) -> list[str]:
    """Heading, score table of the last step, verdict, and where the report is.

    Args:
        document: A run as `train --json` prints it.
    """
    test = document["split"]["test"]
    return [
        f"{document['ticker']}: {document['network']}, {asked(document)}, "
        f"{count(test['origins'], 'forecast')} made from {test['first']} to {test['last']}, "
        f"whose outcomes it never saw ({document['source']})",
        "",
        *score_table(document),
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
        f"{len(documents)} tickers, one {pooled['network']}, {asked(pooled)}",
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


def asked(document: dict[str, Any]) -> str:
    """What was forecast: a class by its name, and how far ahead."""
    far = ahead(document["horizon"])
    return f"{document['target']} {far}" if document["target"] in CLASSES else far


def score_table(document: dict[str, Any]) -> list[str]:
    """The scores of the last step."""
    rows = [row for row in document["scores"] if row["step"] == document["horizon"]]
    columns = _CLASS_COLUMNS if document.get("target") in CLASSES else _COLUMNS
    return aligned(
        [[heading for heading, _, _ in columns]]
        + [[shown(row.get(key), form) for _, key, form in columns] for row in rows]
    )
