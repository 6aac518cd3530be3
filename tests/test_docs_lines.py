"""Links from the docs into the code point at the line that they speak of."""

from __future__ import annotations

from pathlib import Path

import pytest

from docs.lines import links

ROOT = Path(__file__).parents[1]
PAGES = [page for page in sorted(ROOT.glob("docs/*.md")) if ".py#L" in page.read_text()]


def test_there_are_such_links():
    assert ROOT / "docs" / "recurrent.md" in PAGES


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_into_the_code_is_to_the_right_line(page):
    found = list(links(page))
    assert len(found) == page.read_text().count(".py#L"), "a link without a text in quotes"
    wrong = [match["text"] for match, line in found if int(match["line"]) != line]
    assert not wrong, f"run: python docs/lines.py ({wrong})"


def test_a_text_that_is_gone_or_stands_twice_is_named(tmp_path):
    (tmp_path / "code.py").write_text("a = 1\nb = 1\n")
    page = tmp_path / "page.md"
    page.write_text('[a](code.py#L7 "a = 1")')
    ((match, line),) = links(page)
    assert (match["line"], line) == ("7", 1)
    for text in ("c = 1", " = 1"):
        page.write_text(f'[x](code.py#L1 "{text}")')
        with pytest.raises(ValueError, match="must stand in one line"):
            list(links(page))
