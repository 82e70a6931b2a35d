"""What every command begins with."""

from service.logs import configure_logs
from service.settings import Settings, load_settings


def read_environment() -> Settings:
    """The settings, with the logs in the form that they say. Raises InvalidSettings."""
    settings = load_settings()
    configure_logs(settings)
    return settings
