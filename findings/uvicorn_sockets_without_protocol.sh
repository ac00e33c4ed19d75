#!/usr/bin/env bash
# uvicorn 0.54.0 with h11 0.16.0, Python 3.11.7, Linux: a server may be given a socket that listens already,
# `Server.run(sockets=[...])`, which is how a program takes the first free port without a gap between finding and
# using it. One would expect the same answers as from a server that opens the port by itself.
#
# Seen: with `socket.socket(AF_INET, SOCK_STREAM)`, as nearly all code writes it, each answer takes 40 ms; with
# `socket.socket(AF_INET, SOCK_STREAM, IPPROTO_TCP)` under a millisecond. asyncio sets TCP_NODELAY only on sockets
# whose `proto` is IPPROTO_TCP; that of a socket made without it is 0, and accepted connections inherit it. uvicorn
# writes the head and the body of an answer one by one, so that the body waits for the delayed acknowledgement of the
# head. A page that asks for predictions while one draws has 25 answers a second at most.
#
# Prints the median milliseconds of both. Fails if the behaviour changes.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check uvicorn==0.54.0 h11==0.16.0
cat > "$work/answers.py" <<'PYTHON'
import http.client
import socket
import statistics
import threading
import time

import uvicorn


async def app(scope, receive, send):
    start = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]}
    await send(start)
    await send({"type": "http.response.body", "body": b"ok"})


def median_of_answers(protocol):
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, protocol)
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    server = uvicorn.Server(uvicorn.Config(app, http="h11", lifespan="off", log_level="error"))
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    connection = http.client.HTTPConnection("127.0.0.1", listener.getsockname()[1])
    times = []
    for _ in range(25):
        begin = time.perf_counter()
        connection.request("POST", "/", b"x")
        connection.getresponse().read()
        times.append(time.perf_counter() - begin)
    connection.close()
    server.should_exit = True
    thread.join()
    return 1e3 * statistics.median(times)


without, named = median_of_answers(0), median_of_answers(socket.IPPROTO_TCP)
print(f"proto 0: {without:.1f} ms, IPPROTO_TCP: {named:.1f} ms")
if not (without > 30 > 10 > named):
    raise SystemExit("the behaviour has changed")
PYTHON
"$work/venv/bin/python" "$work/answers.py"
