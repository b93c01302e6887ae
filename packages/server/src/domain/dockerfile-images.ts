import { wholeImageName } from './image-reference.ts'

const continued = /[\\`][ \t]*\r?\n/g
const froms = /^[ \t]*FROM[ \t]+(?:--\S+[ \t]+)*(\S+)/gim
const others = /\bfrom=([^\s,]+)/gi
const defaults = /^[ \t]*ARG[ \t]+(\w+)=["']?([^\s"']*)/gim
const variable = /\$(?:\{(\w+)[^}]*\}|(\w+))/g
/** A value may name other variables. */
const mostSteps = 5
/** No name of an image is longer. What is, is not filled in any further: values that name values grow without end. */
const longest = 1_000

/** Whether an image of this whole name (`wholeImageName`) may be meant. */
export type Names = (whole: string) => boolean

/**
 * Which images the text of a Dockerfile may begin with or copy from. It is not read as BuildKit reads it: a variable that is not known
 * here may have any value, so an image may be taken for one that is used and is not; never the other way round.
 */
export function imagesOfDockerfile(dockerfile: string, args: Readonly<Record<string, string>>): readonly Names[] {
  const text = dockerfile.replaceAll(continued, ' ')
  const values = valuesOf(text, args)
  const words = [...text.matchAll(froms), ...text.matchAll(others)].map(([, word = '']) => filled(word, values))
  return Array.from(new Set(words), namesOf)
}

/** One that is set to two things is not known: which of them counts depends on where. Nor is one that is too long. */
function valuesOf(text: string, args: Readonly<Record<string, string>>): ReadonlyMap<string, string> {
  const found = new Map<string, Set<string>>()
  const all = [...text.matchAll(defaults)].map(([, name = '', value = '']) => [name, value] as const)
  for (const [name, value] of [...all, ...Object.entries(args)]) {
    const those = found.get(name) ?? new Set()
    found.set(name, those.add(value))
  }
  return new Map(
    [...found].flatMap(([name, [value = '', ...more]]) =>
      more.length === 0 && value.length <= longest ? [[name, value]] : [],
    ),
  )
}

function filled(word: string, values: ReadonlyMap<string, string>): string {
  let text = word
  for (let step = 0; step < mostSteps && text.includes('$') && text.length <= longest; step += 1)
    text = text.replaceAll(variable, (all, braced: string | undefined, plain: string | undefined) => {
      return values.get(braced ?? plain ?? '') ?? all
    })
  return text.replaceAll(/["']/g, '')
}

/** Of a word with unknown variables what is known has to be there, in its order: by an expression, a hostile one would take years. */
function namesOf(word: string): Names {
  if (!word.includes('$')) return (whole) => wholeImageName(word) === whole
  const parts = word.split(/\$(?:\{[^}]*\}|\w+)/)
  return (whole) => {
    let at = 0
    return parts.every((part) => {
      const found = whole.indexOf(part, at)
      at = found + part.length
      return found >= 0
    })
  }
}
