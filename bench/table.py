"""Every row with its bar, and how the table is printed."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from bench.frame import Figure


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table."""

    key: str
    """What the command line and `bench.frame.Figure` call it."""
    words: str
    bar: float
    unit: str = ""
    """Empty: a ratio to the floor."""
    at_least: bool = False
    """Whether more is better."""

    def verdict(self, figure: Figure) -> str:
        """`ok`, or `over` where it costs more than the bar."""
        good = figure.median >= self.bar if self.at_least else figure.median <= self.bar
        return "ok" if good else "over"


ROWS = (
    Row("throughput", "webhook to note, 50 at a time: throughput", 0.85, at_least=True),
    Row("latency", "webhook to note, one at a time: latency", 1.25),
    Row("worker-cpu", "worker CPU per ticket", 1.5),
    Row("admission-p50", "admission at 20 deliveries/s, p50", 1.3),
    Row("admission-p99", "admission at 20 deliveries/s, p99", 1.5),
    Row("validate", "`validate_webhook` on 10 KB, CPU p99", 200, "µs"),
    Row("extract", "`extract_metadata`, CPU p99", 50, "µs"),
    Row("codec", "codec on 10 KB, CPU p99", 60, "µs"),
    Row("html", "HTML of 4 KB Markdown over markdown-it-py + nh3", 1.5),
    Row("adf", "ADF of 4 KB Markdown over markdown-it-py", 1.5),
    Row("history-events", "history of a posted run", 40, "events"),
    Row("history-delivery", "the delivery in that history", 1, "times"),
    Row("history-ticket", "the ticket in that history", 2, "times"),
    Row("history-note", "the note in that history", 2, "times"),
    Row("history-size", "size of that history over 2.5 times what is distinct in it + 15 KB", 1),
    Row("start-worker", "worker, from start to ready", 3, "s"),
    Row("start-starter", "starter, from start to ready", 3, "s"),
)
BY_KEY: Mapping[str, Row] = {row.key: row for row in ROWS}


def table(figures: Iterable[Figure]) -> str:
    """The figures against their bars, as a Markdown table."""
    known = {figure.row: figure for figure in figures}
    lines = [("row", "figure", "spread", "bar", "")]
    for row in ROWS:
        figure = known.get(row.key)
        if figure is not None:
            sign = "≥" if row.at_least else "≤"
            lines.append(
                (
                    row.words,
                    _with_unit(figure.median, row.unit),
                    _spread(figure.rounds),
                    f"{sign} {_with_unit(row.bar, row.unit)}",
                    row.verdict(figure),
                )
            )
    return _markdown(lines)


def behind(figures: Iterable[Figure]) -> str:
    """What the figures were made of, as a Markdown table: median and spread of each."""
    lines = [("row", "what", "median", "spread")]
    for figure in figures:
        for what, values in figure.behind.items():
            lines.append((figure.row, what, _number(median(values)), _spread(values)))
    return _markdown(lines)


def _spread(values: Sequence[float]) -> str:
    return f"{_number(min(values))} to {_number(max(values))}" if len(values) > 1 else ""


def _with_unit(value: float, unit: str) -> str:
    return f"{_number(value)} {unit}".rstrip()


def _number(value: float) -> str:
    """Three digits that count, and no more after the point than those."""
    if value == int(value) or abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.2f}" if abs(value) < 10 else f"{value:.1f}"


def _markdown(lines: Sequence[tuple[str, ...]]) -> str:
    widths = [max(len(cell) for cell in column) for column in zip(*lines, strict=True)]
    made = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in lines
    ]
    made.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(made)
