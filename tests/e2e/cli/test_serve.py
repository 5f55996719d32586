from __future__ import annotations

import http.client
import itertools
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from contextlib import contextmanager, suppress

import msgspec
import pytest


@contextmanager
def served(project, *words):
    """A server as a process of its own, and the address it says it listens on."""
    command = [sys.executable, "-m", "headwater", "serve", "app:app", "--port", "0", "--json", *words]
    with subprocess.Popen(command, cwd=project, stdout=subprocess.PIPE, text=True) as server:
        try:
            yield server, msgspec.json.decode(server.stdout.readline())["serving"]
        finally:
            server.terminate()
            server.wait(timeout=30)


def call(address, body=None, **headers):
    """One request: the status and the JSON body."""
    data = None if body is None else msgspec.json.encode(body)
    request = urllib.request.Request(address, data=data, headers={"content-type": "application/json", **headers})
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.status, msgspec.json.decode(response.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, msgspec.json.decode(error.read())


@pytest.mark.parametrize("workers", ["1", "2"])
def test_commands_and_queries_go_over_http(project, workers):
    """A command, its refusal, and a query that reads the write."""
    with served(project, "--workers", workers) as (_, address):
        assert call(f"{address}/commands/add-task", {"task_id": "t1", "title": "Milk"})[0] == 200
        status, refused = call(f"{address}/commands/add-task", {"task_id": "t1", "title": "Milk"})
        assert (status, refused["code"]) == (422, "task-exists")
        _, page = call(f"{address}/queries/find-tasks", **{"headwater-position": "1"})
        assert [row["task_id"] for row in page["items"]] == ["t1"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_it_cleanly(project, headwater, number):
    """The stores are closed, what was acknowledged is there, and the exit code is 0."""
    with served(project) as (server, address):
        call(f"{address}/commands/add-task", {"task_id": "t1", "title": "Milk"})
        server.send_signal(number)
        assert server.wait(timeout=30) == 0
    assert headwater("verify", "sqlite:///todo.db", "--json").json["head"] == 1


def send_tasks(address, number, receipts):
    """Commands on one connection, one after the other, until the server ends it."""
    connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=30)
    with suppress(OSError, http.client.HTTPException):
        for turn in itertools.count():
            body = msgspec.json.encode({"task_id": f"t{number}-{turn}", "title": "Milk"})
            connection.request("POST", "/commands/add-task", body, {"content-type": "application/json"})
            receipts.append(msgspec.json.decode(connection.getresponse().read())["position"])
    connection.close()


def test_what_was_acknowledged_is_there_after_a_signal_under_load(project, headwater):
    """Sixteen clients send without a pause while the server is told to stop: no receipt is for nothing."""
    receipts: list[int] = []
    with served(project) as (server, address):
        clients = [threading.Thread(target=send_tasks, args=(address, n, receipts)) for n in range(16)]
        for client in clients:
            client.start()
        while len(receipts) < 200 and any(client.is_alive() for client in clients):
            clients[0].join(0.01)
        server.send_signal(signal.SIGTERM)
        assert server.wait(timeout=30) == 0
        for client in clients:
            client.join()
    head = headwater("verify", "sqlite:///todo.db", "--json").json["head"]
    assert len(receipts) >= 200
    assert len(set(receipts)) == len(receipts)
    assert max(receipts) <= head


@pytest.mark.parametrize("workers", ["1", "2"])
def test_live_queries_do_not_hold_up_a_server_that_stops(project, workers):
    """The stream ends with the server: it comes to its end, and the process to its exit."""
    with served(project, "--workers", workers) as (server, address):
        asked = urllib.request.Request(f"{address}/queries/find-tasks", headers={"accept": "text/event-stream"})
        with urllib.request.urlopen(asked, timeout=30) as stream:
            assert [stream.readline() for _ in range(3)][2].startswith(b"id: 0")
            assert stream.readline().startswith(b"data: {")
            server.send_signal(signal.SIGTERM)
            assert stream.read().strip() == b""
        assert server.wait(timeout=30) == 0


def test_its_processes_end_with_the_one_that_began_them(project):
    """Also if that one is killed: the port is free again, and a restart can have it."""
    with served(project, "--workers", "2") as (server, address):
        call(f"{address}/commands/add-task", {"task_id": "t1", "title": "Milk"})
        server.kill()
        server.wait(timeout=30)
        port = int(address.rpartition(":")[2])
        give_up = time.monotonic() + 30
        while not _may_listen(port):
            assert time.monotonic() < give_up
            time.sleep(0.05)


def _may_listen(port):
    with suppress(OSError), socket.create_server(("127.0.0.1", port)):
        return True
    return False


def test_a_port_in_use_is_named(process):
    """With another port as the remedy, and before anything is served."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = process("serve", "app:app", "--port", port)
    assert ended.code == 1
    assert f"cannot listen on 127.0.0.1:{port}" in ended.err
    assert "choose another --port" in ended.err


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_store_that_cannot_be_opened_ends_in_its_own_error(process, project, workers):
    """A store's fault is told as what it is, whatever the number of processes."""
    (project / "todo.db").write_bytes(b"something else entirely" * 400)
    ended = process("serve", "app:app", "--port", "0", "--workers", workers, "--json")
    assert (ended.code, ended.problem["code"]) == (3, "store-corrupt")
    assert "Traceback" not in ended.err


def test_a_log_in_memory_is_no_log_of_several_processes(process):
    """Each would have one of its own, and answers would depend on who gives them."""
    ended = process("serve", "app:app", "--url", "memory:", "--workers", "2", "--port", "0", "--json")
    assert (ended.code, ended.problem["code"]) == (2, "usage-error")


def _page(address):
    try:
        with urllib.request.urlopen(address, timeout=30) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, ""


@pytest.mark.parametrize("workers", ["1", "2"])
def test_people_find_pages_that_nobody_declared(project, workers):
    """The address is told; the list shows what the project has."""
    with served(project, "--workers", workers) as (_, address):
        call(f"{address}/commands/add-task", {"task_id": "t1", "title": "Buy milk"})
        status, text = _page(f"{address}/ui/queries/find-tasks?_done=add-task&_position=1")
    assert status == 200
    assert "Buy milk" in text


def test_pages_are_left_out_or_chosen_on_the_command_line(project):
    """Without them there is nothing; with a name that is wrong it does not start."""
    (project / "pages.py").write_text(
        "from headwater.ui import TaskUi\n\nui = TaskUi(title='My tasks', path='/tasks')\n"
    )
    with served(project, "--no-ui") as (_, address):
        assert _page(f"{address}/ui/")[0] == 404
    with served(project, "--ui", "pages:ui") as (_, address):
        assert "My tasks" in _page(f"{address}/tasks/")[1]


def test_pages_of_another_kind_are_refused(headwater):
    """An app is no TaskUi; what there is instead is named."""
    ended = headwater("serve", "app:app", "--ui", "app:app", "--json")

    assert ended.code != 0
    assert "not a TaskUi" in ended.problem["detail"]


def test_a_form_of_one_process_is_taken_by_any_other(project):
    """Their tokens are made with the read store's key; twelve forms among three processes."""
    with served(project, "--workers", "3") as (_, address):
        opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
        for number in range(12):
            with opener.open(f"{address}/ui/commands/add-task", timeout=30) as shown:
                hidden = dict(re.findall(r'name="(_token|_key)" value="([^"]+)"', shown.read().decode()))
            body = urllib.parse.urlencode({**hidden, "task_id": f"t{number}", "title": "x"}).encode()
            with opener.open(f"{address}/ui/commands/add-task", body, timeout=30) as done:
                assert "Add task</strong>: done" in done.read().decode()
