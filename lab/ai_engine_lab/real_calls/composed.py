"""How Compose starts the engine, with the container's folders found on this machine.

Docker isn't needed: what is read is ``docker compose config --format json`` in the engine's folder.
So the very command and the very variables of a Compose file can be tried, without its image.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final, Self

SERVICE: Final = "ai_engine"
APP: Final = "/app"
"""The engine's folder in its image."""
DATA: Final = "/app/data"
"""What the container keeps; a run has its own."""


class ComposedError(ValueError):
    """What Compose says can't be used; the message names the fix."""


@dataclass(frozen=True, slots=True)
class Composed:
    """A service's command, its variables, and which folder of this machine it has where."""

    command: tuple[str, ...]
    environment: Mapping[str, str]
    mounts: Mapping[str, Path]

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read what ``docker compose config --format json`` has printed.

        Raises:
            ComposedError: it is no such thing, or has no engine that it starts by a command.
        """
        try:
            service: dict[str, Any] = json.loads(path.read_text())["services"][SERVICE]
            command, environment = service["command"], service.get("environment", {})
            mounts = {
                each["target"]: Path(each["source"])
                for each in service.get("volumes", ())
                if each["type"] == "bind"
            }
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ComposedError(
                f"{path}: {error!r}; write it by `docker compose config --format json`, in a "
                f"folder whose service {SERVICE} has a command"
            ) from error
        given = {name: value for name, value in environment.items() if value is not None}
        return cls(tuple(command), given, mounts)

    def variables(self, tree: Path, data: Path) -> dict[str, str]:
        """Return the service's variables, with paths of this machine in place of the container's.

        Args:
            tree: The engine's folder here, in place of its image's.
            data: What stands in for the container's data.
        """
        own = {APP: tree, DATA: data}
        return {
            name: ":".join(self._here(part, own) for part in value.split(":"))
            for name, value in self.environment.items()
        }

    def files(self) -> dict[str, Path]:
        """Return the single files that are mounted below the engine's folder, by their place."""
        return {
            str(PurePosixPath(target).relative_to(APP)): source
            for target, source in self.mounts.items()
            if PurePosixPath(target).is_relative_to(APP) and source.is_file()
        }

    def _here(self, text: str, own: Mapping[str, Path]) -> str:
        if not text.startswith("/"):
            return text
        path = PurePosixPath(text)
        for folder in (path, *path.parents):
            found = own.get(str(folder)) or self.mounts.get(str(folder))
            if found is not None:
                return str(found / path.relative_to(folder))
        return text
