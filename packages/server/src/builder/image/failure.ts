import { CarrickError } from '../../domain/errors.ts'
import { statusOf, wordsOf } from '../../backends/docker/engine/engine.ts'
import { EngineBuildError } from './engine-build.ts'
import { parseImageName } from '../../domain/image-reference.ts'

const mostCharacters = 5_500

/** The engine's words without the way that they came. */
export function plainWords(message: string): string {
  return message
    .replace(/^failed to solve(?: with frontend [\w.-]+)?: /, '')
    .replace(/(?:failed to create LLB definition|failed to build LLB|rpc error: code = \w+ desc = ): ?/g, '')
    .replace(/rpc error: code = \w+ desc = /g, '')
    .replace(/^executor failed running (\[.*\]): exit code: (\d+)$/s, 'the command $1 ended with exit code $2')
    .replace(/^(?:building at STEP|error building at STEP) "(.*?)": (?=while running runtime|[a-z]|Build error)/is, '')
    .replace(/^(?:error )?while running runtime: exit status (\d+)/, 'the command ended with exit code $1')
    .replace(/^Build error: (.*?) &imagebuilder\..*$/s, '$1')
    .replace(/^checking on sources under "[^"]*": copier: stat: /, '')
    .trim()
}

/** What is said of a build that failed: what the engine says, the line of the Dockerfile, the last words of what failed. */
export function buildFailure(error: EngineBuildError, dockerfile?: string): CarrickError {
  const { step, lastLines } = error
  const words = plainWords(error.message)
  if (/no space left on device|disk quota exceeded/i.test([words, ...lastLines].join('\n'))) {
    return new CarrickError(
      'disk_full',
      `The disk is full: the image was not built. Make room and deploy again.\n${words}`,
    )
  }
  const line = dockerfile === undefined || step === undefined ? undefined : lineOf(dockerfile, step)
  const where = line === undefined || /\bline \d+/.test(words) ? '' : `Dockerfile line ${line}: `
  const told = lastLines.join('\n').slice(-mostCharacters)
  const what = dockerfile === undefined ? 'The environment' : 'The image'
  const message = `${what} could not be built: ${where}${authorization(words) ?? words}${told === '' ? '' : `\n${told}`}`
  return new CarrickError('build_failed', message)
}

/** Where the instruction stands that a step of a build is of, such as `[build 2/3] RUN make`. */
export function lineOf(dockerfile: string, step: string): number | undefined {
  const wanted = squeezed(step.replace(/^\[[^\]]*\]\s*/, ''))
  if (wanted === '') return undefined
  const instructions = instructionsOf(dockerfile)
  const found = instructions.find(({ text }) => text === wanted) ?? instructions.find(({ text }) => alike(text, wanted))
  return found?.line
}

/** Arguments are filled in by the time that a step is named: then its beginning has to do. */
function alike(text: string, step: string): boolean {
  const fixed = text.split('$')[0] ?? ''
  return text.includes('$') && fixed.length > 4 && step.startsWith(fixed)
}

function instructionsOf(dockerfile: string): { line: number; text: string }[] {
  const found: { line: number; text: string }[] = []
  let text = ''
  let first = 0
  for (const [index, line] of dockerfile.split(/\r?\n/).entries()) {
    if (/^\s*(?:#|$)/.test(line)) continue
    if (text === '') first = index + 1
    text += line.replace(/\\\s*$/, ' ')
    if (/\\\s*$/.test(line)) continue
    found.push({ line: first, text: squeezed(text) })
    text = ''
  }
  return found
}

const squeezed = (text: string) =>
  text
    .replace(/\s--mount=\S+/g, '')
    .replace(/\s+/g, ' ')
    .trim()
    .replace(/^[a-z]+/i, (word) => word.toUpperCase())

/** A registry that does not let us in is named; by whom it was tried is not. */
function authorization(words: string): string | undefined {
  if (
    !/unauthorized|authentication required|access denied|denied:|incorrect username or password|40[13] /i.test(words)
  ) {
    return undefined
  }
  const [, asked] = /\bfrom host ([\w.-]+(?::\d+)?)/.exec(words) ?? []
  const [, named] = /([a-z0-9][\w.-]*(?::\d+)?\/[\w./-]+(?::[\w.-]+)?)/i.exec(words.replace(/https?:\/\//g, '')) ?? []
  const host = asked ?? (named === undefined ? undefined : parseImageName(named)?.host) ?? 'of the image'
  return `the registry ${host} refuses the image or the username and password for it (\`registries\` of the image names them): ${words}`
}

/** What is said of an image that could not be pulled. */
export function pullFailure(error: unknown, name: string): CarrickError {
  const words = plainWords(wordsOf(error))
  const host = parseImageName(name)?.host ?? 'unknown'
  if (/no space left on device/i.test(words)) {
    return new CarrickError(
      'disk_full',
      `The disk is full: the image ${name} was not pulled. Make room and deploy again.\n${words}`,
    )
  }
  const isRefused =
    statusOf(error) === 401 ||
    statusOf(error) === 403 ||
    /unauthorized|authentication required|denied|no basic auth credentials/i.test(words)
  const why = isRefused
    ? `the registry ${host} refuses it, or the username and password for it (\`registries\` of the image names them)`
    : `the registry ${host} does not give it`
  return new CarrickError('build_failed', `The image ${name} could not be pulled: ${why}. Its words: ${words}`)
}
