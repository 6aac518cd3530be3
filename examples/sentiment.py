"""Is a review good or bad? Embedding, two bidirectional LSTM(64), dropout 0.5, two classes.

Reviews come from `--file` (CSV with the columns `review` and `sentiment`, which is `positive` or
`negative`), or else from Keras's IMDB loader. Where that cannot be reached, or with `--made-up`,
sentences from a small grammar stand in, and that is said. In these the order of words decides:
"not good", "the plot was dull, but the ending was brilliant". What counting words gets stands
beside the network.

    python -m examples.sentiment [--file FILE.csv | --made-up] [--seed 7] [--epochs 8]
"""

from __future__ import annotations

import argparse
import re
import socket
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from examples.options import count, seed
from forecast.errors import SourceError
from forecast.networks.heads import answers, classes
from forecast.networks.recurrent import stack
from forecast.networks.training import prepare_backend

WORDS, PADDING, UNKNOWN = 5000, 0, 2
SECONDS_TO_WAIT, LEAST = 5.0, 40
HEAD = classes(2)


@dataclass(frozen=True)
class Reviews:
    """Reviews as word numbers, filled up with `PADDING` from the left.

    Attributes:
        source: Where they are from.
        words: Shape (n, length), int, below `WORDS`.
        good: 1 or 0, shape (n,).
        goal: Share right on reviews never seen that is known to be reached.
    """

    source: str
    words: np.ndarray
    good: np.ndarray
    goal: float


def made_up(count: int, *, seed: int) -> tuple[list[str], np.ndarray]:
    """Sentences of a small grammar, and whether they are good: the last clause decides."""
    rng = np.random.default_rng(seed)
    good = ["good", "brilliant", "moving", "funny", "clever", "lovely"]
    bad = ["bad", "dull", "silly", "noisy", "empty", "slow"]
    things = ["film", "plot", "acting", "music", "ending", "dialogue", "first half", "hero"]
    adverbs = ["", "really", "quite", "rather", "truly"]

    def clause(kind: int) -> str:
        turned = rng.random() < 0.4
        adjective = rng.choice((bad, good)[kind ^ turned])
        words = ["the", rng.choice(things), "was", "not" if turned else "", rng.choice(adverbs)]
        return " ".join(word for word in [*words, adjective] if word)

    kinds = rng.integers(2, size=count)
    texts = []
    for kind in kinds:
        form = rng.random()
        if form < 0.4:
            texts.append(f"{clause(1 - kind)}, but {clause(kind)}")
        elif form < 0.6:
            texts.append(f"although {clause(1 - kind)}, {clause(kind)}")
        else:
            texts.append(f"{clause(kind)}, and {clause(kind)}")
    return texts, kinds


def numbered(texts: Sequence[str], *, length: int) -> np.ndarray:
    """Word numbers of texts, the last `length` words of each; frequent words have low numbers."""
    split = [re.findall(r"[a-z']+", text.lower()) for text in texts]
    common = Counter(word for words in split for word in words).most_common(WORDS - UNKNOWN - 1)
    number = {word: rank for rank, (word, _) in enumerate(common, start=UNKNOWN + 1)}
    return padded([[number.get(word, UNKNOWN) for word in words] for words in split], length)


def padded(rows: Sequence[Sequence[int]], length: int) -> np.ndarray:
    """Rows of numbers, cut off or filled up from the left."""
    return np.array([[PADDING] * (length - len(row)) + list(row)[-length:] for row in rows])


def from_file(file: Path, *, count: int) -> Reviews:
    """Reviews of a CSV file, as many as `count`.

    Raises:
        SourceError: if it cannot be read, lacks a column, or holds another sentiment.
    """
    hint = "a CSV file with the columns review and sentiment (positive, negative), or no --file"
    try:
        frame = pd.read_csv(file)
    except (OSError, ValueError) as error:
        raise SourceError(f"{file} must be a readable CSV file: {error}", hint=hint) from error
    if not {"review", "sentiment"} <= set(frame):
        raise SourceError(f"{file}: review and sentiment must be columns.", hint=hint)
    if set(frame["sentiment"]) != {"positive", "negative"} or len(frame) < LEAST:
        raise SourceError(
            f"{file} must hold {LEAST} reviews or more, positive and negative ones, and no others.",
            hint=hint,
        )
    # Whoever sorted them by sentiment: both must be in both parts.
    frame = frame.sample(frac=1.0, random_state=0).head(count)
    good = (frame["sentiment"] == "positive").to_numpy(int)
    return Reviews(
        file.name, numbered(frame["review"].astype(str).tolist(), length=80), good, goal=0.70
    )


def imdb(count: int) -> Reviews | None:
    """Keras's copy of A. Maas et al. (2011), or None where it cannot be had within seconds."""
    import keras

    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(SECONDS_TO_WAIT)
    try:
        (rows, good), _ = keras.datasets.imdb.load_data(num_words=WORDS, oov_char=UNKNOWN)
    except Exception:  # Keras raises it bare, whatever the network said
        return None
    finally:
        socket.setdefaulttimeout(before)
    return Reviews("IMDB", padded(rows[:count], 80), np.asarray(good[:count]), goal=0.70)


def network(length: int) -> Any:
    """An embedding, then the layers and the head that every network here is built of."""
    import keras

    words = keras.Input((length,), dtype="int32")
    rows = keras.layers.Embedding(WORDS, 32)(words)
    hidden = stack(
        rows, cell="LSTM", bidirectional=True, units=(64, 64), dropout=0.5, l2=0.0, every_step=False
    )
    raw = answers(hidden, horizon=1, outputs=2, every_step=False, biases=[HEAD.untrained])
    return keras.Model(words, HEAD.finish(raw))


def counting_words(words: np.ndarray, good: np.ndarray, train: slice, test: slice) -> float:
    """Share right of a logistic regression that knows which words there are, not their order."""
    from sklearn.linear_model import LogisticRegression

    counts = np.zeros((len(words), WORDS), dtype="float32")
    np.add.at(counts, (np.arange(len(words))[:, None], words), 1.0)
    counts[:, PADDING] = 0.0
    fitted = LogisticRegression(max_iter=1000).fit(counts[train], good[train])
    return float(fitted.score(counts[test], good[test]))


def main(arguments: Sequence[str] | None = None) -> int:
    """Train on three quarters, name the rest; 1 unless that goes as well as is known."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--file", type=Path)
    parser.add_argument("--made-up", action="store_true")
    parser.add_argument("--reviews", type=count, default=4000)
    parser.add_argument("--seed", type=seed, default=7)
    parser.add_argument("--epochs", type=count, default=8)
    options = parser.parse_args(arguments)
    prepare_backend(options.seed)
    reviews = None
    try:
        if options.file:
            reviews = from_file(options.file, count=options.reviews)
        elif not options.made_up:
            reviews = imdb(options.reviews)
    except SourceError as error:
        print(error, file=sys.stderr)
        return 1
    if reviews is None:
        texts, good = made_up(options.reviews, seed=options.seed)
        print(f"MADE-UP sentences, not reviews; such as: {texts[0]}")
        reviews = Reviews("made-up sentences", numbered(texts, length=20), good, goal=0.95)
    words, good = reviews.words, reviews.good
    cut = 3 * len(good) // 4
    train, test = slice(cut), slice(cut, None)
    model = network(words.shape[1])
    model.compile("adam", loss=HEAD.loss())
    model.fit(
        words[train],
        good[train, None, None],
        epochs=options.epochs,
        batch_size=64,
        verbose=0,
    )
    odds = np.asarray(model.predict(words[test], batch_size=256, verbose=0), dtype="float64")
    accuracy = float((HEAD.answer(odds)[:, 0].argmax(axis=-1) == good[test]).mean())
    majority = float((good[test] == np.bincount(good[train]).argmax()).mean())
    print(f"{reviews.source}: {cut:,} to learn from, {len(good) - cut:,} never seen")
    print(f"two bidirectional LSTM(64)  {100 * accuracy:5.1f} % right")
    print(f"counting words              {100 * counting_words(words, good, train, test):5.1f} %")
    print(f"majority                    {100 * majority:5.1f} %")
    missed = accuracy < reviews.goal
    print(f"goal: {100 * reviews.goal:.0f} %, {'missed' if missed else 'reached'}")
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
