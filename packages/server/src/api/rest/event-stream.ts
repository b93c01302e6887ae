import { CarrickError } from '../../domain/errors.ts'
import type { Logger } from '../../kit/logger.ts'

/** An answer that goes on: batches of things to tell, as they happen. A batch of none shows that nobody has left. */
export class EventStream {
  readonly batches: AsyncGenerator<readonly object[]>

  constructor(batches: AsyncGenerator<readonly object[]>) {
    this.batches = batches
  }
}

const headers = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-cache, no-transform',
  'x-accel-buffering': 'no',
}

/** The stream as server-sent events, no faster than they are read. A failure is its last event, named `error`. */
export function streamed({ batches }: EventStream, log: Logger): Response {
  const text = new TextEncoder()
  let hasLeft = false
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const { done, value } = await batches.next()
          if (hasLeft) return
          if (done === true) return controller.close()
          controller.enqueue(text.encode(value.length === 0 ? ': still here\n\n' : value.map(eventOf).join('')))
        } catch (error) {
          if (hasLeft) return
          controller.enqueue(text.encode(`event: error\ndata: ${sentenceOf(error, log)}\n\n`))
          controller.close()
        }
      },
      async cancel() {
        hasLeft = true
        await batches.return(undefined)
      },
    },
    { highWaterMark: 0 },
  )
  return new Response(body, { headers })
}

/** The same stream, each thing shown in its own way. */
export async function* mapped<Item>(
  batches: AsyncGenerator<readonly Item[]>,
  show: (item: Item) => object,
): AsyncGenerator<readonly object[]> {
  for await (const batch of batches) yield batch.map(show)
}

const eventOf = (item: object): string => `data: ${JSON.stringify(item)}\n\n`

function sentenceOf(error: unknown, log: Logger): string {
  if (error instanceof CarrickError) return error.message.replaceAll(/\s*\n\s*/g, ' ')
  log.error({ err: error }, 'a stream of events failed unexpectedly')
  return "The stream failed inside the server. This is a bug of Carrick; the server's log says more"
}
