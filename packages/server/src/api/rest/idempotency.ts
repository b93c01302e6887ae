import type { Clock, Moment } from '../../kit/clock.ts'

const keptMs = 10 * 60_000
const mostKept = 1_000
const mostBytes = 64 * 1024

interface Answer {
  readonly status: number
  readonly headers: readonly (readonly [string, string])[]
  readonly body: string | null
}

interface Kept {
  readonly until: Moment
  readonly answer: Promise<Answer>
}

/**
 * Answers of requests that carried an `Idempotency-Key`: who sends one again within ten minutes gets what was answered
 * before, also while that is still being worked out. In memory, and for the last 1,000 of them; a refusal is not kept,
 * because it changed nothing.
 */
export class IdempotentAnswers {
  readonly #clock: Clock
  readonly #kept = new Map<string, Kept>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  async once(key: string, make: () => Promise<Response>): Promise<Response> {
    const kept = this.#kept.get(key)
    if (kept !== undefined && kept.until > this.#clock.now()) return again(await kept.answer)
    const answer = make().then(small)
    this.#keep(key, answer)
    return again(await answer)
  }

  #keep(key: string, answer: Promise<Answer>): void {
    this.#kept.delete(key)
    this.#kept.set(key, { until: this.#clock.now() + keptMs, answer })
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= mostKept) break
      this.#kept.delete(oldest)
    }
    answer.then(
      ({ body }) => void ((body?.length ?? 0) > mostBytes && this.#kept.delete(key)),
      () => this.#kept.delete(key),
    )
  }
}

async function small(response: Response): Promise<Answer> {
  const { status, headers } = response
  return { status, headers: [...headers], body: response.body === null ? null : await response.text() }
}

function again({ status, headers, body }: Answer): Response {
  return new Response(body, { status, headers: headers.map(([name, value]) => [name, value]) })
}
