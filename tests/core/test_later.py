"""Values that are made when they are first asked for."""

from __future__ import annotations

import copy
import pickle

from ai_engine_quality.core.later import Later


def test_it_is_made_once_and_not_before():
    """Nothing is made until it is asked for, and then once."""
    made = []
    later = Later(lambda: made.append(1) or "words")
    assert made == []
    assert (later.get(), later.get(), made) == ("words", "words", [1])


def test_nothing_is_a_value_too():
    """What makes None is asked once as well."""
    made = []
    later = Later(lambda: made.append(1))
    assert (later.get(), later.get(), made) == (None, None, [1])


def test_it_is_compared_by_its_value():
    """Made or not yet, equal values are equal, and have one hash; it is equal to no bare value."""
    assert Later(lambda: "a") == Later.of("a")
    assert Later.of("a") != Later.of("b")
    assert Later.of("a") != "a"
    assert len({Later(lambda: "a"), Later.of("a"), Later.of("b"), Later.of("c")}) == 3
    assert hash(Later.of("a")) == hash("a")
    assert repr(Later(lambda: "a")) == "Later.of('a')"


def test_it_is_copied_and_pickled_by_its_value():
    """What makes it stays behind: a function can't be pickled."""
    for again in (copy.deepcopy, lambda later: pickle.loads(pickle.dumps(later))):  # noqa: S301  # its own
        assert again(Later(lambda: "a")).get() == "a"
