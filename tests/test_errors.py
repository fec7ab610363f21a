import pytest

from taskcodec.errors import CorruptFileError, UsageError, check_one_of, unreadable


def test_a_choice_that_is_none_is_told_with_those_there_are():
    check_one_of("colour", "red", ("red", "blue"))
    with pytest.raises(UsageError, match=r"^colour must be one of red, blue, found 'green'$"):
        check_one_of("colour", "green", ("red", "blue"))
    with pytest.raises(CorruptFileError, match=r"found 3$"):
        check_one_of("colour", 3, ("red", "blue"), CorruptFileError)
    with pytest.raises(UsageError, match=r"found 'x{40}\.\.\.'$"):
        check_one_of("colour", "x" * 100, ("red", "blue"))


def test_the_reason_is_that_of_the_system_where_it_has_one():
    assert str(unreadable("a.txt", PermissionError(13, "Permission denied"))) == (
        "a.txt: cannot be read (Permission denied)"
    )
    assert str(unreadable("a.txt", ValueError("no text"))) == "a.txt: cannot be read (no text)"
