"""What is done about `Expect` (RFC 9110, 10.1.1): `100-continue` is answered, any other expectation is passed over."""

from aiohttp import HttpVersion11, hdrs, web

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


async def expect(request: web.Request) -> None:
    """aiohttp's own handler answers 417 before anyone is asked for a token, and fails where the header is no text."""
    if request.version == HttpVersion11 and request.headers.get(hdrs.EXPECT, "").lower() == "100-continue":
        await request.writer.write(CONTINUE)
        request.writer.output_size = 0  # the answer itself has not begun
