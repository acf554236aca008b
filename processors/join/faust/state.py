"""Where the joiner's state is kept, by its settings."""

from modstream.processors.join.disk.stores import DiskStores
from modstream.processors.join.settings import JoinerSettings

STATE_FOLDER = "state"
"""Name of the folder of the stores, in the joiner's folder."""


def open_stores(settings: JoinerSettings, app_id: str) -> DiskStores | None:
    """Return the stores on disk of a joiner; None if the settings choose memory."""
    if settings.store == "memory":
        return None
    folder = settings.data_dir / STATE_FOLDER / app_id
    return DiskStores(folder, settings.instance_id, settings.horizon_ms, settings.limits)
