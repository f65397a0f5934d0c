"""What the scripts share: clients, tokens, and a line of JSON at a time to and from the test."""

import asyncio
import base64
import hashlib
import hmac
import json
import os
import sys
import time
import traceback
from inspect import getmembers, iscoroutinefunction

from centrifuge import Client, ClientEventHandler, SubscriptionEventHandler

# What the test wants: at least `url`, and `secret` where the server wants tokens.
settings = json.loads(sys.argv[1])


def say(value):
    """Tells the test something."""
    print(json.dumps(value), flush=True)


def token(claims, seconds=3600):
    """A signed token. `seconds` is how long it is good."""

    def encode(raw):
        return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()

    now = int(time.time())
    head = encode(json.dumps({"alg": "HS256", "typ": "JWT"}).encode())
    text = f"{head}.{encode(json.dumps({'iat': now, 'exp': now + seconds, **claims}).encode())}"
    signature = hmac.new(settings["secret"].encode(), text.encode(), hashlib.sha256)
    return f"{text}.{encode(signature.digest())}"


class _Events:
    """Events as they come, for callbacks and for who waits for one."""

    def __init__(self):
        self._callbacks = {}
        self._waiting = []
        for name, method in getmembers(self, iscoroutinefunction):
            if name.startswith("on_"):
                setattr(self, name, self._handler(name[3:]))

    def _handler(self, name):
        async def handler(ctx):
            for callback in self._callbacks.get(name, []):
                callback(ctx)
            for waiting in [one for one in self._waiting if one[0] == name]:
                if not waiting[2].done() and waiting[1](ctx):
                    waiting[2].set_result(ctx)

        return handler

    def call(self, name, callback):
        self._callbacks.setdefault(name, []).append(callback)

    def event(self, name, fits=lambda ctx: True):
        """The next event of this name that fits; it counts from now on."""
        future = asyncio.get_running_loop().create_future()
        self._waiting.append((name, fits, future))
        return future


class ClientEvents(_Events, ClientEventHandler):
    """Those of a client."""


class SubscriptionEvents(_Events, SubscriptionEventHandler):
    """Those of a subscription."""


def client(**options):
    """A client that comes back at once."""
    defaults = {"min_reconnect_delay": 0.001, "max_reconnect_delay": 0.1, "proxy": None}
    return Client(settings["url"], events=ClientEvents(), **{**defaults, **options})


async def connected(**options):
    """A connected client, with its id in `name`."""
    one = client(**options)
    done = one.events.event("connected")
    await one.connect()
    one.name = (await done).client
    return one


async def refused(operation):
    """The code of the error that an operation ends with."""
    try:
        value = await operation
    except Exception as error:
        return error.code
    raise AssertionError(f"not refused: {value}")


def run(scenario):
    """Runs a scenario, and reports what it returns."""

    async def main():
        try:
            say({"report": await scenario()})
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        # Whoever still waits for a line from the test must not keep this from ending.
        os._exit(0)

    asyncio.run(main())
