"""A Grafana dashboard of the server's figures, made from their table; `python -m feed.server.dashboard` writes it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from feed.server.figures import FIGURES, STATIONS, Figure

FILE: Final = Path(__file__).parents[2] / "docs" / "grafana" / "exchange-router.json"
WIDTH: Final = 12
HEIGHT: Final = 8
# Of thousands of stations a panel shows those that matter most.
TOP: Final = 15


def dashboard() -> dict[str, Any]:
    """Return the dashboard: a panel for each figure, two in a row."""
    return {
        "uid": "exchange-router",
        "title": "exchange-router · 交换路由",
        "tags": ["exchange-router"],
        "schemaVersion": 39,
        "timezone": "Asia/Shanghai",
        "refresh": "10s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {
            "list": [{"name": "source", "label": "Prometheus", "type": "datasource", "query": "prometheus"}]
        },
        "panels": [_panel(number, figure) for number, figure in enumerate(FIGURES)],
    }


def text() -> str:
    """Return the dashboard as its file holds it."""
    return json.dumps(dashboard(), ensure_ascii=False, indent=2) + "\n"


def query(figure: Figure) -> str:
    """Return what a panel asks Prometheus."""
    match figure.kind:
        case "counter":
            by = f" by ({', '.join(figure.labels)})" if figure.labels else ""
            return f"sum{by} (rate({figure.metric}_total[5m]))"
        case "histogram":
            return f"histogram_quantile(0.99, sum by (le) (rate({figure.metric}_bucket[5m])))"
        case _:
            return f"topk({TOP}, {figure.metric})" if figure in STATIONS else figure.metric


def _panel(number: int, figure: Figure) -> dict[str, Any]:
    what = {"counter": ("a second", "每秒"), "histogram": ("p99", "p99")}.get(figure.kind)
    title = f"{figure.en} · {figure.zh}" if what is None else f"{figure.en}, {what[0]} · {figure.zh}（{what[1]}）"
    return {
        "id": number + 1,
        "type": "timeseries",
        "title": title,
        "datasource": {"type": "prometheus", "uid": "${source}"},
        "gridPos": {"x": number % 2 * WIDTH, "y": number // 2 * HEIGHT, "w": WIDTH, "h": HEIGHT},
        "fieldConfig": {"defaults": {"unit": figure.unit}, "overrides": []},
        "targets": [
            {
                "refId": "A",
                "expr": query(figure),
                "legendFormat": " ".join(f"{{{{{label}}}}}" for label in figure.labels) or figure.name,
            }
        ],
    }


if __name__ == "__main__":
    FILE.parent.mkdir(parents=True, exist_ok=True)
    FILE.write_text(text(), encoding="utf-8")
