"""The document of a deployment that sets nothing, as the running service has it too."""

from typing import Any

import schemathesis

from service.http.openapi import Document
from service.settings import Settings

Case = schemathesis.Case[Any]

# Not from the environment: whoever runs the tests may have set something.
DOCUMENT = Document(Settings.model_construct()).value
METHODS = ("get", "put", "post", "patch", "delete")
OPERATIONS = [
    (method, path, paths[method]) for path, paths in DOCUMENT["paths"].items() for method in METHODS if method in paths
]
