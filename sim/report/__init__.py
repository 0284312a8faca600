"""The report: one HTML file, in English and Chinese, that opens offline."""

from sim.report.assembly import REPORT_FILE, build

__all__ = ["REPORT_FILE", "build"]
