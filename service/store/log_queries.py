"""What is asked of the log in the same words on either engine."""

from collections.abc import Collection
from typing import Final

IDENTITY: Final = "SELECT log_id, restored, formerly FROM log_identity"
# Times rise with the positions: leaps from 2**40 down to 1, each taken where it does not go beyond the time, which an
# engine's mark for an argument stands for, or the end.
POSITION_AT: Final = """WITH RECURSIVE leaps (reached, leap) AS (
                      SELECT CAST(0 AS bigint), 1099511627776
                      UNION ALL
                      SELECT CASE WHEN (SELECT recorded_at FROM log WHERE notification_id = reached + leap) <= {time}
                                  THEN reached + leap ELSE reached END, leap / 2
                      FROM leaps WHERE leap > 0)
                  SELECT max(reached) FROM leaps"""
# In the order of the index, so that no planner reads the log by position: each step is the next tenant's last event.
TENANTS: Final = """WITH RECURSIVE found (tenant_id) AS (
                  SELECT min(tenant_id) FROM log
                  UNION ALL
                  SELECT (SELECT min(log.tenant_id) FROM log WHERE log.tenant_id > found.tenant_id)
                  FROM found WHERE tenant_id IS NOT NULL)
              SELECT tenant_id, (SELECT notification_id FROM log WHERE log.tenant_id <= found.tenant_id
                                 ORDER BY log.tenant_id DESC, notification_id DESC LIMIT 1)
              FROM found WHERE tenant_id IS NOT NULL"""


def sifted(sql: str, left_out: Collection[int]) -> str:
    """The same statement over the log without these positions, for whoever goes on after what cannot be read."""
    if not left_out:
        return sql
    positions = ", ".join(map(str, map(int, left_out)))
    return sql.replace("FROM log ", f"FROM (SELECT * FROM log WHERE notification_id NOT IN ({positions})) AS log ")  # noqa: S608 - numbers
