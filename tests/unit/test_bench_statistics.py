"""The two tests against values from the literature and from their definitions."""

import random

import pytest

from bench.statistics import kolmogorov_smirnov, mann_whitney

SAMPLES = random.Random(7)  # noqa: S311 - the same samples each time


def normal(count: int, mean: float = 0.0, spread: float = 1.0) -> list[float]:
    return [SAMPLES.gauss(mean, spread) for _ in range(count)]


def test_samples_of_one_distribution_are_seldom_told_apart() -> None:
    for test in (mann_whitney, kolmogorov_smirnov):
        found = [test(normal(300), normal(300)) for _ in range(300)]
        assert 2 <= sum(p < 0.05 for p in found) <= 30, "one in twenty"
        assert 0.35 < sum(found) / len(found) < 0.65


def test_a_shift_is_seen_by_both_and_another_spread_by_the_second() -> None:
    assert mann_whitney(normal(500), normal(500, 0.4)) < 1e-4
    assert kolmogorov_smirnov(normal(500), normal(500, 0.4)) < 1e-4
    assert kolmogorov_smirnov(normal(500), normal(500, spread=3)) < 1e-6


def test_known_values() -> None:
    one, other = [0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46], [1.15, 0.88, 0.90, 0.74, 1.21]
    # Hollander and Wolfe (1973), p. 69: U = 35; by the normal approximation with continuity, two-sided 0.2449.
    assert mann_whitney(one, other) == pytest.approx(0.2449, abs=1e-3)
    assert mann_whitney([1, 1, 1], [1, 1]) == 1.0
    assert kolmogorov_smirnov([1, 2, 3], [1, 2, 3]) == 1.0
    assert mann_whitney([1, 2, 2, 3], [2, 2, 3, 3]) == pytest.approx(mann_whitney([2, 2, 3, 3], [1, 2, 2, 3]))
