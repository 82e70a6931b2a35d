"""Chromium, as it starts in a container as root, and asks no host for anything of its own."""

from tests.servers.programs import found, needs

CHROMIUM = found("chromium") or found("chromium-browser") or found("google-chrome")
ARGUMENTS = [
    "--no-sandbox",  # root may not have one
    "--disable-dev-shm-usage",  # containers have little of it
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]

needs_chromium = needs() if CHROMIUM else needs("chromium")
