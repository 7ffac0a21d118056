"""How often somebody may ask.

A sliding window of `limits`, in the memory of this process: each server of several counts for itself. Requests with a
valid key count for the key (or the user, where there is none), all others for the address they come from; of IPv6
that is the network (/64), because a single host has as many addresses there as it likes.
"""

from __future__ import annotations

import ipaddress
import math

import attrs
import limits
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from videoannotator.errors import ConfigError
from videoannotator.serve.access.principals import Principal
from videoannotator.serve.errors import RateLimitError

__all__ = ["RateLimits", "Standing", "address_of"]


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


class RateLimits:
    """Counts requests. ``per_key``, ``per_address``: as `limits` writes them, e.g. ``1200/minute``."""

    def __init__(self, per_key: str, per_address: str) -> None:
        self._per_key = _parsed("limits.per_key", per_key)
        self._per_address = _parsed("limits.per_address", per_address)
        self._storage = MemoryStorage()
        self._limiter = SlidingWindowCounterRateLimiter(self._storage)

    def count(self, principal: Principal | None, address: str) -> Standing:
        """Count one request. Raises `RateLimitError` when there were too many; those that are refused do not count."""
        if principal is None:
            name, rule, who = "address", self._per_address, address
        else:
            name, rule, who = "key", self._per_key, principal.key_id or principal.user_id
        allowed = self._limiter.hit(rule, name, who)
        wait, remaining = self._window(rule, name, who)
        standing = Standing(name, rule.amount, rule.get_expiry(), remaining, math.ceil(wait))
        if not allowed:
            whose = "with this key" if principal is not None else "without a valid key from this address"
            raise RateLimitError(
                f"too many requests {whose}: {rule.amount} are allowed in {rule.get_expiry()} s",
                hint=f"wait {max(1, standing.reset)} s; instead of asking often follow GET /api/v1/events/stream",
                headers={"Retry-After": str(max(1, standing.reset)), **standing.headers},
            )
        return standing

    def _window(self, rule: limits.RateLimitItem, *who: str) -> tuple[float, int]:
        """Seconds until one more request is allowed, and how many are allowed now.

        The rule of `limits`: what the window before had, weighted by the part of it that still lies within one length
        of now, and what this window has, must be less than the amount.
        """
        length = rule.get_expiry()
        before, before_ends, current, current_ends = self._storage.get_sliding_window(rule.key_for(*who), length)
        used = before * before_ends / length + current
        remaining = max(0, rule.amount - math.floor(used))
        if remaining:
            return 0.0, remaining
        if current < rule.amount:  # enough of the window before has to fade
            return before_ends - (rule.amount - current) * length / before, remaining
        return current_ends - length, remaining  # with the next window this one begins to fade


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
