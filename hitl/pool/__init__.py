"""Items at rest: ids, content, reach and facets as columns, opened without being loaded."""

from hitl.pool.columns import Columns
from hitl.pool.pool import Batch, Pool

__all__ = ["Batch", "Columns", "Pool"]
