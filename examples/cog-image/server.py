"""Stands in for an image that `cog build` made: it speaks Cog's HTTP API on port 5000, and predicts by hand."""

import json
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

INPUT = {"type": "object", "required": ["text"], "properties": {"text": {"type": "string", "title": "Text"}}}
OPENAPI = {
    "openapi": "3.0.2",
    "info": {"title": "Cog", "version": "0.1.0"},
    "paths": {
        "/predictions": {
            "post": {
                "summary": "Predict",
                "operationId": "predict",
                "requestBody": {
                    "content": {"application/json": {"schema": {"type": "object", "properties": {"input": INPUT}}}}
                },
                "responses": {"200": {"description": "The prediction"}},
            }
        }
    },
}


class Cog(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        answers = {"/health-check": {"status": "READY"}, "/openapi.json": OPENAPI}
        self.answer(200 if self.path in answers else 404, answers.get(self.path, {"detail": "Not Found"}))

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers.get("content-length", 0))) or b"{}")
        text = body.get("input", {}).get("text")
        if self.path != "/predictions":
            return self.answer(404, {"detail": "Not Found"})
        if not isinstance(text, str):
            return self.answer(422, {"detail": [{"loc": ["body", "input", "text"], "msg": "Field required", "type": "missing"}]})
        started = time.monotonic()
        print(f"predicting for {text}", flush=True)
        output = text[::-1]
        self.answer(200, {"status": "succeeded", "output": output, "metrics": {"predict_time": time.monotonic() - started}})

    def answer(self, status, body):
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


ThreadingHTTPServer(("0.0.0.0", 5000), Cog).serve_forever()
