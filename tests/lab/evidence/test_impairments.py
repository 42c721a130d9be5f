"""What goes wrong in a sample, and what then arrives at the caller's ear."""

from collections import Counter

import numpy as np
import pytest
from ai_engine_lab.engine.events import FellBack, FrameSent, SegmentEnded
from ai_engine_lab.engine.provider import Delivery
from ai_engine_lab.evidence import impairments as imp
from ai_engine_lab.evidence.line import original, play
from ai_engine_lab.evidence.observing import STAGE, observe
from ai_engine_lab.evidence.passages import HELD_BACK, SIDES, TUNING, passages, side_of
from hypothesis import given
from hypothesis import strategies as st

from ai_engine_quality.live import encodings

FRAME = 320
TONE = (4_000 * np.sin(np.arange(8_000) * 0.3)).astype("<i2").tobytes()


class TestPassages:
    @pytest.mark.system("asterisk-core-sounds-en-wav")
    def test_no_prompt_is_on_both_sides(self, spoken):
        """Each prompt is spoken in one passage, whose side is that of the prompt's name."""
        prompts = [(prompt.name, p.side) for p in spoken for prompt in p.prompts]
        assert len({name for name, _ in prompts}) == len(prompts)
        assert all(side_of(name) == side for name, side in prompts)
        assert Counter(p.side for p in spoken) == {TUNING: 16, HELD_BACK: 16}

    @pytest.mark.system("asterisk-core-sounds-en-wav")
    def test_they_are_as_long_as_the_measures_want(self, spoken):
        """Passages are 7.5 to 12 s long, in whole frames, each with four prompts or more."""
        for passage in spoken:
            assert 7.5 < len(passage.linear) / 16_000 < 12
            assert len(passage.linear) % FRAME == 0
            assert len(passage.prompts) >= 4

    def test_the_side_depends_on_the_name_alone(self):
        """The rule is fixed: these names are where they always were."""
        names = ("vm-review", "vm-opts", "queue-thankyou", "dir-welcome")
        assert [side_of(name) for name in names] == [TUNING, HELD_BACK, HELD_BACK, TUNING]
        assert {side_of(str(number)) for number in range(20)} == set(SIDES)

    def test_missing_prompts_are_an_error_with_the_mend(self, tmp_path):
        """Without the prompts, the error names the package to install."""
        with pytest.raises(FileNotFoundError, match="apt-get install asterisk-core-sounds-en-wav"):
            passages(tmp_path)


class TestMisreadings:
    @pytest.mark.parametrize(
        ("way", "times"),
        [
            ("u-law read as A-law", 1),
            ("A-law read as u-law", 1),
            ("u-law read as linear", 0.5),
            ("linear read as u-law", 2),
            ("bytes swapped", 1),
            ("16 kHz read as 8 kHz", 2),
            ("8 kHz read as 16 kHz", 0.5),
        ],
    )
    def test_each_lasts_as_long_as_its_bytes(self, way, times):
        """A misread tone is another signal, as long as its bytes make it."""
        misread = imp.MISREADINGS[way](TONE)
        assert len(misread) == len(TONE) * times
        assert misread != TONE
        assert len(imp.MISREADINGS) == 7

    @given(st.integers(-32_000, 32_000))
    def test_a_law_is_the_nearest_there_is(self, sample):
        """A sample goes through A-law to the nearest of its 256 values."""
        data = imp._alaw(np.array([sample], dtype="<i2").tobytes())
        values = encodings.decode(bytes(range(256)), "alaw")
        error = abs(encodings.decode(data, "alaw")[0] - sample)
        assert error == np.abs(values - sample).min()


class TestImpairments:
    @pytest.mark.system("asterisk-core-sounds-en-wav")
    def test_they_repeat_themselves(self, spoken):
        """A passage gets the same impairments in every run, and as many of a kind as planned."""
        first, again = (list(imp.impairments(spoken[3])) for _ in range(2))
        assert first == again
        assert Counter(one.kind for one in first) == imp.SAMPLES_OF_KIND
        assert first != list(imp.impairments(spoken[4]))

    @pytest.mark.system("asterisk-core-sounds-en-wav")
    def test_a_kind_alone_has_one_fault(self, spoken):
        """What is called one kind has no other fault; combined ones have two or more."""
        for passage in spoken[:8]:
            for one in imp.impairments(passage):
                faults = [
                    one.delivery.pace < 1.5,
                    bool(one.seams),
                    bool(one.misreading),
                    bool(one.gain_db),
                ]
                wanted = {imp.CLEAN: 0, imp.COMBINED: sum(faults)}.get(one.kind, 1)
                assert sum(faults) == wanted
                assert one.kind != imp.COMBINED or sum(faults) >= 2


class TestTheLine:
    @pytest.mark.system("asterisk-core-sounds-en-wav")
    def test_a_clean_passage_is_heard_whole(self, spoken):
        """Nothing wrong: every prompt is heard as u-law carries it, and nothing is reported."""
        passage = spoken[0]
        played = play(passage, imp.Impairment(imp.CLEAN))
        summary = observe("clean", imp.Impairment(imp.CLEAN), played)
        whole = [original(passage)[:8_000].astype(float), played.heard[:8_000].astype(float)]
        assert np.corrcoef(*whole)[0, 1] > 0.999
        frames = sum(len(prompt.linear) // FRAME for prompt in passage.prompts)
        assert summary.frames_sent == frames
        assert (summary.underflows, summary.underflow_episodes, summary.fallbacks) == (0, 0, None)

    @pytest.mark.system("asterisk-core-sounds-en-wav")
    def test_every_filler_is_heard_and_reported(self, spoken):
        """A slow provider: speech stays whole, and each filler is 20 ms more of a passage.

        A tenth is missing, less what every prompt gathers before it begins.
        """
        slow = imp.Impairment(imp.UNDERFLOW, "slow", Delivery(pace=0.9), burst_seconds=0.02)
        clean, starved = (play(spoken[0], one) for one in (imp.Impairment(imp.CLEAN), slow))
        summary = observe("slow", slow, starved)
        assert summary.frames_sent == observe("c", imp.Impairment(imp.CLEAN), clean).frames_sent
        assert summary.underflows / (summary.underflows + summary.frames_sent) == pytest.approx(
            0.08, abs=0.02
        )
        longer = (starved.heard.size - clean.heard.size) / 160
        assert longer == pytest.approx(summary.underflows, abs=3 * len(spoken[0].prompts))

    @pytest.mark.system("asterisk-core-sounds-en-wav")
    def test_a_seam_is_a_gap_and_a_file_nobody_observes(self, spoken):
        """A broken stream: one fallback each, the rest of the prompt heard but not reported."""
        seams = imp.Impairment(imp.FALLBACK, "2", seams=2)
        clean, broken = (play(spoken[0], one) for one in (imp.Impairment(imp.CLEAN), seams))
        assert sum(isinstance(event, FellBack) for event in broken.events) == 2
        summary = observe("seams", seams, broken)
        assert summary.fallbacks == 2
        sent = sum(isinstance(event, FrameSent) for event in broken.events)
        assert summary.audio[STAGE].frames == sent < clean.heard.size / 160
        assert 2 * 0.1 < (broken.heard.size - clean.heard.size) / 8_000 < 2 * 0.6

    @pytest.mark.system("asterisk-core-sounds-en-wav")
    def test_what_is_seen_is_what_happened(self, spoken):
        """The summary's counts are those of the segments, under several faults at once."""
        (combined, *_) = (
            one for one in imp.impairments(spoken[1]) if one.kind == imp.COMBINED and one.seams
        )
        played = play(spoken[1], combined)
        summary = observe("combined", combined, played)
        ended = [event for event in played.events if isinstance(event, SegmentEnded)]
        assert summary.underflows == sum(event.fillers for event in ended)
        assert summary.underflow_episodes == sum(event.filler_episodes for event in ended)
        assert summary.frames_sent == sum(event.frames_sent for event in ended)
        assert len(ended) == len(spoken[1].prompts)

    @pytest.mark.system("asterisk-core-sounds-en-wav")
    @pytest.mark.parametrize("reported", [False, True])
    def test_a_check_notices_what_it_is_told_to(self, spoken, reported):
        """A misreading fails the engine's check of formats only where it is reported."""
        swapped = imp.Impairment(imp.CODEC, "x", misreading="bytes swapped", reported=reported)
        summary = observe("swapped", swapped, play(spoken[0], swapped))
        assert (summary.codec_checks, summary.codec_misaligned) == (1, int(reported))
        assert summary.audio[STAGE].flatness > 0.4
