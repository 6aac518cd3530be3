"""Matrix products on one thread, and on as many as before afterwards."""

from __future__ import annotations

import numpy as np
from threadpoolctl import threadpool_info

from forecast.networks.products import one_thread


def threads():
    return {each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas"}


def test_products_keep_to_one_thread_within_alone():
    before = threads()
    with one_thread():
        assert threads() == {1}
        np.testing.assert_allclose(np.ones((50, 50)) @ np.ones((50, 50)), 50.0)
    assert threads() == before
