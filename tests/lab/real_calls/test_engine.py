"""How the engine is prepared, and the command that places calls on it."""

from __future__ import annotations

import asyncio
import sys

import pytest
from ai_engine_lab.real_calls import __main__ as real_calls
from ai_engine_lab.real_calls.__main__ import choose, groups, main
from ai_engine_lab.real_calls.engine import (
    NEEDED,
    EngineError,
    EngineProcess,
    Places,
    _requirements,
    configuration,
    free_ports,
)
from ai_engine_lab.real_calls.scenario import PROVIDERS, TRANSPORTS
from ai_engine_lab.real_calls.sip import SipError
from ai_engine_lab.real_calls.storing import save
from click.testing import CliRunner

PLACES = Places(1, "ws://deepgram", "ws://openai", 2, 3, 4, 9)


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("transport", TRANSPORTS)
def test_the_configuration_leads_to_the_stand_ins(provider, transport):
    """The provider's address, the ports and the transport are those of the rig."""
    config = configuration(provider, transport, PLACES)
    assert list(config["providers"]) == [provider]
    address = {"deepgram": "ws://deepgram", "openai_realtime": "ws://openai"}[provider]
    assert address in config["providers"][provider].values()
    assert config["audio_transport"] == transport
    assert config["audiosocket"]["port"] == 2
    assert config["external_media"]["port_range"] == "4:9"


def test_settings_change_one_thing_each():
    """The pacer and the engine's own barge-in detection are switched by the scenario."""
    plain = configuration("openai_realtime", "audiosocket", PLACES)
    paced = configuration("openai_realtime", "audiosocket", PLACES, "pacer")
    deaf = configuration("openai_realtime", "audiosocket", PLACES, "no-barge-in")
    assert not plain["providers"]["openai_realtime"]["egress_pacer_enabled"]
    assert paced["providers"]["openai_realtime"]["egress_pacer_enabled"]
    assert plain["barge_in"]["enabled"]
    assert not deaf["barge_in"]["enabled"]


def test_the_engines_own_requirements_are_used(tmp_path):
    """Versions are those that the engine's list asks for; what it doesn't list has none."""
    listed = "aiohttp==9.9.1\n# a remark\nPydantic_Settings==2.1  # why\nopenai>=2\n"
    (tmp_path / "requirements.txt").write_text(listed)
    wanted = _requirements(tmp_path, NEEDED)
    assert "aiohttp==9.9.1" in wanted
    assert "Pydantic_Settings==2.1" in wanted
    assert "numpy" in wanted
    assert not any("openai" in one for one in wanted)


def test_a_tree_that_is_no_engine_is_refused(tmp_path):
    """Whoever names a wrong folder is told which one is needed."""
    with pytest.raises(EngineError, match="--ava-root"):
        _requirements(tmp_path, NEEDED)


def fake_engine(tmp_path, program):
    """Return an engine whose program is another; its tree is a folder of three names."""
    root = tmp_path / "ava"
    (root / "src").mkdir(parents=True)
    (root / "config").mkdir()
    (root / "main.py").write_text(program)
    python = sys.executable
    return EngineProcess(root, python, tmp_path / "engine", with_library=False)


def test_an_engine_gets_its_configuration_and_is_ended(tmp_path):
    """It runs in a copy of its tree, with the rig's configuration, until it is stopped."""
    program = "import json, time; print(json.load(open('config/ai-agent.yaml'))); time.sleep(60)"
    process = fake_engine(tmp_path, program)

    async def run():
        await process.start({"a": "lab"}, PLACES)
        while "lab" not in process.log.read_text():
            await asyncio.sleep(0.02)
            process.check()
        assert process.cpu_time().total >= 0.0
        await process.stop()

    asyncio.run(run())
    assert process.process.returncode is not None
    assert not (process.folder / "tree").exists()
    assert (process.ava_root / "main.py").read_text() == program


def test_an_engine_that_ends_by_itself_is_told_with_its_last_words(tmp_path):
    """Its log's end is in the error."""
    process = fake_engine(tmp_path, "raise SystemExit('no licence')")

    async def run():
        await process.start({}, PLACES)
        await process.process.wait()
        with pytest.raises(EngineError, match="no licence"):
            process.check()
        await process.stop()

    asyncio.run(run())


def test_free_ports_are_different():
    """No two of the ports are the same."""
    assert len(set(free_ports(20))) == 20


def test_calls_are_chosen_by_name_transport_and_provider():
    """Each option narrows the choice, and the order of names is kept."""
    assert [one.name for one in choose(["oa-slow", "dg-slow"], None, None)] == [
        "oa-slow",
        "dg-slow",
    ]
    assert {one.transport for one in choose([], "externalmedia", None)} == {"externalmedia"}
    assert {one.provider for one in choose([], None, "deepgram")} == {"deepgram"}


def test_calls_share_an_engine_where_its_configuration_is_the_same():
    """Every call is in one group, and a group has one provider, transport and setting."""
    chosen = choose([], None, None)
    found = groups(chosen)
    assert sum(len(calls) for _, calls in found) == len(chosen)
    for key, calls in found:
        assert {(one.provider, one.transport, one.setting) for one in calls} == {key}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--only", "no-such-call"], "real_calls --ava-root DIR --list` prints the names"),
        (["--transport", "websocket"], "no WebSocket media transport"),
    ],
)
def test_what_can_not_be_run_is_refused_with_a_fix(tmp_path, arguments, words):
    """Wrong use ends at once, and says what to do."""
    result = CliRunner().invoke(main, ["--ava-root", str(tmp_path), *arguments])
    assert result.exit_code == 2
    assert words in result.output


def test_the_calls_can_be_listed(tmp_path):
    """--list prints every name."""
    result = CliRunner().invoke(main, ["--ava-root", str(tmp_path), "--list"])
    assert result.exit_code == 0
    assert "dg-frozen" in result.output
    assert len(result.output.splitlines()) == len(choose([], None, None))


def test_a_folder_that_is_no_engine_ends_the_command_with_a_fix(tmp_path):
    """The command says what --ava-root should be."""
    out = tmp_path / "out"
    result = CliRunner().invoke(main, ["--ava-root", str(tmp_path), "--out", str(out)])
    assert result.exit_code == 1
    assert "requirements.txt" in result.output


def test_a_call_that_asterisk_refuses_ends_the_command_with_a_word(tmp_path, monkeypatch):
    """Of a refused SIP call one line is printed, and no traceback."""

    async def refused(*_, **__):
        raise SipError("Asterisk refused the call: SIP/2.0 486 Busy Here")

    monkeypatch.setattr(real_calls, "_engines", lambda *_: None)
    monkeypatch.setattr(real_calls, "_run", refused)
    result = CliRunner().invoke(main, ["--ava-root", str(tmp_path), "--out", str(tmp_path)])
    assert result.exit_code == 1
    assert result.output == "Error: Asterisk refused the call: SIP/2.0 486 Busy Here\n"


def test_what_a_folder_holds_is_measured_again(tmp_path, recorder, make_voice):
    """--again makes the report anew from the recordings and the record files, without a call."""
    recorder.recording.scenario = "dg-simple-1"
    sound = make_voice(2.0, 1)
    recorder.answer(-1, 101.0, sound)
    recorder.hear(101.0, sound)
    save(recorder.recording, tmp_path / "calls")
    result = CliRunner().invoke(
        main, ["--ava-root", str(tmp_path), "--out", str(tmp_path), "--again"]
    )
    assert result.exit_code == 0, result.output
    assert "no record" in (tmp_path / "report.md").read_text()
