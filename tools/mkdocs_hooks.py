"""Hooks of mkdocs: the pages that are generated, and the navigation.

The reference of the command is what `--help` says of each subcommand; the reference of the library is the docstrings of
what the public modules name in `__all__`; that of the providers is their abilities and the docstrings of their options.
None of them is ever a file, so none can fall behind the code.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from datetime import timedelta
from importlib import import_module
from itertools import pairwise
from pathlib import Path, PurePosixPath
from pkgutil import iter_modules
from types import ModuleType
from typing import Any

import attrs
import click
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from longshore.plugin.protocols import ProviderRecord
from longshore.plugin.provider import ABILITIES
from longshore.runtime.registry import Registry

PARTS = ("tutorial", "how-to", "reference", "explanation", "decisions")
"""The folders of docs/, in the order in which a reader meets them."""

PUBLIC_MODULES = (
    "longshore",
    "longshore.errors",
    "longshore.machines",
    "longshore.model",
    "longshore.plugin",
    "longshore.testing",
)
"""What embedding programs and authors of plugins may import."""

COMMAND_PAGE = "reference/command.md"
PROVIDERS_PAGE = "reference/providers.md"
TYPE_WORDS = {
    "Mapping[str, str]": "table of texts",
    "Path": "path",
    "bool": "true or false",
    "int": "whole number",
    "str": "text",
    "timedelta": "duration",
    "tuple[str, ...]": "list of texts",
}
"""What options are to those who write TOML."""
HELP_WIDTH = 100


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """List every page of every part, index first, so that a new page needs no line here."""
    pages = {str(path.relative_to(config.docs_dir)) for path in Path(config.docs_dir).rglob("*.md")}
    pages.update({COMMAND_PAGE, PROVIDERS_PAGE, *map(_page_of, PUBLIC_MODULES)})
    nav: list[dict[str, Any]] = [{"Home": "index.md"}]
    for part in PARTS:
        listed = sorted((page for page in pages if page.startswith(f"{part}/")), key=_index_first)
        if listed:
            nav.append({part.capitalize(): listed})
    config.nav = nav
    return config


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add the generated pages."""
    files.append(File.generated(config, COMMAND_PAGE, content="\n".join(_command_page())))
    files.append(File.generated(config, PROVIDERS_PAGE, content="\n".join(_providers_page())))
    for name in PUBLIC_MODULES:
        files.append(File.generated(config, _page_of(name), content="\n".join(_module_page(name))))
    return files


def _index_first(page: str) -> tuple[bool, str]:
    return PurePosixPath(page).name != "index.md", page


def _page_of(module: str) -> str:
    return f"reference/api/{module}.md"


def _command_page() -> Iterator[str]:
    from longshore_cli.app import cli

    yield "# The command\n"
    yield "What `longshore --help` and `longshore COMMAND --help` print.\n"
    yield from _help_of(cli, click.Context(cli, info_name="longshore", terminal_width=HELP_WIDTH), level=2)


def _help_of(command: click.Command, context: click.Context, level: int) -> Iterator[str]:
    yield f"{'#' * level} {context.command_path}\n"
    yield f"```text\n{command.get_help(context)}\n```\n"
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            assert child is not None, f"the command lists {name} but has none of that name"
            inner = click.Context(child, info_name=name, parent=context, terminal_width=HELP_WIDTH)
            yield from _help_of(child, inner, level + 1)


def _providers_page() -> Iterator[str]:
    records = sorted(_provider_records(), key=lambda record: record.name)
    yield "# The providers\n"
    yield "What each can do beyond renting, finding and ending machines, and against what it is tested.\n"
    names = [f"`{record.name}`" for record in records]
    yield f"| | {' | '.join(names)} |"
    yield f"|---{'|---' * len(names)}|"
    made = [record.factory(record.config()) for record in records]
    for ability in ABILITIES:
        cells = ["yes" if isinstance(provider, ability) else "" for provider in made]
        yield f"| [{ability.__name__}][{ability.__module__}.{ability.__name__}] | {' | '.join(cells)} |"
    costs = ["yes" if provider.terms.power_off_still_costs else "no" for provider in made]
    yield f"| A machine that is powered off still costs | {' | '.join(costs)} |"
    yield f"| Says which rights it needs | {' | '.join('yes' if each.policy else '' for each in records)} |"
    yield f"| Tested against | {' | '.join(each.tested or 'nothing that it tells of' for each in records)} |\n"
    yield "`SpotNotices` and `Takings` are what the cloud is asked. Besides, spot machines of AWS, Azure and Google"
    yield "Cloud hear from their own metadata service that they will be taken, and say so over their link.\n"
    for record in records:
        yield f"## [providers.{record.name}]\n"
        yield from _options_table(record.config)


def _provider_records() -> Iterator[ProviderRecord]:
    registry = Registry()
    for entry in registry.entries():
        if entry.role == "provider" and not entry.problem:
            yield from (each for each in registry.load(entry) if isinstance(each, ProviderRecord))


def _options_table(config: type, level: int = 3) -> Iterator[str]:
    """List the options of a config class; those that are tables of their own follow."""
    yield "| key | type | default | meaning |"
    yield "|---|---|---|---|"
    meanings = _docstrings_of(config)
    inner = []
    for field in attrs.fields(config):
        words = " ".join(meanings.get(field.name, "").replace("``", "`").split())
        yield f"| `{field.name}` | {_type_of(field)} | {_default_of(field)} | {words} |"
        if attrs.has(type(field.default)):
            inner.append((field.name, type(field.default)))
    yield ""
    for name, kind in inner:
        yield f"{'#' * level} {name}\n"
        yield f"{' '.join((kind.__doc__ or '').split())}\n"
        yield from _options_table(kind, level + 1)


def _type_of(field: Any) -> str:
    name = field.type if isinstance(field.type, str) else getattr(field.type, "__name__", str(field.type))
    if attrs.has(type(field.default)):
        return "table"
    return TYPE_WORDS.get(name.removesuffix(" | None"), "one of the words there")


def _default_of(field: Any) -> str:
    value = field.default
    if value is attrs.NOTHING:
        return "required"
    if isinstance(value, timedelta):
        return f"`{value.total_seconds():g} s`"
    if attrs.has(type(value)) or type(value).__module__.startswith("attr"):
        return ""
    return f"`{value}`" if value not in ("", (), None) else "none"


def _docstrings_of(config: type) -> dict[str, str]:
    """Give the texts below the fields of a class."""
    tree = ast.parse(inspect.getsource(config)).body[0]
    assert isinstance(tree, ast.ClassDef)
    return {
        line.target.id: str(getattr(below.value, "value", ""))
        for line, below in pairwise(tree.body)
        if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name) and isinstance(below, ast.Expr)
    }


def _module_page(name: str) -> Iterator[str]:
    module = import_module(name)
    yield f"# {name}\n"
    yield f"{(module.__doc__ or '').strip()}\n"
    for public in getattr(module, "__all__", ()):
        home = _home_of(module, public)
        if _page_with(home) not in {name, None}:
            yield f"- [`{public}`][{home}.{public}]\n"  # has its place on that module's page
        else:
            yield f"::: {home}.{public}\n"
    if not hasattr(module, "__all__"):
        for inner in iter_modules(module.__path__, f"{name}."):
            yield from _inner_module(inner.name)


def _page_with(module: str) -> str | None:
    """Name the public module on whose page the names of a module stand; None when they stand on no page yet."""
    owners = [public for public in PUBLIC_MODULES[1:] if module == public or module.startswith(f"{public}.")]
    return owners[0] if owners else None


def _inner_module(name: str) -> Iterator[str]:
    """List what a module of a package offers, where the package itself gives no names."""
    module = import_module(name)
    if not hasattr(module, "__all__"):
        return
    yield f"## {name}\n"
    yield f"{(module.__doc__ or '').strip()}\n"
    for public in module.__all__:
        yield f"::: {name}.{public}\n    options: {{ heading_level: 3 }}\n"


def _home_of(module: ModuleType, public: str) -> str:
    """Name the module in which something is defined: that is where its docstring stands."""
    home = str(getattr(getattr(module, public), "__module__", ""))
    return home if home.startswith("longshore") else module.__name__
