"""Hands in a job, prints its output as it comes, and ends with its result. Ctrl-C cancels the job.

    python follow.py [STEPS [PAUSE_MS]]

SERVER and TOKEN come from the environment.
"""

import asyncio
import os
import signal
import sys
import uuid

from centrifuge import (
    CentrifugeError,
    Client,
    ClientEventHandler,
    ReplyError,
    StreamPosition,
    SubscriptionEventHandler,
)

SERVER = os.environ.get("SERVER", "http://127.0.0.1:3000")
TOKEN = os.environ.get("TOKEN", "")
OVER = ("completed", "failed", "cancelled")


def say(text):
    print(f"[{text}]", file=sys.stderr, flush=True)


class Connection(ClientEventHandler):
    def __init__(self, end):
        self.end = end

    async def on_connecting(self, ctx):
        say(f"connecting: {ctx.code} {ctx.reason}")

    async def on_disconnected(self, ctx):
        if ctx.code != 0 and not self.end.done():
            self.end.set_result(("the server will not have us", f"{ctx.code} {ctx.reason}"))


class Events(SubscriptionEventHandler):
    """The events of one job."""

    def __init__(self, end):
        self.end = end
        self.chunks = []

    async def on_subscribed(self, ctx):
        say("following" if ctx.recovered else "following, but some of it is lost")

    async def on_unsubscribed(self, ctx):
        if ctx.code not in (0, 2) and not self.end.done():
            self.end.set_result(("can't follow", f"{ctx.code} {ctx.reason}"))

    async def on_publication(self, ctx):
        event = ctx.pub.data
        if event["type"] == "started":
            if self.chunks:
                say(f"attempt {event['attempt']}: what came so far is void")
            self.chunks = []
        elif event["type"] == "chunk":
            self.chunks.append(event["data"])
            print(event["data"]["text"], end=" ", flush=True)
        elif event["type"] in OVER and not self.end.done():
            self.end.set_result((event["type"], event.get("data") or event.get("error")))


async def submit(client, job):
    """With a key, handing in again what got no answer is safe: it is the same job."""
    while True:
        try:
            return (await client.rpc("job.submit", job)).data
        except ReplyError as error:
            if not error.temporary:
                raise
            say(f"not handed in yet: {error}")
        except CentrifugeError as error:
            # The connection was lost, or the answer took too long.
            say(f"not handed in yet: {error!r}")
        await asyncio.sleep(0.5)


async def main(steps=40, pause_ms=100):
    loop = asyncio.get_running_loop()
    end = loop.create_future()
    url = SERVER.replace("http", "ws", 1) + "/connection/websocket"
    client = Client(url, events=Connection(end), token=TOKEN)
    await client.connect()
    job = {
        "queue": "chat",
        "kind": "demo",
        "payload": {"steps": steps, "pause_ms": pause_ms},
        "options": {"key": str(uuid.uuid4())},
    }
    handing_in = asyncio.ensure_future(submit(client, job))
    await asyncio.wait([handing_in, end], return_when=asyncio.FIRST_COMPLETED)
    if not handing_in.done():
        handing_in.cancel()
        say(" ".join(end.result()))
        return 1
    try:
        accepted = handing_in.result()
    except ReplyError as error:
        say(f"refused: {error}")
        await client.disconnect()
        return 1
    which = {"queue": "chat", "id": accepted["id"]}
    say(f"job {accepted['id']}, stored at {accepted['epoch']}:{accepted['offset']}")

    def cancel():
        asyncio.ensure_future(client.rpc("job.cancel", which))

    loop.add_signal_handler(signal.SIGINT, cancel)

    first = True

    async def where(_channel):
        """Where to follow from: where the log was when the job was stored, so that nothing can be missed."""
        nonlocal first
        if not first:
            # The log does not reach back that far. What became of the job is still known.
            record = (await client.rpc("job.get", which)).data
            if record["state"] in OVER and not end.done():
                end.set_result((record["state"], record.get("result") or record.get("error")))
            top = await client.history(accepted["channel"], limit=0)
            return StreamPosition(offset=top.offset, epoch=top.epoch)
        first = False
        return StreamPosition(offset=accepted["offset"], epoch=accepted["epoch"])

    events = Events(end)
    subscription = client.new_subscription(accepted["channel"], events, get_state=where)
    await subscription.subscribe()
    state, detail = await end
    print(flush=True)
    say(f"{state}: {detail}, {len(events.chunks)} chunks")
    await client.disconnect()
    return 0 if state == "completed" else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main(*map(int, sys.argv[1:3]))))
