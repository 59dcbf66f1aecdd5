"""Which files of the project a Python function's code stands in, found by reading them and never by running them."""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Iterable, Iterator

from attrs import define, field

from longshore.config.problems import hint, wrong
from longshore.config.project_files import ProjectFiles
from longshore.model.command import Call

__all__ = ["Modules"]


@define
class Modules:
    """Reads the project's modules, each once; a file that is no Python says nothing of others."""

    files: ProjectFiles
    _trees: dict[str, ast.Module] = field(factory=dict, init=False)
    _imports: dict[str, tuple[str, ...]] = field(factory=dict, init=False)

    def code_of(self, call: Call, sources: Iterable[str] = ()) -> list[str]:
        """List the files that a worker needs to import a called function, with all that they import of the project.

        ``sources`` are files of the project that the function is known to stand in.
        """
        module = "" if call.pickle else call.function.partition(":")[0]
        return self._reached([*self._files_of(module.split(".")), *sources])

    def imported_by(self, path: str) -> list[str]:
        """List the files that a file of the project imports, directly or not, without itself."""
        return [found for found in self._reached([path]) if found != path]

    def check(self, call: Call, *, here: bool) -> None:
        """Refuse a call of a function that is not there; ``here`` says that only this computer's modules are to be had.

        Raises:
            Mistakes: with names that are near.
        """
        module, _, name = call.function.partition(":")
        found = list(self._files_of(module.split(".")))
        if not found or not _ends_in(found[-1], module):
            if here and not _installed(module):
                known = [path.removesuffix(".py") for path in self.files.top if path.endswith(".py")]
                remedy = "put it into the folder of the workflow file, or install it"
                raise wrong(f"there is no module {module!r}", hint(module, known, remedy))
            return
        names = _top_names(self._tree(found[-1]))
        if "*" not in names and name.split(".")[0] not in names:
            raise wrong(f"{found[-1]} has no function {name!r}", hint(name, names, f"define it in {found[-1]}"))

    def _reached(self, starts: Iterable[str]) -> list[str]:
        seen: dict[str, None] = {}
        stack = list(starts)
        while stack:
            path = stack.pop()
            if path not in seen:
                seen[path] = None
                stack += self._imported(path)
        return sorted(seen)

    def _imported(self, path: str) -> tuple[str, ...]:
        if path not in self._imports:
            package = path.split("/")[:-1]
            names = _imported_names(self._tree(path), package)
            self._imports[path] = tuple(found for name in names for found in self._files_of(name))
        return self._imports[path]

    def _files_of(self, module: list[str]) -> Iterator[str]:
        """Find a module and the packages around it, from the outside in."""
        for length in range(1, len(module) + 1):
            path = "/".join(module[:length])
            if self.files.is_file(f"{path}/__init__.py"):
                yield f"{path}/__init__.py"
            elif self.files.is_file(f"{path}.py"):
                yield f"{path}.py"
                return

    def _tree(self, path: str) -> ast.Module:
        if path not in self._trees:
            try:
                self._trees[path] = ast.parse((self.files.folder / path).read_bytes())
            except (OSError, SyntaxError, ValueError):
                self._trees[path] = ast.Module([], [])
        return self._trees[path]


def _ends_in(path: str, module: str) -> bool:
    return path.removesuffix("/__init__.py").removesuffix(".py") == module.replace(".", "/")


def _installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module.partition(".")[0]) is not None
    except (ImportError, ValueError):
        return False


def _imported_names(tree: ast.Module, package: list[str]) -> Iterator[list[str]]:
    """List the dotted names that may be modules, imports inside functions among them."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name.split(".")
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = [*above, *(node.module.split(".") if node.module else [])]
            for alias in node.names:
                yield [*base, alias.name]


def _top_names(tree: ast.Module) -> set[str]:
    """Name what a module binds, as far as that can be seen; a star stands for what it takes from another."""
    names: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                names.add(name)
            case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
                names.update(alias.asname or alias.name.partition(".")[0] for alias in aliases)
            case ast.Name(id=name, ctx=ast.Store()):
                names.add(name)
            case _:
                pass
    return names
