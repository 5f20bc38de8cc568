"""Has the programs read each command line and each setting that deploy/ names.

usage, in deploy/: commands.py FOLDER-OF-THE-PROGRAMS COMPOSE.json    (what `docker-compose config` made of compose.yaml)
"""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import yaml

programs, compose = Path(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text())
faults = []


def fault(place, what):
    faults.append(f"{place}: {what}")


def from_systemd():
    for unit in sorted(Path("systemd").glob("*.service")):
        for line in re.findall(r"^ExecStart=(.*)$", unit.read_text(), re.MULTILINE):
            yield unit, shlex.split(line)


def from_cron():
    path = Path("cron/joblink-retention")
    # Five fields of time and the user's name stand before the command.
    for line in re.findall(r"^[\d*](?:\S*\s+){6}(.*)$", path.read_text(), re.MULTILINE):
        yield path, shlex.split(re.search(r"/usr/local/bin/[^|;&>]*(?= 2>&1)", line)[0])


def from_image():
    path = Path("Dockerfile")
    yield path, json.loads(re.search(r"^CMD (.*)$", path.read_text(), re.MULTILINE)[1])


def from_compose():
    for name, service in compose["services"].items():
        if service["image"].startswith("joblink:"):
            yield f"compose/compose.yaml, {name}", service["command"]


def manifests():
    for path in sorted(Path("kubernetes").glob("*.yaml")):
        for document in yaml.safe_load_all(path.read_text()):
            yield path, document


def containers(node):
    """All containers of a manifest, wherever its pod's template is."""
    if isinstance(node, dict):
        yield from node.get("containers", [])
        for value in node.values():
            yield from containers(value)


def from_kubernetes():
    for path, document in manifests():
        for container in containers(document):
            yield path, container["args"]


def check_commands():
    sources = {from_systemd: 3, from_cron: 1, from_image: 1, from_compose: 3, from_kubernetes: 3}
    for source, least in sources.items():
        found = list(source())
        if len(found) < least:
            fault(source.__name__, f"found {len(found)} command lines, not {least}: does it still read its files?")
        for place, command in found:
            # An argument that the program does not know is refused before its help is shown.
            program = programs / Path(command[0]).name
            ran = subprocess.run([program, *command[1:], "--help"], env={}, capture_output=True, text=True)
            print(f"{shlex.join(command)}  ({place})")
            if ran.returncode != 0:
                fault(place, f"{shlex.join(command)}: {ran.stderr.strip()}")


def settings():
    """Every environment variable that is set for one of the programs, with its place."""
    for name, service in compose["services"].items():
        if service["image"].startswith("joblink:"):
            yield from ((f"compose/compose.yaml, {name}", key) for key in service["environment"])
    for path, document in manifests():
        keys = {**document.get("data", {}), **document.get("stringData", {})}
        keys.update({entry["name"]: None for container in containers(document) for entry in container.get("env", [])})
        yield from ((path, key) for key in keys)
    path = Path("systemd/joblink.env.example")
    yield from ((path, key) for key in re.findall(r"^#?(\w+)=", path.read_text(), re.MULTILINE))
    path = Path("Dockerfile")
    line = re.search(r"^ENV (.*)$", path.read_text(), re.MULTILINE)[1]
    yield from ((path, assignment.partition("=")[0]) for assignment in shlex.split(line))


def check_settings():
    shown = subprocess.run([programs / "joblink", "serve", "--help"], env={}, capture_output=True, text=True, check=True)
    known = set(re.findall(r"\[env: (\w+)", shown.stdout))
    # What object_store reads by itself.
    known |= {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_ENDPOINT", "AWS_ALLOW_HTTP"}
    found = list(settings())
    for place, name in found:
        if name not in known:
            fault(place, f"`joblink serve --help` knows no {name}")
    print(f"{len(found)} settings, {len(set(name for _, name in found))} different ones")


def check_version():
    """All files name the image by the version of the programs that are here."""
    shown = subprocess.run([programs / "joblink", "--version"], env={}, capture_output=True, text=True, check=True)
    image = "joblink:" + shown.stdout.split()[-1]
    for path in [*Path().rglob("*.yaml"), Path("Dockerfile")]:
        for named in re.findall(r"\bjoblink:\d[\w.-]*", path.read_text()):
            if named != image:
                fault(path, f"names {named}, and this is {image}")


check_commands()
check_settings()
check_version()
if faults:
    sys.exit("\n".join(["", *faults]))
