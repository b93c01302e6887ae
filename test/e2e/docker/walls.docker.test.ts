import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Carrick } from '../carrick.ts'

interface Walled {
  readonly user: number
  readonly host: string
  readonly given: string
  readonly frozen: number
  readonly known: number
  readonly control: string
  readonly metadata: string
  readonly root: string
  readonly file: { readonly url: string }
}

/** What an app of the stock SDK finds behind the walls of a container, where runners may connect to nothing but the platform. */
describe('an app in a container', () => {
  let carrick: Carrick
  let local: string
  let seen: Walled
  beforeAll(async () => {
    local = await mkdtemp(join(tmpdir(), 'carrick-local-'))
    const settings = { CARRICK_SHARED_FOLDERS: '', CARRICK_EGRESS: 'none', CARRICK_HOST: '0.0.0.0' }
    carrick = await Carrick.start({ ...settings, CARRICK_BACKEND: 'docker' })
    await writeFile(join(local, 'given.txt'), 'by the people')
    expect(await carrick.fal('files', 'upload', join(local, 'given.txt'), '/data/given.txt')).toMatchObject({ code: 0 })
    await carrick.deploy('walled.py::App', 'walled', '--auth', 'private')
    const answer = await carrick.ask('/tester/walled', { method: 'POST', body: '{}' })
    expect(answer.status).toBe(200)
    seen = (await answer.json()) as Walled
  })
  afterAll(async () => {
    await carrick?.[Symbol.asyncDispose]()
    await rm(local, { recursive: true, force: true })
  })

  test('reaches the platform by the name that it is told, and by the one that was frozen where it was deployed', () => {
    expect([seen.known, seen.frozen]).toEqual([200, 200])
  })

  test('reaches neither the control port, which listens on every address, nor where clouds tell keys', () => {
    expect([seen.control, seen.metadata]).toEqual(['refused', 'refused'])
  })

  test('changes a file that people uploaded, and they read what it wrote', async () => {
    expect(seen.given).toBe('by the people and the app')
    await writeFile(join(local, 'given.txt'), 'by the people again')
    await carrick.fal('files', 'upload', join(local, 'given.txt'), '/data/given.txt')
    const again = (await (await carrick.ask('/tester/walled', { method: 'POST', body: '{}' })).json()) as Walled
    expect(again.given).toBe('by the people again and the app')
    await carrick.fal('files', 'download', '/data/given.txt', join(local, 'back.txt'))
    expect(await readFile(join(local, 'back.txt'), 'utf8')).toBe(again.given)
  })

  test('uploads what others read', async () => {
    const { pathname } = new URL(seen.file.url)
    expect(await (await carrick.ask(pathname)).text()).toBe('made inside')
  })

  test('is not root, and changes nothing of its image', () => {
    expect(seen.user).toBeGreaterThan(0)
    expect(seen.root).toBe('Read-only file system')
    expect(seen.host).toMatch(/^[0-9a-f-]{36}$/)
  })

  test('asks for a runtime by an annotation, and is told which there are', async () => {
    const asked = ['--app-name', 'other', '--annotation', 'carrick.runtime=kata']
    const { code, stdout, stderr } = await carrick.fal('deploy', 'test/e2e/apps/walled.py::App', ...asked)
    expect(code).not.toBe(0)
    expect(stdout + stderr).toMatch(/The runtime "kata" \(annotation carrick.runtime\) is not among those/)
  })

  test('is shown to the operator with what it is confined by', async () => {
    const { stdout } = await carrick.carrick('status', '--json')
    const { confinement } = JSON.parse(stdout) as { confinement: { part: string; by: string | null }[] }
    expect(confinement.find(({ part }) => part === 'network')?.by).toMatch(/^bridge per account/)
    expect(confinement.find(({ part }) => part === 'system calls')?.by).toContain('no capabilities')
  })
})
