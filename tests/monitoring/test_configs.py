"""The configurations: valid by the real programs, closed to the outside, and pinned."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess
from pathlib import Path

import pytest
import yaml
from rule_files import MONITORING, ROOT
from services import compose_program, program

COMPOSE = "docker-compose.monitoring.yml"
OVERRIDES = (
    (),
    ("docker-compose.monitoring.bridge.yml",),
    ("docker-compose.monitoring.victoriametrics.yml",),
)


def run(*command, **options):
    return subprocess.run(
        list(map(str, command)), capture_output=True, text=True, check=False, **options
    )


@pytest.fixture(scope="module")
def compose():
    """Return the real Compose v2."""
    return compose_program()


@pytest.fixture(scope="module")
def stack(compose):
    """Return a function from overrides to the whole configuration, as Compose understands it."""

    def read(*overrides):
        files = [part for name in (COMPOSE, *overrides) for part in ("-f", ROOT / name)]
        done = run(compose, *files, "config", "--format", "json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return read


class TestPrometheus:
    @pytest.mark.system("prometheus")
    @pytest.mark.parametrize("name", ["prometheus.yml", "storage/prometheus.remote-write.yml"])
    def test_its_configuration_is_valid(self, name):
        """Promtool accepts it, and finds the rule files and the lists of targets."""
        done = run(program("promtool"), "check", "config", MONITORING / name)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "3 rule files found" in done.stdout

    def test_the_engine_is_scraped_every_second_within_bounds(self):
        """Every second, with a timeout below it, a sample limit, and targets from a file."""
        engine = yaml.safe_load((MONITORING / "prometheus.yml").read_text())["scrape_configs"][0]
        assert engine["job_name"] == "ai-engine"
        assert engine["scrape_interval"] == "1s"
        assert engine["scrape_timeout"] == "900ms"
        assert engine["sample_limit"] > 0
        assert engine["file_sd_configs"][0]["files"] == ["targets/engines.yml"]

    def test_the_remote_write_file_differs_by_remote_write_only(self):
        """Apart from remote_write, and paths from its own folder, it is prometheus.yml."""
        plain = yaml.safe_load((MONITORING / "prometheus.yml").read_text())
        text = (MONITORING / "storage" / "prometheus.remote-write.yml").read_text()
        other = yaml.safe_load(text.replace("../", ""))
        assert other.pop("remote_write")[0]["url"].startswith("http://127.0.0.1:")
        plain["scrape_configs"][0].pop("honor_labels", None)
        other["scrape_configs"][0].pop("honor_labels", None)
        assert other == plain

    @pytest.mark.parametrize("folder", ["targets", "targets-bridge"])
    def test_each_list_of_targets_is_there(self, folder):
        """Engines, Alertmanager and Prometheus are lists in files, on either network."""
        for name in ("engines", "alertmanager", "prometheus"):
            entries = yaml.safe_load((MONITORING / folder / f"{name}.yml").read_text())
            assert entries[0]["targets"], name


class TestAlertmanager:
    @pytest.mark.system("prometheus-alertmanager")
    def test_its_configuration_is_valid(self):
        """Amtool accepts it."""
        done = run(program("amtool"), "check-config", MONITORING / "alertmanager.yml")
        assert done.returncode == 0, done.stdout + done.stderr

    def test_only_the_webhook_is_active_and_the_others_are_ready(self):
        """Slack, e-mail and PagerDuty are receivers that no route names yet."""
        config = yaml.safe_load((MONITORING / "alertmanager.yml").read_text())
        ready = {receiver["name"] for receiver in config["receivers"]}
        active = {config["route"]["receiver"], *(r["receiver"] for r in config["route"]["routes"])}
        assert ready == {"webhook", "watchdog", "slack", "email", "pagerduty"}
        assert active == {"webhook", "watchdog"}

    def test_no_secret_stands_in_it(self):
        """What is secret is named as a file."""
        text = (MONITORING / "alertmanager.yml").read_text()
        for key in ("api_url_file:", "routing_key_file:", "smtp_auth_password_file:"):
            assert f"{key} /run/monitoring-secrets/" in text
        for key in ("api_url:", "routing_key:", "smtp_auth_password:", "service_key:"):
            assert key not in text

    @pytest.mark.system("prometheus-alertmanager")
    @pytest.mark.parametrize(
        ("labels", "receiver"),
        [
            ("severity=critical alertname=CallsFailing", "webhook"),
            ("severity=warning alertname=HighUnderflowRate", "webhook"),
            ("severity=info alertname=VADConfidenceLow", "webhook"),
            ("severity=info alertname=Watchdog", "watchdog"),
        ],
    )
    def test_alerts_are_routed_by_severity(self, labels, receiver):
        """Amtool sends each kind where it belongs."""
        done = run(
            program("amtool"),
            "config",
            "routes",
            "test",
            f"--config.file={MONITORING / 'alertmanager.yml'}",
            *labels.split(),
        )
        assert done.stdout.strip() == receiver, done.stderr


class TestCompose:
    @pytest.mark.parametrize("overrides", OVERRIDES, ids=lambda o: "+".join(o) or "host")
    def test_it_is_valid(self, stack, overrides):
        """The real Compose accepts it, alone and with each override."""
        assert {"prometheus", "alertmanager", "grafana"} <= stack(*overrides)["services"].keys()

    def test_the_real_compose_refuses_nonsense(self, compose, tmp_path):
        """So that the test before means something."""
        wrong = tmp_path / "wrong.yml"
        wrong.write_text("services:\n  a:\n    imagine: b\n")
        assert run(compose, "-f", wrong, "config", "--quiet").returncode != 0

    @pytest.mark.parametrize("overrides", OVERRIDES, ids=lambda o: "+".join(o) or "host")
    def test_every_service_is_locked_down(self, stack, overrides):
        """Pinned, not root, read-only, without capabilities, limited, checked, its logs bounded."""
        for name, service in stack(*overrides)["services"].items():
            # The version, and the digest that is pulled: a tag can be moved.
            assert re.fullmatch(r"[\w/-]+:v?\d[\d.]+@sha256:[0-9a-f]{64}", service["image"]), name
            assert service["user"].split(":")[0] not in ("", "0", "root"), name
            assert service["read_only"] is True, name
            assert service["cap_drop"] == ["ALL"], name
            assert service["security_opt"] == ["no-new-privileges:true"], name
            assert service["mem_limit"], name
            assert service["cpus"], name
            assert service["pids_limit"], name
            assert service["healthcheck"]["test"], name
            assert service["logging"]["options"]["max-size"], name
            assert "privileged" not in service, name
            kinds = {mount["type"] for mount in service["volumes"] if not mount.get("read_only")}
            assert kinds == {"volume"}, name

    def test_nothing_listens_beyond_loopback(self, stack):
        """On the host's network every address is 127.0.0.1, on a bridge every port's is."""
        services = stack()["services"]
        for name in ("prometheus", "alertmanager"):
            assert services[name]["network_mode"] == "host"
            listen = [part for part in services[name]["command"] if "web.listen-address" in part]
            assert listen[0].split("=")[1].startswith("127.0.0.1:"), name
        assert services["grafana"]["environment"]["GF_SERVER_HTTP_ADDR"] == "127.0.0.1"
        bridged = stack(*OVERRIDES[1])["services"]
        for name in ("prometheus", "alertmanager", "grafana"):
            assert "network_mode" not in bridged[name]
            assert {port["host_ip"] for port in bridged[name]["ports"]} == {"127.0.0.1"}, name

    @pytest.mark.parametrize("overrides", OVERRIDES, ids=lambda o: "+".join(o) or "host")
    def test_thirty_days_are_kept_and_the_apis_are_closed(self, stack, overrides):
        """Thirty days and a size, in whatever order overrides come; no lifecycle, no admin API."""
        command = stack(*overrides)["services"]["prometheus"]["command"]
        assert "--storage.tsdb.retention.time=30d" in command
        assert any(part.startswith("--storage.tsdb.retention.size=") for part in command)
        assert not [part for part in command if "lifecycle" in part or "admin-api" in part]

    @pytest.mark.parametrize("overrides", OVERRIDES, ids=lambda o: "+".join(o) or "host")
    def test_web_pages_are_kept_out(self, stack, overrides):
        """What test_web_pages proves of these options is what every variant is started with."""
        services = stack(*overrides)["services"]
        assert "--web.cors.origin=none" in services["prometheus"]["command"]
        login = "/run/monitoring-login"
        assert f"--web.config.file={login}/web.yml" in services["alertmanager"]["command"]
        assert (
            f"--http.config.file={login}/amtool.yml"
            in (services["alertmanager"]["healthcheck"]["test"])
        )
        needing = {"prometheus", "alertmanager"} | ({"victoriametrics"} & services.keys())
        for name in needing:
            (mount,) = [m for m in services[name]["volumes"] if m["target"] == login]
            assert mount["source"].endswith(".secrets/login")
            assert mount["read_only"]
        if "victoriametrics" in services:
            command = services["victoriametrics"]["command"]
            assert f"-httpAuth.password=file://{login}/password" in command

    def test_grafana_has_no_password_but_the_one_in_a_file(self, stack):
        """No password in the configuration; the file's place is what `make up` fills."""
        environment = stack()["services"]["grafana"]["environment"]
        secret = environment["GF_SECURITY_ADMIN_PASSWORD__FILE"]
        assert "GF_SECURITY_ADMIN_PASSWORD" not in environment
        (mount,) = [
            mount
            for mount in stack()["services"]["grafana"]["volumes"]
            if mount["target"] == str(Path(secret).parent)
        ]
        assert mount["source"].endswith(".secrets/grafana")


class TestMakeUp:
    def test_it_makes_a_password_once_by_chance_and_for_no_other_eyes(self, compose, tmp_path):
        """Two fresh starts have two passwords; a second start keeps its own; others can't read."""
        found = set()
        for name in ("a", "b"):
            project = _copied(tmp_path / name)
            environment = {
                **os.environ,
                "PATH": f"{_wrapped(compose, tmp_path)}:{os.environ['PATH']}",
            }
            for _ in range(2):
                done = run(
                    "sh",
                    project / "tools" / "monitoring-up",
                    env={**environment, "MONITORING_DRY_RUN": "1"},
                )
                assert done.returncode == 0, done.stderr
                assert ".secrets/grafana/admin-password" in done.stdout
                found.add((project / ".secrets/grafana/admin-password").read_text())
                found.add((project / ".secrets/login/password").read_text())
            assert stat.S_IMODE((project / ".secrets").stat().st_mode) == 0o700
        assert len(found) == 4
        assert {len(password) for password in found} == {24}


class TestSecrets:
    """`tools/monitoring-secrets`, which `make up` runs."""

    def make(self, folder, **environ):
        return run(
            "/bin/sh",
            ROOT / "tools" / "monitoring-secrets",
            folder,
            env={**os.environ, **environ},
        )

    @pytest.fixture
    def secrets(self, tmp_path):
        assert self.make(tmp_path / "secrets").returncode == 0
        return tmp_path / "secrets"

    @pytest.mark.parametrize("name", ["grafana/admin-password", "login/password"])
    @pytest.mark.parametrize("ill", ["short", "empty", "writable", "by its group", "a link"])
    def test_a_password_that_may_be_known_is_made_anew(self, secrets, tmp_path, name, ill):
        """Short, empty, writable by others, or elsewhere: a new one is made, and a line says so."""
        path = secrets / name
        known = {"short": "admin", "empty": ""}.get(ill, "k" * 24)
        path.unlink()
        if ill == "a link":
            (tmp_path / "elsewhere").write_text(known)
            path.symlink_to(tmp_path / "elsewhere")
        else:
            path.write_text(known)
            path.chmod({"writable": 0o666, "by its group": 0o664}.get(ill, 0o600))
        with path.open() as opened:
            done = self.make(secrets)
            assert done.returncode == 0, done.stderr
            assert opened.read() == known, "who has the old one open sees nothing of the new one"
        assert f"{path} had less than 20 characters, or others could write it" in done.stderr
        assert ("reset-admin-password" in done.stderr) is name.startswith("grafana")
        made = path.read_text()
        assert len(made) == 24
        assert made.isalnum()
        assert made != known
        assert not path.is_symlink()
        assert stat.S_IMODE(path.stat().st_mode) == 0o444
        if name == "login/password":
            assert made in (secrets / "login" / "amtool.yml").read_text()

    def test_good_ones_stay(self, secrets):
        """Nothing is made or said a second time, also where the operator chose the password."""
        own = secrets / "grafana" / "admin-password"
        own.unlink()
        own.write_text("chosenByTheOperator0123456789\n")
        own.chmod(0o600)
        before = {path: path.read_bytes() for path in secrets.rglob("*") if path.is_file()}
        done = self.make(secrets)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        assert {path: path.read_bytes() for path in secrets.rglob("*") if path.is_file()} == before

    def test_nobody_else_may_enter(self, secrets):
        """The outer folder is its owner's, also where it was open before."""
        secrets.chmod(0o777)
        self.make(secrets)
        assert stat.S_IMODE(secrets.stat().st_mode) == 0o700

    @pytest.mark.parametrize("hashing", ["perl", "htpasswd"])
    def test_either_program_hashes(self, tmp_path, hashing):
        """What Alertmanager reads begins as bcrypt does, and isn't the password."""
        programs = self._only(tmp_path / "bin", *([hashing] if hashing == "perl" else []))
        if hashing == "htpasswd":
            double = programs / "htpasswd"
            double.write_text('#!/bin/sh\nread -r word || true; echo "monitoring:\\$2y\\$10\\$x"\n')
            double.chmod(0o755)
        done = self.make(tmp_path / "secrets", PATH=str(programs))
        assert done.returncode == 0, done.stderr
        users = yaml.safe_load((tmp_path / "secrets/login/web.yml").read_text())["basic_auth_users"]
        assert users["monitoring"].startswith("$2")

    def test_without_either_it_says_what_is_missing_and_leaves_no_open_door(self, tmp_path):
        """The program to install is named; Alertmanager would not start."""
        programs = self._only(tmp_path / "bin")
        done = self.make(tmp_path / "secrets", PATH=str(programs))
        assert done.returncode == 1
        assert "apache2-utils" in done.stderr
        assert not (tmp_path / "secrets/login/web.yml").exists()

    def _only(self, folder, *more):
        folder.mkdir()
        needed = ("cat", "chmod", "find", "head", "mkdir", "mv", "rm", "sed", "sh", "tr", "wc")
        for name in (*needed, *more):
            (folder / name).symlink_to(shutil.which(name))
        return folder


def _copied(project):
    (project / "tools").mkdir(parents=True)
    for name in (COMPOSE, "tools/monitoring-up", "tools/monitoring-secrets"):
        (project / name).write_text((ROOT / name).read_text())
    return project


def _wrapped(compose, folder):
    """Return a folder with a `docker` that knows Compose, and needs no daemon for what is asked."""
    programs = folder / "bin"
    programs.mkdir(exist_ok=True)
    wrapper = programs / "docker"
    wrapper.write_text(f'#!/bin/sh\nshift\nexec "{compose}" "$@"\n')
    wrapper.chmod(0o755)
    return programs
