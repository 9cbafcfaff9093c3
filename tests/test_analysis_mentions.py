import pytest

from pirtimeline.analysis.mentions import kin, mention, tokens
from pirtimeline.analysis.triggers import noun

HOSTS = ["app1", "app10", "db1", "web1.example.org"]


@pytest.mark.parametrize(
    ("text", "action", "phase", "service", "old", "new", "hosts"),
    [
        ("deploy started: shop 1.4.1 -> 1.4.2 on app1", "deploy", "started", "shop", "1.4.1", "1.4.2", ("app1",)),
        (
            "Deployment of shop-api v2.0.0 to app10 completed",
            "deploy",
            "finished",
            "shop-api",
            "",
            "v2.0.0",
            ("app10",),
        ),
        ("rollback finished: shop 1.4.1", "rollback", "finished", "shop", "", "1.4.1", ()),
        ("rolled back billing:3.2.1 on db1", "rollback", "", "billing", "", "3.2.1", ("db1",)),
        ("migration 0042 started on shop database", "migration", "started", "", "", "", ()),
        ("firewall rule updated: rate-limit 203.0.113.0/24 on web1", "firewall", "", "", "", "", ("web1.example.org",)),
        ("upgrade of image registry.example.org/pay:7.1.0 failed", "deploy", "failed", "pay", "", "7.1.0", ()),
        ("deploy started: search 3.1 on search7", "deploy", "started", "search", "", "3.1", ("search7",)),
        ("nothing of note", "", "", "", "", "", ()),
    ],
)
def test_message_is_read_for_what_it_speaks_of(
    text: str, action: str, phase: str, service: str, old: str, new: str, hosts: tuple[str, ...]
) -> None:
    found = mention(text, HOSTS)
    assert (found.action, found.phase, found.old_version, found.version) == (action, phase, old, new)
    assert found.service.endswith(service) if service else not found.service
    assert found.hosts == hosts


def test_host_named_within_a_longer_name_is_not_named() -> None:
    assert mention("restart of app100", HOSTS).hosts == ()


@pytest.mark.parametrize(
    ("one", "other", "same"), [("orders-api", "/api/order/17", True), ("shop", "billing-api", False)]
)
def test_services_are_kin_by_their_telling_words(one: str, other: str, same: bool) -> None:
    assert kin(tokens(one), tokens(other)) is same


def test_change_without_service_is_quoted() -> None:
    said = mention("configuration reloaded by ops")
    assert noun(said, "configuration reloaded by ops") == 'configuration change ("configuration reloaded by ops")'
