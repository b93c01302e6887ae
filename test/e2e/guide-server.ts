import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { expect } from 'vitest'
import { Carrick, root } from './carrick.ts'
import { GuideSession } from './guide-session.ts'
import { readGuide, type Guide } from './guide.ts'

export interface Written extends Guide {
  readonly name: string
}

/** All guides of docs/guides. */
export const guides: readonly Written[] = readdirSync(join(root, 'docs/guides'))
  .filter((file) => file.endsWith('.md'))
  .map((file) => ({ name: file.slice(0, -3), ...readGuide(readFileSync(join(root, 'docs/guides', file), 'utf8')) }))

/** Whether its server needs a container engine: its carrick.toml says so. */
export const needsEngine = ({ serverSettings }: Guide) => /^\s*backend\s*=\s*"docker"/m.test(serverSettings ?? '')

const toolsOf = ({ name }: Written) => {
  const folder = join(root, 'test/e2e/guides', name)
  return existsSync(folder) ? folder : undefined
}

/** Whether its GPUs are made up: an engine gives none of those to a container. */
export function hasMadeUpGpus(guide: Written): boolean {
  const tools = toolsOf(guide)
  return tools !== undefined && existsSync(join(tools, 'nvidia-smi'))
}

/** Whether it cannot be followed on a server that other guides are followed on. */
export const needsOwnServer = (guide: Written) => guide.serverSettings !== undefined || toolsOf(guide) !== undefined

/** A server with the guide's settings. */
export async function ownServer(guide: Written): Promise<Carrick> {
  const tools = toolsOf(guide)
  const path = [tools, process.env['PATH']].filter((each) => each !== undefined).join(delimiter)
  const folder = await mkdtemp(join(tmpdir(), 'carrick-e2e-'))
  await writeFile(join(folder, 'carrick.toml'), guide.serverSettings ?? '', { mode: 0o600 })
  return Carrick.startIn(folder, { PATH: path })
}

/** Does what a guide says, and takes its apps away. Throws with the line at which it is not as it says. */
export async function follow(guide: Written, carrick: Carrick): Promise<void> {
  await using session = await GuideSession.start(carrick, toolsOf(guide))
  for (const [index, step] of guide.steps.entries()) await session.take(step, guide.steps[index + 1])
  await deleteApps(carrick)
}

/** So that the next guide finds the machine free. */
async function deleteApps(carrick: Carrick): Promise<void> {
  const answer = async <T>(path: string) => (await (await carrick.ask(path)).json()) as T
  const { environments } = await answer<{ environments: { name: string }[] }>('/v1/serverless/environments')
  for (const { name } of environments) {
    const { apps } = await answer<{ apps: { endpoint_id: string }[] }>(`/v1/serverless/apps?environment=${name}`)
    for (const app of apps) {
      const deleted = await carrick.ask(`/v1/serverless/apps/${app.endpoint_id}`, { method: 'DELETE' })
      expect(deleted.ok, app.endpoint_id).toBe(true)
    }
  }
}
