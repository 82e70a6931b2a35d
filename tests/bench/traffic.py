"""The requests that are measured, the same for every server: the seed's example incident, and its edit."""

import json
from dataclasses import dataclass, field

PAGE = 50
REPORT: dict[str, object] = {
    "name": "Another Security Breach",
    "status": "NEW",
    "type": "OTHERS",
    "date": "2024-11-11T10:57:27+08:00",
    "description": "Unauthorized access to sensitive customer data through a phishing email.",
    "reported_by": "John Doe",
    "location": "",
    "severity": "",
    "next_update": 0,
    "resolved_date": None,
    "backdated": False,
}
EDIT: dict[str, object] = {
    "name": "Server Outage in Data Center A",
    "status": "OPEN",
    "type": "SYSTEM_FAILURE",
    "date": "2024-11-22T15:30:00+08:00",
    "description": "Multiple servers in Data Center A experienced a sudden loss of power, "
    "impacting several critical applications.",
    "reported_by": "System Monitor",
    "location": "Data Center A",
    "severity": "MAJOR",
    "next_update": "{n}",
    "resolved_date": None,
    "backdated": False,
}


@dataclass(frozen=True)
class Request:
    """`{id}` in the target stands for an incident, `{n}` in the body for a number that no other request has, `{lock}`
    for the incident's version."""

    method: str
    target: str
    status: int
    body: str = ""
    headers: dict[str, str] = field(default_factory=dict)


JSON = {"Content-Type": "application/json"}

# An edit sends the whole incident, `next_update` another one each time: no server can find that nothing is to be done.
_EDIT = json.dumps(EDIT).replace('"{n}"', "{n}")
REQUESTS = {
    "list": Request("GET", f"/v1/incident?page=1&size={PAGE}", 200),
    "get": Request("GET", "/v1/incident/{id}", 200),
    "known": Request("GET", "/v1/incident/{id}", 304, headers={"If-None-Match": "*"}),
    "edit": Request("PUT", "/v1/incident/{id}", 200, _EDIT.removesuffix("}") + ', "occ_lock": {lock}}', JSON),
    "create": Request("POST", "/v1/incident", 201, json.dumps(REPORT), JSON),
}
OVERWRITE = Request("PUT", "/v1/incident/{id}", 200, _EDIT, JSON | {"If-Match": "*"})
"""An edit of whatever version is there, for several clients at once."""
