"""`python -m servers`, as a person or a script runs it."""

from __future__ import annotations

import http.client
import json
import signal
import socket

import pytest

from servers.__main__ import main
from tests.servers.running import HostProcess

pytestmark = pytest.mark.sockets


@pytest.fixture
def start_host(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"hello")
    hosts = []

    def start(*options: str):
        hosts.append(HostProcess(tmp_path, *options))
        return hosts[-1]

    yield start
    for host in hosts:
        host.close()


def fetch(address):
    connection = http.client.HTTPConnection(*address, timeout=120)
    connection.request("GET", "/a.txt")
    content = connection.getresponse().read()
    connection.close()
    return content


def is_listening(address):
    try:
        socket.create_connection(address, timeout=120).close()
    except (ConnectionRefusedError, ConnectionResetError):
        return False
    return True


def test_host_says_where_it_is_serves_and_logs(start_host):
    host = start_host("--uplink", "8 MiB/s")
    assert host.line.startswith("serving ")
    assert fetch(host.address) == b"hello"
    code, _, errors = host.end_by(signal.SIGTERM)
    assert code == 0
    (line,) = map(json.loads, errors.splitlines())
    assert (line["method"], line["target"], line["status"]) == ("GET", "/a.txt", 200)


def test_interrupted_host_exits_with_130(start_host):
    code, output, errors = start_host("--quiet").end_by(signal.SIGINT)
    assert (code, output, errors) == (130, "", "")


def test_response_under_way_is_finished_after_sigterm(start_host, tmp_path):
    content = bytes(2_000_000)
    (tmp_path / "b").write_bytes(content)
    host = start_host("--uplink", "2 MB/s")
    connection = http.client.HTTPConnection(*host.address, timeout=120)
    connection.request("GET", "/b")
    response = connection.getresponse()
    first = response.read(1)
    host.process.send_signal(signal.SIGTERM)
    assert first + response.read() == content
    connection.close()
    assert host.end_by()[0] == 0


def test_second_signal_ends_at_once_what_is_under_way(start_host, tmp_path):
    (tmp_path / "b").write_bytes(bytes(2_000_000))
    host = start_host("--uplink", "10 kB/s")  # It would take 200 s.
    with socket.create_connection(host.address, timeout=120) as sock:
        sock.sendall(b"GET /b HTTP/1.1\r\nHost: h\r\n\r\n")
        sock.recv(1)
        host.process.send_signal(signal.SIGTERM)
        while is_listening(host.address):  # Until the first signal was taken.
            pass
        code, _, errors = host.end_by(signal.SIGTERM)
    assert code == 0
    assert "Traceback" not in errors


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["serve", "no/such/dir"], "expected a directory"),
        (["serve", ".", "--uplink", "5"], "expected a rate"),
        (["serve", ".", "--uplink", "0 B/s"], "above zero"),
        (["serve", ".", "--port", "65536"], "0..65535"),
        (["serve", ".", "--port", "-1"], "0..65535"),
        (["serve", ".", "--connections", "0"], "above zero"),
        (["serve", ".", "--head-timeout", "10"], "expected a duration"),
        (["serve", ".", "--idle-timeout", "0 s"], "above zero"),
        (["serve", ".", "--tls-cert", "no/such.pem"], "expected a file"),
        (["serve", ".", "--sharing", "none"], "first come first served"),
        (["serve"], "DIR"),
        (["dance"], "dance"),
        ([], "COMMAND"),
    ],
)
def test_wrong_input_is_one_line_and_exit_2(arguments, expected, capsys):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    errors = capsys.readouterr().err
    assert ended.value.code == 2
    assert expected in errors
    assert errors.count("\n") == 1


def test_port_in_use_is_one_line_and_exit_2(tmp_path, capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["serve", str(tmp_path), "--port", str(port)]) == 2
    errors = capsys.readouterr().err
    assert f"cannot listen at 127.0.0.1:{port}: Address already in use" in errors
    assert errors.count("\n") == 1


def test_key_without_a_certificate_is_one_line_and_exit_2(tmp_path, capsys):
    (tmp_path / "key.pem").write_bytes(b"")
    assert main(["serve", str(tmp_path), "--tls-key", str(tmp_path / "key.pem")]) == 2
    assert "expected --tls-cert" in capsys.readouterr().err


def test_bad_certificate_is_one_line_and_exit_2(tmp_path, capsys):
    path = tmp_path / "cert.pem"
    path.write_bytes(b"nonsense")
    assert main(["serve", str(tmp_path), "--tls-cert", str(path), "--port", "0"]) == 2
    errors = capsys.readouterr().err
    assert f"{path}: expected a certificate" in errors
    assert errors.count("\n") == 1


@pytest.mark.parametrize("arguments", [["--help"], ["serve", "--help"]])
def test_help_has_an_example(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 0
    assert "example: python -m servers serve" in capsys.readouterr().out


def test_version_is_told(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out[0].isdigit()
