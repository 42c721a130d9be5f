"""Published findings on waiting and interrupting, which no measure of the signal can hear.

Each was read where ``address`` leads: the abstract, summary or guideline there says what stands
here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class PublishedFinding:
    """What was found, at which seconds, and where it can be read."""

    factor: str
    """``latency`` or ``barge_in``."""
    seconds: tuple[float, ...]
    """The durations that it speaks of, to compare with the policy's knees."""
    says: str
    source: str
    address: str


PUBLISHED: Final = (
    PublishedFinding(
        "latency",
        (0.15, 0.4),
        "One-way delay of a telephone connection: acceptable below 150 ms, not above 400 ms. "
        "It comes on top of what an engine measures.",
        "ITU-T G.114 (05/2003), as summarised",
        "https://en.wikipedia.org/wiki/G.114",
    ),
    PublishedFinding(
        "latency",
        (0.2, 0.6),
        "People leave gaps of about 200 ms between turns; to plan an answer from scratch takes "
        "them over 600 ms.",
        "Levinson and Torreira 2015, Frontiers in Psychology 6:731",
        "https://pmc.ncbi.nlm.nih.gov/articles/PMC4464110",
    ),
    PublishedFinding(
        "latency",
        (0.25,),
        "In ten languages the mean gap is within 250 ms of the mean over all of them: the "
        "expectation is a human one, not a cultural one.",
        "Stivers et al. 2009, PNAS 106(26)",
        "https://pub.uni-bielefeld.de/publication/1591790",
    ),
    PublishedFinding(
        "latency",
        (0.6, 1.2),
        "Telephone conversations with silences of 0, 600 and 1,200 ms before an answer: the "
        "longer, the less willing the speaker seems, in English, Italian and Japanese.",
        "Roberts, Margutti and Takano 2011, Discourse Processes 48(5)",
        "https://paperexplained.cn/articles/paper/detail/2a32793bf9936eb5b52376ba88f21d884df6b6e4",
    ),
    PublishedFinding(
        "latency",
        (1.0, 2.0),
        "Talking to a robot, people prefer an answer after 1 s, and their impression does not "
        "change up to there; it should come within 2 s.",
        "Shiwa et al. 2008 and 2009, Int. J. of Social Robotics 1(2)",
        "https://keio.pure.elsevier.com/en/publications/how-quickly-should-communication-robots-respond",
    ),
    PublishedFinding(
        "latency",
        (1.5, 4.0, 6.5),
        "Free conversation with an agent driven by a language model, at 1.5, 4 and 6.5 s: above "
        "4 s the experience is degraded.",
        "Maslych et al. 2025, ACM CUI '25",
        "https://mykola.io/publication/iva-cui",
    ),
    PublishedFinding(
        "latency",
        (4.0, 8.0),
        "A service robot, 94 participants: they bear 4 s, and satisfaction drops at 8 s.",
        "Peng et al. 2020, CHI EA '20, doi 10.1145/3334480.3382792",
        "https://vdocuments.site/understanding-user-perceptions-of-robotas-delay-voice-models-of-robot-xiaoweias.html",
    ),
    PublishedFinding(
        "barge_in",
        (0.3, 0.5),
        "A prompt that plays on for more than 300 to 500 ms makes callers stop and start over "
        "(the stuttering effect); speech should stop within 500 ms.",
        "ACIxD, Global Barge-In Strategy, after Balentine and Morgan 2001",
        "http://acixd.org/wiki/doku.php?id=global_barge-in_strategy",
    ),
)
