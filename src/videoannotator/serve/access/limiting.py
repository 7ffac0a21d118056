"""How often somebody may ask.

A sliding window, in the memory of this process: each server of several counts for itself. Requests with a
valid key count for the key (or the user, where there is none), all others for the address they come from; of IPv6
that is the network (/64), because a single host has as many addresses there as it likes.
"""

from __future__ import annotations

import ipaddress
import math
import threading
import time

import attrs
import limits

from videoannotator.errors import ConfigError
from videoannotator.serve.access.principals import Principal
from videoannotator.serve.errors import RateLimitError

__all__ = ["RateLimits", "Standing", "address_of"]

_SOME = 1000


@attrs.frozen
class Standing:
    """Where a caller stands. ``name``: of the rule. ``window``, ``reset``: seconds."""

    name: str
    quota: int
    window: int
    remaining: int
    reset: int

    @property
    def headers(self) -> dict[str, str]:
        """As draft-ietf-httpapi-ratelimit-headers has them."""
        return {
            "RateLimit-Policy": f'"{self.name}";q={self.quota};w={self.window}',
            "RateLimit": f'"{self.name}";r={self.remaining};t={self.reset}',
        }


class _Window:
    """What one caller has used: in the window of ``number``, and in the one before it."""

    __slots__ = ("before", "current", "number")

    def __init__(self, number: int) -> None:
        self.number, self.current, self.before = number, 0, 0

    def go_to(self, number: int) -> None:
        """To the window of now."""
        if number != self.number:
            self.before = self.current if number == self.number + 1 else 0
            self.number, self.current = number, 0


class RateLimits:
    """Counts requests. ``per_key``, ``per_address``: as `limits` writes them, e.g. ``1200/minute``.

    What the window before had, weighted by the part of it that still lies within one length of now, and what this
    window has, may be the amount at most. The store of `limits` in memory is not used: it starts a thread at nearly
    every request, and waits for it.
    """

    def __init__(self, per_key: str, per_address: str) -> None:
        self._per_key = _parsed("limits.per_key", per_key)
        self._per_address = _parsed("limits.per_address", per_address)
        self._windows: dict[tuple[str, str], _Window] = {}
        self._lock = threading.Lock()
        self._most = _SOME

    def count(self, principal: Principal | None, address: str) -> Standing:
        """Count one request. Raises `RateLimitError` when there were too many; those that are refused do not count."""
        if principal is None:
            name, rule, who = "address", self._per_address, address
        else:
            name, rule, who = "key", self._per_key, principal.key_id or principal.user_id
        with self._lock:
            allowed, wait, remaining = self._counted(rule, (name, who))
        standing = Standing(name, rule.amount, rule.get_expiry(), remaining, math.ceil(wait))
        if not allowed:
            whose = "with this key" if principal is not None else "without a valid key from this address"
            raise RateLimitError(
                f"too many requests {whose}: {rule.amount} are allowed in {rule.get_expiry()} s",
                hint=f"wait {max(1, standing.reset)} s; instead of asking often follow GET /api/v1/events/stream",
                headers={"Retry-After": str(max(1, standing.reset)), **standing.headers},
            )
        return standing

    def _counted(self, rule: limits.RateLimitItem, who: tuple[str, str]) -> tuple[bool, float, int]:
        """Whether this one was allowed; seconds until one more is, and how many are now."""
        length = rule.get_expiry()
        number, into = divmod(time.time(), length)
        window = self._windows.get(who)
        if window is None:
            self._forget()
            window = self._windows[who] = _Window(int(number))
        window.go_to(int(number))
        faded = window.before * (length - into) / length
        allowed = math.floor(faded + window.current) < rule.amount
        window.current += allowed
        remaining = max(0, rule.amount - math.floor(faded + window.current))
        if remaining:
            return allowed, 0.0, remaining
        if window.current < rule.amount:  # enough of the window before has to fade
            return allowed, length - into - (rule.amount - window.current) * length / window.before, remaining
        return allowed, length - into, remaining  # with the next window this one begins to fade

    def _forget(self) -> None:
        """Leave out who has not asked for two windows, now and then: before there are twice as many as were left."""
        if len(self._windows) < self._most:
            return
        rules = {"address": self._per_address.get_expiry(), "key": self._per_key.get_expiry()}
        now = time.time()
        self._windows = {who: one for who, one in self._windows.items() if one.number + 1 >= now // rules[who[0]]}
        self._most = max(_SOME, 2 * len(self._windows))


def address_of(client: tuple[str, int] | list[object] | None) -> str:
    """What requests without a key are counted by: the address, or the network of an IPv6 address."""
    host = str(client[0]) if client else "unknown"
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, 64), strict=False))


def _parsed(name: str, text: str) -> limits.RateLimitItem:
    try:
        return limits.parse(text)
    except ValueError as error:
        raise ConfigError(f"{name} = {text!r} is no rate; write for example '1200/minute' or '20/second'") from error
