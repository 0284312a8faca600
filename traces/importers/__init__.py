"""Published topologies and traffic matrices: SNDlib XML, TOTEM XML, REPETITA text; and exchanges drawn from them."""

from traces.importers.arrivals import ArrivalModel, exchanges_of
from traces.importers.files import ImportResult, import_files
from traces.importers.reading import FILE_FORMATS, Options
from traces.importers.topology import ImportedTopology, read_topology

__all__ = [
    "FILE_FORMATS",
    "ArrivalModel",
    "ImportResult",
    "ImportedTopology",
    "Options",
    "exchanges_of",
    "import_files",
    "read_topology",
]
