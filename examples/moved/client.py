"""Send a notification, as the platform does: ``python client.py [URL]``."""

import json
import os
import sys
from email.utils import formatdate
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from flask_clustaar.security import basic_auth, sign

STEP_REACHED = {
    "topic": "conversation.step_reached",
    "botID": "507f1f77bcf86cd799439011",
    "timestamp": 1514998709,
    "data": {
        "type": "step_reached_event",
        "channel": "facebook",
        "interlocutor": {
            "id": "507f1f77bcf86cd799439012",
            "location": {"lat": 48.85, "long": 2.35},
        },
        "session": {"values": {"name": "Jane"}},
        "step": {
            "id": "507f1f77bcf86cd799439013",
            "name": "A step",
            "userData": "{}",
            "actions": [{"type": "pause_bot_action"}],
        },
    },
}


def send(url: str) -> None:
    body = json.dumps(STEP_REACHED).encode()
    headers = {"Content-Type": "application/json"}
    if "CLUSTAAR_PRIVATE_KEY" in os.environ:
        date = formatdate(usegmt=True)
        signature = sign(os.environ["CLUSTAAR_PRIVATE_KEY"], date, body)
        headers |= {"Date": date, "X-Hub-Signature": signature}
    if "CLUSTAAR_AUTH_USERNAME" in os.environ:
        headers["Authorization"] = basic_auth(
            os.environ["CLUSTAAR_AUTH_USERNAME"], os.environ["CLUSTAAR_AUTH_PASSWORD"]
        )
    try:
        answer = urlopen(Request(url, body, headers), timeout=30)
    except HTTPError as error:
        answer = error
    with answer:
        print(answer.status, answer.read().decode())


send(sys.argv[1] if len(sys.argv) > 1 else "http://localhost:8000/")
