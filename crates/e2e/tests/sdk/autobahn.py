"""Runs Autobahn's cases against an echo server: all but those of compression, which is not offered.

Settings: `url`.
"""

import asyncio
import json
import os
import sys

from kosoku import FailureError, run_fuzzingclient

settings = json.loads(sys.argv[1])
# Compression, in general and with its parameters.
LEFT_OUT = ["12.*", "13.*"]


async def main():
    try:
        results = await run_fuzzingclient(settings["url"], None, LEFT_OUT, 2)
        failed = []
    except FailureError as failure:
        results, failed = failure.results, [one for one in failure.results if not one.passed]
    cases = {}
    for one in results:
        cases.setdefault(one.behavior.value, []).append(one.case_id)
    wrong = [
        {
            "case": one.case_id,
            "behavior": one.behavior.value,
            "close": one.behavior_close.value,
            "result": one.result,
            "description": one.description,
        }
        for one in failed
    ]
    print(json.dumps({"report": {"cases": cases, "wrong": wrong}}), flush=True)
    # All is said. The tester's native part now and then aborts while the interpreter takes itself down.
    os._exit(0)


asyncio.run(main())
