"""The floor: the same way with nothing of ours in it, as a worker process of its own.

A workflow of two local and four ordinary activities over plain dictionaries; no codec, no database, no plugin. Its
activities make the calls to the pretend Zendesk that our run makes, with bare httpx: `bench.rounds` holds it to that.

    python -m bench.floor   (TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, BENCH_VENDOR, BENCH_USER, BENCH_PASSWORD)
"""

import asyncio
import os
import signal
from datetime import timedelta
from typing import Any

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.worker import Worker

with workflow.unsafe.imports_passed_through():
    import httpx

TASK_QUEUE = "floor"
WORKFLOW = "Floor"

NOTE = "<p>What this looks like, what solved it before, and what to try next.</p>\n" * 30
"""As long as the note that our run posts."""


@workflow.defn(name=WORKFLOW)
class Floor:
    """Two local activities, then four ordinary ones."""

    @workflow.run
    async def run(self, delivery: dict[str, Any]) -> str:
        """Takes `ticket_id` and the webhook's `body`; returns `posted`."""
        moment, call = timedelta(seconds=1), timedelta(seconds=5)
        await workflow.execute_local_activity("validate", delivery, start_to_close_timeout=moment)
        said = await workflow.execute_local_activity("extract", delivery, start_to_close_timeout=moment)
        ticket = await workflow.execute_activity("get_ticket", said, start_to_close_timeout=call)
        context = await workflow.execute_activity("gather_context", ticket, start_to_close_timeout=call)
        note = await workflow.execute_activity("write_note", [ticket, context], start_to_close_timeout=call)
        posted: str = await workflow.execute_activity("update_ticket", [said, note], start_to_close_timeout=call)
        return posted


class Activities:
    """The activities, over one shared client."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    @activity.defn(name="validate")
    async def validate(self, delivery: dict[str, Any]) -> bool:
        """Nothing is judged."""
        return bool(delivery)

    @activity.defn(name="extract")
    async def extract(self, delivery: dict[str, Any]) -> dict[str, Any]:
        """Nothing is read."""
        return {"ticket_id": delivery["ticket_id"]}

    @activity.defn(name="get_ticket")
    async def get_ticket(self, said: dict[str, Any]) -> dict[str, Any]:
        """The vendor's JSON of the ticket and of its comments."""
        ticket = await self._call("GET", f"/api/v2/tickets/{said['ticket_id']}.json")
        comments = await self._call("GET", f"/api/v2/tickets/{said['ticket_id']}/comments")
        return {**ticket, **comments}

    @activity.defn(name="gather_context")
    async def gather_context(self, ticket: dict[str, Any]) -> list[str]:
        """Nothing is looked for."""
        return [ticket["ticket"]["subject"]]

    @activity.defn(name="write_note")
    async def write_note(self, given: list[Any]) -> str:
        """The same note every time."""
        return NOTE if given else ""

    @activity.defn(name="update_ticket")
    async def update_ticket(self, given: list[Any]) -> str:
        """A look at the ticket and its comments, then the note."""
        path = f"/api/v2/tickets/{given[0]['ticket_id']}"
        ticket = (await self._call("GET", f"{path}.json"))["ticket"]
        await self._call("GET", f"{path}/comments")
        change = {"safe_update": True, "updated_stamp": ticket["updated_at"]}
        comment = {"html_body": given[1], "public": False}
        await self._call("PUT", f"{path}.json", {"ticket": {**change, "comment": comment}})
        return "posted"

    async def _call(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        response = await self._http.request(method, path, json=body)
        response.raise_for_status()
        answer: dict[str, Any] = response.json()
        return answer


async def main() -> None:
    """Serve the task queue until SIGTERM."""
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    env = os.environ
    client = await Client.connect(env["TEMPORAL_ADDRESS"], namespace=env["TEMPORAL_NAMESPACE"])
    async with httpx.AsyncClient(
        base_url=env["BENCH_VENDOR"], auth=(env["BENCH_USER"], env["BENCH_PASSWORD"]), trust_env=False, timeout=30
    ) as http:
        steps = Activities(http)
        async with Worker(
            client,
            task_queue=TASK_QUEUE,
            workflows=[Floor],
            activities=[
                *(steps.validate, steps.extract, steps.get_ticket),
                *(steps.gather_context, steps.write_note, steps.update_ticket),
            ],
        ):
            await stopping.wait()


if __name__ == "__main__":
    asyncio.run(main())
