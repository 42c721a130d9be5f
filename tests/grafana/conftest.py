"""One live stack for all of these tests: a real Prometheus, and engines of both generations."""

from __future__ import annotations

import time

import pytest
from ai_engine_lab.engine import GENERATIONS
from boards import targets
from live_panels import (
    FACTOR,
    SCRAPE,
    SPEED,
    DashboardFleet,
    Live,
    ShortSighted,
    seasoned,
    specs,
)
from live_stack import Webhook
from services import eventually


@pytest.fixture(scope="session")
def live(tmp_path_factory):
    """Return the stack, once every engine has had calls, and the rules have seen them."""
    started, webhook = time.time(), Webhook()
    fleets = {generation: DashboardFleet(SPEED, *specs(generation)) for generation in GENERATIONS}
    stack = ShortSighted(tmp_path_factory.mktemp("stack"), FACTOR, webhook, scrape=f"{SCRAPE}s")
    stack.watch(*(fleet.instance(name) for fleet in fleets.values() for name in fleet.urls))
    try:
        stack.start()
        for fleet in fleets.values():
            eventually(lambda fleet=fleet: seasoned(stack, fleet), what=stack.log)
            fleet.fault("engine_stop", "engine_stop", 3_600)
        eventually(lambda: len(stack.query("up == 0")) == len(fleets), what=stack.log)
        yield Live(stack, fleets, started)
    finally:
        stack.stop()
        for fleet in fleets.values():
            fleet.kill()
        webhook.close()


def pytest_collection_modifyitems(items):
    """Run what needs the live stack last: it is busy until the end of the session."""
    items.sort(key=lambda item: "live" in getattr(item, "fixturenames", ()))


def pytest_generate_tests(metafunc):
    """Give a test every query of every panel and both generations, or those that it concerns."""
    if marker := metafunc.definition.get_closest_marker("concerns"):
        concerned = [
            pytest.param(target, generation, id=f"{target}-{generation}")
            for generation in GENERATIONS
            for target in targets()
            if marker.args[0](target, generation)
        ]
        metafunc.parametrize(("target", "generation"), concerned)
        return
    if "target" in metafunc.fixturenames:
        metafunc.parametrize("target", targets(), ids=str)
    if "generation" in metafunc.fixturenames:
        metafunc.parametrize("generation", GENERATIONS)
