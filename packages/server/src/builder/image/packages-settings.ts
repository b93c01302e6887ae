import { readFile } from 'node:fs/promises'
import type { EnvironmentDefinition } from '../../domain/revision.ts'
import type { SecretValues } from '../../domain/secret.ts'
import { ourPackages } from '../definition.ts'
import { filled, spellingsOf } from '../filling.ts'
import { gitConfiguration, withoutCredentials } from '../git-credentials.ts'
import { layersOf } from './layers.ts'

/** Paths of this machine, and what has a value of its own in a build. */
const ofThisMachine = `PATH HOME TMPDIR NETRC PYENV_ROOT UV_CONFIG_FILE UV_CACHE_DIR
  SSL_CERT_FILE SSL_CERT_DIR REQUESTS_CA_BUNDLE CURL_CA_BUNDLE GIT_SSL_CAINFO PIP_CERT`.split(/\s+/)

/** Where packages come from, in a build: what reaches it of the server's settings. They may hold passwords. */
export function settingsVariables(variables: Readonly<Record<string, string>>): Record<string, string> {
  const passed = Object.entries(variables).filter(([name]) => !ofThisMachine.includes(name))
  const { UV_FIND_LINKS: links = '', ...others } = Object.fromEntries(passed)
  const addresses = links.split(',').filter((link) => /^https?:/.test(link)) // a folder of this machine is not there
  const bundle = '/dev/carrick/bundle'
  return {
    ...others,
    ...(addresses.length > 0 ? { UV_FIND_LINKS: addresses.join(',') } : {}),
    GIT_SSL_CAINFO: bundle,
    REQUESTS_CA_BUNDLE: bundle,
    UV_CACHE_DIR: '/dev/carrick/cache/uv',
    UV_LINK_MODE: 'copy',
    PYC_INVALIDATION_MODE: 'CHECKED_HASH',
  }
}

/** The secret `settings` of a build: see `carrick_image/install.py`. */
export function settingsSecret(
  definition: EnvironmentDefinition,
  { variables, secrets, refresh }: { variables: Record<string, string>; secrets: SecretValues; refresh: boolean },
): string {
  if (Object.keys(secrets).length === 0) return JSON.stringify({ variables, refresh })
  const layers = layersOf(definition).map((layer) => [
    ...ourPackages,
    ...layer.map((requirement) => filled(requirement, secrets)),
  ])
  return JSON.stringify({
    variables,
    refresh,
    layers: layers.map((layer) => layer.map(withoutCredentials)),
    git: gitConfiguration(layers.flat()),
    unfill: spellingsOf(secrets).map(([spelling, name]) => [spelling, `\${${name}}`]),
  })
}

const blocks = /-----BEGIN (TRUSTED )?CERTIFICATE-----[^-]+-----END (TRUSTED )?CERTIFICATE-----/g

/** The certificates of a file that the server trusts, and nothing that stands between them: secrets have a bound. */
export async function bundleSecret(file: string | undefined): Promise<string> {
  const text = file === undefined ? '' : await readFile(file, 'utf8')
  return `${(text.match(blocks) ?? []).join('\n')}\n`
}
