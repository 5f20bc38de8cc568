"""Does without containers what compose.yaml and README.md say: the same programs, command lines and settings, on free ports.

usage, in deploy/: rehearse.py FOLDER-OF-THE-PROGRAMS COMPOSE.json POSTGRES WEED    (POSTGRES: URL of a superuser's database)
"""

import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

programs, compose = Path(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text())
postgres, weed = urlsplit(sys.argv[3]), sys.argv[4]
services = compose["services"]
folder = Path(tempfile.mkdtemp(dir=Path(sys.argv[2]).parent))


def free_ports(number):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


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
    sys.exit(f"not in 30 seconds: {what}\n" + "".join(log.read_text() for log in folder.glob("*.log")))


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
    health = services["s3"]["healthcheck"]["test"][-1]
    until("the health check of the S3 server", lambda: answers(health.replace("8333", str(s3))))
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

    summary = json.loads(run(*program("retention")))
    print("retention:", json.dumps(summary)[:200])
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
