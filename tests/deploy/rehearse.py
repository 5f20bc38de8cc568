"""Does without containers what compose.yaml and README.md say: the same programs, command lines and settings, on free ports.

usage, in deploy/: rehearse.py FOLDER-OF-THE-PROGRAMS COMPOSE.json POSTGRES WEED    (POSTGRES: URL of a superuser's database)
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
import time
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

programs, compose = Path(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text())
postgres, weed = urlsplit(sys.argv[3]), sys.argv[4]
services = compose["services"]
folder = Path(tempfile.mkdtemp(dir=Path(sys.argv[2]).parent))


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


http, metrics, s3, *others = free_ports(12)
# Where the names and ports of the compose file are here.
places = {"@postgres/": f"@127.0.0.1:{postgres.port}/", "http://s3:8333": f"http://127.0.0.1:{s3}",
          "0.0.0.0:9100": f"127.0.0.1:{metrics}"}


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


def ask(token, query):
    request = urllib.request.Request(f"http://127.0.0.1:{http}/graphql", json.dumps({"query": query}).encode(),
                                     {"authorization": f"Bearer {token}", "content-type": "application/json"})
    answer = json.load(urllib.request.urlopen(request))
    assert "errors" not in answer, answer
    return answer["data"]


def upload(token):
    request = urllib.request.Request(f"http://127.0.0.1:{http}/uploads?name=quarterly.csv",
                                     Path("../examples/quarterly.csv").read_bytes(),
                                     {"authorization": f"Bearer {token}", "content-type": "text/csv"})
    name = json.load(urllib.request.urlopen(request))["uploadId"]
    made = ask(token, f'mutation {{ createJob(input: {{kind: QUARTERLY, source: {{uploadId: "{name}"}}}}) {{ job {{ id }} }} }}')
    return made["createJob"]["job"]["id"]


def rehearse(running):
    make_database()
    running.append(start_s3())
    run(*program("migration"))
    image = re.search(r"^ENV (.*)$", Path("Dockerfile").read_text(), re.MULTILINE)[1]
    settings = dict(assignment.split("=") for assignment in image.split())
    settings["JOBLINK_LISTEN"] = settings["JOBLINK_LISTEN"].replace("0.0.0.0:8080", f"127.0.0.1:{http}")
    server = start("joblink", *program("joblink", **settings))
    running.append(server)

    kind, *check = services["joblink"]["healthcheck"]["test"]
    check = [part.replace("$$", "$").replace("/8080", f"/{http}") for part in check]
    until("the health check of compose.yaml", lambda: kind == "CMD" and subprocess.run(check, capture_output=True).returncode == 0)
    assert answers(f"http://127.0.0.1:{metrics}/metrics")
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


def main():
    running = []
    try:
        rehearse(running)
    finally:
        for process in running:
            process.terminate()
            process.wait(20)


main()
