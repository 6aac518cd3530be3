"""The page, the pictures and the lines of `tune`, by structure."""

import io

import pytest
from rich.console import Console
from test_page import Page

from forecast import progress
from forecast.pipeline.watch import Standing
from forecast.report.searches import pictures_of, search_progress, search_settings, search_time
from forecast.report.tuning_page import write_tuning
from forecast.report.tuning_text import setting_text, trial_table, tuning_lines

EVIL = "<script>alert(1)</script>"
LOSSES = [0.0100, 0.0099, 0.0200, 0.0097, None, 0.0103]


def trial(number, value):
    failed = number == 4
    return {
        "trial": number,
        "default": number == 0,
        "state": "failed" if failed else "pruned" if number == 5 else "done",
        "value": value,
        "folds": [] if failed else [value] if number == 5 else [value, value],
        "settings": {
            "network": ["lstm", "gru"][number % 2],
            "units": [64, 64] if number == 0 else [16],
            "learning_rate": 0.001 * (number + 1),
        },
        "seconds": 3.0 + number,
        "read_sha256": "0" * 64,
        "process": "here:1",
        "error": {"type": "TrainingError", "message": EVIL, "hint": None} if failed else None,
    }


@pytest.fixture
def document():
    trials = [trial(number, value) for number, value in enumerate(LOSSES)]
    named = ("trial", "value", "folds", "settings")
    span = {"first": "2001-01-02", "last": "2002-01-02"}
    return {
        "ticker": "XYZ",
        "study": "0123456789abcdef",
        "search": "tpe",
        "target": "return",
        "horizon": 1,
        "loss": "pinball",
        "space": {
            "network": ["lstm", "gru"],
            "units": [[16], [32]],
            "learning_rate": {"from": 0.001, "to": 0.01, "log": True},
        },
        "best": {name: trials[3][name] for name in named},
        "default": {name: trials[0][name] for name in named},
        "counts": {"done": 4, "pruned": 1, "failed": 1},
        "text": "Trial 3 has a lower loss.",
        "trials": trials,
        "importance": {"units": 0.7, "network": 0.3},
        "folds": [{"fold": 1, **span, "origins": 50}, {"fold": 2, **span, "origins": 50}],
        "rows": {
            "read": {**span, "rows": 500, "sha256": "0" * 64},
            "test": {**span, "rows": 80, "sha256": "1" * 64},
            "in_both": 0,
            "file": "rows.csv",
        },
        "source": "sample",
        "snapshot": "x",
        "settings": {"network": "lstm"},
        "tuned": "models/XYZ/tuned.toml",
        "report": "reports/XYZ/tune/0123/index.html",
        "plots": [],
        "command": "forecast tune XYZ",
        "versions": {},
        "seconds": {"trial": 5.5, "trials": 33.0, "total": 40.0},
    }


def lines_of(picture):
    return {line.get_label(): line for axes in picture.figure.axes for line in axes.lines}


def test_progress_draws_every_trial_and_the_best_so_far(document):
    picture = search_progress(document)
    assert picture.title == "XYZ: trial 3 of 6 saved 3.00 % of the held-out loss"
    lines = lines_of(picture)
    assert lines["best so far"].get_ydata() == pytest.approx([0, -1, -1, -3, -3])
    assert list(lines["pruned"].get_xdata()) == [5]
    assert list(lines["failed"].get_xdata()) == [4]
    # The loss that is twice the others is cut off, not the picture's measure.
    assert picture.figure.axes[0].get_ylim()[1] < 50


def test_nothing_better_is_said(document):
    document["best"] = document["default"]
    document["trials"] = document["trials"][:1]
    document["counts"] = {"done": 1, "pruned": 0, "failed": 0}
    assert search_progress(document).title == "XYZ: nothing beat the settings as they are"
    assert len(pictures_of({**document, "importance": {}})) == 3


def test_a_panel_for_each_setting_with_the_values_of_the_defaults_too(document):
    panels = {axes.get_title(loc="left"): axes for axes in search_settings(document).figure.axes}
    assert list(panels) == ["network", "units", "learning rate"]
    assert [text.get_text() for text in panels["units"].get_xticklabels()] == ["16", "32", "64+64"]
    assert panels["learning rate"].get_xscale() == "log"


def test_zero_and_what_is_far_off_have_a_place_on_a_logarithmic_panel(document):
    document["space"]["l2"] = {"from": 1e-4, "to": 1.0, "log": True}
    for number, one in enumerate(document["trials"]):
        one["settings"]["l2"] = [0.0, 1e-3, 1.0, 1e-2, 0.1, 0.3][number]
    (panel,) = [
        axes for axes in search_settings(document).figure.axes if axes.get_title(loc="left") == "l2"
    ]
    labels = [text.get_text() for text in panel.get_xticklabels()]
    assert labels == ["0", "0.0001", "0.01", "1"]
    low, high = panel.get_xlim()
    circles, triangles, best, *_ = [line for line in panel.lines if line.get_marker() in "o^D"]
    assert 0 < low == circles.get_xdata()[0] < 1e-4
    assert high == 1.0
    # Trial 2 lost twice as much as the others.
    assert (triangles.get_marker(), list(triangles.get_xdata())) == ("^", [1.0])
    assert (best.get_marker(), list(best.get_xdata())) == ("D", [1e-2])


def test_the_front_joins_trials_that_none_beats_in_loss_and_time(document):
    assert list(lines_of(search_time(document))["front"].get_xdata()) == [3.0, 4.0, 6.0]


def test_the_page_is_self_contained_and_escapes(document, tmp_path):
    written = write_tuning(tmp_path, document=document)
    names = ["search_progress", "search_settings", "search_time", "search_importance"]
    assert [path.name for path in written] == [*(f"{name}.png" for name in names), "index.html"]
    text = written[-1].read_text()
    page = Page(text)
    assert not page.open
    assert not page.unbalanced
    assert not page.all("script")
    assert "<script>alert(1)</script>" in page.words
    assert "none is among the 500 that were read" in page.words
    addresses = [link["href"] for link in page.all("a")]
    assert all(address.startswith("#") for address in addresses)


def test_lines_name_the_best_the_defaults_and_what_failed(document):
    lines = tuning_lines(document)
    table = trial_table(document["trials"], 2, "pinball")
    assert [line.split()[0] for line in table] == ["trial", "3", "1", "0"]
    assert "0 (as set)" in table[-1]
    assert any(line.startswith("trial 4 failed: ") for line in lines)
    assert any("models/XYZ/tuned.toml" in line for line in lines)
    assert trial_table([document["trials"][4]], 2, "pinball") == ["no trial is finished yet"]
    assert [setting_text(value) for value in ([64, 64], ["a"] * 9, 0.5, 3, "gru")] == [
        "64+64", "a+a+a+a+5 more", "0.5", "3", "gru",
    ]  # fmt: skip


def test_progress_is_a_line_a_trial_or_a_live_table(document, capsys):
    now = Standing(document["trials"][:5], 6, 5, "units 16", 90.0)
    with progress.watching() as watch:
        watch.search(now)
    said = capsys.readouterr().err
    assert said == (
        "trial 5, 5 of 6 finished, 1 failed, best loss 0.009700 (trial 3), about 90 s left: "
        "units 16\n"
    )
    console = Console(file=io.StringIO(), force_terminal=True, width=120, record=True)
    with progress._live(console) as watch:
        watch.search(now)
    shown = console.export_text()
    assert "0.009700" in shown
    assert "units 16" in shown
