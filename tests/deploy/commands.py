"""Has the programs read each command line and each setting that deploy/ names, and compares what files say of each other.

usage, in deploy/: commands.py FOLDER-OF-THE-PROGRAMS FOLDER
    FOLDER has what `docker-compose config` made of the compose files, compose.json and cluster.json, and what
    `kubectl kustomize` made of cluster/kubernetes, cluster.yaml
"""

import json
import os
import re
import shlex
import socket
import subprocess
import sys
from pathlib import Path

import yaml

programs, made = Path(sys.argv[1]), Path(sys.argv[2])
compose = {"compose/compose.yaml": json.loads((made / "compose.json").read_text()),
           "cluster/compose/compose.yaml": json.loads((made / "cluster.json").read_text())}
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


def services():
    """Those of the compose files that run one of the programs, with their place."""
    for path, project in compose.items():
        for name, service in project["services"].items():
            if service["image"].startswith("joblink:"):
                yield f"{path}, {name}", service


def from_compose():
    yield from ((place, service["command"]) for place, service in services())


def cluster():
    """What is applied by `kubectl apply -k cluster/kubernetes`, each as (kind and name, document)."""
    for document in yaml.safe_load_all((made / "cluster.yaml").read_text()):
        yield f"cluster/kubernetes, {document['kind']} {document['metadata']['name']}", document


def manifests():
    for path in [*sorted(Path("kubernetes").glob("*.yaml")), Path("cluster/kubernetes/secret.example.yaml")]:
        for document in yaml.safe_load_all(path.read_text()):
            yield path, document
    yield from cluster()


def pods(node):
    """All pods' templates of a manifest."""
    if isinstance(node, dict):
        if "containers" in node.get("spec", {}):
            yield node
        for value in node.values():
            yield from pods(value)


def containers(document):
    for pod in pods(document):
        yield from pod["spec"].get("initContainers", []) + pod["spec"]["containers"]


def from_kubernetes():
    for path, document in manifests():
        for container in containers(document):
            if "args" in container:
                yield path, container["args"]
            else:
                # A line for a shell: what it calls there.
                calls = re.findall(r"\b(?:joblink|migration)(?: [a-z][a-z-]*)+", container["command"][-1])
                yield from ((path, shlex.split(call)) for call in calls)


def check_commands():
    sources = {from_systemd: 3, from_cron: 1, from_image: 1, from_compose: 7, from_kubernetes: 7}
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
    for place, service in services():
        yield from ((place, key) for key in service["environment"])
    for path, document in manifests():
        keys = {**document.get("data", {}), **document.get("stringData", {})}
        keys.update({entry["name"]: None for container in containers(document) for entry in container.get("env", [])})
        yield from ((path, key) for key in keys)
    path = Path("systemd/joblink.env.example")
    yield from ((path, key) for key in re.findall(r"^#?(\w+)=", path.read_text(), re.MULTILINE))
    path = Path("Dockerfile")
    line = re.search(r"^ENV (.*)$", path.read_text(), re.MULTILINE)[1]
    yield from ((path, assignment.partition("=")[0]) for assignment in shlex.split(line))


def serve_help():
    return subprocess.run([programs / "joblink", "serve", "--help"], env={}, capture_output=True, text=True, check=True).stdout


def check_settings():
    known = set(re.findall(r"\[env: (\w+)", serve_help()))
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


def seconds(text):
    """Of `40s` or `1m0s`, as docker-compose writes them, or of a number."""
    return sum(int(number) * {"m": 60, "s": 1, "": 1}[unit] for number, unit in re.findall(r"(\d+)([ms]?)", str(text)))


def servers():
    """How long each way of running a server lets it take to stop, and its settings."""
    for place, service in services():
        if service["command"] == ["joblink", "serve"]:
            yield place, service["stop_grace_period"], service["environment"]
    for from_folder in ("kubernetes/", "cluster/kubernetes"):
        own = [(place, document) for place, document in manifests() if str(place).startswith(from_folder)]
        settings = {}
        for _, document in own:
            settings |= document["data"] if document.get("kind") == "ConfigMap" else {}
        for place, document in own:
            if document.get("kind") == "Deployment":
                yield place, document["spec"]["template"]["spec"]["terminationGracePeriodSeconds"], settings
    unit = Path("systemd/joblink.service")
    yield unit, re.search(r"^TimeoutStopSec=(.*)$", unit.read_text(), re.MULTILINE)[1], {}


def check_stopping():
    """Nobody kills a server that still says "not ready" or answers what it has begun."""
    defaults = dict(re.findall(r"\[env: (JOBLINK_\w+)=\]\s+\[default: (.*?)\]", serve_help()))
    found = list(servers())
    if len(found) != 7:
        fault("servers", f"found {len(found)} ways of running one, not 7: does it still read its files?")
    for place, grace, settings in found:
        needed = sum(int(settings.get(name, defaults[name])) for name in ("JOBLINK_DRAIN_DELAY", "JOBLINK_STOP_WITHIN"))
        if seconds(grace) <= needed:
            fault(place, f"a server is killed after {grace}, and may take {needed} s to stop")


def check_selectors():
    """Whoever selects pods of Joblink means those of the Deployment, or of another template that is there."""
    documents = dict(cluster())
    labelled = [(place, pod["metadata"]["labels"]) for place, document in documents.items() for pod in pods(document)]
    server = documents["cluster/kubernetes, Deployment joblink"]
    selecting = {
        "Deployment": lambda spec: spec["selector"]["matchLabels"],
        "PodDisruptionBudget": lambda spec: spec["selector"]["matchLabels"],
        "Service": lambda spec: spec["selector"],
        "NetworkPolicy": lambda spec: spec["podSelector"]["matchLabels"],
    }
    found = [(place, selecting[document["kind"]](document["spec"])) for place, document in documents.items()
             if document["kind"] in selecting]
    spread = server["spec"]["template"]["spec"]["topologySpreadConstraints"]
    found += [("topologySpreadConstraints", constraint["labelSelector"]["matchLabels"]) for constraint in spread]
    for place, labels in found:
        if labels == {"cnpg.io/cluster": "joblink-database"}:
            # The operator labels its pods by the Cluster's name.
            if "cluster/kubernetes, Cluster joblink-database" not in documents:
                fault(place, f"selects pods of a Cluster that is not there: {labels}")
            continue
        meant = [other for other, given in labelled if labels.items() <= given.items()]
        if meant != ["cluster/kubernetes, Deployment joblink"]:
            fault(place, f"selects {labels}, which is pods of {meant}, not those of the Deployment")
    if len(found) != 7:
        fault("check_selectors", f"found {len(found)} selectors, not 7")
    strategy = server["spec"]["strategy"]["rollingUpdate"]
    if strategy["maxUnavailable"] != 0 or server["spec"]["replicas"] != 3:
        fault("cluster/kubernetes", f"an update would leave fewer than three servers: {strategy}")


def check_cluster():
    """The compose file's services by name: hosts of the database, and the network in which the proxy is believed."""
    path = "cluster/compose/compose.yaml"
    project = compose[path]
    hosts = [name for name, service in project["services"].items() if service["image"].startswith("joblink-patroni:")]
    subnets = [config["subnet"] for config in project["networks"]["front"]["ipam"]["config"]]
    for place, service in services():
        if place.startswith(path):
            named = re.search(r"@(.*)/", service["environment"]["DATABASE_URL"])[1]
            if named != ",".join(f"{host}:5432" for host in hosts):
                fault(place, f"DATABASE_URL names {named}, and the hosts of the database are {hosts}")
            if service["environment"].get("JOBLINK_TRUSTED_PROXY", subnets[0]) not in subnets:
                fault(place, f"JOBLINK_TRUSTED_PROXY is not the network `front`, {subnets}")
    for name, service in project["services"].items():
        if "restart" not in service and name != "migration":
            fault(f"{path}, {name}", "has no `restart`")
        # What ends by itself has nothing to ask.
        if "healthcheck" not in service and name not in ("bucket", "migration"):
            fault(f"{path}, {name}", "has no health check")


def check_patroni():
    """Patroni takes its file with the environment of the compose file."""
    given = compose["cluster/compose/compose.yaml"]["services"]["db-1"]["environment"]
    bin_dir = subprocess.run(["../tests/postgres", "bin"], capture_output=True, text=True, check=True).stdout.strip()
    # It looks whether somebody listens where etcd should be.
    with socket.create_server(("127.0.0.1", 0)) as etcd:
        here = {"PATH": os.environ["PATH"], "PATRONI_ETCD3_HOSTS": f"127.0.0.1:{etcd.getsockname()[1]}",
                "PATRONI_POSTGRESQL_BIN_DIR": bin_dir, "PATRONI_POSTGRESQL_DATA_DIR": str(made / "none")}
        command = ["patroni", "--validate-config", "--ignore-listen-port", "cluster/compose/patroni/patroni.yaml"]
        ran = subprocess.run(command, env=given | here, capture_output=True, text=True)
    if ran.returncode != 0 or ran.stdout or ran.stderr:
        fault(command[-1], ran.stdout + ran.stderr)


check_commands()
check_settings()
check_version()
check_patroni()
check_stopping()
check_selectors()
check_cluster()
if faults:
    sys.exit("\n".join(["", *faults]))
