"""The chat of the page (preliminary)."""

from __future__ import annotations

import json
from typing import Any

from ..testing import make_notification
from ..transcript import render_action
from ..wire import JSON
from .documents import differences, lines_of, parse
from .sending import Sender
from .store import Store


def converse(sender: Sender, store: Store, body: JSON) -> JSON:
    act = body["act"]
    state: JSON = body.get("state") or {}
    first = make_notification().received["data"]
    session, user = state.get("session", {}), state.get("user", first["interlocutor"])
    step = state.get("step") or {
        "id": first_step(sender) or first["step"]["id"],
        "name": "A step",
    }
    turns = []
    before_session, before_user = session, user
    if act["kind"] != "begin":
        input: Any = {"type": "message", "text": act.get("text", ""), "attachments": []}
        if act["kind"] == "click":
            action = act["action"]
            input = action
            session = session | (action.get("sessionValues") or {})
            step = {
                "id": action["target"]["id"],
                "name": action["target"].get("name") or "A step",
            }
        if act["kind"] == "go":
            step = {"id": act["step"], "name": "A step"}
        n = make_notification(
            step=step["id"],
            step_name=step["name"],
            input=input,
            session=session,
            channel=body.get("channel"),
        ).received
        n["data"]["interlocutor"] = user
        ids = sender.send(json.dumps(n).encode(), "chat", how=body.get("how", "fresh"))
        for id in ids:
            d = store.get(id)
            assert d
            reply = parse(d["reply"]) or {}
            if d["status"] == 200:
                items = []
                for a in reply["actions"]:
                    lines = render_action(a)
                    items.append(
                        {
                            "action": a,
                            "note": " ".join(
                                row.text for row in lines if row.style == "info"
                            )
                            or None,
                        }
                    )
                session = (reply.get("session") or {}).get("values", session)
                user = reply.get("interlocutor") or user
                turns.append({"id": id, "items": items, "problem": None})
            else:
                turns.append(
                    {
                        "id": id,
                        "items": [],
                        "problem": f"{d['status']} {d['code']}\n{reply.get('detail')}",
                    }
                )
    return {
        "state": {"session": session, "user": user, "step": step},
        "turns": turns,
        "note": None,
        "place": step["id"],
        "places": [[step["id"], step["name"]]],
        "session": lines_of(json.dumps(session)),
        "user": lines_of(json.dumps(user)),
        "sessionChanges": list(differences(before_session, session)),
        "userChanges": list(differences(before_user, user)),
    }


def first_step(sender: Sender) -> str | None:
    for handler in sender.webhook.handlers:
        ids = None if handler.filter is None else handler.filter.step_ids()
        if ids:
            return min(ids)
    return None
