"""The docs say what is: every command, flag, setting and indicator, and no other."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import click
import pytest

from forecast.cli import cli
from forecast.config import Nightly, Quality, Settings, Space, Tune
from forecast.features.indicators import INDICATORS
from forecast.features.sets import DEFAULT_FEATURES

ROOT = Path(__file__).parents[1]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "examples/README.md")),
    *sorted(ROOT.glob("docs/**/*.md")),
]
TEXT = "\n".join(page.read_text() for page in PAGES)


def flags(command):
    return {
        option
        for parameter in command.params
        if isinstance(parameter, click.Option)
        for option in parameter.opts
        if option.startswith("--")
    }


def test_every_command_and_flag_is_documented():
    cli_page = (ROOT / "docs" / "cli.md").read_text()
    for name, command in cli.commands.items():
        assert f"`forecast {name} " in cli_page, name
        section = cli_page.split(f"## `forecast {name} ")[1].split("\n## ")[0]
        shared = cli_page.split("\n## ")[0]
        for flag in flags(command):
            assert f"`{flag}" in section + shared, f"{name} {flag}"


def test_every_command_in_the_docs_exists():
    named = set(re.findall(r"(?:^|[`$ ])forecast ([a-z]+) (?=[A-Z-]|TICKER)", TEXT))
    assert named
    assert named <= set(cli.commands), named - set(cli.commands)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_flag_of_a_command_line_in_the_docs_exists(page):
    for name, rest in re.findall(r"\bforecast ([a-z]+) ([^`\n|]*)", page.read_text()):
        if name in cli.commands:
            for flag in re.findall(r"(?<![\w-])--[a-z][a-z-]*", rest):
                assert flag in flags(cli.commands[name]) | {"--help"}, f"{name} {flag}"


def test_every_setting_is_documented():
    page = (ROOT / "docs" / "cli.md").read_text()
    for name in [
        *Settings.model_fields,
        *Quality.model_fields,
        *Nightly.model_fields,
        *Tune.model_fields,
        *Space.model_fields,
    ]:
        assert f"`{name}`" in page or f"`[{name}]`" in page, name


def test_the_table_of_indicators_is_the_table():
    page = (ROOT / "docs" / "indicators.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| .+ \| (\d+) \| (yes)? ?\|$", page, re.MULTILINE)
    assert [(name, int(warm_up), bool(default)) for name, warm_up, default in rows] == [
        (name, indicator.warm_up, name in DEFAULT_FEATURES["return"])
        for name, indicator in INDICATORS.items()
    ]


def test_every_makefile_target_in_the_docs_exists():
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    named = set(re.findall(r"(?:^    |`)make ([a-z][a-z-]+)", TEXT, re.MULTILINE))
    assert named <= targets, named - targets


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page):
    for address in re.findall(r"\]\(([^)#]+)", page.read_text()):
        if "://" not in address:
            assert (page.parent / address).exists(), address


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="needs the checkout")
def test_git_leaves_out_what_the_program_writes_and_nothing_that_is_committed():
    def git(*words):
        return subprocess.run(
            ["git", "-C", str(ROOT), *words], capture_output=True, text=True, check=False
        ).stdout.splitlines()

    written = [
        *("data/bars/AAPL/x.parquet", "data/cache/features/x", "data/nightly/state.json"),
        *("data/ledger.sqlite", "data/ledger.sqlite-wal", "data/ledger.head"),
        *("models/AAPL/champion.json", "reports/AAPL/index.html"),
    ]
    assert git("check-ignore", *written) == written
    assert git("ls-files", "--cached", "--ignored", "--exclude-standard") == []
