"""Two clients in rooms: what they say, who is there, what was said, and what is not for them."""

import asyncio

from centrifuge import StreamPosition

from sdk import SubscriptionEvents, connected, refused, run


async def subscribe(client, channel):
    """A subscription, its events, and how its subscribing ended."""
    events = SubscriptionEvents()
    subscription = client.new_subscription(channel, events=events)
    ends = [events.event("subscribed"), events.event("unsubscribed")]
    await subscription.subscribe()
    done, _ = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    return subscription, events, done.pop().result()


async def code(client, channel):
    _, _, ended = await subscribe(client, channel)
    return ended.code


async def scenario():
    one, two = await connected(), await connected()
    here, events_here, state = await subscribe(one, "room:a")
    assert state.recoverable and state.positioned and state.stream_position.epoch
    joined = events_here.event("join", lambda ctx: ctx.info.client == two.name)
    there, events_there, _ = await subscribe(two, "room:a")
    await joined

    texts = []
    events_there.call("publication", lambda ctx: texts.append(ctx.pub))
    everything = events_there.event("publication", lambda ctx: ctx.pub.data["n"] == 20)
    for n in range(1, 21):
        await here.publish({"n": n, "text": 'ünï\n"'})
    await everything
    presence = len((await here.presence()).clients)
    stats = await here.presence_stats()
    newest = await here.history(limit=3, reverse=True)
    since = await here.history(limit=100, since=StreamPosition(15, newest.epoch))
    position = await here.history(limit=0)

    left = events_here.event("leave")
    await there.unsubscribe()
    await left
    # What it missed comes when it is back.
    await here.publish({"n": 21})
    missed = events_there.event("publication", lambda ctx: ctx.pub.data["n"] == 21)
    await there.subscribe()
    await missed

    # Back to back, as the SDK's own tests do it.
    flip, events_flip, _ = await subscribe(one, "room:flip")
    for _ in range(10):
        await flip.unsubscribe()
        await flip.subscribe()
    await flip.ready()
    live = events_flip.event("publication")
    await flip.publish("still here")
    assert (await live).pub.data == "still here"

    other = StreamPosition(1, "other")
    refusals = {
        "namespace": await code(one, "nobody:a"),
        "closed": await code(one, "closed:a"),
        "job": await code(one, "chat:01ARZ3NDEKTSV4RRFFQ69G5FAV"),
        "publish": await refused(one.publish("plain:a", 1)),
        "presence": await refused(one.presence("plain:a")),
        "history": await refused(one.history("plain:a", limit=1)),
        "epoch": await refused(here.history(limit=1, since=other)),
    }
    await one.disconnect()
    await two.disconnect()
    return {
        "offsets": [pub.offset for pub in texts],
        "text": texts[0].data["text"],
        "by": texts[0].info.client == one.name,
        "presence": presence,
        "stats": {"numClients": stats.num_clients, "numUsers": stats.num_users},
        "newest": [pub.offset for pub in newest.publications],
        "since": [pub.offset for pub in since.publications],
        "top": position.offset,
        "nothing": len(position.publications),
        "refusals": refusals,
    }


run(scenario)
