"""What results as plain lines, for a terminal, have in common."""

from __future__ import annotations

import re
from typing import Any

from forecast.report.wording import p_value

P_VALUE = "p"
"""In place of a form: `wording.p_value`."""


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


def error_text(error: dict[str, Any]) -> str:
    """An error as JSON has it, in one line with its hint."""
    hint = f" Try: {error['hint']}" if error["hint"] else ""
    return f"{error['type']}: {error['message']}{hint}"
