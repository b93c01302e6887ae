import { execFileSync } from 'node:child_process'
import { mkdir, mkdtempDisposable, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Carrick, until } from './carrick.ts'

interface Seen {
  readonly TOKEN: string | null
  readonly CLOSED: string | null
  readonly FAL_APP_NAME: string
  readonly runner: string
}

/** The stock `fal` 1.83.0: environments, their secrets, and what of them runners and strangers see. */
describe('environments and secrets', () => {
  let carrick: Carrick
  const heard: string[] = []
  beforeAll(async () => void (carrick = await Carrick.start()))
  afterAll(() => carrick[Symbol.asyncDispose]())

  /** Runs the command, and keeps what it said. */
  async function fal(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await carrick.fal(...args)
    heard.push(stdout, stderr)
    expect(code, stdout + stderr).toBe(0)
    return stdout
  }

  async function refused(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await carrick.fal(...args)
    heard.push(stdout, stderr)
    expect(code).toBe(1)
    return stdout + stderr
  }

  const look = (app: string) =>
    carrick.python<Seen>(
      'import fal_client, json, sys; print(json.dumps(fal_client.run(sys.argv[1], {})))',
      `tester/${app}`,
    )
  const listed = async (...flags: string[]) =>
    JSON.parse(await fal('secrets', 'list', '--output', 'json', ...flags)) as {
      secrets: { name: string; environment: string; default_exposed: boolean }[]
    }

  test('an environment is created once, and listed beside main', async () => {
    await fal('environments', 'create', 'staging', '--description', 'before it counts')
    expect(await refused('environments', 'create', 'staging')).toContain('exists already')
    expect(JSON.parse(await fal('environments', 'list', '--output', 'json'))).toMatchObject({
      environments: [
        { name: 'main', is_default: true },
        { name: 'staging', description: 'before it counts', is_default: false },
      ],
    })
    expect(await refused('apps', 'list', '--env', 'nowhere')).toContain('Environment "nowhere" not found')
  })

  test('secrets are set per environment, and listed without their values', async () => {
    await fal('secrets', 'set', 'TOKEN=canary-of-main')
    await fal('secrets', 'set', 'CLOSED=canary-closed', '--not-exposed-by-default')
    await fal('secrets', 'set', 'TOKEN=canary-of-staging', '--env', 'staging')
    expect(await listed()).toMatchObject({
      secrets: [
        { name: 'CLOSED', default_exposed: false },
        { name: 'TOKEN', environment: 'main', default_exposed: true },
      ],
    })
    expect(await listed('--env', 'staging')).toMatchObject({ secrets: [{ name: 'TOKEN', environment: 'staging' }] })
    expect(await refused('secrets', 'set', 'FAL_KEY=canary-refused')).toContain('the platform sets')
  })

  test('an app sees those of its environment, or those that it lists', async () => {
    await carrick.deploy('witness.py::Witness', 'witness', '--strategy', 'recreate')
    await carrick.deploy('witness.py::Witness', 'witness', '--env', 'staging', '--strategy', 'recreate')
    await carrick.deploy('witness.py::Listed', 'listed', '--strategy', 'recreate')
    expect(await look('witness')).toMatchObject({ TOKEN: 'canary-of-main', CLOSED: null })
    expect(await look('witness--staging')).toMatchObject({
      TOKEN: 'canary-of-staging',
      FAL_APP_NAME: 'tester/witness--staging',
    })
    expect(await look('listed')).toMatchObject({ TOKEN: null, CLOSED: 'canary-closed' })
  })

  test('the commands for apps take --env', async () => {
    expect(await fal('apps', 'list', '--env', 'staging', '--output', 'json')).toContain('witness--staging')
    await fal('apps', 'list-rev', 'witness', '--env', 'staging')
    await fal('apps', 'scale', 'witness', '--env', 'staging', '--keep-alive', '2')
    await fal('apps', 'runners', 'witness', '--env', 'staging')
  })

  test('values are in no log line, file, answer or argument of a process', async () => {
    const { runner } = await look('witness')
    await until(async () => (await fal('runners', 'logs', runner)).includes('the token is'), 'the line of the app')
    expect(await fal('runners', 'logs', runner)).toContain('the token is ********')
    const args = execFileSync('ps', ['-eww', '-o', 'args'], { encoding: 'utf8' })
    expect(args.split('\n').filter((line) => line.includes('canary-'))).toEqual([])
    await carrick.down()
    const found = grep('canary-\\(of\\|closed\\|refused\\)', carrick.folder)
    expect(grep('TOKEN', carrick.folder)).not.toEqual([]) // it does look into the database
    expect(found).toEqual([])
    expect(heard.join('\n')).not.toContain('canary-')
    await carrick.up()
  })

  test('the build of a requirement sees no secret and no key', async () => {
    const deployed = await carrick.falWith(
      { NOSY: `nosy @ ${await nosyPackage(carrick)}` },
      'deploy',
      'test/e2e/apps/nosy.py::Nosy',
      '--app-name',
      'nosy',
      '--strategy',
      'recreate',
    )
    expect(deployed.code, deployed.stdout + deployed.stderr).toBe(0)
    const { seen } = (await look('nosy')) as unknown as { seen: Record<string, string> }
    expect(Object.keys(seen)).toContain('PATH') // it did look
    expect(Object.keys(seen).filter((name) => /^(FAL_|TOKEN$|CLOSED$)/.test(name))).toEqual([])
    const values = Object.values(seen).join('\n')
    expect(values).not.toContain('canary-')
    expect(values).not.toContain(carrick.variables['FAL_KEY']?.split(':')[1])
  })

  test('the encryption key is rotated while the server is stopped, and every secret is still there', async () => {
    const busy = await carrick.carrick('secrets', 'rotate-key')
    expect(busy).toMatchObject({ code: 1, stderr: expect.stringContaining('another Carrick server runs on it') })
    await carrick.down()
    const file = join(carrick.folder, 'encryption.key')
    const before = await readFile(file)
    expect(await carrick.carrick('secrets', 'rotate-key')).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^3 /),
    })
    expect((await readFile(file)).equals(before)).toBe(false)
    await carrick.up()
    expect(await look('witness')).toMatchObject({ TOKEN: 'canary-of-main' })
  })

  test('a secret that is unset is gone for runners that start from then on', async () => {
    await fal('secrets', 'unset', 'TOKEN', '--env', 'staging')
    await carrick.deploy('witness.py::Witness', 'witness', '--env', 'staging', '--strategy', 'recreate')
    await until(async () => (await look('witness--staging')).TOKEN === null, 'a runner without the secret')
    expect((await look('witness')).TOKEN).toBe('canary-of-main')
    expect(await refused('secrets', 'unset', 'TOKEN', '--env', 'staging')).toContain('"TOKEN" not found')
  })

  test('a deleted environment takes its apps along', async () => {
    await fal('environments', 'delete', 'staging', '--yes')
    await expect(look('witness--staging')).rejects.toThrow('not found')
    expect(await refused('environments', 'delete', 'staging', '--yes')).toContain('not found')
    expect((await look('witness')).TOKEN).toBe('canary-of-main')
  })
})

/** The address of a Python package, at the server, that keeps the variables which its build saw. */
async function nosyPackage(carrick: Carrick): Promise<string> {
  await using folder = await mkdtempDisposable(join(tmpdir(), 'carrick-nosy-'))
  await mkdir(join(folder.path, 'nosy-1'))
  const look = 'open("nosy.py", "w").write("SEEN = " + repr(dict(os.environ)))'
  const setup = `import os\n${look}\nfrom setuptools import setup\nsetup(name="nosy", version="1", py_modules=["nosy"])\n`
  await writeFile(join(folder.path, 'nosy-1', 'setup.py'), setup)
  execFileSync('tar', ['-czf', 'nosy-1.tar.gz', 'nosy-1'], { cwd: folder.path })
  return await carrick.upload('nosy-1.tar.gz', await readFile(join(folder.path, 'nosy-1.tar.gz')))
}

/** The files below a folder with a text like this. */
function grep(pattern: string, folder: string): string[] {
  try {
    return execFileSync('grep', ['-rl', pattern, folder], { encoding: 'utf8' }).trim().split('\n')
  } catch {
    return [] // grep ends with 1 when nothing is found
  }
}
