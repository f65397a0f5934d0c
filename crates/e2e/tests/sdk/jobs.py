"""A job from its submit to its result, one that is cancelled, and verbs that are refused."""

from centrifuge import StreamPosition

from sdk import SubscriptionEvents, connected, refused, run


def submit(chunks, pause_ms, **more):
    return {
        "queue": "chat",
        "kind": "stream",
        "payload": {"chunks": chunks, "pause_ms": pause_ms},
        **more,
    }


async def call(client, method, data):
    return (await client.rpc(method, data)).data


def over(ctx):
    return ctx.pub.data["type"] in ("completed", "failed", "cancelled")


async def begin(client, job):
    """Follows a job from its beginning: its events, and all that came."""
    events, seen = SubscriptionEvents(), []
    events.call("publication", lambda ctx: seen.append(ctx.pub))

    async def beginning(_channel):
        return StreamPosition(offset=0, epoch=job["epoch"])

    subscription = client.new_subscription(job["channel"], events=events, get_state=beginning)
    return subscription, events, seen


async def follow(client, job, ends=over):
    subscription, events, seen = await begin(client, job)
    end = events.event("publication", ends)
    await subscription.subscribe()
    await end
    return seen


def shown(seen):
    return [
        {"offset": pub.offset, "type": pub.data["type"], "data": pub.data.get("data")}
        for pub in seen
    ]


async def scenario():
    client = await connected()

    plain = await call(client, "job.submit", submit(5, 20))
    followed = shown(await follow(client, plain))
    record = await call(client, "job.get", {"queue": "chat", "id": plain["id"]})

    # Subscribed to in the same step, by the server.
    live = []
    client.events.call("publication", lambda ctx: live.append(ctx.pub))
    end = client.events.event("publication", over)
    told = client.events.event("subscribed")
    own = await call(client, "job.submit", submit(5, 1, subscribe=True))
    assert (await told).channel == own["channel"]
    await end
    in_one_step = shown(live)

    # The SDK can't know that it is subscribed to already; the server does.
    held = await call(client, "job.submit", submit(100000, 5, subscribe=True))
    events = SubscriptionEvents()
    again = client.new_subscription(held["channel"], events=events)
    ended = events.event("unsubscribed")
    await again.subscribe()
    already = (await ended).code
    await call(client, "job.cancel", {"queue": "chat", "id": held["id"]})

    long = await call(client, "job.submit", submit(100000, 5))
    subscription, events, seen = await begin(client, long)
    first = events.event("publication", lambda ctx: ctx.pub.data["type"] == "chunk")
    end = events.event("publication", over)
    await subscription.subscribe()
    await first
    await call(client, "job.cancel", {"queue": "chat", "id": long["id"]})
    await end
    last = shown(seen)[-1]

    # One that waits can be cancelled at once, and runs after all.
    later = await call(client, "job.submit", submit(1, 1, options={"delay_ms": 3600000}))
    done = await call(client, "job.cancel", {"queue": "chat", "id": later["id"]})
    await call(client, "job.retry", {"queue": "chat", "id": later["id"]})
    retried = shown(
        await follow(client, later, lambda ctx: ctx.pub.data["type"] == "completed")
    )

    unknown = {"queue": "chat", "id": "01ARZ3NDEKTSV4RRFFQ69G5FAV"}
    over_already = {"queue": "chat", "id": plain["id"]}
    invalid = submit(1, 1, options={"max_attempts": 0})
    elsewhere = {**submit(1, 1), "queue": "other"}
    refusals = {
        "unknown": await refused(client.rpc("job.dance", {})),
        "missing": await refused(client.rpc("job.get", unknown)),
        "over": await refused(client.rpc("job.cancel", over_already)),
        "invalid": await refused(client.rpc("job.submit", invalid)),
        "queue": await refused(client.rpc("job.submit", elsewhere)),
    }
    await client.disconnect()
    return {
        "followed": followed,
        "state": record["state"],
        "result": record["result"],
        "live": in_one_step,
        "already": already,
        "last": last,
        "cancelled": done["outcome"],
        "retried": retried[-1]["type"],
        "refusals": refusals,
    }


run(scenario)
