"""Does without containers what the compose files and README.md say: the same programs, command lines and settings, on free ports.

usage, in deploy/: rehearse.py FOLDER-OF-THE-PROGRAMS FOLDER POSTGRES WEED
    FOLDER has what `docker-compose config` made of the compose files, compose.json and cluster.json, and what
    `kubectl kustomize` made of cluster/kubernetes, cluster.yaml; POSTGRES is the URL of a superuser's database
"""

import itertools
import json
import os
import random
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

import yaml

programs, made = Path(sys.argv[1]), Path(sys.argv[2])
postgres, weed = urlsplit(sys.argv[3]), sys.argv[4]
services = json.loads((made / "compose.json").read_text())["services"]
cluster = json.loads((made / "cluster.json").read_text())["services"]
folder = Path(tempfile.mkdtemp(dir=made))


def free(port):
    try:
        socket.create_server(("127.0.0.1", port)).close()
        return True
    except OSError:
        return False


def free_ports(number):
    """Below those that the system gives to outgoing connections, so that none is taken before it is used."""
    begin = random.randrange(20_000, 32_000)
    return list(itertools.islice(filter(free, range(begin, 32_768)), number))


http, metrics, s3, proxy, *others = free_ports(19)
# Where the names and ports of the compose file are here.
places = {"@postgres/": f"@127.0.0.1:{postgres.port}/", "http://s3:8333": f"http://127.0.0.1:{s3}",
          "@db-1:5432,db-2:5432,db-3:5432/": f"@127.0.0.1:{postgres.port}/", "0.0.0.0:9100": f"127.0.0.1:{metrics}"}


def here(text):
    for there, place in places.items():
        text = text.replace(there, place)
    return text


def environment(service, **more):
    given = services[service].get("environment", {})
    return {"PATH": os.environ["PATH"], **{name: here(value) for name, value in given.items()}, **more}


def run(command, env, **options):
    ran = subprocess.run(command, env=env, capture_output=True, text=True, **options)
    if ran.returncode != 0:
        sys.exit(f"{command} ended with {ran.returncode}:\n{ran.stdout}\n{ran.stderr}")
    return ran.stdout


def program(service, **more):
    name, *arguments = services[service]["command"]
    return [programs / name, *arguments], environment(service, **more)


def until(what, look):
    for _ in range(300):
        if found := look():
            return found
        time.sleep(0.1)
    logs = [f"-- {log.name}\n{log.read_text()[-3000:]}" for log in folder.glob("*.log")]
    sys.exit("\n".join([f"not in 30 seconds: {what}", *logs]))


def answers(url):
    try:
        return urllib.request.urlopen(url, timeout=2).status == 200
    except OSError:
        return False


def start(name, command, env):
    return subprocess.Popen(command, env=env, cwd=folder, stdout=(folder / f"{name}.log").open("w"), stderr=subprocess.STDOUT)


def start_s3():
    ports = dict(zip(["s3.port.grpc", "master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port",
                      "filer.port.grpc", "admin.port", "admin.port.grpc"], others))
    elsewhere = {"-dir=/data": f"-dir={folder}", "-ip=s3": "-ip=127.0.0.1", "-ip.bind=0.0.0.0": "-ip.bind=127.0.0.1"}
    flags = [elsewhere.pop(flag, flag) for flag in services["s3"]["command"]]
    assert not elsewhere, f"compose.yaml starts the S3 server without {elsewhere}"
    flags += [f"-s3.port={s3}", *(f"-{name}={port}" for name, port in ports.items())]
    server = start("s3", [weed, *flags], environment("s3", GOMEMLIMIT="300MiB"))
    health = services["s3"]["healthcheck"]["test"][-1].replace(":8333/", f":{s3}/").replace(":8888/", f":{ports['filer.port']}/")
    asked = re.findall(r"http://127\.0\.0\.1:\S+", health)
    until("the health check of the S3 server", lambda: asked and all(map(answers, asked)))
    return server


def make_database():
    connect = {"PATH": os.environ["PATH"], "PGHOST": postgres.hostname, "PGPORT": str(postgres.port)}
    secret = services["postgres"]["environment"]["JOBLINK_DB_PASSWORD"]
    run(["compose/postgres/joblink.sh"], {**connect, "POSTGRES_USER": postgres.username, "JOBLINK_DB_PASSWORD": secret})


def first_user():
    command = ["psql", environment("joblink")["DATABASE_URL"], "-qAt", "-v", "organization=Example & Sons",
               "-v", "email=you@example.com"]
    with Path("first-user.sql").open() as script:
        return run(command, environment("joblink"), stdin=script).strip().split("|")


def ask(token, query, port=http):
    request = urllib.request.Request(f"http://127.0.0.1:{port}/graphql", json.dumps({"query": query}).encode(),
                                     {"authorization": f"Bearer {token}", "content-type": "application/json"})
    answer = json.load(urllib.request.urlopen(request, timeout=30))
    assert "errors" not in answer, answer
    return answer["data"]


def upload(token):
    request = urllib.request.Request(f"http://127.0.0.1:{http}/uploads?name=quarterly.csv",
                                     Path("../examples/quarterly.csv").read_bytes(),
                                     {"authorization": f"Bearer {token}", "content-type": "text/csv"})
    name = json.load(urllib.request.urlopen(request))["uploadId"]
    made = ask(token, f'mutation {{ createJob(input: {{kind: QUARTERLY, source: {{uploadId: "{name}"}}}}) {{ job {{ id }} }} }}')
    return made["createJob"]["job"]["id"]


def image_settings(port):
    """What the image sets, but for the address."""
    line = re.search(r"^ENV (.*)$", Path("Dockerfile").read_text(), re.MULTILINE)[1]
    settings = dict(assignment.split("=") for assignment in line.split())
    settings["JOBLINK_LISTEN"] = settings["JOBLINK_LISTEN"].replace("0.0.0.0:8080", f"127.0.0.1:{port}")
    return settings


def check_probes():
    """Whoever asks a server how it is asks what the server knows: manifests and proxy."""
    documents = [*yaml.safe_load_all((made / "cluster.yaml").read_text()), *yaml.safe_load_all(Path("kubernetes/joblink.yaml").read_text())]
    paths = set(re.findall(r"'path': '(/[a-z]+)', 'port': 'http'", str(documents)))
    paths |= set(re.findall(r"health_uri (\S+)", Path("cluster/compose/Caddyfile").read_text()))
    assert len(paths) == 2, f"the probes ask {paths}, not two paths"
    for path in paths:
        assert answers(f"http://127.0.0.1:{http}{path}"), f"the server does not answer a probe at {path}"


class Callers:
    """Four that ask one question after the other, each on a connection of its own, until they are told to stop."""

    def __init__(self, token):
        self.token, self.asked, self.failures, self.over = token, 0, [], threading.Event()
        self.threads = [threading.Thread(target=self.call) for _ in range(4)]
        for thread in self.threads:
            thread.start()

    def call(self):
        while not self.over.wait(0.02):
            try:
                ask(self.token, "{ viewer { organization { name } } }", proxy)
                self.asked += 1
            except Exception as error:
                self.failures.append(f"{time.monotonic():.1f} {error!r}")

    def end(self):
        self.over.set()
        for thread in self.threads:
            thread.join()


def opens_websocket(port):
    """Whether a WebSocket of the protocol of subscriptions comes about."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(f"GET /graphql HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nconnection: upgrade\r\nupgrade: websocket\r\n"
                           "sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                           "sec-websocket-protocol: graphql-transport-ws\r\n\r\n".encode())
        return connection.recv(4096).startswith(b"HTTP/1.1 101 ")


def roll(running, token):
    """Three servers and the proxy of cluster/compose; each server is stopped and started again, and no request fails."""
    names = [name for name, service in cluster.items() if service.get("command") == ["joblink", "serve"]]
    caddyfile = Path("cluster/compose/Caddyfile").read_text()
    elsewhere = {":80 {": f"http://127.0.0.1:{proxy} {{"}
    ports = dict(zip(names, others[-6:-3]))
    numbers = dict(zip(names, others[-3:]))
    elsewhere |= {f"{name}:8080": f"127.0.0.1:{port}" for name, port in ports.items()}
    for there, place in elsewhere.items():
        assert there in caddyfile, f"the Caddyfile lacks {there}"
        caddyfile = caddyfile.replace(there, place)
    (folder / "Caddyfile").write_text(caddyfile)

    def serve(name):
        settings = {key: here(value) for key, value in cluster[name]["environment"].items()}
        settings |= {"PATH": os.environ["PATH"], **image_settings(ports[name]),
                     "JOBLINK_METRICS_LISTEN": f"127.0.0.1:{numbers[name]}", "JOBLINK_TRUSTED_PROXY": "127.0.0.1"}
        # Four callers ask more often than any one user may.
        settings["JOBLINK_RATE_LIMIT"] = "0"
        command, *arguments = cluster[name]["command"]
        process = start(name, [programs / command, *arguments], settings)
        running.append(process)
        until(f"{name} is ready", lambda: answers(f"http://127.0.0.1:{ports[name]}/readyz"))
        return process

    servers = {name: serve(name) for name in names}
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder)}
    running.append(start("caddy", ["caddy", "run", "--adapter", "caddyfile", "--config", folder / "Caddyfile"], environment))
    until("a server is ready by way of the proxy", lambda: answers(f"http://127.0.0.1:{proxy}/readyz"))
    assert opens_websocket(proxy), "no WebSocket comes about by way of the proxy"
    callers = Callers(token)
    try:
        for name in names:
            servers[name].terminate()
            assert servers[name].wait(40) == 0, f"{name} ended with {servers[name].returncode}"
            servers[name] = serve(name)
    finally:
        callers.end()
    assert not callers.failures, f"{len(callers.failures)} requests failed, {callers.asked} did not: {callers.failures[:5]}"
    assert callers.asked > 500, f"only {callers.asked} requests were answered in that time"
    print(f"rolling restart: {callers.asked} requests, none failed")


def rehearse(running):
    make_database()
    running.append(start_s3())
    run(*program("migration"))
    server = start("joblink", *program("joblink", **image_settings(http)))
    running.append(server)

    kind, *check = services["joblink"]["healthcheck"]["test"]
    check = [part.replace("$$", "$").replace("/8080", f"/{http}") for part in check]
    until("the health check of compose.yaml", lambda: kind == "CMD" and subprocess.run(check, capture_output=True).returncode == 0)
    assert answers(f"http://127.0.0.1:{metrics}/metrics")
    check_probes()
    log = (folder / "joblink.log").read_text()
    assert "append-only" not in log, f"the database's user may change the audit log: {log}"

    user, organization = first_user()
    minted = [programs / "joblink", "token", user, "--org", organization, "--role", "operator"]
    token = run(minted, environment("joblink")).strip()
    asked = ask(token, "{ viewer { organization { name } } }")["viewer"]
    assert asked["organization"]["name"] == "Example & Sons", asked
    job = upload(token)
    until("the job's end", lambda: "COMPLETED" in json.dumps(ask(token, f'{{ node(id: "{job}") {{ ... on Job {{ status }} }} }}')))

    by_default = json.loads(run(*program("retention")))
    assert (by_default["items"], by_default["errors"]) == ([], []), by_default
    due = program("retention", JOBLINK_RETENTION_COMPLETED_AFTER="1s")
    summary = until("the job is due", lambda: (told := json.loads(run(*due)))["items"] and told)
    assert (len(summary["items"]), summary["errors"]) == (1, []), summary
    print("retention:", json.dumps(summary["items"][0]))
    server.terminate()
    assert server.wait(40) == 0, f"the server ended with {server.returncode}"
    roll(running, token)


def main():
    running = []
    try:
        rehearse(running)
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.wait(40)


main()
