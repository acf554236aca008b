"""Where the backups of published and served models are stored."""

from modstream.registry.backups import backup_folder
from modstream.settings import load_settings


def test_backups_are_stored_in_the_home_by_default(tmp_path):
    settings = load_settings(home=tmp_path, prefix="team/")

    assert backup_folder(settings) == tmp_path / "backup" / "team%2Fmodstream"


def test_a_configured_folder_replaces_the_default(tmp_path):
    settings = load_settings(home=tmp_path, backup_dir=tmp_path / "disk")

    assert backup_folder(settings) == tmp_path / "disk" / "modstream"


def test_the_former_default_folder_of_a_home_is_renamed(tmp_path):
    copy = tmp_path / "cellar" / "modstream" / "flights" / "1.json"
    copy.parent.mkdir(parents=True)
    copy.write_text("{}")

    folder = backup_folder(load_settings(home=tmp_path))

    assert (folder / "flights" / "1.json").read_text() == "{}"
    assert [path.name for path in tmp_path.iterdir()] == ["backup"]
