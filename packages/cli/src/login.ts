import { CurrentUser } from '@carrick/protocol/rest'
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { answerOf, type Asked } from './ask.ts'
import { dataFolder } from './connection.ts'
import { print } from './output.ts'
import { canAsk, fromStdin, prompt } from './prompt.ts'
import { authorityIn, fetchAuthority, machineRoots, sameFingerprint, verdictOn, type Authority } from './trust.ts'
import { changeServers, readServers } from './user-config.ts'
import { originOf } from './where.ts'

interface Flags {
  key?: string
  fingerprint?: string
  ca?: string
  default?: boolean
  json?: boolean
}

/** `carrick login URL`: keeps the address, the key and, where it takes one, the CA of a server on another machine. */
export async function login(address: string, flags: Flags): Promise<void> {
  const url = originOf(address)
  // Who is there comes before the key: a key is shown to nobody else.
  const authority = await trustedAuthority(url, flags)
  const key = await keyFrom(flags.key, url)
  const ca = authority?.pem
  const nickname = await ownerOf({ url, key, ca })
  const isDefault = flags.default ?? (await isFirst())
  await changeServers(({ servers, default: before }) => {
    const kept = isDefault ? url : before
    return {
      servers: [...servers.filter((other) => other.url !== url), { url, key, nickname, ...(ca && { ca }) }],
      ...(kept && { default: kept }),
    }
  })
  const more = isDefault ? ', the default of every command' : ''
  const text = `Logged in to ${url}${nickname && ` as ${nickname}`}${more}. Next: eval "$(npx carrick env --url ${url})"`
  print({ text, json: { url, nickname, fingerprint: authority?.fingerprint ?? null, default: isDefault } }, flags)
}

/** The CA to trust for this server; undefined where the machine trusts its certificate anyway. Throws when it is not trusted. */
async function trustedAuthority(url: string, { fingerprint, ca }: Flags): Promise<Authority | undefined> {
  const roots = await machineRoots()
  if (ca === undefined && (await verdictOn(url, roots)).trusted) {
    if (fingerprint !== undefined)
      console.error(`This machine trusts the certificate of ${url} anyway: no CA is needed.`)
    return undefined
  }
  const authority = ca === undefined ? await fetchAuthority(url) : authorityIn(await readFile(ca, 'utf8'), ca)
  const { trusted, why } = await verdictOn(url, [...roots, authority.pem])
  if (!trusted) throw new Error(unverified(url, why))
  if (ca === undefined) await confirm(url, authority, fingerprint)
  return authority
}

async function confirm(url: string, { pem, fingerprint }: Authority, expected: string | undefined): Promise<void> {
  if (expected !== undefined) {
    if (sameFingerprint(expected, fingerprint)) return
    throw new Error(
      `the CA of ${url} has the fingerprint ${fingerprint}, and not the one that was given: somebody else may answer there`,
    )
  }
  const before = (await readServers()).servers.find((server) => server.url === url)?.ca
  if (before === pem) return
  const how = 'openssl x509 -noout -fingerprint -sha256 -in ~/.carrick/tls/ca.pem'
  if (!canAsk())
    throw new Error(
      `the CA of ${url} is not known here, with fingerprint ${fingerprint}: compare it on the server with \`${how}\`, then give it with --fingerprint`,
    )
  const changed = before === undefined ? '' : 'It is NOT the CA that was trusted for this address until now.\n'
  console.error(
    `The certificate of ${url} is signed by a CA that this machine does not know.\n${changed}SHA-256: ${fingerprint}\nOn the server: ${how}`,
  )
  const answer = await prompt('Is it the same? [y/N] ')
  if (!/^y(es)?$/i.test(answer)) throw new Error('nothing was kept: the CA is not trusted')
}

function unverified(url: string, why: string): string {
  const { hostname } = new URL(url)
  return /ALTNAME/.test(why)
    ? `the certificate of ${url} is not for "${hostname}": start the server with --name ${hostname}, or use a name that it is for`
    : `the certificate of ${url} is not signed by the CA that the server hands out (${why}): give the one that signed it with --ca FILE`
}

async function keyFrom(flag: string | undefined, url: string): Promise<string> {
  if (flag !== undefined && flag !== '-')
    throw new Error(
      'a key on the command line can be seen by everybody on this machine: use --key - and stdin, or CARRICK_KEY',
    )
  const variable = process.env['CARRICK_KEY'] || undefined
  const given = flag === '-' ? await fromStdin() : (variable ?? (await typed(url)))
  if (/^[^\s:]+:[^\s:]+$/.test(given)) return given
  throw new Error(
    'this is not a key: it has the form id:secret, as `fal keys create` and `carrick accounts create` print it',
  )
}

async function typed(url: string): Promise<string> {
  if (!canAsk()) throw new Error('there is no terminal to ask for the key: use --key - and stdin, or CARRICK_KEY')
  return prompt(`Key for ${url} (id:secret, not shown): `, { hidden: true })
}

/** Whose the key is; empty for a key that may not ask. Throws when the server does not know it. */
async function ownerOf(server: Asked): Promise<string> {
  const { status, said } = await answerOf(server, '/users/current')
  if (status === 403) return ''
  if (status === 200) return CurrentUser.parse(said).nickname
  throw new Error(`the server at ${server.url} does not take this key (status ${status}): nothing was kept`)
}

/** Whether nothing else is what commands without an address mean. */
async function isFirst(): Promise<boolean> {
  const { default: standard } = await readServers()
  const isServer = await stat(join(dataFolder(undefined), 'credentials.json')).catch(() => undefined)
  return standard === undefined && isServer === undefined
}
