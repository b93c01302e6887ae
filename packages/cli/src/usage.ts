import { UsageReport } from '@carrick/protocol/platform'
import { DataUsage } from '@carrick/protocol/rest'
import { size } from './archive.ts'
import { answerOf, ask } from './ask.ts'
import { connectTo, type Connection } from './connection.ts'
import { csv } from './csv.ts'
import { print } from './output.ts'
import { table } from './table.ts'
import type { Where } from './where.ts'

interface Flags extends Where {
  by: string
  since?: string
  until?: string
  app?: string
  env?: string
  paid?: boolean
  csv?: boolean
  json?: boolean
}

/** `carrick usage`: what was used, in sums. */
export async function usage(flags: Flags): Promise<void> {
  if (flags.json === true && flags.csv === true) throw new Error('leave one of --csv and JSON out')
  const query = new URLSearchParams({ by: flags.by, view: flags.paid === true ? 'paid' : 'owned' })
  const given = { start: flags.since, end: flags.until, app: flags.app, environment: flags.env }
  for (const [name, value] of Object.entries(given)) if (value !== undefined) query.set(name, value)
  const connection = await connectTo(flags)
  const report = UsageReport.parse(await ask(connection, `/v1/serverless/usage/report?${query.toString()}`))
  if (flags.csv === true) process.stdout.write(csv([heads(report).map((head) => head.toLowerCase()), ...cells(report)]))
  else {
    const data = await dataUsage(connection)
    print(
      {
        text: `${listing(report)}${data === undefined ? '' : `\n${inWords(data)}`}`,
        json: { ...report, data: data ?? null },
      },
      flags,
    )
  }
}

/** Undefined for a key that may not look at files. */
async function dataUsage(connection: Connection): Promise<DataUsage | undefined> {
  const { status, said } = await answerOf(connection, '/v1/serverless/files/usage', undefined, 'POST', measuringMs)
  return status === 200 ? DataUsage.parse(said) : undefined
}

/** Many files take a while. */
const measuringMs = 120_000

function inWords({ used_bytes, limit_bytes }: DataUsage): string {
  const used = used_bytes === null ? 'not measured yet' : size(used_bytes)
  return `/data: ${used}${limit_bytes === null ? ', no limit' : ` of ${size(limit_bytes)}`}`
}

type Row = UsageReport['rows'][number]

function heads({ by, currency }: UsageReport): readonly string[] {
  const money = currency === null ? [] : [`COST_${currency}`]
  const names = by.map((name) => name.replace('-', '_').toUpperCase())
  return [...names, 'RUNNER_SECONDS', 'GPU_SECONDS', 'REQUESTS', 'BILLABLE_UNITS', ...money]
}

function cells({ by, rows, currency }: UsageReport): readonly (readonly string[])[] {
  return rows.map((row) => [...by.map((name) => told(row, name)), ...amounts(row, currency)])
}

function told(row: Row, dimension: string): string {
  const value = row[dimension.replace('-', '_') as keyof Row]
  return value === undefined || value === null ? '' : String(value)
}

function amounts(used: UsageReport['total'], currency: string | null): readonly string[] {
  const { runner_seconds, gpu_seconds, requests, billable_units, cost } = used
  const all = [runner_seconds, gpu_seconds, requests, billable_units, ...(currency === null ? [] : [cost ?? 0])]
  return all.map(String)
}

function listing(report: UsageReport): string {
  const { start, end, by, rows, total, currency } = report
  const when = `${start} to ${end}, in whole hours`
  if (rows.length === 0) return `Nothing was used, ${when}`
  const shown = cells(report).map((row) =>
    row.map((cell) => (cell.length > 36 ? `${cell.slice(0, 12)}…` : cell || '-')),
  )
  const sum = ['total', ...by.slice(1).map(() => ''), ...amounts(total, currency)]
  const head = heads(report).map((name) => name.replaceAll('_', ' '))
  return `${table([head, ...shown, ...(rows.length > 1 ? [sum] : [])])}\n\n${when}`
}
