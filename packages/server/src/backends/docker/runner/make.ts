import { chmod, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Container } from 'dockerode'
import type { RunnerSpec } from '../../backend.ts'
import { nameOf, needsInit, portsOf, programConfigOf } from './config.ts'
import { statusOf, unless, wordsOf } from '../engine/engine.ts'
import { asPodmanTakesIt } from '../engine/podman.ts'
import type { Making } from './making.ts'
import { pullImage } from './pull.ts'
import type { ContainerSetting } from '../setting.ts'

/** Makes a runner's container, which does not run yet; pulls its image first where the engine does not have that. */
export async function makeContainer(spec: RunnerSpec, setting: ContainerSetting, making: Making): Promise<Container> {
  const work = join(setting.folderOf(spec.id), 'work')
  await mkdir(setting.folderOf(spec.id), { recursive: true, mode: 0o700 })
  await mkdir(work, { recursive: true })
  await chmod(work, 0o777) // whoever the image runs as; nobody else can enter the folder above
  const { docker } = setting.engine
  let init = needsInit(spec)
  for (;;) {
    try {
      return await docker.createContainer(await optionsOf(spec, { work, init }, setting))
    } catch (error) {
      if (statusOf(error) === 409)
        await unless([404], docker.getContainer(nameOf(spec)).remove({ force: true, v: true }))
      else if (statusOf(error) === 404 && /image/i.test(wordsOf(error)))
        await pullImage(spec.image?.reference ?? '', setting, making)
      else if (init && /init binary not found/.test(wordsOf(error))) init = false
      else throw error
      making.signal.throwIfAborted()
    }
  }
}

async function optionsOf(
  spec: RunnerSpec,
  { work, init }: { readonly work: string; readonly init: boolean },
  { engine, installation, folderOf, walls }: ContainerSetting,
) {
  const { app: port } = portsOf(spec)
  const place = { folder: folderOf(spec.id), work, port, init }
  const { options, variables } = await walls.surround(spec, place)
  const walled = { ...spec, variables: { ...spec.variables, ...variables } }
  const all = { ...programConfigOf(walled, { installation, work }), ...options }
  return engine.facts.kind === 'podman' ? asPodmanTakesIt(all) : all
}
