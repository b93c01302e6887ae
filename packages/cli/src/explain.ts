import { AppExplanation, RequestExplanation, RunnerExplanation } from '@carrick/protocol/explain'
import { appAddress } from './app-address.ts'
import { ask } from './ask.ts'
import { connectTo } from './connection.ts'
import { print } from './output.ts'
import type { Where } from './where.ts'

interface Flags extends Where {
  json?: boolean
}

interface AppFlags extends Flags {
  env?: string
  last: string
}

/** `carrick apps explain APP`: why it has as many runners as it has, and what was decided lately. */
export async function explainApp(app: string, { env, last, ...flags }: AppFlags): Promise<void> {
  const most = Number(last)
  if (!Number.isInteger(most) || most < 0 || most > 50) throw new Error('--last must be a whole number from 0 to 50')
  const connection = await connectTo(flags)
  const alias = env === undefined || env === 'main' ? app : `${app}--${env}`
  const address = `/v1/serverless/apps/${appAddress(alias, connection)}/explain?last=${most}`
  const explanation = AppExplanation.parse(await ask(connection, address))
  print({ text: appText(explanation), json: explanation }, flags)
}

/** `carrick requests explain ID`: why it waits, or what became of it. */
export async function explainRequest(id: string, flags: Flags): Promise<void> {
  const address = `/v1/serverless/requests/${encodeURIComponent(id)}/explain`
  const explanation = RequestExplanation.parse(await ask(await connectTo(flags), address))
  const { request_id, endpoint_id, status, reasons } = explanation
  const text = [`Request ${request_id} to ${endpoint_id}: ${status}`, ...reasons.map(({ sentence }) => sentence)]
  print({ text: text.join('\n'), json: explanation }, flags)
}

/** `carrick runners explain ID`: why it was started, and why it ended. */
export async function explainRunner(id: string, flags: Flags): Promise<void> {
  const address = `/v1/serverless/runners/${encodeURIComponent(id)}/explain`
  const explanation = RunnerExplanation.parse(await ask(await connectTo(flags), address))
  print({ text: explanation.sentences.join('\n'), json: explanation }, flags)
}

function appText({ endpoint_id, now, decisions }: AppExplanation): string {
  const lately = decisions.map(({ first_at, at, times, sentences }) => {
    const when = times === 1 ? at : `${first_at} to ${at}, ${times} times`
    return [when, ...sentences.map((sentence) => `  ${sentence}`)].join('\n')
  })
  const head = [`${endpoint_id} now:`, ...now.sentences.map((sentence) => `  ${sentence}`)].join('\n')
  if (lately.length === 0) return head
  return [head, 'Decided lately, the last one first:', ...lately].join('\n\n')
}
