import { createWriteStream } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { Agent, request } from 'undici'
import { CarrickError } from '../../domain/errors.ts'
import type { EnvironmentDefinition } from '../../domain/revision.ts'
import type { ContextFile } from './context.ts'

/** A package at an address, alone or behind its name. */
const atAddress = /^((?:[A-Za-z0-9][\w.-]*\s*(?:\[[^\]]*\])?\s*@\s*)?)(https?:\/\/[^\s;]+)(.*)$/s
const mostBytes = 1024 ** 3
const patienceMs = 5 * 60_000

type Layers = EnvironmentDefinition['layers']

export interface ArchiveOptions {
  /** This server's own, as `host:port`. */
  readonly hosts: readonly string[]
  /** Whom to trust there. */
  readonly bundle: string | undefined
  /** Where they are put, until the build has ended. */
  readonly folder: string
  readonly signal: AbortSignal
}

/**
 * Archives that authors have uploaded to this server, which the client names by its address (control-protocol §4.5): a
 * container may not be able to reach that, so they are fetched here and go along with the build.
 */
export async function bringOwnArchives(
  layers: Layers,
  options: ArchiveOptions,
): Promise<{ readonly layers: Layers; readonly files: readonly ContextFile[] }> {
  const files: ContextFile[] = []
  const bring = async (requirement: string) => {
    const [, name = '', address = '', rest = ''] = atAddress.exec(requirement) ?? []
    if (!isOwn(address, options.hosts)) return requirement
    const path = `files/${files.length}/${nameIn(address)}`
    const file = join(options.folder, String(files.length))
    files.push({ path, mode: 0o644, content: { file: () => Promise.resolve(file) } })
    await fetchTo(file, address, options)
    return `${name}file:///dev/carrick/${path}${rest}`
  }
  const brought: string[][] = []
  for (const layer of layers) {
    const requirements: string[] = []
    for (const requirement of layer) requirements.push(await bring(requirement))
    brought.push(requirements)
  }
  return { layers: brought, files }
}

function isOwn(address: string, hosts: readonly string[]): boolean {
  return hosts.includes(URL.parse(address)?.host ?? '')
}

/** The installer reads the version in it. */
function nameIn(address: string): string {
  const last = new URL(address).pathname.split('/').at(-1) ?? ''
  const plain = last.replaceAll(/%2B/gi, '+').replaceAll(/[^\w.+-]/g, '_')
  return /^[\w+-][\w.+-]{0,200}$/.test(plain) ? plain : 'package.tar.gz'
}

async function fetchTo(file: string, address: string, { bundle, signal }: ArchiveOptions): Promise<void> {
  const ca = bundle === undefined ? undefined : await readFile(bundle, 'utf8')
  const dispatcher = new Agent({ connect: ca === undefined ? {} : { ca } })
  try {
    const either = AbortSignal.any([signal, AbortSignal.timeout(patienceMs)])
    const { statusCode, body } = await request(address, { dispatcher, signal: either })
    if (statusCode !== 200) {
      await body.dump()
      throw unfetched(address, `the answer was ${statusCode}`)
    }
    await pipeline(body, atMost(mostBytes, address), createWriteStream(file, { mode: 0o600 }))
  } finally {
    await dispatcher.destroy()
  }
}

function atMost(limit: number, address: string): Transform {
  let length = 0
  return new Transform({
    transform(chunk: Buffer, _, done) {
      length += chunk.length
      done(length > limit ? unfetched(address, `it is longer than ${limit} bytes`) : null, chunk)
    },
  })
}

const unfetched = (address: string, why: string) =>
  new CarrickError('build_failed', `The requirement at ${address} could not be fetched: ${why}. Deploy again`)
