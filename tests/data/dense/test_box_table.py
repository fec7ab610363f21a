import pytest

from taskcodec.data.dense.box_table import read_box_table
from taskcodec.errors import SourceError


def test_corners_in_pixels_and_shares_of_sides(tmp_path):
    file = tmp_path / "boxes.csv"
    file.write_text("name,object_id,xmin,ymin,xmax,ymax\na,9,1,2,3,4\nb,9,5,6,7,8\na,9,0,0,10,20\n")
    table = read_box_table(file)
    assert table.boxes("a", (10, 20)).corners.tolist() == [[1, 2, 3, 4], [0, 0, 10, 20]]
    assert table.boxes("a", (10, 20)).labels.tolist() == [0, 0]
    assert len(table.boxes("c", (10, 20))) == 0
    file.write_text("name,split,class,xc,yc,w,h\na,val,7,0.5,0.5,0.2,0.5\n")
    (corners,), (label,) = (getattr(read_box_table(file).boxes("a", (10, 20)), of) for of in ("corners", "labels"))
    assert corners.tolist() == pytest.approx([4, 5, 6, 15])
    assert label == 7


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("name,xmin,ymin\na,1,2\n", "expected the columns name and xmin"),
        ("", "expected the columns"),
        ("name,xmin,ymin,xmax,ymax\na,1,2,3\n", "line 2 lacks a number"),
        ("name,xmin,ymin,xmax,ymax\na,1,2,3,4\na,1,2,3,x\n", "line 3 lacks a number"),
        ("name,class,xmin,ymin,xmax,ymax\na,cat,1,2,3,4\n", "line 2 lacks a number"),
        ("name,class,xmin,ymin,xmax,ymax\na,-1,1,2,3,4\n", "line 2 has -1 for a class"),
        ("name,xmin,ymin,xmax,ymax\na,1,2,3,nan\n", "line 2 has 0 for a class, or a place that is no number"),
    ],
)
def test_faults_name_file_and_line(tmp_path, content, told):
    (tmp_path / "boxes.csv").write_text(content)
    with pytest.raises(SourceError, match=rf"boxes\.csv: {told}"):
        read_box_table(tmp_path / "boxes.csv")


def test_no_file(tmp_path):
    with pytest.raises(SourceError, match=r"boxes\.csv: cannot be read"):
        read_box_table(tmp_path / "boxes.csv")
