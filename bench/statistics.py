"""Two tests of whether two samples come from one distribution, plainly written: both by their large-sample formulas."""

import math
from collections import Counter
from collections.abc import Sequence


def mann_whitney(one: Sequence[float], other: Sequence[float]) -> float:
    """The two-sided p-value of the Mann-Whitney U test: whether one tends to be larger. Ties are corrected for."""
    first, second = len(one), len(other)
    both = first + second
    counts = Counter((*one, *other))
    rank: dict[float, float] = {}
    place = 0
    for value in sorted(counts):
        rank[value] = place + (counts[value] + 1) / 2
        place += counts[value]
    u = sum(rank[value] for value in one) - first * (first + 1) / 2
    ties = sum(count**3 - count for count in counts.values())
    variance = first * second / 12 * (both + 1 - ties / (both * (both - 1)))
    if variance == 0:
        return 1.0
    z: float = (abs(u - first * second / 2) - 0.5) / math.sqrt(variance)
    return math.erfc(max(z, 0.0) / math.sqrt(2))


def kolmogorov_smirnov(one: Sequence[float], other: Sequence[float]) -> float:
    """The p-value of the two-sample Kolmogorov-Smirnov test: whether their distributions differ anywhere."""
    first, second = sorted(one), sorted(other)
    i = j = 0
    widest = 0.0
    while i < len(first) and j < len(second):
        value = min(first[i], second[j])
        while i < len(first) and first[i] == value:
            i += 1
        while j < len(second) and second[j] == value:
            j += 1
        widest = max(widest, abs(i / len(first) - j / len(second)))
    size = math.sqrt(len(first) * len(second) / (len(first) + len(second)))
    scaled = (size + 0.12 + 0.11 / size) * widest
    if scaled < 0.2:  # the series converges too slowly there, and its sum is 1 to many places
        return 1.0
    series: float = sum((1.0 if k % 2 else -1.0) * math.exp(-2 * (k * scaled) ** 2) for k in range(1, 101))
    return min(1.0, max(0.0, 2 * series))
