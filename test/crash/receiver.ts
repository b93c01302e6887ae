import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import type { Delivery } from './history.ts'

/** Takes webhooks, and writes down what came. */
export class Receiver {
  readonly deliveries: Delivery[] = []
  readonly #server: Server

  private constructor() {
    this.#server = createServer(async (req, res) => {
      const body = await text(req).catch(() => undefined) // its sender was killed
      if (body === undefined) return
      this.deliveries.push({ request: String(req.headers['x-fal-webhook-request-id']), text: body })
      res.end()
    })
  }

  static async open(): Promise<Receiver> {
    const receiver = new Receiver()
    receiver.#server.listen(0, '127.0.0.1')
    await once(receiver.#server, 'listening')
    return receiver
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`
  }

  close(): void {
    this.#server.closeAllConnections()
    this.#server.close()
  }
}
