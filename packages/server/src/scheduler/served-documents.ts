import { request } from 'node:http'
import { isOwnServer } from '../domain/own-server.ts'
import { longestDocument, readOpenapi } from '../domain/served-openapi.ts'
import { isApp, type Revision } from '../domain/revision.ts'
import type { Address, Serving } from '../domain/runner.ts'
import type { RevisionId } from '../domain/ids.ts'
import type { Clock } from '../kit/clock.ts'
import type { Logger } from '../kit/logger.ts'
import { keepServedOpenapi, servedOpenapi } from '../store/served-openapi.ts'
import type { Store } from '../store/store.ts'
import type { Change } from './fleet.ts'
import type { Freezer } from './freezer.ts'
import type { Memory } from './memory.ts'

export interface DocumentParts {
  readonly store: Pick<Store, 'read' | 'commit'>
  readonly memory: Pick<Memory, 'revisionOf'>
  readonly freezer: Pick<Freezer, 'hold'>
  readonly clock: Clock
  readonly log: Logger
}

const path = '/openapi.json'
const patienceMs = 5_000
/** Of how many revisions it is remembered that they were asked. */
const mostRemembered = 10_000

/**
 * Reads what a server of its own says of itself: `/openapi.json` of the first runner that serves, once for each revision
 * whose deploy described nothing. What it is for: platform-behaviour §3.9.
 */
export class ServedDocuments {
  readonly #parts: DocumentParts
  readonly #asked = new Set<RevisionId>()
  readonly #over = new AbortController()

  constructor(parts: DocumentParts) {
    this.#parts = parts
  }

  /** Learns from a change that is on disk. */
  learn({ to }: Change): void {
    if (to.state !== 'serving' || this.#asked.has(to.revisionId)) return
    const revision = this.#parts.memory.revisionOf(to.id)
    if (revision === undefined || !isUndescribed(revision)) return
    if (this.#asked.size >= mostRemembered) this.#asked.clear()
    this.#asked.add(revision.id)
    this.#ask(to).catch((error: unknown) => {
      this.#asked.delete(revision.id) // its next runner may be asked
      if (!this.#over.signal.aborted)
        this.#parts.log.warn({ err: error, revision: revision.id }, 'what a server says of itself could not be read')
    })
  }

  close(): void {
    this.#over.abort()
  }

  async #ask({ id, revisionId, address }: Serving): Promise<void> {
    using _held = this.#parts.freezer.hold(id)
    const { store, clock } = this.#parts
    if ((await store.read(servedOpenapi(revisionId))) !== undefined) return
    const signal = AbortSignal.any([this.#over.signal, AbortSignal.timeout(patienceMs)])
    const answer = await fetchDocument(address, signal)
    const found = 'refused' in answer ? answer : readOpenapi(answer.content)
    if ('document' in found) await store.commit(keepServedOpenapi(revisionId, found.document, clock.now()))
  }
}

/** The SDK's own servers are described by their deploys. */
function isUndescribed({ spec }: Revision): boolean {
  const { run, metadata } = spec
  return isOwnServer(spec) && run === undefined && isApp(spec) && metadata['openapi'] === undefined
}

type Fetched = { readonly content: Buffer } | { readonly refused: string }

/** Rejects when the connection breaks or takes too long. */
function fetchDocument({ host, port }: Address, signal: AbortSignal): Promise<Fetched> {
  return new Promise((resolve, reject) => {
    const headers = { accept: 'application/json' }
    const asking = request({ host, port, path, headers, agent: false, signal }, (answer) => {
      const end = (fetched: Fetched) => (asking.destroy(), resolve(fetched))
      if (answer.statusCode !== 200) return end({ refused: `is not there (${answer.statusCode})` })
      const chunks: Buffer[] = []
      let length = 0
      answer.on('data', (chunk: Buffer) => {
        chunks.push(chunk)
        length += chunk.length
        if (length > longestDocument) end({ refused: `is longer than ${longestDocument} bytes` })
      })
      answer.once('end', () => end({ content: Buffer.concat(chunks) }))
      answer.once('error', reject)
    })
    asking.once('error', reject)
    asking.end()
  })
}
