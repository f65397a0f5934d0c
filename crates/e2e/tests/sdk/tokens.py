"""Tokens of connections and channels: asked for, renewed while the session goes on, and refused."""

import asyncio

from sdk import SubscriptionEvents, client, connected, refused, run, token


async def end(**options):
    """The code with which a client is disconnected for good."""
    one = client(**options)
    ended = one.events.event("disconnected")
    await one.connect()
    return (await ended).code


async def scenario():
    # Two seconds each: the SDK asks for another when one is over.
    counts = {"tokens": 0, "channel": 0, "losses": 0, "interruptions": 0, "asked": 0}
    names = set()

    def count(name):
        counts[name] += 1

    async def renewed_token():
        count("tokens")
        return token({"sub": "ada", "info": {"name": "Ada"}}, 2)

    renewing = client(get_token=renewed_token)
    renewing.events.call("connecting", lambda _: count("losses"))
    renewing.events.call("connected", lambda ctx: names.add(ctx.client))
    opened = renewing.events.event("connected")
    await renewing.connect()
    await opened

    channel = "$room:vault"
    enough = asyncio.Event()

    async def channel_token(_channel):
        count("channel")
        if counts["channel"] > 3:
            enough.set()
        return token({"sub": "ada", "channel": channel, "info": {"seat": 7}}, 2)

    events = SubscriptionEvents()
    events.call("subscribing", lambda _: count("interruptions"))
    vault = renewing.new_subscription(channel, events=events, get_token=channel_token)
    await vault.subscribe()
    await vault.ready()
    await enough.wait()
    live = events.event("publication")
    await vault.publish("after all these tokens")
    info = (await live).pub.info

    # An expired token is no end where there is a way to get another.
    async def late_token():
        count("asked")
        return token({"sub": "ada"})

    await connected(token=token({"sub": "ada"}, -10), get_token=late_token)

    mallory = await connected(token=token({"sub": "mallory"}))
    payload = {"chunks": 100000, "pause_ms": 5}
    submit = {"queue": "chat", "kind": "stream", "payload": payload}
    job = (await renewing.rpc("job.submit", submit)).data
    which = {"queue": "chat", "id": job["id"]}

    async def subscription(name, **options):
        events = SubscriptionEvents()
        one = mallory.new_subscription(name, events=events, **options)
        ended = events.event("unsubscribed")
        await one.subscribe()
        return (await ended).code

    forged = token({"sub": "mallory", "channel": "$room:other"}) + "x"
    others = {
        "get": await refused(mallory.rpc("job.get", which)),
        "cancel": await refused(mallory.rpc("job.cancel", which)),
        "retry": await refused(mallory.rpc("job.retry", which)),
        "history": await refused(mallory.history(job["channel"], limit=1)),
        "subscribe": await subscription(job["channel"]),
        "vault": await subscription(channel),
        "forged": await subscription("$room:other", token=forged),
    }
    await renewing.rpc("job.cancel", which)

    ends = {
        "none": await end(),
        "forged": await end(token=token({"sub": "ada"}) + "x"),
        "expired": await end(token=token({"sub": "ada"}, -10)),
        # A channel's token is none for a connection.
        "channel": await end(token=token({"sub": "ada", "channel": channel})),
    }
    return {
        "tokens": counts["tokens"],
        "channelTokens": counts["channel"],
        "sessions": len(names),
        "losses": counts["losses"],
        "interruptions": counts["interruptions"],
        "asked": counts["asked"],
        "others": others,
        "ends": ends,
        "info": {"user": info.user, "connInfo": info.conn_info, "chanInfo": info.chan_info},
    }


run(scenario)
