import { CarrickError } from '../domain/errors.ts'
import type { CondaDefinition } from '../domain/revision.ts'

const most = 500
const longest = 256

const name = String.raw`[A-Za-z0-9_][A-Za-z0-9._-]*`
const channelName = String.raw`[A-Za-z0-9_][A-Za-z0-9._/-]*`

/** A name with versions and builds, and perhaps the channel that it is from. All else could be an option, an address or a path. */
const spec = new RegExp(String.raw`^(?:${channelName}::)?${name}[\s<>=!~*,|.()A-Za-z0-9+_-]*$`)
/** An address with somebody's password in it would be shown. */
const channel = new RegExp(String.raw`^(?:${channelName}|https?://[^\s@?#]+)$`)

/** Throws `bad_request` for what micromamba could read as more than the name of a channel or a package. */
export function checkConda({ channels, packages }: CondaDefinition): void {
  if (channels.length > most || packages.length > most) {
    throw new CarrickError('bad_request', `A conda environment names at most ${most} packages and channels.`)
  }
  for (const each of channels)
    check('channel', each, channel, 'a name (`conda-forge`) or an address without a password')
  for (const each of packages) check('package', each, spec, 'a name with versions (`numpy>=2`, `conda-forge::numpy`)')
  const python = packages.find((each) => /^(?:\S*::)?python\s*(?:[=<>!~]|\s|$)/.test(each))
  if (python === undefined) return
  const message = `The conda package ${JSON.stringify(python)} is refused: Python is chosen by \`python_version\`.`
  throw new CarrickError('bad_request', message)
}

function check(what: string, given: string, pattern: RegExp, wanted: string): void {
  if (given.length <= longest && pattern.test(given) && !/\p{Cc}/u.test(given)) return
  const message = `The conda ${what} ${JSON.stringify(given.slice(0, longest))} is refused: it must be ${wanted}.`
  throw new CarrickError('bad_request', message)
}
