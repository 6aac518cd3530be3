"""Links from a page into the code: `[stack](../forecast/x.py#L16 "def stack(")`.

The title is text that stands in one line of the file only; the number is that line's. Code moves,
so this sets the numbers right:

    python docs/lines.py
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

LINK = re.compile(r'\]\((?P<file>[^)#\s]+\.py)#L(?P<line>\d+) "(?P<text>[^"]+)"\)')


def links(page: Path) -> Iterator[tuple[re.Match[str], int]]:
    """Each link of a page into the code, with the line where its text stands.

    Raises:
        ValueError: if the text does not stand in exactly one line of the file.
    """
    for match in LINK.finditer(page.read_text(encoding="utf-8")):
        lines = (page.parent / match["file"]).read_text(encoding="utf-8").splitlines()
        found = [number for number, line in enumerate(lines, start=1) if match["text"] in line]
        if len(found) != 1:
            raise ValueError(
                f"{page.name}: {match['text']!r} must stand in one line of {match['file']}. "
                f"It stands in {len(found)}."
            )
        yield match, found[0]


def main() -> None:
    """Correct every page of this folder."""
    for page in sorted(Path(__file__).parent.glob("*.md")):
        text = page.read_text(encoding="utf-8")
        right = text
        for match, line in links(page):
            right = right.replace(match[0], match[0].replace(f"#L{match['line']} ", f"#L{line} "))
        if right != text:
            page.write_text(right, encoding="utf-8")
            print(f"{page.name}: line numbers corrected")


if __name__ == "__main__":
    main()
