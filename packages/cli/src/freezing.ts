import { PlatformFreezing, type FreezingRequest } from '@carrick/protocol/platform'
import { appAddress } from './app-address.ts'
import { ask } from './ask.ts'
import { connectTo } from './connection.ts'
import { print } from './output.ts'
import type { Where } from './where.ts'

interface Flags extends Where {
  json?: boolean
  env?: string
  after?: number | 'never' | 'default'
}

/** `carrick apps freezing APP`: when its idle runners are frozen; with `--after` from now on. */
export async function freezing(app: string, { env, after, ...flags }: Flags): Promise<void> {
  const connection = await connectTo(flags)
  const alias = env === undefined || env === 'main' ? app : `${app}--${env}`
  const address = appAddress(alias, connection)
  const change: FreezingRequest | undefined =
    after === undefined ? undefined : { freeze_after: after === 'default' ? null : after === 'never' ? 0 : after }
  const answer = await ask(connection, `/v1/serverless/apps/${address}/freezing`, change, 'PATCH')
  const state = PlatformFreezing.parse(answer)
  print({ text: sentencesOf(alias, state), json: { app: address, ...state } }, flags)
}

function sentencesOf(app: string, { freeze_after, in_force, impossible }: PlatformFreezing): string {
  const whose = freeze_after === null ? ', as the server is set' : ''
  const when =
    in_force === null
      ? `Runners of ${app} are never frozen${whose}`
      : `Runners of ${app} are frozen once idle for ${in_force} s${whose}, and go on when something is sent to them`
  return impossible === null || in_force === null ? when : `${when}\nNone is frozen on this server: ${impossible}`
}
