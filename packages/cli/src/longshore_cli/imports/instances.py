"""CloudSend's instances as a pool of rented machines."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from attrs import define

from longshore.model.quantity import format_duration
from longshore_cli.imports.imported import Remarks

__all__ = ["Instances"]

_POOL = "cloud"
_DISKS = ("gp2", "gp3", "io1", "io2", "standard")
_LEAST_DISK = 8


@define
class Instances:
    """Reads the instances of one configuration."""

    config: Mapping[str, Any]
    remarks: Remarks

    def tables(self, instances: list[dict[str, Any]]) -> dict[str, Any]:
        """Give the tables ``providers`` and ``pools``; none when there are no instances."""
        if not instances:
            return {}
        provider = self.config.get("provider") or "aws"
        if provider != "aws":
            self.remarks.say(f"provider {provider!r} was left out: its machines cannot be rented by what is known here")
            return {}
        self.remarks.say("machines of AWS need two plugins: `pip install longshore-aws longshore-ssh`")
        for key in ("region", "cloud_id", "img_id", "img_username"):
            values = {repr(each.get(key)) for each in instances}
            if len(values) > 1:
                self.remarks.say(f"instances differ in {key}; the first one's is taken for all")
        pool = {"provider": "aws", "executor": "ssh", **self._machines(instances)}
        if self.config.get("auto_stop") is False:
            pool["when_idle"] = "keep"
        options = self._provider(instances[0])
        return {"pools": {_POOL: pool}, **({"providers": {"aws": options}} if options else {})}

    def _provider(self, first: Mapping[str, Any]) -> dict[str, Any]:
        options: dict[str, Any] = {}
        names = {"img_id": "image", "img_username": "user", "cloud_id": "network"}
        if isinstance(self.config.get("profile"), str):
            options["profile"] = self.config["profile"]
        region = first.get("region") or self.config.get("region")
        if isinstance(region, str):
            options["regions"] = [region]
        options |= {ours: first[theirs] for theirs, ours in names.items() if isinstance(first.get(theirs), str)}
        size, kind = first.get("disk_size"), first.get("disk_type")
        if isinstance(size, int) and size >= _LEAST_DISK:
            options["disk"] = {"gib": size, **({"kind": kind} if kind in _DISKS[:2] else {})}
        if kind is not None and kind not in _DISKS[:2]:
            self.remarks.say(f"disk_type {kind!r} was left out; the provider's key disk says more")
        return options

    def _machines(self, instances: list[dict[str, Any]]) -> dict[str, Any]:
        kinds = [kind for each in instances if (kind := self._kind(each))]
        pool: dict[str, Any] = {}
        bids = [float(each["max_bid"]) for each in instances if _is_price(each.get("max_bid"))]
        if bids:
            pool["max_price"] = f"{max(bids):g} USD"
        lives = [each["eco_life"] for each in instances if isinstance(each.get("eco_life"), timedelta)]
        if lives:
            pool["lifetime"] = format_duration(max(lives))
        if len(instances) == 1 and instances[0].get("explode") and isinstance(instances[0].get("cpus"), int):
            only = {key: value for key, value in kinds[0].items() if key in {"type", "spot"}}
            return only | {"needs": {"cpus": instances[0]["cpus"]}, "explode": True} | pool
        if any(each.get("explode") and each.get("cpus") for each in instances):
            self.remarks.say("explode was left out: it goes with one kind of machine; say how many there are by count")
        return {"machines": kinds, **pool}

    def _kind(self, instance: Mapping[str, Any]) -> dict[str, Any]:
        kind: dict[str, Any] = {}
        if isinstance(instance.get("type"), str):
            kind["type"] = instance["type"]
        if isinstance(instance.get("cpus"), int) and not instance.get("explode"):
            kind["needs"] = {"cpus": instance["cpus"]}
        if not kind:
            self.remarks.say("an instance without type was left out")
            return {}
        if instance.get("gpu"):
            self.remarks.say(f"gpu {instance['gpu']!r} was left out: AWS has retired it; choose a type that has one")
        number = instance.get("number")
        kind["count"] = number if isinstance(number, int) and number > 0 else 1
        if instance.get("eco"):
            kind["spot"] = True
        return kind


def _is_price(value: object) -> bool:
    try:
        return value is not None and float(value) > 0  # type: ignore[arg-type]  # whatever it is, it is tried
    except (TypeError, ValueError):
        return False
