"""Files of results are there wholly or as they were."""

from pathlib import Path

import pytest

from coordinator.adapters.whole_files import write_all_or_nothing


def test_what_cannot_be_written_leaves_what_was_there(tmp_path):
    def breaks():
        yield b"half"
        raise OSError(28, "No space left on device")

    path = tmp_path / "results"
    with pytest.raises(OSError, match="results"):
        write_all_or_nothing(path, breaks())
    assert list(tmp_path.iterdir()) == []
    write_all_or_nothing(path, [b"whole\n"])
    with pytest.raises(OSError, match="No space"):
        write_all_or_nothing(path, breaks())
    assert [each.read_bytes() for each in tmp_path.iterdir()] == [b"whole\n"]


def test_a_link_is_written_where_it_leads(tmp_path):
    target, link = tmp_path / "target", tmp_path / "link"
    link.symlink_to(target)
    write_all_or_nothing(link, [b"x"])
    assert (link.is_symlink(), target.read_bytes()) == (True, b"x")
    write_all_or_nothing(Path("/dev/null"), [b"x"])
    assert not Path("/dev/null").is_file()
