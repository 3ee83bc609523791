"""Sessions on the server: kept in Redis, opened by a cookie that nobody else can make."""
