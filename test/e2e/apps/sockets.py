import fal
from fastapi import WebSocket


class Sockets(fal.App):
    machine_type = "XS"
    keep_alive = 2

    @fal.endpoint("/ws", is_websocket=True)
    async def converse(self, websocket: WebSocket) -> None:
        await websocket.accept()
        async for text in websocket.iter_text():
            await websocket.send_text(f"heard {text}")
