"""Aliases and the canary's share."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.base import NotFoundError, NotReadyError
from holdfast.store import Traffic
from holdfast_serving.replica.routing import Routing, share_of


def with_canary(share: float) -> Routing:
    return Routing.of(Traffic(3, "v1", "v1", "v3", share, shadow_version="v4"), "v2")


def test_aliases_resolve_and_other_names_pass() -> None:
    routing = with_canary(0.0)
    assert routing.choose("live", None) == "v1"
    assert routing.choose("canary", None) == "v3"
    assert routing.choose("writing", None) == "v1"
    assert routing.choose("previous", None) == "v2"
    assert routing.choose("shadow", None) == "v4"
    assert routing.choose("v7", None) == "v7"
    assert routing.pinned == {"v1", "v2", "v3"}, "nobody waits for a shadow"


def test_an_alias_that_points_nowhere_is_an_error_in_words() -> None:
    empty = Routing.of(Traffic(), None)
    with pytest.raises(NotReadyError, match="promote"):
        empty.choose("live", None)
    with pytest.raises(NotFoundError, match="'canary'"):
        empty.choose("canary", None)


@given(user=st.text("abcxyz0189-@", min_size=1, max_size=20), share=st.floats(0, 1))
def test_a_user_stays_on_one_side_and_a_larger_share_keeps_it(user: str, share: float) -> None:
    chosen = with_canary(share).choose("live", user)
    assert chosen == with_canary(share).choose("live", user)
    assert chosen == ("v3" if share_of(user) < share else "v1")
    if chosen == "v3":
        assert with_canary(min(1.0, share + 0.1)).choose("live", user) == "v3"


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 1.0])
def test_the_share_of_users_is_the_canary_share(share: float) -> None:
    routing = with_canary(share)
    canaries = sum(routing.choose("live", f"user-{number}") == "v3" for number in range(4000))
    assert canaries / 4000 == pytest.approx(share, abs=0.03)


def test_without_a_user_the_side_is_drawn_and_a_named_version_never_is() -> None:
    routing = with_canary(0.3)
    assert routing.choose("live", None, lambda: 0.29) == "v3"
    assert routing.choose("live", None, lambda: 0.3) == "v1"
    assert routing.choose("v1", None, lambda: 0.0) == "v1"


def test_a_key_that_is_named_always_meets_the_canary() -> None:
    routing = Routing.of(Traffic(3, "v1", "v1", "v3", 0.0, canary_keys=("team",)), "v2")
    assert routing.choose("live", "a user", key="team") == "v3"
    assert routing.choose("live", "a user", key="shop") == "v1"
    assert routing.choose("v1", None, key="team") == "v1"
