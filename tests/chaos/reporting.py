"""The account of a run, for people."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from statistics import median

from tests.chaos.healing import Healed
from tests.chaos.killing import Killer
from tests.chaos.plan import Plan
from tests.chaos.records import Records
from tests.chaos.sending import Delivered
from tests.chaos.settling import Settled

WIDTH = 20


def report(plan: Plan, records: Records, healed: Sequence[Healed], settled: Settled, killer: Killer) -> Iterator[str]:
    """The counts, a line each. Times are minimum / median / maximum."""
    deliveries = [record.delivered for record in records.tickets]
    answers = Counter(_answer(status) for delivered in deliveries for status in delivered.answers)
    not_admitted = [delivered for delivered in deliveries if not delivered.admitted]
    runs = records.runs
    tries = sum((run.tries for run in runs), Counter[str]())
    surplus = [seconds for record in records.tickets for seconds in record.surplus]
    rows = {
        "seed": f"{plan.seed} (the plan is repeatable; what meets what depends on the machine)",
        "tickets": f"{len(deliveries)} in {plan.seconds:.0f} s: {_counts(d.tenant.tool for d in deliveries)}",
        "answers": _told(answers),
        "not admitted": _not_admitted(not_admitted),
        "reconciled": ", ".join(f"{h.tenant.tool} {h.started} started, {h.had_run} had theirs" for h in healed),
        **{
            f"killed {name}": f"{len(away)} times, away for {spread(away)}"
            for name, away in sorted(killer.away.items())
        },
        **{f"faults {tool}": _told(hit) for tool, hit in records.faults.items()},
        "runs": f"{len(runs)}: {_counts(run.outcome or run.status.lower() for run in runs)}",
        "parked": f"{sum(bool(run.parked) for run in runs)} runs: "
        f"{_counts(reason for run in runs for reason in run.parked)}; {settled.resumed} were still parked at the end, "
        "and resumed",
        "tries beyond first": _told(tries),
        "notes": f"{sum(len(record.notes) for record in records.tickets)} on {len(deliveries)} tickets",
        "first note after": spread([r.first_note for r in records.tickets if r.first_note is not None]),
        "a second note": f"{len(surplus)} times, and stood for {spread(surplus)}",
        "all settled after": f"{settled.seconds:.0f} s; runs open: {settled.still_open}, in the spool: "
        f"{settled.in_spool}, quarantined: {settled.quarantined}",
    }
    return (f"{name:{WIDTH}}  {said}" for name, said in rows.items())


def spread(seconds: Sequence[float]) -> str:
    """Minimum, median and maximum."""
    if not seconds:
        return "none"
    return f"{min(seconds):.1f} / {median(seconds):.1f} / {max(seconds):.1f} s"


def _answer(status: int | None) -> str:
    return "no answer" if status is None else str(status)


def _not_admitted(deliveries: Sequence[Delivered]) -> str:
    if not deliveries:
        return "none"
    return f"{len(deliveries)}, left to reconciling: {_counts(d.tenant.tool for d in deliveries)}"


def _counts(values: Iterable[str]) -> str:
    return _told(Counter(values))


def _told(counted: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in Counter(counted).most_common()) or "none"
