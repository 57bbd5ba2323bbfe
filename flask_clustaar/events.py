"""Names of the events of the platform.

Events are plain strings, not an enum: the platform owns the list, and a topic it
adds tomorrow can be registered today as ``@webhook.on("some.new_topic")``.
"""

from __future__ import annotations

from typing import Final

#: A user reached a step whose webhook is switched on; the bot waits for the
#: actions to run (PROTOCOL 3).
CONVERSATION_STEP_REACHED: Final = "conversation.step_reached"
