"""What an operator is told: `check_connection`."""

from plugins.base import TicketingToolPlugin
from plugins.conformance.harness import CONTENT_WORDS, TENANT, Harness
from plugins.conformance.promising import nothing_to_show, promise, require
from plugins.types import ConnectionReport


class CheckPromises:
    """`check_connection`."""

    @promise("A connection that works is found to work.")
    async def test_check_of_good_connection(self, harness: Harness) -> None:
        report = await _checked(harness)
        wrong = "; ".join(finding.what for finding in report.findings if finding.ok is False)
        require(report.ok, f"a report that finds fault: {wrong}")
        require(report.findings, "a report without findings")

    @promise("Credentials that the vendor refuses are found, with words and what to do about it.")
    async def test_check_of_wrong_credentials(self, harness: Harness) -> None:
        harness.connect(connection=harness.refused_connection())
        await _finds_fault(harness)

    @promise("A tool that cannot be reached is found, with words and what to do about it.")
    async def test_check_of_no_connection(self, harness: Harness) -> None:
        with harness.connected_to_nothing():
            await _finds_fault(harness)

    @promise("An account that may do nothing is found, with words and what to do about it.")
    async def test_check_of_forbidden_account(self, harness: Harness) -> None:
        harness.fault("any", "status", status=403)
        await _finds_fault(harness)

    @promise("A check reports: whatever the vendor answers, it raises nothing, and waits for nothing.")
    async def test_check_of_odd_answers(self, harness: Harness) -> None:
        for fault in ({"kind": "garbage"}, {"kind": "drop"}, *({"kind": "status", "status": s} for s in _STATUSES)):
            harness.calm()
            harness.plugin = harness.new_plugin()
            harness.fault("any", **fault)  # type: ignore[arg-type]
            await _checked(harness)
            require(not harness.waits, f"{', '.join(harness.waits)}")
            repeated = harness.repeated()
            require(not repeated, f"sent more than once: {', '.join(repeated)}")

    @promise("A check writes nothing that a requester or technician sees.")
    async def test_check_writes_nothing(self, harness: Harness) -> None:
        ticket = harness.ticket()
        await _checked(harness)
        require(not ticket.notes, "a note on a ticket")
        require(not harness.log("post_note"), "a note was posted")


_STATUSES = (302, 400, 401, 404, 429, 500, 503)


async def _checked(harness: Harness) -> ConnectionReport:
    report = await harness.plugin.check_connection(TENANT)
    require(isinstance(report, ConnectionReport), f"a {type(report).__name__}, not a ConnectionReport")
    for text in (report.account, *(text for finding in report.findings for text in (finding.what, finding.mend))):
        require(not any(secret in text for secret in harness.credentials()), "a finding that holds a credential")
        require(not any(word in text for word in CONTENT_WORDS), "a finding that holds ticket content")
    for finding in report.findings:
        require(finding.what.strip(), "a finding without words")
    return report


async def _finds_fault(harness: Harness) -> None:
    report = await _checked(harness)
    default = harness.plugin_class.check_connection is TicketingToolPlugin.check_connection
    if report.ok and default and not harness.log():
        nothing_to_show("the plugin's check tries nothing: it is the default one, and its tickets have odd ids")
    faults = [finding for finding in report.findings if finding.ok is False]
    require(faults, "a report that finds no fault")
    mends = " ".join(finding.mend for finding in faults)
    require(mends.strip(), f"nothing said on what to do about it: {'; '.join(finding.what for finding in faults)}")
