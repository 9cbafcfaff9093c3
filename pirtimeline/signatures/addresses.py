"""Tests of text that writes an IP address against a network, version 4 as expressions, version 6 by distinct value."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_network

import polars as pl

OCTET = r"(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
ADDRESS = rf"^(?i:::ffff:)?{OCTET}\.{OCTET}\.{OCTET}\.{OCTET}$"
"""A version 4 address (RFC 791), also in its version 6 dress (RFC 4291, 2.5.5.2)."""


def within(text: pl.Expr, network: str) -> pl.Expr:
    """Tell whether the address that a text writes lies within a network; null where it writes none.

    Example:
        >>> pl.Series(["192.0.2.7", "::ffff:192.0.2.9", "198.51.100.1", "-"]).to_frame("ip").select(
        ...     within(pl.col("ip"), "192.0.2.0/24")
        ... ).to_series().to_list()
        [True, True, False, None]
    """
    parsed = ip_network(network)
    if isinstance(parsed, IPv6Network):
        return text.map_batches(lambda addresses: _within_6(addresses, parsed), return_dtype=pl.Boolean())
    return _within_4(text, parsed)


def _within_4(text: pl.Expr, network: IPv4Network) -> pl.Expr:
    groups = text.str.extract_groups(ADDRESS).struct
    octets = [groups.field(str(i)).cast(pl.Int64) for i in (1, 2, 3, 4)]
    number = octets[0] * 2**24 + octets[1] * 2**16 + octets[2] * 2**8 + octets[3]
    return number.is_between(int(network.network_address), int(network.broadcast_address))


def _within_6(addresses: pl.Series, network: IPv6Network) -> pl.Series:
    distinct = addresses.unique().drop_nulls()
    verdicts = [_address_within(text, network) for text in distinct.to_list()]
    return addresses.replace_strict(distinct, pl.Series(verdicts, dtype=pl.Boolean), default=None)


def _address_within(text: str, network: IPv6Network) -> bool | None:
    try:
        return IPv6Address(text.partition("%")[0]) in network
    except ValueError:
        return None
