import { execFile } from 'node:child_process'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Carrick, until } from '../carrick.ts'

/** An image for a machine that cannot pull it, by `docker save` and `carrick image import`; and all of it in a backup. */
describe('an archive of docker save', () => {
  const name = `carrick-import-${process.pid}:1`
  let carrick: Carrick
  let restored: Carrick | undefined
  let folder: string
  const docker = async (...args: string[]) => (await promisify(execFile)('docker', args, { maxBuffer: 2 ** 26 })).stdout
  const isThere = (image: string) =>
    docker('image', 'inspect', image).then(
      () => true,
      () => false,
    )
  const forget = async (image: string) => void (await docker('rmi', image).catch(() => {}))

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'carrick-import-'))
    await docker('tag', 'python:3.11-slim', name)
    await docker('save', name, '--output', join(folder, 'image.tar'))
    await forget(name)
    carrick = await Carrick.start()
  })
  afterAll(async () => {
    await carrick[Symbol.asyncDispose]()
    await restored?.[Symbol.asyncDispose]()
    await forget(name)
    await rm(folder, { recursive: true, force: true })
  })

  const listed = async (server: Carrick) => {
    const { code, stdout, stderr } = await server.carrick('image', 'list', '--output', 'json')
    expect(code, stderr).toBe(0)
    return (JSON.parse(stdout) as { images: { kind: string; name: string; bytes: number; digest: string }[] }).images
  }
  const call = async (server: Carrick) => {
    const headers = { 'content-type': 'application/json' }
    const answer = await server.ask('/tester/imported', { method: 'POST', headers, body: '{"say": "hello"}' })
    return { status: answer.status, body: await answer.json() }
  }

  test('is refused when it is something else, or not whole', async () => {
    const { code, stderr } = await carrick.carrick('image', 'import', join(carrick.folder, 'carrick.sqlite'))
    expect([code, stderr]).toEqual([1, expect.stringContaining('no tar archive')])
    expect(
      (await carrick.carrick('image', 'import', join(folder, 'image.tar'), '--name', 'Not A Name')).stderr,
    ).toContain('is not the name of an image')
  })

  test('goes into the registry, and a Dockerfile begins with it though nothing can be pulled', async () => {
    const ended = await carrick.carrick('image', 'import', join(folder, 'image.tar'), '--output', 'json')
    expect(ended.code, ended.stderr).toBe(0)
    const whole = `docker.io/library/${name}`
    expect(JSON.parse(ended.stdout)).toMatchObject({ images: [{ name: whole, engine: true }] })
    expect(await isThere(name)).toBe(true)
    const deployed = await carrick.falWith(
      { IMAGE: name },
      'deploy',
      'test/e2e/apps/imported.py::Imported',
      '--app-name',
      'imported',
    )
    expect(deployed.code, deployed.stdout + deployed.stderr).toBe(0)
    expect(await call(carrick)).toEqual({ status: 200, body: { image: name, said: 'hello' } })
  })

  test('is listed with the app that needs it, and stays while that is so', async () => {
    const images = await listed(carrick)
    const needed = [{ app: 'tester/imported', revision_id: expect.any(String) }]
    const whole = expect.objectContaining({ name: `docker.io/library/${name}`, kind: 'imported', used_by: needed })
    expect(images).toContainEqual(whole)
    expect(images).toContainEqual(expect.objectContaining({ kind: 'environment', used_by: needed }))
    for (const { bytes, digest } of images)
      expect([bytes > 0, digest]).toEqual([true, expect.stringMatching(/^sha256:/)])
    const { code, stderr } = await carrick.carrick('image', 'rm', name)
    expect([code, stderr]).toEqual([1, expect.stringContaining('of tester/imported')])
    expect(await isThere(name)).toBe(true)
  })

  test('is in a backup with the images of apps, and an engine that lost it gets it again', async () => {
    const file = join(folder, 'backup')
    expect((await carrick.carrick('backup', file)).code).toBe(0)
    await carrick.down()
    await forget(name)
    const target = join(folder, 'restored')
    expect((await carrick.carrick('restore', file, '--data', target)).code).toBe(0)
    restored = await Carrick.startIn(target)
    expect(await readdir(target)).not.toContain('restore.unfinished')
    expect(await call(restored)).toEqual({ status: 200, body: { image: name, said: 'hello' } })
    await until(() => isThere(name), 'the imported image to be there again')
  })

  test('goes from engine and registry, and so do environments, when no revision needs them', async () => {
    if (restored === undefined) throw new Error('it was not restored')
    const server = restored
    expect((await server.fal('apps', 'delete', 'imported')).code).toBe(0)
    const environments = (await listed(server)).filter(({ kind }) => kind === 'environment')
    const all = [name, ...environments.map((each) => each.name.slice(0, 16))]
    await until(async () => (await server.carrick('image', 'rm', ...all)).code === 0, 'the last runner to have ended')
    expect(await listed(server)).toEqual([])
    expect(await isThere(name)).toBe(false)
    const tags = await server.ask(`/v2/tester/imported/docker.io/library/${name.split(':')[0]}/tags/list`)
    expect(await tags.json()).toMatchObject({ tags: [] })
    expect((await server.carrick('image', 'rm', name)).stderr).toContain('`carrick image list` shows all')
  })
})
