from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from examples import sentiment


def test_made_up_sentences_mean_what_they_say():
    texts, good = sentiment.made_up(300, seed=1)
    assert 0.4 < good.mean() < 0.6
    adjectives = {"good": 1, "brilliant": 1, "moving": 1, "funny": 1, "clever": 1, "lovely": 1}
    for text, label in zip(texts, good, strict=True):
        last = text.split(", ")[1]
        assert (adjectives.get(last.split()[-1], 0) ^ ("not" in last.split())) == label, text


def test_words_are_numbered_by_how_often_they_come():
    numbers = sentiment.numbered(["a b a", "a c b a"], length=3)
    np.testing.assert_array_equal(numbers[0], [3, 4, 3])
    np.testing.assert_array_equal(numbers[1], [5, 4, 3])
    np.testing.assert_array_equal(sentiment.padded([[7]], 3), [[0, 0, 7]])


def test_the_network_is_two_bidirectional_layers_of_64():
    layers = [layer for layer in sentiment.network(10).layers if hasattr(layer, "backward_layer")]
    assert [layer.forward_layer.units for layer in layers] == [64, 64]


def test_reads_a_file_of_reviews(tmp_path, capsys):
    file = tmp_path / "reviews.csv"
    rows = ["a great film,positive", "a poor film,negative"] * 20
    file.write_text("\n".join(["review,sentiment", *rows]))
    sentiment.main(["--file", str(file), "--epochs", "1"])
    said = capsys.readouterr().out
    assert "reviews.csv: 30 to learn from, 10 never seen" in said
    assert "MADE-UP" not in said


def test_a_file_sorted_by_sentiment_is_shuffled_before_it_is_cut(tmp_path):
    file = tmp_path / "reviews.csv"
    rows = [f"film {number},positive" for number in range(60)]
    rows += [f"film {number},negative" for number in range(60)]
    file.write_text("\n".join(["review,sentiment", *rows]))
    good = sentiment.from_file(file, count=50).good
    assert len(good) == 50
    assert 10 < good.sum() < 40


@pytest.mark.parametrize("text", ["review\nfine\n", "review,sentiment\nfine,5\n", ""])
def test_a_file_that_will_not_do_is_named(tmp_path, capsys, text):
    file = tmp_path / "reviews.csv"
    file.write_text(text)
    assert sentiment.main(["--file", str(file)]) == 1
    assert "reviews.csv" in capsys.readouterr().err


def test_without_a_network_made_up_sentences_stand_in(tmp_path):
    result = subprocess.run(
        [sys.executable, "-m", "examples.sentiment", "--reviews", "80", "--epochs", "1"],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(sentiment.__file__).parents[1],
        # Nothing listens there.
        env={**os.environ, "KERAS_HOME": str(tmp_path), "HTTPS_PROXY": "http://127.0.0.1:9"},
    )
    assert "MADE-UP sentences, not reviews" in result.stdout
    assert "Traceback" not in result.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    "seed", [1, *(pytest.param(seed, marks=pytest.mark.trial) for seed in (2, 3))]
)
def test_learns_that_the_order_of_words_decides(seed):
    assert sentiment.main(["--made-up", "--seed", str(seed)]) == 0
