"""The environment: everything that can change a number, and nothing that names the machine."""

import json
import platform
import socket

from testbed import environment


def test_the_environment_is_plain_data_that_names_what_matters():
    captured = environment.capture()
    assert json.loads(json.dumps(captured)) == captured
    assert captured["python"] == platform.python_version()
    assert captured["cores"] >= captured["usable_cores"] >= 1
    assert captured["packages"]["trio"]
    assert captured["version"] == environment.version()
    assert set(captured["settings"]) == set(environment.SETTINGS)


def test_the_environment_does_not_name_the_host():
    assert "hostname" not in environment.capture()
    assert socket.gethostname() not in environment.capture().values()


def test_a_copy_without_git_has_no_commit(tmp_path, monkeypatch):
    monkeypatch.setattr(environment, "PROJECT", tmp_path)
    monkeypatch.setattr(environment, "version", lambda: "0")
    captured = environment.capture()
    assert captured["commit"] == ""
    assert captured["dirty"] is None


def test_a_machine_without_git_is_described_as_well(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert environment.capture()["commit"] == ""


def test_a_setting_that_cannot_be_read_is_empty(monkeypatch):
    monkeypatch.setattr(environment, "SETTINGS", ("net.no.such.setting",))
    assert environment.capture()["settings"] == {"net.no.such.setting": ""}


def test_a_package_that_is_missing_is_empty(monkeypatch):
    monkeypatch.setattr(environment, "PACKAGES", ("no-such-package-here",))
    assert environment.capture()["packages"] == {"no-such-package-here": ""}


def test_congestion_control_is_what_sockets_really_get():
    with socket.socket() as sock:
        option = getattr(socket, "TCP_CONGESTION", None)
        expected = "" if option is None else environment.capture()["congestion_control"]
        if option is not None:
            sock.setsockopt(socket.IPPROTO_TCP, option, expected.encode())
            got = sock.getsockopt(socket.IPPROTO_TCP, option, 16).rstrip(b"\0").decode()
            assert got == expected
