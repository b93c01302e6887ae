// Callers that submit, follow the request's status stream to its end, and fetch the result, in a process of their own:
// lifecycle-load.ts PORT CALLERS LIFECYCLES PATH AUTHORIZATION. Each caller has one connection and does one thing after the other.
// Prints the seconds it took as JSON.
import { connect, type Socket } from 'node:net'

const [port = '', callers = '', lifecycles = '', path = '', authorization = ''] = process.argv.slice(2)
const body = JSON.stringify({ prompt: 'x'.repeat(1000) })
let left = Number(lifecycles)

const message = (method: string, url: string, content = '') =>
  `${method} ${url} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: ${authorization}\r\n` +
  `Content-Type: application/json\r\nContent-Length: ${content.length}\r\n\r\n${content}`
const submit = message('POST', path, body)

/** One answer after the other on one connection. */
class Caller {
  readonly #socket: Socket
  #seen = ''
  #answered: (text: string) => void = () => {}

  constructor() {
    this.#socket = connect(Number(port), '127.0.0.1').setNoDelay(true)
    this.#socket.on('data', (chunk: Buffer) => {
      this.#seen += chunk.toString('latin1')
      if (!whole(this.#seen)) return
      const answer = this.#seen
      this.#seen = ''
      this.#answered(answer)
    })
    this.#socket.on('error', (error) => {
      throw error
    })
  }

  async live(): Promise<void> {
    while (left > 0) {
      left -= 1
      const id = /"request_id":"([^"]+)"/.exec(await this.#ask(submit))?.[1] ?? ''
      const followed = await this.#ask(message('GET', `${path}/requests/${id}/status/stream`))
      if (!followed.includes('"COMPLETED"')) throw new Error(followed)
      await this.#ask(message('GET', `${path}/requests/${id}`))
    }
    this.#socket.destroy()
  }

  async #ask(text: string): Promise<string> {
    const answer = await new Promise<string>((resolve) => {
      this.#answered = resolve
      this.#socket.write(text)
    })
    if (!answer.startsWith('HTTP/1.1 200')) throw new Error(answer)
    return answer
  }
}

function whole(text: string): boolean {
  const head = text.indexOf('\r\n\r\n')
  if (head < 0) return false
  const length = /content-length: (\d+)/i.exec(text.slice(0, head))?.[1]
  return length === undefined ? text.endsWith('\r\n0\r\n\r\n') : text.length >= head + 4 + Number(length)
}

const started = performance.now()
await Promise.all(Array.from({ length: Number(callers) }, () => new Caller().live()))
console.log(JSON.stringify({ seconds: (performance.now() - started) / 1000 }))
