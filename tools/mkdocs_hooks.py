"""Hooks of mkdocs: the pages that are generated, and the navigation.

The reference of the command is what `--help` says of each subcommand; the reference of the library is the docstrings of
what the public modules name in `__all__`. Neither is ever a file, so neither can fall behind the code.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path, PurePosixPath
from pkgutil import iter_modules
from types import ModuleType
from typing import Any

import click
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

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
HELP_WIDTH = 100


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """List every page of every part, index first, so that a new page needs no line here."""
    pages = {str(path.relative_to(config.docs_dir)) for path in Path(config.docs_dir).rglob("*.md")}
    pages.update({COMMAND_PAGE, *map(_page_of, PUBLIC_MODULES)})
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
