import { writeBundle } from '@carrick/server/bundle'
import { connectTo, type Connection } from './connection.ts'
import { print } from './output.ts'
import type { Where } from './where.ts'

/** `carrick env`: everything a shell needs to use the stock tools with this server. */
export async function env(flags: Where & { json?: boolean }): Promise<void> {
  const variables = await variablesOf(await connectTo(flags))
  const lines = Object.entries(variables).map(([name, value]) => `export ${name}='${value.replaceAll("'", `'\\''`)}'`)
  print({ text: lines.join('\n'), json: variables }, flags)
}

/** The variables for a connection, by name (design: what scripts may rely on). Writes the bundle they name. */
export async function variablesOf(connection: Connection): Promise<Record<string, string>> {
  const { ca = '', bundleFile: bundle } = connection
  await writeBundle({ caPem: ca, file: bundle, inherited: process.env['SSL_CERT_FILE'] })
  return {
    FAL_KEY: connection.key,
    FAL_GRPC_HOST: connection.address,
    FAL_REST_HOST: connection.address,
    FAL_RUN_HOST: connection.address,
    FAL_QUEUE_RUN_HOST: `${connection.address}/queue`,
    FAL_WS_RUN_HOST: `${connection.address}/ws`,
    SSL_CERT_FILE: bundle,
    GRPC_DEFAULT_SSL_ROOTS_FILE_PATH: bundle,
    NODE_EXTRA_CA_CERTS: bundle,
    REQUESTS_CA_BUNDLE: bundle,
    CARRICK_URL: connection.url,
  }
}
