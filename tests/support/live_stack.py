"""A real Prometheus and Alertmanager on loopback, with the project's own files sped up."""

from __future__ import annotations

import base64
import http.server
import json
import shutil
import subprocess
import sys
import threading
import time
import urllib.parse
import urllib.request
from pathlib import Path

import yaml
from rule_files import FILES, MONITORING, ROOT, sped_up
from services import ended, eventually, free_port, is_ready, program

HERE = Path(__file__).parent


def get_json(url, **parameters):
    query = f"?{urllib.parse.urlencode(parameters)}" if parameters else ""
    with urllib.request.urlopen(url + query, timeout=10) as answer:
        return json.load(answer)


class Webhook:
    """What Alertmanager is told to call: remembers each notification, with the time it came."""

    def __init__(self):
        self.notifications = []
        self.failing = False
        """Whether it refuses everything, as a receiver in trouble does."""
        webhook = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if not webhook.failing:
                    webhook.notifications.append((time.monotonic(), body))
                self.send_response(500 if webhook.failing else 200)
                self.end_headers()

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()

    def told(self, status, since=0.0):
        """Return {(alert, instance)} of all notifications with a status, since a moment."""
        return {
            (alert["labels"]["alertname"], alert["labels"].get("instance", ""))
            for at, body in self.notifications
            if at >= since
            for alert in body["alerts"]
            if alert["status"] == status
        }

    def counted(self, instance, since=0.0):
        """Return the alert of each notification about one engine that said it is firing."""
        return [
            body["groupLabels"]["alertname"]
            for at, body in self.notifications
            if at >= since
            and body["groupLabels"].get("instance", "") == instance
            and body["status"] == "firing"
        ]


class Fleet:
    """Reference engines in a process of their own."""

    script = HERE / "engine_fleet.py"

    def __init__(self, speed, *names):
        self._process = subprocess.Popen(
            [sys.executable, str(self.script), str(speed), *names],
            stdin=subprocess.PIPE,  # they end when it does, however these tests end
            stdout=subprocess.PIPE,
            text=True,
        )
        self.urls = json.loads(self._process.stdout.readline())

    def instance(self, name):
        """Return an engine's address as Prometheus has it."""
        return self.urls[name].removeprefix("http://")

    def fault(self, name, fault, seconds=None):
        body = {"name": fault} if seconds is None else {"name": fault, "for": seconds}
        self._ask(name, "POST", "/faults", body)

    def recover(self, name):
        self._ask(name, "DELETE", "/faults", None)

    def _ask(self, name, method, path, body):
        request = urllib.request.Request(
            self.urls[name] + path,
            method=method,
            data=json.dumps(body).encode() if body else None,
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=20) as answer:
            assert answer.status == 200

    def kill(self):
        self._process.kill()
        self._process.wait()
        self._process.stdin.close()
        self._process.stdout.close()


class Fleets:
    """Several fleets as one."""

    def __init__(self, *fleets):
        self._of = {name: fleet for fleet in fleets for name in fleet.urls}

    def instance(self, name):
        return self._of[name].instance(name)

    def fault(self, name, fault, seconds=None):
        self._of[name].fault(name, fault, seconds)

    def recovered(self, name):
        """Take back an engine's faults; return whether it was there to be asked."""
        try:
            self._of[name].recover(name)
        except OSError:
            return False
        return True

    def kill(self):
        for fleet in set(self._of.values()):
            fleet.kill()


class Stack:
    """Prometheus and Alertmanager with the project's files; every duration divided by a factor.

    Scraping is not sped up beyond twice a second: rendering an engine's metrics costs some
    milliseconds, and a dozen engines share a machine here.
    """

    def __init__(self, folder, factor, webhook, *, extra=None, scrape="500ms"):
        self.folder, self.factor = Path(folder), factor
        self.port, self.alertmanager_port = free_port(), free_port()
        self.login = self.folder / "secrets" / "login"
        subprocess.run(
            ["/bin/sh", ROOT / "tools" / "monitoring-secrets", self.folder / "secrets"], check=True
        )
        self._processes = []
        self._write(webhook, scrape, extra or {})

    def _write(self, webhook, scrape, extra):
        for name in FILES:
            target = self.folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(sped_up((MONITORING / name).read_text(), self.factor))
        config = yaml.safe_load((MONITORING / "prometheus.yml").read_text())
        config["global"]["evaluation_interval"] = "500ms"
        if self.factor > 1:
            config["global"]["scrape_interval"] = config["global"]["scrape_timeout"] = "1s"
        engines = config["scrape_configs"][0]
        if self.factor > 1:
            engines["scrape_interval"] = engines["scrape_timeout"] = scrape
        for part in (*config["scrape_configs"], config["alerting"]["alertmanagers"][0]):
            part["file_sd_configs"][0]["refresh_interval"] = "1s"
            if "basic_auth" in part:
                part["basic_auth"]["password_file"] = str(self.login / "password")
        (self.folder / "prometheus.yml").write_text(yaml.safe_dump({**config, **extra}))
        targets = self.folder / "targets"
        targets.mkdir(exist_ok=True)
        self.watch()
        for name, port in (("alertmanager", self.alertmanager_port), ("prometheus", self.port)):
            (targets / f"{name}.yml").write_text(
                yaml.safe_dump([{"targets": [f"127.0.0.1:{port}"]}])
            )
        self._write_alertmanager(webhook)

    def _write_alertmanager(self, webhook):
        text = (MONITORING / "alertmanager.yml").read_text()
        text = text.replace("127.0.0.1:9099", f"127.0.0.1:{webhook.port}")
        config = yaml.safe_load(text)
        if self.factor > 1:
            for route in (config["route"], *config["route"]["routes"]):
                route.update(group_wait="1s", group_interval="1s", repeat_interval="1h")
        config["global"]["smtp_auth_password_file"] = str(self.folder / "none")
        (self.folder / "alertmanager.yml").write_text(yaml.safe_dump(config))

    def watch(self, *instances):
        """Write the list of engines, as an operator would."""
        path = self.folder / "targets" / "engines.yml"
        path.write_text(yaml.safe_dump([{"targets": list(instances)}] if instances else []))

    def start(self, *options):
        """Start both; ``options`` are further ones of Prometheus'."""
        self._run(
            "prometheus-alertmanager",
            f"--config.file={self.folder}/alertmanager.yml",
            f"--storage.path={self.folder}/am",
            f"--web.listen-address=127.0.0.1:{self.alertmanager_port}",
            f"--web.config.file={self.login / 'web.yml'}",
            "--cluster.listen-address=",
        )
        self._run(
            "prometheus",
            f"--config.file={self.folder}/prometheus.yml",
            f"--storage.tsdb.path={self.folder}/tsdb",
            "--storage.tsdb.retention.time=30d",
            f"--web.listen-address=127.0.0.1:{self.port}",
            "--web.cors.origin=none",
            *options,
        )
        eventually(lambda: is_ready(self.url), what=self.log)
        eventually(lambda: is_ready(self.alertmanager_url, self.authorization), what=self.log)

    def _run(self, name, *arguments):
        with (self.folder / f"{name}.log").open("w") as log:
            self._processes.append(
                subprocess.Popen([program(name), *arguments], stdout=log, stderr=log)
            )

    def raise_alert(self, **labels):
        """Hand Alertmanager an alert of our own, as a program beside Prometheus would."""
        request = urllib.request.Request(
            f"{self.alertmanager_url}/api/v2/alerts",
            data=json.dumps([{"labels": labels}]).encode(),
            headers={"Content-Type": "application/json", **self.authorization},
        )
        with urllib.request.urlopen(request, timeout=20) as answer:
            assert answer.status == 200

    def log(self):
        return "\n".join(path.read_text()[-800:] for path in self.folder.glob("*.log"))

    def stop(self):
        for process in self._processes:
            ended(process)
        shutil.rmtree(self.folder / "tsdb", ignore_errors=True)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    @property
    def alertmanager_url(self):
        return f"http://127.0.0.1:{self.alertmanager_port}"

    @property
    def authorization(self):
        """What Alertmanager wants of whoever asks it."""
        password = (self.login / "password").read_text()
        coded = base64.b64encode(f"monitoring:{password}".encode()).decode()
        return {"Authorization": f"Basic {coded}"}

    def query(self, expression):
        """Return the series of an instant query."""
        return get_json(f"{self.url}/api/v1/query", query=expression)["data"]["result"]

    def samples(self, expression, window):
        """Return the (time, value) of all series in the window that ends now."""
        found = self.query(f"{expression}[{window}]")
        return [sample for series in found for sample in series["values"]]

    def firing(self):
        """Return {(alert, instance)} that Prometheus says fire now, the Watchdog left out."""
        return {
            (series["metric"]["alertname"], series["metric"].get("instance", ""))
            for series in self.query('ALERTS{alertstate="firing", alertname!="Watchdog"}')
        }
