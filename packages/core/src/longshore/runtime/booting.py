"""What an executor puts into a machine's first boot, so that it can be reached there."""

from __future__ import annotations

from collections.abc import Callable

from attrs import evolve

from longshore.model.machine_spec import MachineSpec
from longshore.plugin.abilities import Boots

__all__ = ["dressed"]


def dressed(executor: object, spec: MachineSpec, derived: Callable[[str], bytes]) -> MachineSpec:
    """Put an executor's part into a spec: keys, boot script and host key; nothing for one that has no part."""
    if not isinstance(executor, Boots):
        return spec
    boot = executor.first_boot(derived, unattended=spec.unattended)
    return evolve(spec, keys=boot.keys, boot_script=boot.script, host_key=boot.host_key)
