import { Machines } from '@carrick/protocol/platform'
import { ask } from './ask.ts'
import { connectTo } from './connection.ts'
import { print } from './output.ts'
import { table } from './table.ts'
import type { Where } from './where.ts'

/** `carrick machines`: what there is to run on, which runners hold what of it, and which machine types fit. */
export async function machines(flags: Where & { json?: boolean }): Promise<void> {
  const answer = Machines.parse(await ask(await connectTo(flags), '/v1/machines'))
  const text = [...answer.machines.map(machineText), typesText(answer), waitingText(answer)]
    .filter((part) => part !== '')
    .join('\n\n')
  print({ text, json: answer }, flags)
}

type Machine = Machines['machines'][number]

function machineText({ id, region, cpus, memory_bytes, gpus, runners, maintenance }: Machine): string {
  const head = `${id} (region ${region}): ${cpus} ${cpus === 1 ? 'core' : 'cores'}, ${memory(memory_bytes)}, ${count(gpus.length, 'GPU')}, ${count(runners.length, 'runner')}`
  const cards = gpus.map(({ index, name, runner_id }) => [`  GPU ${index}`, name, runner_id ?? ''])
  const there = runners.map((runner) => [
    `  ${runner.runner_id}`,
    runner.app ?? '-',
    runner.machine_type,
    count(runner.cpus, 'core'),
    memory(runner.memory_bytes),
    runner.gpus.length === 0 ? '' : `GPU ${runner.gpus.join(', ')}`,
  ])
  return [head, ...(maintenance === null ? [] : [`  ${maintenanceText(maintenance)}`]), table(cards), table(there)]
    .filter((part) => part !== '')
    .join('\n')
}

function maintenanceText({ since, deadline, message }: NonNullable<Machine['maintenance']>): string {
  const late = deadline === null ? '' : `; what runs on it at ${deadline} is killed`
  return `In maintenance since ${since}${message === null ? '' : ` (${message})`}: it gets no new runners${late}`
}

function typesText({ machine_types }: Machines): string {
  const rows = machine_types.map(({ name, cpus, memory_bytes, gpu, gpus, price_per_second, fits }) => [
    `  ${name}`,
    count(cpus, 'core'),
    memory(memory_bytes),
    gpu === null ? '-' : `${gpus} × ${gpu}`,
    price_per_second === null ? '' : `${price_per_second}/s`,
    fits ? 'fits' : 'does not fit',
  ])
  return `Machine types:\n${table(rows)}`
}

function waitingText({ waiting }: Machines): string {
  return waiting.map(({ runner_id, app, why }) => `${runner_id} of ${app} waits: ${why}`).join('\n')
}

const count = (number: number, thing: string) => `${number} ${thing}${number === 1 ? '' : 's'}`

function memory(bytes: number): string {
  return bytes < 2 ** 30 ? `${Math.round(bytes / 2 ** 20)} MB` : `${Number((bytes / 2 ** 30).toFixed(1))} GB`
}
