"""The tools that the agent uses for demanding questions, on a modelled MCP server.

How long an answer takes includes its tool: the thinking that is left is what the tool did not use.
"""

from __future__ import annotations

import asyncio
import random
from typing import Final

from ai_engine_lab.engine.events import ToolCalled

TOOL_SERVER: Final = "crm"
TOOLS: Final = ("find_customer", "open_ticket", "order_status")

_USED_SHARE: Final = 0.6
"""Demanding questions that need a tool."""
_FAILED_SHARE: Final = 0.03
_LATENCY: Final = (0.05, 0.3)
"""Seconds until the server answers."""


class ToolDesk:
    """One call's use of the tools."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng

    async def use(self) -> ToolCalled | None:
        """Call a tool and wait for it, if this question needs one."""
        if self._rng.random() >= _USED_SHARE:
            return None
        tool, seconds = self._rng.choice(TOOLS), self._rng.uniform(*_LATENCY)
        succeeded = self._rng.random() >= _FAILED_SHARE
        await asyncio.sleep(seconds)
        return ToolCalled(TOOL_SERVER, tool, succeeded, seconds)
