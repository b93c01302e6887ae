import { X509Certificate } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { connectTo } from './connection.ts'
import { print } from './output.ts'
import { changeServers, readServers } from './user-config.ts'
import { originOf } from './where.ts'

interface Flags {
  json?: boolean
}

/** `carrick servers`: the servers that this user logged in to. */
export async function listServers(flags: Flags): Promise<void> {
  const { servers, default: standard } = await readServers()
  const shown = servers.map(({ url, nickname, key, ca }) => ({
    url,
    nickname,
    key_id: key.split(':')[0] ?? '',
    fingerprint: ca === undefined ? null : new X509Certificate(ca).fingerprint256,
    default: url === standard,
  }))
  const lines = shown.map((server) => {
    const trust = server.fingerprint === null ? 'trusted by this machine' : `SHA-256 ${server.fingerprint}`
    return `${server.default ? '*' : ' '} ${server.url}  ${server.nickname || '–'}  ${trust}`
  })
  const text = lines.length === 0 ? 'No logins: `npx carrick login URL` makes one' : lines.join('\n')
  print({ text, json: { servers: shown } }, flags)
}

/** `carrick logout URL`: forgets a server and its key. The key goes on being good: `fal keys revoke` ends it. */
export async function logout(address: string, flags: Flags): Promise<void> {
  const url = originOf(address)
  const { servers } = await readServers()
  if (!servers.some((server) => server.url === url)) throw new Error(`there is no login for ${url}`)
  const { bundleFile } = await connectTo({ url })
  await changeServers(({ servers: all, default: standard }) => ({
    servers: all.filter((server) => server.url !== url),
    ...(standard !== undefined && standard !== url && { default: standard }),
  }))
  await rm(bundleFile, { force: true })
  print(
    {
      text: `Forgot ${url} and its key here. The key itself is still good: \`fal keys revoke\` ends it`,
      json: { url },
    },
    flags,
  )
}
