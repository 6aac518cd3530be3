from __future__ import annotations

import numpy as np
import pytest

from examples import binary_subtraction as subtraction


def test_bits_come_least_significant_first():
    np.testing.assert_array_equal(
        subtraction.bits_of(np.array([6, 15])), [[0, 1, 1, 0], [1, 1, 1, 1]]
    )
    numbers = np.arange(16)
    np.testing.assert_array_equal(subtraction.number_of(subtraction.bits_of(numbers)), numbers)


def test_there_are_136_valid_pairs():
    a, b = subtraction.valid_pairs()
    assert len({*zip(a.tolist(), b.tolist(), strict=True)}) == 136
    assert (a >= b).all()
    assert a.max() == b.max() == 15


def test_a_network_that_has_learnt_nothing_misses(capsys):
    assert subtraction.main(["--epochs", "1", "--held-out", "36"]) == 1
    assert "36 pairs never seen" in capsys.readouterr().out


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_valid_pair_comes_out_right(seed, capsys):
    assert subtraction.main(["--seed", str(seed), "--network", "simple_rnn"]) == 0
    assert "right: 136 of the 136" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_so_do_they_with_gates(seed):
    assert subtraction.main(["--seed", str(seed)]) == 0
