"""A web page that is open on the machine can neither read Prometheus nor silence an alert.

A browser sends what a page asks for to 127.0.0.1 as to any address. It asks the server beforehand
where the request isn't a simple one (CORS), and hands the answer on only where the server names the
page's origin. With a name of its own that leads to 127.0.0.1 (DNS rebinding) a page needs neither.
"""

from __future__ import annotations

import json
import subprocess
import urllib.error
import urllib.request

import pytest
from live_stack import Stack, Webhook
from services import eventually, program

pytestmark = [pytest.mark.system("prometheus", "prometheus-alertmanager"), pytest.mark.slow]

PAGE = "https://page.example"

EVERYTHING = {
    "matchers": [{"name": "alertname", "value": ".+", "isRegex": True}],
    "startsAt": "2020-01-01T00:00:00Z",
    "endsAt": "2090-01-01T00:00:00Z",
    "createdBy": "a page",
    "comment": "silence",
}


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    """Return the real programs, as the Compose file starts them."""
    webhook = Webhook()
    stack = Stack(tmp_path_factory.mktemp("stack"), 20, webhook)
    try:
        stack.start()
        stack.webhook = webhook
        yield stack
    finally:
        stack.stop()
        webhook.close()


def asked(url, method="GET", body=None, **headers):
    """Return the status and the headers of what is answered to a request of a page's."""
    request = urllib.request.Request(
        url, method=method, data=None if body is None else json.dumps(body).encode(),
        headers={name.replace("_", "-"): value for name, value in headers.items()},
    )  # fmt: skip
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.headers
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers


def silences(stack):
    request = urllib.request.Request(
        f"{stack.alertmanager_url}/api/v2/silences", headers=stack.authorization
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.load(answer)


@pytest.mark.parametrize("origin", [PAGE, "null", "http://127.0.0.1:15000", "http://localhost"])
@pytest.mark.parametrize("method", ["GET", "OPTIONS"])
def test_prometheus_names_no_origin_that_may_read_it(stack, origin, method):
    """Without that header a browser keeps the answer from the page."""
    headers = {"Origin": origin, "Access_Control_Request_Method": "GET"}
    _, answered = asked(f"{stack.url}/api/v1/query?query=up", method, **headers)
    assert answered["Access-Control-Allow-Origin"] is None


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("POST", {"Content_Type": "application/json"}),
        ("POST", {"Content_Type": "text/plain"}),
        ("POST", {"Content_Type": "application/json", "Host": "rebound.example"}),
        ("POST", {"Content_Type": "application/json", "Authorization": "Basic bW9uaXRvcmluZzo="}),
        ("OPTIONS", {"Access_Control_Request_Method": "POST"}),
        ("OPTIONS", {"Access_Control_Request_Method": "DELETE"}),
        ("GET", {}),
    ],
    ids=["JSON", "simple", "rebound", "no password", "asks before", "asks to delete", "reads"],
)
def test_no_page_can_silence_an_alert(stack, method, headers):
    """Each request is refused: a browser has no password to send, and nobody is silenced."""
    body = EVERYTHING if method == "POST" else None
    url = f"{stack.alertmanager_url}/api/v2/silences"
    status, _ = asked(url, method, body, **{"Origin": PAGE, **headers})
    assert status == 401
    assert silences(stack) == []


def test_alerts_reach_alertmanager_and_the_webhook(stack):
    """Prometheus logs in, by the project's own configuration: its Watchdog is notified of."""
    eventually(lambda: stack.webhook.notifications, what=stack.log)
    assert stack.query('up{job="alertmanager"} == 1') or eventually(
        lambda: stack.query('up{job="alertmanager"} == 1'), what=stack.log
    )


def test_operators_silence_and_the_container_is_checked_by_the_same_file(stack):
    """Amtool logs in by the file that is made for it; the health check does what this does."""
    amtool = [
        program("amtool"),
        f"--http.config.file={stack.login / 'amtool.yml'}",
        f"--alertmanager.url={stack.alertmanager_url}",
    ]
    checked = [*amtool, "cluster", "show"]
    assert subprocess.run(checked, capture_output=True, check=False).returncode == 0
    without = [amtool[0], amtool[2], "cluster", "show"]
    assert subprocess.run(without, capture_output=True, check=False).returncode != 0
    added = subprocess.run(
        [*amtool, "silence", "add", "alertname=Drill", "--author=a", "--comment=b"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    (silence,) = silences(stack)
    subprocess.run([*amtool, "silence", "expire", added.stdout.strip()], check=True)
    assert silence["id"] == added.stdout.strip()
