import { resolve } from 'node:path'
import { gpusAsked } from '../domain/gpus-asked.ts'
import { listOf, settings, type Config, type SettingName } from '../config.ts'
import { networksOf } from '../kit/networks.ts'
import { allowedFor, described, isSetting, settingNames } from './allowed.ts'
import { catalogueOf } from './machine-types.ts'

/** What somebody gave for a setting, and where: `--port`, `CARRICK_PORT`, `/data/carrick.toml line 3: port`. */
export interface Given {
  readonly text: string
  readonly where: string
}

export type Givens = Readonly<Partial<Record<SettingName, Given>>>

/** The settings in force, and where each that is not the default came from. */
export interface Settled {
  readonly config: Config
  readonly givens: Givens
}

/** The settings among the variables of a process. An empty one is as good as none. */
export function fromVariables(variables: Readonly<Record<string, string | undefined>>): Givens {
  const found = settingNames.flatMap((name) => {
    const text = variables[name] ?? ''
    return text === '' ? [] : [[name, { text, where: name }] as const]
  })
  return Object.fromEntries(found)
}

/** Checks all settings at once. Throws one sentence per wrong value, a line each. */
export function settle(givens: Givens): Settled {
  const texts = Object.fromEntries(Object.entries(givens).map(([name, { text }]) => [name, text]))
  const parsed = settings.safeParse(texts)
  if (!parsed.success) {
    const names = new Set(parsed.error.issues.map(({ path }) => String(path[0])))
    throw new Error([...names].map((name) => refusal(name, givens)).join('\n'))
  }
  const config = { ...parsed.data, CARRICK_DATA: resolve(parsed.data.CARRICK_DATA) }
  const wrong = [...contradictions(config), ...wrongMachines(config, givens)]
  if (wrong.length > 0) throw new Error(wrong.join('\n'))
  return { config, givens }
}

function refusal(name: string, givens: Givens): string {
  if (!isSetting(name)) return `${name} is not a setting`
  const { text = '', where = name } = givens[name] ?? {}
  const said = described(name).secret === true ? 'its value' : `"${text}"`
  return `${where}: ${said} is not allowed: give ${allowedFor(name)}`
}

/** What each setting allows and all of them together do not. */
function contradictions(config: Config): readonly string[] {
  const { CARRICK_TLS_CERT: cert, CARRICK_TLS_KEY: key, CARRICK_ACME_NAMES: acme } = config
  const { CARRICK_ACME_EAB_KEY_ID: account, CARRICK_ACME_EAB_HMAC_KEY: hmac } = config
  return [
    (cert === '') !== (key === '') && 'CARRICK_TLS_CERT and CARRICK_TLS_KEY belong together: give both or none',
    cert !== '' &&
      acme !== '' &&
      'CARRICK_TLS_CERT is a certificate of your own and CARRICK_ACME_NAMES asks for one: give one of the two',
    acme !== '' &&
      config.CARRICK_ACME_AGREE_TERMS === 'false' &&
      `CARRICK_ACME_NAMES asks ${config.CARRICK_ACME_DIRECTORY} for a certificate: read its terms of service, then set CARRICK_ACME_AGREE_TERMS to true`,
    (account === '') !== (hmac === '') &&
      'CARRICK_ACME_EAB_KEY_ID and CARRICK_ACME_EAB_HMAC_KEY belong together: give both or none',
    wrongNetworks(config, 'CARRICK_TRUSTED_PROXIES'),
    wrongNetworks(config, 'CARRICK_FETCH_ALLOW'),
  ].filter((complaint) => complaint !== false)
}

function wrongMachines(
  { CARRICK_MACHINE_TYPES: types, CARRICK_GPUS: gpus }: Config,
  givens: Givens,
): readonly string[] {
  const complaints = [
    ['CARRICK_MACHINE_TYPES', () => catalogueOf(types)],
    ['CARRICK_GPUS', () => gpusAsked(listOf(gpus))],
  ] as const
  return complaints.flatMap(([name, read]) => {
    try {
      read()
      return []
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      return message.split('\n').map((line) => `${givens[name]?.where ?? name}: ${line}`)
    }
  })
}

function wrongNetworks(config: Config, name: 'CARRICK_TRUSTED_PROXIES' | 'CARRICK_FETCH_ALLOW'): string | false {
  try {
    networksOf(listOf(config[name]))
    return false
  } catch (error) {
    return `${name}: ${error instanceof Error ? error.message : String(error)}`
  }
}
