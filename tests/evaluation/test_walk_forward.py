from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecast.errors import NotEnoughBars
from forecast.evaluation.walk_forward import walk_forward


def folds_of(origins, *, folds=5, horizon=1, scheme="expanding"):
    return walk_forward(
        origins, folds=folds, horizon=horizon, scheme=scheme, sessions=origins + 140, ticker="XYZ"
    )


def test_folds_by_hand():
    first, second = folds_of(1000, folds=2, horizon=5)
    # The second half is 500 origins: two test blocks of 250. The first fold knows the outcomes of
    # 500 - 5 origins; 15/85 of them, 87, are its validation part.
    assert first.test == range(500, 750)
    assert first.validation == range(495 - 87, 495)
    assert first.train == range(0, 495 - 87 - 5)
    assert second.test == range(750, 1000)
    assert second.validation == range(745 - 131, 745)
    assert second.train == range(0, 745 - 131 - 5)


def test_rolling_folds_forget_as_much_as_they_learn():
    first, second = folds_of(1000, folds=2, horizon=5, scheme="rolling")
    assert first.train == range(0, 403)
    assert second.train == range(250, 653)
    assert second.validation == range(658, 745)


@given(
    origins=st.integers(400, 4000),
    folds=st.integers(2, 10),
    horizon=st.integers(1, 10),
    scheme=st.sampled_from(["expanding", "rolling"]),
)
def test_no_fold_knows_an_outcome_before_its_session(origins, folds, horizon, scheme):
    splits = folds_of(origins, folds=folds, horizon=horizon, scheme=scheme)
    assert len(splits) == folds
    for split in splits:
        for earlier, later in ((split.train, split.validation), (split.validation, split.test)):
            assert len(earlier) > horizon
            # The outcome of the last origin comes before the first origin of the next part.
            assert earlier[-1] + horizon < later[0]
    tested = [origin for split in splits for origin in split.test]
    assert tested == list(range(origins - len(tested), origins))
    assert len(tested) > origins / 2 - folds - 1
    lengths = [len(split.train) for split in splits]
    if scheme == "rolling":
        assert len(set(lengths)) == 1
    else:
        assert all(shorter < longer for shorter, longer in pairwise(lengths))
        assert all(split.train.start == 0 for split in splits)


def test_too_short_a_history_says_how_long_it_must_be():
    with pytest.raises(NotEnoughBars, match=r"XYZ: .* at least 540 sessions .*Received 539"):
        folds_of(399)
    assert len(folds_of(400)) == 5
    with pytest.raises(NotEnoughBars, match="a smaller 'horizon'"):
        folds_of(400, horizon=60)
    with pytest.raises(NotEnoughBars, match=r"20 folds .* fewer --folds"):
        folds_of(799, folds=20)
    assert [len(split.test) for split in folds_of(800, folds=20)] == [20] * 20


def test_an_unknown_scheme_is_a_fault():
    with pytest.raises(ValueError, match="expanding, rolling"):
        folds_of(1000, scheme="sliding")
