"""Follows one job to its end, whatever happens to the connection, and says what came and whether a rule was broken.

Settings: `payload` of the job, and `server` where the server is to subscribe the client. The test hears of each
subscription and each piece of output; the line `cancel` from it ends the job.
"""

import asyncio
import sys

from centrifuge import StreamPosition

from sdk import SubscriptionEvents, connected, run, say, settings


class Following:
    """What came so far."""

    def __init__(self):
        self.last = 0
        self.over = asyncio.Event()
        self.report = {
            "events": 0,
            "subscribed": 0,
            "unrecovered": 0,
            "wrong": [],
            "types": {},
            "attempts": [],
            "output": [],
        }

    def publication(self, ctx):
        report, offset, data = self.report, ctx.pub.offset, ctx.pub.data
        kind = data["type"]
        report["events"] += 1
        report["types"][kind] = report["types"].get(kind, 0) + 1
        if offset != self.last + 1:
            report["wrong"].append([self.last, offset])
        self.last = offset
        if kind == "started":
            report["attempts"].append(data["attempt"])
            say({"started": len(report["attempts"])})
            # What earlier attempts put out is void.
            report["output"] = [one for one in report["output"] if one[0] > data["from"]]
        elif kind == "chunk":
            report["output"].append((offset, data["data"]))
            say({"chunk": report["events"]})
        elif kind in ("completed", "failed", "cancelled"):
            report["end"] = data
            self.over.set()

    def subscribed(self, ctx):
        self.report["subscribed"] += 1
        if ctx.was_recovering and not ctx.recovered:
            self.report["unrecovered"] += 1
        say({"subscribed": self.report["subscribed"]})

    def unsubscribed(self, ctx):
        self.report["wrong"].append([ctx.code, ctx.reason])
        self.over.set()

    def listen(self, events):
        events.call("publication", self.publication)
        events.call("subscribed", self.subscribed)


async def scenario():
    one = await connected(timeout=2.0)
    following = Following()
    by_server = bool(settings.get("server"))
    if by_server:
        following.listen(one.events)
    submit = {"queue": "chat", "kind": "stream", "payload": settings["payload"], "subscribe": by_server}
    job = (await one.rpc("job.submit", submit)).data
    if not by_server:
        events = SubscriptionEvents()
        following.listen(events)
        events.call("unsubscribed", following.unsubscribed)

        async def beginning(_channel):
            return StreamPosition(offset=0, epoch=job["epoch"])

        subscription = one.new_subscription(
            job["channel"],
            events=events,
            get_state=beginning,
            min_resubscribe_delay=0.001,
            max_resubscribe_delay=0.1,
        )
        await subscription.subscribe()

    async def cancel():
        await asyncio.to_thread(sys.stdin.readline)
        if not following.over.is_set():
            other = await connected()
            await other.rpc("job.cancel", {"queue": "chat", "id": job["id"]})

    _cancelling = asyncio.create_task(cancel())
    await following.over.wait()
    output = [piece for _, piece in following.report["output"]]
    return {**following.report, "output": output}


run(scenario)
