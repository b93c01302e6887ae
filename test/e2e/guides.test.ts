import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Carrick, onDocker } from './carrick.ts'
import { follow, guides, hasMadeUpGpus, needsEngine, needsOwnServer, ownServer, type Written } from './guide-server.ts'
import { GuideSession } from './guide-session.ts'
import { missingLines, readGuide } from './guide.ts'

/*
 * Runs the marked blocks of every guide in docs/guides, in order, in one bash for each guide, against a real server: the
 * stock `fal`, `fal_client` (`python`) and `carrick` are on its PATH, its folder is empty, and the variables of
 * `carrick env` are set, and CARRICK_CHECKOUT, from where examples are copied. The account is `tester`. What a block exports
 * or defines lasts; what is there of a guide's apps at its end is deleted. A block is marked after the language of its fence:
 *
 *     ```sh run                 must end well (`set -eo pipefail`), within three minutes
 *     ```sh run fails           must end badly; in a shell of its own, so what it exports is gone
 *     ```sh run until           is run again until it ends well and has printed what the output block after it says;
 *                               in a shell of its own too
 *     ```text output            lines that the block before printed (on either output), in any order; `…` is anything
 *                               within a line, and spaces and rules may be of any length. Any language will do
 *     ```python file=app.py     is written there when its turn comes. Any language will do
 *     ```toml server            the carrick.toml of the guide's server: that guide has a server of its own. With
 *                               `backend = "docker"` it is followed by docker/guides.docker.test.ts
 *
 * A folder `test/e2e/guides/NAME` holds programs that the guide NAME.md needs and a machine may lack (such as nvidia-smi):
 * it comes first on the PATH, and of a server of the guide's own too. Blocks without a mark are not run. Alone:
 * `npx vitest run --project e2e test/e2e/guides.test.ts -t NAME`.
 */

const named = (guide: Written) =>
  onDocker && hasMadeUpGpus(guide)
    ? `${guide.name} do what it says: not with containers, whose engine gives no GPU that is made up`
    : `${guide.name} do what it says`

describe('the commands of the guide', () => {
  let shared: Promise<Carrick> | undefined
  beforeAll(() => {
    for (const { name, steps } of guides)
      if (steps.length === 0) console.warn(`docs/guides/${name}.md has no marked block: nothing of it is run`)
  })
  afterAll(async () => (await shared)?.[Symbol.asyncDispose]())

  for (const guide of guides.filter((each) => each.steps.length > 0 && !needsEngine(each)))
    test.skipIf(onDocker && hasMadeUpGpus(guide))(named(guide), { timeout: 600_000 }, async () => {
      if (!needsOwnServer(guide)) return follow(guide, await (shared ??= Carrick.start()))
      await using own = await ownServer(guide)
      await follow(guide, own)
    })
})

describe('a guide is read:', () => {
  const fence = '```'
  const read = (lang: string, text = 'a') => readGuide(`# Title\n\n${fence}${lang}\n${text}\n${fence}\n`)

  test('what is not marked is not run', () => {
    expect(read('sh').steps).toEqual([])
    expect(read('').steps).toEqual([])
  })

  test.each([
    ['sh run', { kind: 'run', script: 'a', ends: 'well', line: 3 }],
    ['sh run fails', { kind: 'run', script: 'a', ends: 'badly', line: 3 }],
    ['sh run until', { kind: 'run', script: 'a', ends: 'until', line: 3 }],
    ['text output', { kind: 'output', lines: ['a'], line: 3 }],
    ['python file=folder/app.py', { kind: 'file', path: 'folder/app.py', text: 'a', line: 3 }],
  ])('%s', (lang, step) => expect(read(lang).steps).toEqual([step]))

  test('a mark that means nothing is refused, with its line', () => {
    expect(() => read('sh rum')).toThrow(/^line 3: .*"rum"/)
  })

  test('a carrick.toml is for the server', () => {
    expect(read('toml server', 'x = 1')).toEqual({ steps: [], serverSettings: 'x = 1' })
  })

  test('output has its lines in any order, with spaces as they come and … for what changes', () => {
    const printed = 'one   two\n\u001B[1mid\u001B[0m: 4f2a (done)\n'
    expect(missingLines(['id: … (done)', '  one two'], printed)).toEqual([])
    expect(missingLines(['one … (done)', 'three'], printed)).toEqual(['one … (done)', 'three'])
  })
})

describe('a guide is followed:', () => {
  const follows = async (markdown: string) => {
    const { steps } = readGuide(markdown.replaceAll('~~~', '```'))
    await using session = await GuideSession.start({ variables: { CARRICK_URL: 'http://there' }, folder: '/nowhere' })
    for (const [index, step] of steps.entries()) await session.take(step, steps[index + 1])
    return 'to its end'
  }

  test.each([
    [
      'what is exported lasts',
      '~~~sh run\nexport ONE=1\n~~~\n~~~sh run\necho $ONE $CARRICK_URL\n~~~\n~~~text output\n1 http://there\n~~~',
    ],
    ['a file is there', '~~~json file=a/b.json\n{}\n~~~\n~~~sh run\ncat a/b.json\n~~~\n~~~json output\n{}\n~~~'],
    ['what should fail may', '~~~sh run fails\necho no >&2; exit 3\n~~~\n~~~text output\nno\n~~~'],
    [
      'what comes true later is waited for',
      '~~~sh run\n(sleep 0.5; touch there) &\n~~~\n~~~sh run until\nls\n~~~\n~~~text output\nthere\n~~~',
    ],
  ])('%s', async (_, markdown) => expect(await follows(markdown)).toBe('to its end'))

  test.each([
    ['a command ends badly', '~~~sh run\necho before\nfalse\necho after\n~~~', /^line 1: it ended with 1[^]*before\n$/],
    ['one in a pipe does', '~~~sh run\nfalse | cat\n~~~', /^line 1: it ended with 1/],
    ['what should fail does not', '~~~sh run fails\ntrue\n~~~', /^line 1: it ended with 0/],
    [
      'a line is missing',
      '~~~sh run\necho one\n~~~\n~~~text output\none\ntwo\n~~~',
      /^line 4: it did not print\n\ntwo\n\nbut\n\none/,
    ],
  ])('it ends where %s', async (_, markdown, said) => expect(follows(markdown)).rejects.toThrow(said))
})
