"""The attributes that a tenant's incidents may have now: the tenant's own over the deployment's defaults."""

from datetime import UTC, datetime
from functools import lru_cache
from uuid import UUID

from domain.attribute_schema import AttributeSchema, schema_id
from domain.attribute_types import AttributeType, Definitions
from service.aggregates import Aggregates

_BEFORE_ALL = datetime(1970, 1, 1, tzinfo=UTC)


@lru_cache(maxsize=10_000)
def schema_of(tenant_id: str) -> UUID:
    return schema_id(tenant_id)


def empty_schema(tenant_id: str) -> AttributeSchema:
    """A tenant's schema before its first event."""
    return AttributeSchema.empty(schema_of(tenant_id), _BEFORE_ALL)


class TenantDefinitions:
    def __init__(self, aggregates: Aggregates, defaults: Definitions) -> None:
        self.defaults = defaults
        self._aggregates = aggregates

    def remembered(self, tenant_id: str) -> Definitions | None:
        """The same as `of`, where it is in memory."""
        schema: AttributeSchema | None = self._aggregates.remembered(schema_of(tenant_id))
        return None if schema is None else schema.definitions(self.defaults)

    async def of(self, tenant_id: str, *, fresh: bool = False) -> Definitions:
        return (await self.schema(tenant_id, fresh=fresh)).definitions(self.defaults)

    async def ever(self, tenant_id: str) -> Definitions:
        """The retired ones too: values that were set stay, and can be searched for."""
        types: dict[str, AttributeType] = (await self.schema(tenant_id)).types
        return {**self.defaults, **types}

    async def schema(self, tenant_id: str, *, fresh: bool = False) -> AttributeSchema:
        """The tenant's schema to look at; one without events is remembered as such."""
        schema: AttributeSchema | None = await self._aggregates.look(schema_of(tenant_id), fresh=fresh)
        if schema is None:
            schema = empty_schema(tenant_id)
            self._aggregates.keep(schema)
        return schema
