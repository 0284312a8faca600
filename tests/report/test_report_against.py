"""`report --against`: another run beside this one, from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from made_results import make_results

from exchange_router.main import status


def test_the_command_takes_another_run_and_refuses_another_network(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, two = (make_results(tmp_path / name, cities=1, counties=1) for name in ("one", "two"))
    assert status(["report", str(one), "--json"]) == 0
    alone = json.loads(capsys.readouterr().out)
    assert status(["report", str(one), "--against", str(two), "--json"]) == 0
    both = json.loads(capsys.readouterr().out)
    assert both["bytes"] > alone["bytes"]
    text = Path(both["report"]).read_text(encoding="utf-8")
    assert '"against":{"name":"two"' in text
    other = make_results(tmp_path / "three", cities=2, counties=1)
    assert status(["report", str(one), "--against", str(other)]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert len(said.err.strip().splitlines()) == 1
    assert "network.json" in said.err
    assert Path(both["report"]).read_text(encoding="utf-8") == text
