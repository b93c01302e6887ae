// Answers after a while, so that there is always something under way.
import { createServer } from 'node:http'

createServer(async (request, response) => {
  let body = ''
  for await (const chunk of request) body += chunk
  setTimeout(() => {
    response.writeHead(200, { 'content-type': 'application/json' })
    response.end(JSON.stringify({ asked: body, runner: process.env.CARRICK_RUNNER_ID }))
  }, 200)
}).listen(Number(process.env.PORT), '0.0.0.0')
