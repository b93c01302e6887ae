import { execFileSync } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Carrick, onDocker, root, until } from './carrick.ts'

/** `fal runners shell` and `exec` of the stock 1.83.0, on a terminal and without, against a real server. */
describe('inside a runner with the stock fal command', () => {
  let carrick: Carrick
  let runner = ''
  let terminalProgram = ''
  beforeAll(async () => {
    carrick = await Carrick.start()
    await carrick.fal('secrets', 'set', 'GREETING=hello-from-a-secret')
    await carrick.deploy('talker.py::Talker', 'talker')
    runner = await started()
    terminalProgram = await readFile(join(root, 'test/e2e/clients/terminal.py'), 'utf8')
  })
  afterAll(() => carrick[Symbol.asyncDispose]())

  async function started(): Promise<string> {
    const answer = await carrick.ask('/tester/talker', { method: 'POST', body: '{}', headers: json })
    expect(answer.status).toBe(200)
    const listed = await carrick.fal('apps', 'runners', 'talker', '--output', 'json')
    return (JSON.parse(listed.stdout) as { runners: { runner_id: string }[] }).runners[0]?.runner_id ?? ''
  }

  const json = { 'content-type': 'application/json' }
  const exec = (...command: string[]) => carrick.fal('runners', 'exec', runner, '--', ...command)
  const fed = (input: Uint8Array, ...command: string[]) =>
    carrick.falFed(input, 'runners', 'exec', '-it', runner, '--', ...command)
  const onTerminal = (steps: readonly object[], ...args: string[]) =>
    carrick.python<{ code: number; text: string }>(terminalProgram, JSON.stringify(steps), ...args)
  const bytes = (length: number) => Buffer.from(Array.from({ length }, (_, index) => index % 256))

  test('a session ends with the key that opened it', async () => {
    const made = await carrick.fal('keys', 'create', '--preset', 'FULL')
    const [, id = '', secret = ''] = /FAL_KEY='([^:]+):([^']+)'/.exec(made.stdout) ?? []
    const held = carrick.falWith({ FAL_KEY: `${id}:${secret}` }, 'runners', 'exec', runner, '--', 'sleep', '600')
    // An image need not have pgrep.
    const sleeping = async () => (await exec('sh', '-c', "grep -qzs '^sleep$' /proc/[0-9]*/cmdline")).code === 0
    await until(sleeping, 'the command has begun')
    expect((await carrick.fal('keys', 'revoke', id)).code).toBe(0)
    const { code, stdout, stderr } = await held
    expect([code, stdout + stderr]).toEqual([1, expect.stringContaining('The key was revoked')])
    await until(async () => !(await sleeping()), 'the command has ended')
  })

  describe('exec', () => {
    test('runs a command with the variables, secrets and folder of the runner', async () => {
      const { code, stdout } = await exec('sh', '-c', 'echo $FAL_JOB_ID $GREETING; pwd')
      expect(code).toBe(0)
      expect(stdout).toBe(`${runner} hello-from-a-secret\n${join(carrick.folder, 'runners', runner, 'work')}\n`)
    })

    test('keeps errors apart and gives the exit code on', async () => {
      const { code, stdout, stderr } = await exec('sh', '-c', 'echo good; echo bad >&2; exit 3')
      expect([code, stdout, stderr]).toEqual([3, 'good\n', 'bad\n'])
    })

    test('tells the signal that ended a command, and one that is not there', async () => {
      expect((await exec('sh', '-c', 'kill -KILL $$')).code).toBe(137)
      expect(await exec('no-such-program')).toMatchObject({
        code: 127,
        stderr: expect.stringContaining('no-such-program'),
      })
    })

    test('without -it ends the input at once', async () => {
      expect(await exec('sh', '-c', 'cat; echo over')).toMatchObject({ code: 0, stdout: 'over\n' })
    })

    test('-it with piped input carries every byte both ways, megabytes of them', async () => {
      const sent = bytes(3_000_000)
      const { code, stdout } = await fed(sent, 'cat')
      expect(code).toBe(0)
      expect(stdout.equals(sent)).toBe(true)
    })

    test('carries 20 MB out', async () => {
      const { code, stdout } = await carrick.falFed(
        Buffer.of(),
        'runners',
        'exec',
        runner,
        'head',
        '-c',
        '20000000',
        '/dev/zero',
      )
      expect([code, stdout.length]).toEqual([0, 20_000_000])
    })

    test('-it on a terminal has its size, and hears when that changes', async () => {
      const steps = [{ see: '33 111', resize: [44, 99] }]
      const script = 'trap "stty size; exit 7" WINCH; stty size; while :; do sleep 0.1; done'
      const { code, text } = await onTerminal(steps, 'runners', 'exec', '-it', runner, '--', 'bash', '-c', script)
      expect(text).toMatch(/33 111[^]*44 99/)
      expect(code).toBe(7)
    })

    test('-it on a terminal hands Ctrl-C to the command', async () => {
      const script = 'trap "echo caught; exit 5" INT; echo ready; while :; do sleep 0.1; done'
      const steps = [{ see: 'ready', type: '\u0003' }]
      const { code, text } = await onTerminal(steps, 'runners', 'exec', '-it', runner, '--', 'sh', '-c', script)
      expect([code, text]).toEqual([5, expect.stringContaining('caught')])
    })

    test('ends the command when the client is gone', async () => {
      const mark = sleepOf(1)
      const isRunning = () => execFileSync('ps', ['-eo', 'args='], { encoding: 'utf8' }).split('\n').includes(mark)
      const steps = [{ see: 'started', kill: true }]
      const script = `echo started; ${mark}`
      const client = onTerminal(steps, 'runners', 'exec', '-it', runner, '--', 'sh', '-c', script)
      expect((await client).code).not.toBe(0)
      await until(() => !isRunning(), 'the command to be gone')
    })
  })

  describe('shell', () => {
    test('opens on a terminal, with the window of the caller', async () => {
      const steps = [
        { see: promptEnd(), type: 'stty size; tty\r' },
        { see: '/dev/pts', type: 'exit 9\r' },
      ]
      const { code, text } = await onTerminal(steps, 'runners', 'shell', runner)
      expect(text).toContain('33 111')
      expect(code).toBe(9)
    })

    test('takes its commands from a pipe', async () => {
      const { code, stdout } = await carrick.falFed(
        Buffer.from('echo $((40 + 2))\nexit 4\n'),
        'runners',
        'shell',
        runner,
      )
      expect([code, stdout.toString()]).toEqual([4, expect.stringMatching(/^42\r$/m)])
    })
  })

  test('who ran what is on record', async () => {
    await exec('echo', 'recorded')
    const answer = (await (await carrick.ask('/v1/events')).json()) as { events: object[] }
    const recorded = {
      action: 'exec_in_runner',
      subject: runner,
      outcome: 'done',
      detail: { command: 'echo recorded' },
    }
    expect(answer.events).toContainEqual(expect.objectContaining(recorded))
  })

  test('a runner that is not there, and one of another account, are not found', async () => {
    const unknown = '01900000-0000-7000-8000-000000000000'
    const refused = await carrick.fal('runners', 'exec', unknown, '--', 'ls')
    expect([refused.code, refused.stdout + refused.stderr]).toEqual([
      1,
      expect.stringContaining(`"${unknown}" not found`),
    ])
    const { stdout } = await carrick.carrick('accounts', 'create', 'stranger', '--json')
    const { key_id, key_secret } = JSON.parse(stdout) as Record<string, string>
    const FAL_KEY = `${key_id}:${key_secret}`
    const strange = await carrick.falWith({ FAL_KEY }, 'runners', 'exec', runner, '--', 'ls')
    expect([strange.code, strange.stdout + strange.stderr]).toEqual([1, expect.stringContaining('not found')])
  })

  test('a session ends with its runner, in a sentence', async () => {
    const mark = sleepOf(2)
    const session = exec('sh', '-c', `echo $$; ${mark}`)
    const isRunning = () => execFileSync('ps', ['-eo', 'args='], { encoding: 'utf8' }).split('\n').includes(mark)
    await until(isRunning, 'the command to run')
    await carrick.fal('runners', 'kill', runner)
    const { code, stdout, stderr } = await session
    expect([code, stdout + stderr]).toEqual([1, expect.stringContaining('ended, and this session with it')])
    await until(() => !isRunning(), 'the command to be gone')
  })
})

/** A command that is found among all processes of this machine, where the same tests may run with another backend. */
const sleepOf = (turn: number) => `sleep ${turn}${process.pid}000`

/** Root has another prompt; in a container no runner is root. */
const promptEnd = () => (process.getuid?.() === 0 && !onDocker ? '# ' : '$ ')
