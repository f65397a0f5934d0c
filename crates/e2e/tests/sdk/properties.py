"""Asks an HTTP API everything that its OpenAPI description allows, and much that it does not, by schemathesis.

Settings: `url` of the description, `examples` a case, `seed`, `exclude` paths that never end, and a `token` if one is needed.
"""

import json
import subprocess
import sys
import tempfile

settings = json.loads(sys.argv[1])
command = [
    sys.executable, "-m", "schemathesis.cli", "run", settings["url"],
    "--max-examples", str(settings["examples"]),
    "--seed", str(settings["seed"]),
    "--request-timeout", "20",
    "--no-color",
]
for path in settings.get("exclude", []):
    command += ["--exclude-path", path]
if settings.get("token"):
    command += ["--header", "Authorization: Bearer " + settings["token"]]
# What it remembers of failures would be asked again the next time, and belongs to nobody.
folder = tempfile.TemporaryDirectory()
process = subprocess.Popen(command, cwd=folder.name, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
said = []
# Line by line, so that who waits sees that it goes on.
for line in process.stdout:
    said.append(line.rstrip())
    print(json.dumps({"said": said[-1]}), flush=True)
code = process.wait()
print(json.dumps({"report": {"code": code, "said": said[-400:]}}), flush=True)
